//! `sophie check`, run as a process of its own.

use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::Instant;

/// A check may take so long at most: probes of 2 s, the second of them behind the first, on a machine that is busy and pauses.
const BOUND: Duration = Duration::from_secs(30);

/// What a check said.
#[derive(Debug)]
pub struct Checked {
    /// Its JSON document.
    pub report: Value,
}

impl Checked {
    /// Runs it with `--json` and more arguments, in an empty directory.
    pub async fn with(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let (code, text) = run(&[&["--json"], arguments].concat(), environment).await;
        let report = serde_json::from_str(&text).unwrap_or_else(|error| panic!("one JSON document: {error} {text}"));
        let checked = Self { report };
        let faults = checked.codes("fault").len();
        assert_eq!((code, &checked.report["ok"]), (Some(i32::from(faults > 0)), &(faults == 0).into()), "{checked:#?}");
        checked
    }

    /// The same without more arguments.
    pub async fn of(environment: &[(&str, &str)]) -> Self {
        Self::with(&[], environment).await
    }

    /// With this Redis.
    pub async fn redis(url: &str, more: &[(&str, &str)]) -> Self {
        Self::of(&[&[("USE_REDIS", "true"), ("REDIS_URL", url)], more].concat()).await
    }

    /// The codes of the findings of one severity.
    pub fn codes(&self, severity: &str) -> Vec<&str> {
        let findings = self.report["findings"].as_array().expect("findings").iter();
        findings.filter(|it| it["severity"] == severity).map(|it| it["code"].as_str().expect("a code")).collect()
    }

    /// The codes of what is not as it should be: faults, warnings.
    pub fn told(&self) -> [Vec<&str>; 2] {
        [self.codes("fault"), self.codes("warning")]
    }

    /// The first finding with a code.
    pub fn finding(&self, code: &str) -> &Value {
        let mut findings = self.report["findings"].as_array().expect("findings").iter();
        findings.find(|it| it["code"] == code).unwrap_or_else(|| panic!("no {code} in {self:#?}"))
    }

    /// A part of that finding.
    pub fn says(&self, code: &str, part: &str) -> &str {
        self.finding(code)[part].as_str().expect("a text")
    }
}

/// Runs `sophie check` for people; returns exit code and text.
pub async fn checked_text(environment: &[(&str, &str)]) -> (Option<i32>, String) {
    run(&[], environment).await
}

async fn run(arguments: &[&str], environment: &[(&str, &str)]) -> (Option<i32>, String) {
    let dir = TempDir::new().expect("a directory");
    let mut command = Command::new(env!("CARGO_BIN_EXE_sophie"));
    command.current_dir(dir.path()).arg("check").args(arguments).env("SOPHIE__SERVER__BIND", "127.0.0.1:0");
    command.envs(environment.iter().copied()).kill_on_drop(true);
    let since = Instant::now();
    let output = command.output().await.expect("the binary starts");
    assert!(since.elapsed() < BOUND, "it took {:?}", since.elapsed());
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(error, "", "all that is said is said on stdout");
    (output.status.code(), String::from_utf8(output.stdout).expect("text"))
}
