//! The log of a process, read as the JSON lines that they are.

use serde_json::Value;

use super::{Broker, SOON, eventually};

/// For a process whose log is to be read.
pub const JSON_LOG: (&str, &str) = ("SOPHIE__LOG__FORMAT", "json");

impl Broker {
    /// All lines so far; each must be an object.
    pub fn lines(&self) -> Vec<Value> {
        let log = self.log();
        // The last one may be under way.
        let whole = log.rfind('\n').map_or("", |end| &log[..end]);
        whole.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"))).collect()
    }

    /// The lines of an event so far.
    pub fn told(&self, event: &str) -> Vec<Value> {
        self.lines().into_iter().filter(|line| line["event"] == event).collect()
    }

    /// The first line of an event whose fields are these, once it is there.
    pub async fn tells(&self, event: &str, fields: &[(&str, Value)]) -> Value {
        let fits = |line: &Value| fields.iter().all(|(name, value)| line[*name] == *value);
        let what = format!("a line of {event} with {fields:?}");
        eventually(&what, SOON * 2, async || self.told(event).into_iter().find(fits)).await
    }
}
