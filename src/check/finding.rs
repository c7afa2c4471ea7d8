//! What was found of one thing: what it is, what that means, and what to do.

use serde::Serialize;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// As it should be.
    Ok,
    /// It works, and may hurt later.
    Warning,
    /// A node would not work with it.
    Fault,
}

/// What a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Area {
    /// Files and environment.
    Settings,
    /// The databases.
    Redis,
    /// The channel layer, between Django and a node.
    Layer,
    /// Names of nodes.
    Node,
    /// The AI backends.
    Ai,
    /// The application that decides who comes in.
    Hook,
    /// The public keys of tokens.
    Jwks,
    /// The certificate.
    Tls,
    /// Where a node listens.
    Port,
    /// Open files.
    Descriptors,
}

/// One line of a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What it is about.
    pub area: Area,
    /// Which one of its kind: a setting, a database, a backend.
    pub subject: String,
    /// What was found, as a word for programs.
    pub code: &'static str,
    /// What was found, as a sentence.
    pub found: String,
    /// What that means for a node; empty if all is well.
    pub means: String,
    /// What to do; empty if all is well.
    #[serde(rename = "do")]
    pub advice: String,
}

impl Finding {
    /// As it should be.
    pub fn ok(code: &'static str, area: Area, subject: impl Into<String>, found: impl Into<String>) -> Self {
        let (severity, subject, found) = (Severity::Ok, subject.into(), found.into());
        Self { severity, area, subject, code, found, means: String::new(), advice: String::new() }
    }

    /// It may hurt later.
    pub fn warning(
        code: &'static str,
        area: Area,
        subject: impl Into<String>,
        found: impl Into<String>,
        means: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        let (means, advice) = (means.into(), advice.into());
        Self { severity: Severity::Warning, means, advice, ..Self::ok(code, area, subject, found) }
    }

    /// A node would not work with it.
    pub fn fault(
        code: &'static str,
        area: Area,
        subject: impl Into<String>,
        found: impl Into<String>,
        means: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self { severity: Severity::Fault, ..Self::warning(code, area, subject, found, means, advice) }
    }
}

impl Area {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Settings => "settings",
            Self::Redis => "redis",
            Self::Layer => "layer",
            Self::Node => "node",
            Self::Ai => "ai",
            Self::Hook => "hook",
            Self::Jwks => "jwks",
            Self::Tls => "tls",
            Self::Port => "port",
            Self::Descriptors => "descriptors",
        }
    }
}
