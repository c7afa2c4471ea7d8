//! Plain channels of the core layer, as a worker reads them: what waits there waits for its reader, however long that
//! takes. channels_redis itself lets messages expire there, and cannot decrypt old ones; so what is encrypted is kept fresh,
//! and few of it wait at once. No call reads more of a channel than a few messages.

use redis::Script;
use sha2::{Digest, Sha256};

use super::Fields;
use super::codec::{Codec, PREFIX};
use crate::redis::Database;
use crate::store::StoreResult;

/// How long a channel is kept that nobody reads and nobody keeps fresh, in seconds: as long as the worker's queue.
pub(super) const KEPT_SECONDS: u64 = 86_400;
/// Encrypted messages that wait in a channel at most; the others wait in the worker's queue. Each is made anew again and again.
const SEALED: u64 = 100;
/// Tokens that are remembered of each channel and host, so that nothing is told twice.
const TOKENS: u64 = 4_096;
/// Messages that are made fresh in one step.
const CHUNK: usize = 10;

/// The scripts.
pub(super) struct PlainChannels {
    survey: Script,
    tell: Script,
    refresh: Script,
}

impl PlainChannels {
    pub(super) fn new() -> Self {
        Self {
            survey: Script::new(include_str!("scripts/survey.lua")),
            tell: Script::new(include_str!("scripts/tell_once.lua")),
            refresh: Script::new(include_str!("scripts/refresh.lua")),
        }
    }

    /// Writes a message unless its `token` was told already. `false`: there is no room for it.
    pub(super) async fn tell(
        &self,
        hosts: &[Database],
        key: &str,
        (score, fields, token): (&str, &Fields, &str),
        codec: &Codec,
        capacity: u64,
    ) -> StoreResult<bool> {
        let name = &Sha256::digest(token.as_bytes())[..PREFIX];
        let mut host = 0;
        // Where its reader turns next, on a ring, if it is where it should be.
        let turn = format!("{key}$turn");
        if hosts.len() > 1 {
            match self.next_host(hosts, key, &turn, name).await? {
                Some(next) => host = next,
                None => return Ok(true),
            }
        }
        let stored = [name, &codec.seal(fields)].concat();
        let room = if codec.encrypts() { capacity.min(SEALED) } else { capacity };
        let mut call = self.tell.key(key);
        call.key(told(key)).arg(score).arg(KEPT_SECONDS).arg(room).arg(stored).arg(name).arg(TOKENS);
        let written: bool = hosts[host].script(&call).await?;
        if written && hosts.len() > 1 {
            let mut set = redis::cmd("SET");
            set.arg(turn).arg((host + 1) % hosts.len()).arg("EX").arg(KEPT_SECONDS);
            hosts[0].call(async |mut connection| set.query_async::<()>(&mut connection).await).await?;
        }
        Ok(written)
    }

    /// The host on which the message is likely to be read soonest; `None`: it was told already. A reader takes one message
    /// from each host in turn and stays at an empty one until something comes there: so the one with the fewest gets it, and
    /// among equals the one whose turn it should be. Where that turns out wrong, [`super::moving`] helps.
    async fn next_host(&self, hosts: &[Database], key: &str, turn: &str, name: &[u8]) -> StoreResult<Option<usize>> {
        let mut get = redis::cmd("GET");
        get.arg(turn);
        let turn: Option<usize> = hosts[0].call(async |mut connection| get.query_async(&mut connection).await).await?;
        let turn = turn.unwrap_or(0) % hosts.len();
        let mut best = (usize::MAX, 0);
        for step in 0..hosts.len() {
            let host = (turn + step) % hosts.len();
            let mut call = self.survey.key(key);
            call.key(told(key)).arg(name);
            let (waiting, was_told): (usize, bool) = hosts[host].script(&call).await?;
            if was_told {
                return Ok(None);
            }
            if waiting < best.0 {
                best = (waiting, host);
            }
        }
        Ok(Some(best.1))
    }

    /// Makes what has waited since before `stale` (Unix seconds) as new as what comes now, in its order: scores from
    /// `score`, sealed anew.
    pub(super) async fn refresh(
        &self,
        host: &Database,
        key: &str,
        stale: f64,
        codec: &Codec,
        score: impl Fn() -> String,
    ) -> StoreResult<()> {
        let mut oldest = redis::cmd("ZRANGE");
        oldest.arg(key).arg(0).arg(0).arg("WITHSCORES");
        let oldest: Vec<(Vec<u8>, f64)> =
            host.call(async |mut connection| oldest.query_async(&mut connection).await).await?;
        if oldest.first().is_none_or(|(_, oldest)| *oldest > stale) {
            return Ok(());
        }
        let mut count = redis::cmd("ZCARD");
        count.arg(key);
        let count: usize = host.call(async |mut connection| count.query_async(&mut connection).await).await?;
        let scores: Vec<String> = (0..count).map(|_| score()).collect();
        // The newest first: who reads in the middle of it finds the oldest before them all the same. Counted from the end,
        // where nothing changes meanwhile.
        for (at, scores) in scores.rchunks(CHUNK).enumerate() {
            let newest = isize::try_from(at * CHUNK).unwrap_or(isize::MAX);
            let mut range = redis::cmd("ZRANGE");
            range.arg(key).arg(-newest - scores.len().cast_signed()).arg(-newest - 1);
            let part: Vec<Vec<u8>> = host.call(async |mut connection| range.query_async(&mut connection).await).await?;
            let mut call = self.refresh.key(key);
            call.arg(KEPT_SECONDS);
            // Fewer than expected: the oldest of them have been read.
            for (stored, score) in part.iter().rev().zip(scores.iter().rev()) {
                let Some((name, body)) = stored.split_at_checked(PREFIX) else { continue };
                // What cannot be read is somebody else's affair, and stays as it is.
                let Ok(fields) = codec.open(body, None) else { continue };
                let fresh = if codec.encrypts() { codec.seal(&fields) } else { body.to_vec() };
                call.arg(&stored[..]).arg([name, &fresh].concat()).arg(score);
            }
            let _: () = host.script(&call).await?;
        }
        Ok(())
    }
}

/// The tokens that were told on a host.
fn told(key: &str) -> String {
    format!("{key}$told")
}
