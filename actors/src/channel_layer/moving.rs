//! On a ring a plain channel has a queue on every host. A reader of channels_redis sits at one of them until something comes
//! there, and nobody knows at which. So what lies unread for a moment, while another host has nothing, is moved there.

use redis::Script;
use tokio::sync::Mutex;
use tokio::time::{Duration, Instant};

use super::codec::PREFIX;
use super::plain::KEPT_SECONDS;
use crate::ids::random_text;
use crate::redis::Database;
use crate::store::StoreResult;

/// How long the first message of a host may lie unread before it is moved to one that has none.
const MOMENT: Duration = Duration::from_millis(300);

/// What was seen of one channel, and the scripts.
pub(super) struct Moving {
    front: Script,
    take: Script,
    place: Script,
    /// The first message of each host, and since when it is.
    seen: Mutex<Vec<(Vec<u8>, Instant)>>,
}

impl Moving {
    pub(super) fn new() -> Self {
        Self {
            front: Script::new(include_str!("scripts/front.lua")),
            take: Script::new(include_str!("scripts/take.lua")),
            place: Script::new(include_str!("scripts/place.lua")),
            seen: Mutex::default(),
        }
    }

    /// Moves what should be moved now. To be called many times a second, by one node at a time.
    pub(super) async fn spread(&self, hosts: &[Database], key: &str) -> StoreResult<()> {
        let mut seen = self.seen.lock().await;
        seen.resize_with(hosts.len(), || (Vec::new(), Instant::now()));
        let mut counts = Vec::with_capacity(hosts.len());
        for (at, host) in hosts.iter().enumerate() {
            let mut call = self.front.key(key);
            call.key(moving(key)).arg(PREFIX);
            let (count, first, moved): (usize, Vec<u8>, Vec<u8>) = host.script(&call).await?;
            if !moved.is_empty() {
                // Begun by a node that did not come to its end.
                self.place(hosts, at, key, &moved).await?;
            }
            if seen[at].0 != first {
                seen[at] = (first, Instant::now());
            }
            counts.push(count);
        }
        for full in 0..hosts.len() {
            if counts[full] == 0 || seen[full].1.elapsed() < MOMENT {
                continue;
            }
            // The next one that has nothing: so a single message goes round.
            let Some(empty) = (1..hosts.len()).map(|step| (full + step) % hosts.len()).find(|at| counts[*at] == 0)
            else {
                break;
            };
            let mut call = self.take.key(key);
            call.key(moving(key)).arg(PREFIX).arg(&seen[full].0);
            call.arg(format!("{} {empty}", random_text(16))).arg(KEPT_SECONDS);
            let moved: Vec<u8> = hosts[full].script(&call).await?;
            if !moved.is_empty() {
                self.place(hosts, full, key, &moved).await?;
                counts[full] -= 1;
                counts[empty] += 1;
                seen[empty].1 = Instant::now();
            }
        }
        Ok(())
    }

    /// Puts down what was taken from the host `from`.
    async fn place(&self, hosts: &[Database], from: usize, key: &str, moved: &[u8]) -> StoreResult<()> {
        let mut parts = moved.splitn(4, |byte| *byte == b' ');
        let mut next = || parts.next().unwrap_or_default();
        let (name, to, score, message) = (next(), next(), next(), next());
        let to = std::str::from_utf8(to).ok().and_then(|to| to.parse::<usize>().ok()).unwrap_or(from) % hosts.len();
        let mut call = self.place.key(key);
        call.key(format!("{key}$placed")).arg(name).arg(score).arg(message).arg(KEPT_SECONDS);
        let _: () = hosts[to].script(&call).await?;
        let mut done = redis::cmd("DEL");
        done.arg(moving(key));
        hosts[from].call(async |mut connection| done.query_async(&mut connection).await).await
    }
}

/// What is on its way from a host to another.
fn moving(key: &str) -> String {
    format!("{key}$moving")
}
