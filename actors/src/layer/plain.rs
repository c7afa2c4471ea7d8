//! Plain channels of the core layer, as a worker reads them: what waits there waits for its reader, however long that
//! takes. channels_redis itself lets messages expire there, and cannot decrypt old ones; so they are kept fresh.

use redis::Script;
use sha2::{Digest, Sha256};

use super::Fields;
use super::codec::{Codec, PREFIX};
use crate::store::StoreResult;
use crate::store::redis::Database;

/// How long a channel is kept that nobody reads and nobody keeps fresh, in seconds: as long as its messages' outbox.
const KEPT_SECONDS: u64 = 86_400;
/// Messages that are made fresh in one script run.
const CHUNK: usize = 250;

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

    /// Writes a message unless one of the same `token` waits. `false`: there is no room for it.
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
        // Where its reader turns next, on a ring.
        let turn = format!("{key}$turn");
        if hosts.len() > 1 {
            match self.next_host(hosts, key, &turn, name).await? {
                Some(next) => host = next,
                None => return Ok(true),
            }
        }
        let stored = [name, &codec.seal(fields)].concat();
        let mut call = self.tell.key(key);
        call.arg(score).arg(KEPT_SECONDS).arg(capacity).arg(stored).arg(PREFIX);
        let written: bool = hosts[host].script(&call).await?;
        if written && hosts.len() > 1 {
            let mut set = redis::cmd("SET");
            set.arg(turn).arg((host + 1) % hosts.len()).arg("EX").arg(KEPT_SECONDS);
            hosts[0].call(async |mut connection| set.query_async::<()>(&mut connection).await).await?;
        }
        Ok(written)
    }

    /// The host on which the message is read soonest; `None`: it waits already. A reader takes one message from each host
    /// in turn and stays at an empty one until something comes there: so the one with the fewest gets it, and among equals
    /// the one whose turn it is.
    async fn next_host(&self, hosts: &[Database], key: &str, turn: &str, name: &[u8]) -> StoreResult<Option<usize>> {
        let mut get = redis::cmd("GET");
        get.arg(turn);
        let turn: Option<usize> = hosts[0].call(async |mut connection| get.query_async(&mut connection).await).await?;
        let turn = turn.unwrap_or(0) % hosts.len();
        let mut best = (usize::MAX, 0);
        for step in 0..hosts.len() {
            let host = (turn + step) % hosts.len();
            let mut call = self.survey.key(key);
            call.arg(name);
            let (waiting, is_there): (usize, bool) = hosts[host].script(&call).await?;
            if is_there {
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
        let range = async |last: isize| -> StoreResult<Vec<(Vec<u8>, f64)>> {
            let mut range = redis::cmd("ZRANGE");
            range.arg(key).arg(0).arg(last).arg("WITHSCORES");
            host.call(async |mut connection| range.query_async(&mut connection).await).await
        };
        if range(0).await?.first().is_none_or(|(_, oldest)| *oldest > stale) {
            return Ok(());
        }
        let waiting: Vec<(Vec<u8>, String)> = range(-1).await?.into_iter().map(|(it, _)| (it, score())).collect();
        // The newest first: who reads in the middle of it finds the oldest before them all the same.
        for chunk in waiting.rchunks(CHUNK) {
            let mut call = self.refresh.key(key);
            call.arg(KEPT_SECONDS);
            for (stored, score) in chunk {
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
