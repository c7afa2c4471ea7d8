//! The tables, each with its columns and rows.

use serde_json::Value;

use super::look::{Look, rows};

/// Groups that are shown.
const TOP: usize = 100;

/// Which table is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Table {
    #[default]
    Groups,
    Answers,
    Backends,
    Redis,
    Nodes,
}

impl Table {
    /// All of them, in their order.
    pub(super) const ALL: [Self; 5] = [Self::Groups, Self::Answers, Self::Backends, Self::Redis, Self::Nodes];

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Groups => "Groups",
            Self::Answers => "Answers",
            Self::Backends => "Backends",
            Self::Redis => "Redis",
            Self::Nodes => "Nodes",
        }
    }

    /// The names of the columns.
    pub(super) fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Groups => &["name", "members", "nodes", "last seq", "assistant"],
            Self::Answers => &["answer", "group or key", "model", "since", "readers"],
            Self::Backends => &["name", "state", "requests", "failures", "models", "last error"],
            Self::Redis => &["database", "reachable", "now ms", "p99 ms", "MiB", "policy", "hit rate"],
            Self::Nodes => &["node", "version", "since", "sockets", "sessions", "groups"],
        }
    }

    /// The rows, each as long as the columns.
    pub(super) fn rows(self, look: &Look) -> Vec<Vec<String>> {
        match self {
            Self::Groups => {
                let mut groups: Vec<&Value> = rows(&look.groups, "groups").iter().collect();
                groups.sort_by_key(|group| std::cmp::Reverse(group["members"].as_u64()));
                let fields = ["name", "members", "nodes", "last_seq", "assistant"];
                groups.into_iter().take(TOP).map(|group| fields.map(|field| said(&group[field])).to_vec()).collect()
            }
            Self::Answers => rows(&look.answers, "answers").iter().map(answer).collect(),
            Self::Backends => rows(&look.backends, "backends").iter().map(backend).collect(),
            Self::Redis => {
                let databases = look.redis["databases"].as_object().into_iter().flatten();
                databases.map(|(name, row)| database(name, row)).collect()
            }
            Self::Nodes => {
                let fields = ["node", "version", "since", "sockets", "sessions", "groups"];
                let nodes = rows(&look.nodes, "nodes").iter();
                nodes.map(|node| fields.map(|field| said(&node[field])).to_vec()).collect()
            }
        }
    }
}

fn answer(row: &Value) -> Vec<String> {
    let of = if row["group"].is_null() { &row["key"] } else { &row["group"] };
    let readers = row["readers"].as_object().into_iter().flatten().filter_map(|(_, count)| count.as_u64()).sum::<u64>();
    let readers = readers + row["sockets"].as_u64().unwrap_or(0);
    vec![said(&row["answer"]), said(of), said(&row["model"]), said(&row["since"]), readers.to_string()]
}

fn backend(row: &Value) -> Vec<String> {
    let models: Vec<&str> = rows(row, "models").iter().filter_map(Value::as_str).collect();
    let error = said(&row["last_error"]["detail"]);
    vec![
        said(&row["name"]),
        said(&row["state"]),
        said(&row["requests"]),
        said(&row["failures"]),
        models.join(" "),
        error,
    ]
}

fn database(name: &str, row: &Value) -> Vec<String> {
    let ms = |value: &Value| value.as_f64().map_or("-".to_owned(), |ms| format!("{ms:.1}"));
    let memory = row["memory_bytes"].as_u64().map_or("-".to_owned(), |bytes| (bytes >> 20).to_string());
    let rate = row["hit_rate"].as_f64().map_or("-".to_owned(), |rate| format!("{:.0}%", rate * 100.0));
    let latency = &row["latency_ms"];
    vec![
        name.to_owned(),
        said(&row["reachable"]),
        ms(&latency["now"]),
        ms(&latency["p99"]),
        memory,
        said(&row["policy"]),
        rate,
    ]
}

/// A value for people, without what would move the cursor: names may be anybody's.
fn said(value: &Value) -> String {
    match value {
        Value::String(text) => text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect(),
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_row_is_as_long_as_its_columns_and_the_largest_group_is_the_first() {
        let look = Look {
            groups: json!({"groups": [{"name": "a", "members": 1}, {"name": "b\u{1b}[2J", "members": 3}]}),
            answers: json!({"answers": [{"answer": "x", "group": "a", "readers": {"ai_sdk": 2}, "sockets": 1}]}),
            backends: json!({"backends": [{"name": "o", "state": "open", "models": ["*"], "last_error": {"detail": "no"}}]}),
            redis: json!({"databases": {"main": {"reachable": true, "latency_ms": {"now": 0.25}, "hit_rate": 0.5}}}),
            nodes: json!({"nodes": [{"node": "n"}]}),
            ..Look::default()
        };
        for table in Table::ALL {
            let rows = table.rows(&look);
            assert!(
                !rows.is_empty() && rows.iter().all(|row| row.len() == table.columns().len()),
                "{table:?} {rows:?}"
            );
        }
        assert_eq!(Table::Groups.rows(&look)[0][0], "b [2J");
        assert_eq!(Table::Answers.rows(&look)[0][4], "3");
        assert_eq!(Table::Backends.rows(&look)[0][5], "no");
        assert_eq!(Table::Redis.rows(&look)[0][6], "50%");
    }
}
