//! A recording that another node writes, or wrote, read along from the store.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{Finished, RecordedEnd, Recording, interrupted};
use crate::answers::Parts;
use crate::ids::AnswerId;
use crate::openai::halves::Seam;
use crate::openai::{Chunk, Parsed};
use crate::store::{RecordingEnded, RecordingState, Window};

/// How often it is looked at while it grows.
const LOOK: Duration = Duration::from_millis(30);
/// Who finds more windows than a writer adds between two looks catches up, and looks again at once.
const AT_ONCE: usize = 4;
/// How long its writer must be lost, to a store that answers all the time, until that is believed: after a moment in which the store was
/// away, writers say that they live before that.
const LOST_FOR: Duration = Duration::from_secs(1);
/// The same once the store was away in the meantime: leases ran out then, and writers first find their own way back to it.
const LOST_FOR_AFTER: Duration = Duration::from_secs(5);

/// Reads until the end, or until nobody reads here any more.
pub(in crate::answers) async fn follow(parts: Arc<Parts>, answer: AnswerId, recording: Arc<Recording>) {
    let store = &parts.stores.recordings;
    let (mut seen, mut seam) = (0, Seam::default());
    let (mut lost_at, mut lost_for) = (None, LOST_FOR);
    while recording.has_readers() {
        recording.call_begins();
        let Ok(read) = store.read(&answer, seen).await else {
            // While the store is away nobody is declared dead.
            (lost_at, lost_for) = (None, LOST_FOR_AFTER);
            sleep(LOOK).await;
            continue;
        };
        let Some((windows, state)) = read else { return recording.finish(Finished::Gone) };
        let is_behind = windows.len() > AT_ONCE;
        seen += windows.len();
        recording.show(windows.into_iter().flat_map(|window| chunks(window, &mut seam)));
        match state {
            RecordingState::Running => {
                (lost_at, lost_for) = (None, LOST_FOR);
                if is_behind {
                    continue;
                }
                recording.call_is_done();
            }
            RecordingState::Ended(end) => return recording.finish(Finished::As(RecordedEnd::read(&end))),
            RecordingState::Lost => {
                recording.call_is_done();
                if lost_at.get_or_insert_with(Instant::now).elapsed() >= lost_for {
                    let end = serde_json::to_string(&RecordedEnd::now(interrupted())).unwrap_or_default();
                    if let Ok(RecordingEnded::As(_)) = store.end(&answer, None, &end).await {
                        log::warn!(
                            event = "answer_interrupted", answer:%;
                            "an answer is interrupted, its writer is gone"
                        );
                        // What its writer added last, and the end that stands, are read as by everybody.
                        continue;
                    }
                }
            }
        }
        tokio::select! {
            () = sleep(LOOK) => {}
            () = recording.wanted.notified() => {}
        }
    }
}

fn chunks(window: Window, seam: &mut Seam) -> Vec<Arc<Chunk>> {
    let read = window.into_iter().filter_map(|raw| match Chunk::parse(raw) {
        Ok(Parsed::Chunk(mut chunk)) => {
            chunk.text = seam.close(std::mem::take(&mut chunk.text), chunk.halves);
            Some(Arc::new(chunk))
        }
        // What was stored had been read as a chunk before.
        _ => None,
    });
    read.collect()
}
