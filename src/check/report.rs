//! All findings, as people read them and as programs do.

use serde::Serialize;

use super::finding::{Finding, Severity};

/// What a check found.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The program's version.
    pub version: &'static str,
    /// Whether a node would work: there is no fault.
    pub ok: bool,
    /// How many faults there are.
    pub faults: usize,
    /// How many warnings there are.
    pub warnings: usize,
    /// Each of them, and what is as it should be.
    pub findings: Vec<Finding>,
}

impl Report {
    pub(super) fn of(findings: Vec<Finding>) -> Self {
        let count = |severity| findings.iter().filter(|it| it.severity == severity).count();
        let (faults, warnings) = (count(Severity::Fault), count(Severity::Warning));
        Self { version: env!("CARGO_PKG_VERSION"), ok: faults == 0, faults, warnings, findings }
    }

    /// One JSON document, with a line end.
    pub fn json(&self) -> String {
        let mut json = serde_json::to_string_pretty(self).expect("texts and numbers are JSON");
        json.push('\n');
        json
    }

    /// A line for each finding in columns, and one that sums them up.
    pub fn text(&self) -> String {
        let widest =
            |of: fn(&Finding) -> &str| self.findings.iter().map(|it| of(it).chars().count()).max().unwrap_or(0);
        let (area, subject) = (widest(|it| it.area.as_str()), widest(|it| &it.subject));
        let mut text = String::new();
        for finding in &self.findings {
            let severity = match finding.severity {
                Severity::Ok => "ok",
                Severity::Warning => "warning",
                Severity::Fault => "FAULT",
            };
            let head = format!("{severity:7}  {:area$}  {:subject$}  ", finding.area.as_str(), finding.subject);
            text.push_str(&on_one_line(&(head + &said(finding))));
            text.push('\n');
        }
        text.push_str(&self.sum());
        text.push('\n');
        text
    }

    fn sum(&self) -> String {
        let count = |count: usize, what: &str| match count {
            0 => format!("no {what}s"),
            1 => format!("1 {what}"),
            count => format!("{count} {what}s"),
        };
        let verdict = match (self.faults, self.warnings) {
            (0, 0) => "a node would work",
            (0, _) => "a node would work; see the warnings",
            _ => "a node would not work as it should",
        };
        format!("{}, {}: {verdict}", count(self.faults, "fault"), count(self.warnings, "warning"))
    }
}

/// Found, means, do.
fn said(finding: &Finding) -> String {
    let parts = [("", &finding.found), ("; ", &finding.means), (". Do: ", &finding.advice)];
    parts.into_iter().filter(|(_, part)| !part.is_empty()).map(|(before, part)| format!("{before}{part}")).collect()
}

/// Servers may say anything.
fn on_one_line(text: &str) -> String {
    text.replace(|c: char| c.is_control(), " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Area;

    fn report() -> Report {
        Report::of(vec![
            Finding::ok("redis_ok", Area::Redis, "main", "it answers"),
            Finding::warning("redis_clock", Area::Redis, "main", "its clock\nis ahead", "messages end early", "set it"),
            Finding::fault("ai_away", Area::Ai, "openai", "nobody answers", "no question is answered", "start it"),
        ])
    }

    #[test]
    fn people_get_a_line_for_each_finding_and_a_sum() {
        assert_eq!(
            report().text(),
            "ok       redis  main    it answers\n\
             warning  redis  main    its clock is ahead; messages end early. Do: set it\n\
             FAULT    ai     openai  nobody answers; no question is answered. Do: start it\n\
             1 fault, 1 warning: a node would not work as it should\n"
        );
        assert_eq!(Report::of(Vec::new()).text(), "no faults, no warnings: a node would work\n");
    }

    #[test]
    fn programs_get_one_document() {
        let json: serde_json::Value = serde_json::from_str(&report().json()).unwrap();
        assert_eq!((&json["ok"], &json["faults"], &json["warnings"]), (&false.into(), &1.into(), &1.into()));
        let fault = &json["findings"][2];
        assert_eq!(
            (&fault["severity"], &fault["code"], &fault["do"]),
            (&"fault".into(), &"ai_away".into(), &"start it".into())
        );
    }
}
