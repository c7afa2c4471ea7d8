//! Keeping a guarded connection: a new one whenever there is none, and looks at the one there is.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::guard::{Guard, Mending, ping};
use super::rights::named_right;
use super::source::{Connected, Source};
use crate::backoff::Backoff;
use crate::dependencies::ServerRefusal;
use crate::repeated::Reminder;

/// Between two attempts while Redis is away.
const RETRY: Duration = Duration::from_millis(200);

/// A connection that was given up before this, because something came too late or was refused, had proven nothing by its ping: the next one is made later, and later each time, up
/// to [`MAX_RETRY`]. So a server that is slow at all but pings costs few calls their budget.
const PROVEN: Duration = Duration::from_secs(1);

const MAX_RETRY: Duration = Duration::from_millis(800);

/// After a connection that broke: it says nothing of how quick the server is.
const AGAIN: Duration = Duration::from_millis(20);

/// Between two looks at a connection that nobody may be using.
const LOOK: Duration = Duration::from_secs(1);

/// Makes a connection whenever there is none, and looks after the one there is.
pub(super) async fn keep(guard: Arc<Guard>, source: Source) {
    let mut unproven = Backoff::between(RETRY, MAX_RETRY);
    let mut reminder = Reminder::default();
    loop {
        let connected = match source.connect(guard.budgets.other).await {
            Ok(connected) if guard.refusal.is_to_be_tried() => {
                guard.try_rights(&connected.connection, &source).await.map(|()| connected)
            }
            connected => connected,
        };
        match connected {
            Ok(Connected { connection, run, mut seen, counted }) => {
                let made = guard.close_breaker(connection, run, counted);
                while guard.link().is_some() {
                    tokio::select! {
                        () = guard.lost.notified() => {}
                        () = seen.moved() => guard.open_breaker(made, "another server has taken its place"),
                        // A failure opens the breaker by itself.
                        () = tokio::time::sleep(LOOK) => {
                            _ = guard.call(guard.budgets.other, |link| ping(link.connection)).await;
                            if guard.refusal.is_set()
                                && let Some(link) = guard.link()
                                && let Err(reason) = guard.try_rights(&link.connection, &source).await
                            {
                                guard.open_breaker(link.made, &reason);
                            }
                        }
                    }
                }
                let is_proven = made.elapsed() >= PROVEN;
                if is_proven {
                    unproven.reset();
                    reminder.forget();
                }
                // At once, unless the server answers pings and fails at everything else.
                if guard.is_broken.swap(false, Ordering::Relaxed) {
                    tokio::time::sleep(AGAIN).await;
                } else if !is_proven {
                    unproven.wait().await;
                }
            }
            Err(reason) => {
                guard.mending.send_replace(Mending::Not);
                if let Some(right) = named_right(&reason) {
                    guard.refusal.tried(Some(ServerRefusal::Rights(vec![right])));
                }
                guard.tell_if_away(&reason);
                if reminder.is_due(Instant::now()) {
                    log::warn!(
                        event = "redis_not_reached", database = guard.name, address = source.address(), reason,
                        dependencies = guard.dependents();
                        "redis not reached"
                    );
                }
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}
