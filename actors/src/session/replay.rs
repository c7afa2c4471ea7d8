//! Brings one socket up to date from a group's log, page by page as its client reads.

use std::time::Duration;

use crate::protocol::CloseCode;
use crate::repeated::{Line, Repeated};
use crate::socket::Promise;
use crate::socket::{Replay, ReplayPage, SocketHandle};
use crate::store::{PageSize, Stores};

/// While the store is away, every socket that comes back.
static FAILED: Repeated = Repeated::of(module_path!(), log::Level::Warn);

/// One step of a replay: small enough to wait in a socket's queue.
const PAGE: PageSize = PageSize { events: 200, bytes: 128 * 1024 };
/// A log that is known to be longer than what was read is asked again after this.
const AGAIN: Duration = Duration::from_millis(20);
/// A store that does not answer is asked again after this, so often: one late call is no reason to send the client away.
const RETRY: Duration = Duration::from_millis(250);
const RETRIES: u32 = 8;

/// How long a client that came back may take to say by `group.join` where it left its groups.
const SAY_WITHIN: Duration = Duration::from_secs(1);

/// Lets the events of groups flow for which the client did not say where it left them.
pub(super) async fn release_withheld(stores: Stores, socket: SocketHandle) {
    tokio::time::sleep(SAY_WITHIN).await;
    let due = socket.take_all_withheld();
    futures_util::future::join_all(due.into_iter().map(|owed| run(stores.clone(), socket.clone(), owed))).await;
}

/// Runs until the socket is up to date, closed, or cannot be brought up to date (it is then told to reconnect).
pub(super) async fn run(stores: Stores, socket: SocketHandle, replay: Replay) {
    let Replay { group, epoch, mut after } = replay;
    // A socket whose replay ended half-way has a hole: it must come back.
    let promise = Promise::new(socket.clone(), CloseCode::Internal);
    let mut failures = 0;
    while socket.wants_more().await {
        let page = match stores.logs.read_after(&group, after, PAGE).await {
            Ok(page) => page,
            Err(_) if failures < RETRIES => {
                failures += 1;
                tokio::time::sleep(RETRY).await;
                continue;
            }
            Err(error) => {
                FAILED.log("replay", || {
                    let line = Line::of("replay_failed", "what a socket missed could not be read");
                    line.with("group", &group).with("error", &error)
                });
                return;
            }
        };
        if page.epoch.as_ref() != Some(&epoch) {
            // The log began anew; `log.reset` says so to everyone. Until then nothing may come: what is still heard of the life
            // before would leave a hole behind what was replayed.
            break;
        }
        if page.events.first().is_some_and(|first| first.seq > after + 1) {
            log::info!(event = "replay_overtaken", group:%, after; "what a socket missed was no longer kept");
            return;
        }
        failures = 0;
        let empty = page.events.is_empty();
        let last = page.events.last().map_or(after, |last| last.seq);
        let frames = page.events.iter().map(|event| event.frame()).collect();
        if socket.push_replayed(&group, ReplayPage { after, frames, last, more: page.more }) {
            break;
        }
        after = last;
        if empty {
            tokio::time::sleep(AGAIN).await;
        }
    }
    promise.kept();
}
