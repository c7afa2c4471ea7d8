//! The general cache in Redis.

use async_trait::async_trait;
use serde_json::Value;

use crate::redis::Database;
use crate::store::{GeneralCache, StoreResult};

/// The general cache, in the keys and JSON of django-redis, so that a Django application can warm and drop entries.
pub struct RedisGeneralCache {
    database: Database,
}

impl RedisGeneralCache {
    pub(super) fn new(database: Database) -> Self {
        Self { database }
    }
}

/// django-redis's defaults.
const KEY_PREFIX: &str = "";
const VERSION: u64 = 1;

/// What the keys of this service's entries begin with.
pub(super) const PREFIX: &str = ":1:sophie:";

/// A key as django-redis makes it.
fn key(prefix: &str, version: u64, name: &str) -> String {
    format!("{prefix}:{version}:{name}")
}

/// What an entry holds. What is not JSON (another serializer, a compressed value) and `null` are misses.
fn read(entry: &[u8]) -> Option<Value> {
    serde_json::from_slice(entry).ok().filter(|value: &Value| !value.is_null())
}

#[async_trait]
impl GeneralCache for RedisGeneralCache {
    async fn get(&self, name: &str) -> StoreResult<Option<Value>> {
        let mut get = redis::cmd("GET");
        get.arg(key(KEY_PREFIX, VERSION, name));
        let json: Option<Vec<u8>> =
            self.database.call(async |mut connection| get.query_async(&mut connection).await).await?;
        Ok(json.and_then(|json| read(&json)))
    }

    async fn set(&self, name: &str, value: &Value, seconds: u64) -> StoreResult<()> {
        let mut set = redis::cmd("SET");
        set.arg(key(KEY_PREFIX, VERSION, name))
            .arg(value.to_string())
            .arg("PX")
            .arg(seconds.max(1).saturating_mul(1_000));
        self.database.call(async |mut connection| set.query_async(&mut connection).await).await
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sophie_kit::vectors::{bytes, rows, text};

    use super::*;

    /// What the real django-redis wrote and read.
    fn vectors(section: &str) -> Vec<Value> {
        rows(&format!("django_redis/{section}"))
    }

    #[test]
    fn keys_are_those_of_django_redis() {
        for row in vectors("keys") {
            let prefix = row["params"]["KEY_PREFIX"].as_str().unwrap_or(KEY_PREFIX);
            let version = row["version"].as_u64().or(row["params"]["VERSION"].as_u64()).unwrap_or(VERSION);
            assert_eq!(key(prefix, version, text(&row["key_given"])), row["redis_key"], "{row}");
            assert_eq!(read(text(&row["value"]).as_bytes()), Some(json!({"text": "héllo", "n": 1})));
        }
    }

    #[test]
    fn values_of_its_json_serializer_are_read() {
        // Python's repr of the values, where it is not JSON.
        for row in vectors("values_json_serializer") {
            let (stored, seen) = (bytes(&row["stored_hex"]), read(&bytes(&row["stored_hex"])));
            match text(&row["stored_latin1"]) {
                // What JSON does not have, and what is as good as nothing.
                "NaN" | "Infinity" | "\"\\ud800\"" | "null" => assert_eq!(seen, None, "{row}"),
                _ => {
                    let seen = seen.unwrap_or_else(|| panic!("{row}"));
                    if row["roundtrip_equal"] == true && !text(&row["python_repr"]).starts_with("11805916207174") {
                        // What is written of it is read as the same again.
                        assert_eq!(read(seen.to_string().as_bytes()), Some(seen.clone()), "{row}");
                    }
                    if seen.is_i64() || seen.is_boolean() {
                        assert_eq!(seen.to_string().as_bytes(), stored, "{row}");
                    }
                }
            }
        }
    }

    #[test]
    fn values_of_others_are_read_as_django_reads_them_or_are_misses() {
        for row in vectors("foreign_values_read_by_django") {
            let raw: Vec<u8> = text(&row["raw_latin1"]).chars().map(|c| u8::try_from(c).expect("Latin-1")).collect();
            let expected = match text(&row["django_reads"]) {
                // Python's int() takes more than JSON does.
                "42" if raw != b"42" && raw != b" 42 " => None,
                "None" | "raises JSONDecodeError" => None,
                "42" => Some(json!(42)),
                "42.0" => Some(json!(42.0)),
                "True" => Some(json!(true)),
                "'42'" => Some(json!("42")),
                "'\\xe9'" => Some(json!("é")),
                "{'text': 'compact'}" => Some(json!({"text": "compact"})),
                "{'a': 1}" => Some(json!({"a": 1})),
                other => panic!("{other}"),
            };
            assert_eq!(read(&raw), expected, "{row}");
        }
    }

    #[test]
    fn a_compressed_value_is_a_miss() {
        for row in vectors("zlib_compressor") {
            let short = text(&row["value"]) == "short";
            assert_eq!(read(&bytes(&row["stored_hex"])), short.then(|| row["value"].clone()), "{row}");
        }
    }

    #[tokio::test]
    async fn entries_live_as_long_as_django_redis_lets_them() {
        use super::super::{Budgets, Database, Source};
        use sophie_kit::{TestServer, eventually, until};
        use std::time::Duration;

        let server = TestServer::start();
        let second = Duration::from_secs(5);
        let source = Source::new(&server.url(1), &crate::redis::Bound::none()).expect("a URL");
        let database = Database::open(
            "general",
            source,
            Budgets { append: second, other: second },
            Vec::new(),
            Default::default(),
            crate::metrics::Metrics::new().dependencies.calls("general"),
        )
        .await;
        until("it is connected", 4 * second, || database.away().is_none()).await;
        let cache = RedisGeneralCache::new(database);
        for row in vectors("timeouts").iter().filter(|row| row["timeout"].as_u64().is_some_and(|seconds| seconds > 0)) {
            let seconds = row["timeout"].as_u64().expect("a number");
            let expected = row["pttl_rounded_to_100ms"].as_i64().expect("a number");
            // Kept and looked at anew if the machine paused between the two.
            eventually(&format!("a life as in {row}"), 4 * second, async || {
                cache.set("entry", &json!(1), seconds).await.expect("kept");
                let left: i64 = redis::cmd("PTTL").arg(":1:entry").query(&mut server.connection(1)).expect("asked");
                ((expected - 900).max(0)..=expected).contains(&left).then_some(())
            })
            .await;
        }
    }
}
