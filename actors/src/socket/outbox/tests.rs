//! The queue and the replays of one socket.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytestring::ByteString;

use super::closing::CLOSE_GRACE;
use super::outgoing::BATCH_BYTES;
use super::*;
use crate::ids::{AnswerId, Epoch};
use crate::protocol::CloseCode;

const LIMITS: OutboxLimits = OutboxLimits { bytes: 1_000, frames: 5, age: Duration::from_secs(10) };

fn handle() -> (SocketHandle, Arc<AtomicUsize>) {
    let cuts = Arc::new(AtomicUsize::new(0));
    let counter = cuts.clone();
    (SocketHandle::new(LIMITS, None, move || _ = counter.fetch_add(1, Ordering::Relaxed)), cuts)
}

fn poll(handle: &SocketHandle) -> (Option<Outgoing>, Vec<ByteString>) {
    let mut frames = Vec::new();
    match handle.poll_outgoing(&mut Context::from_waker(Waker::noop()), &mut frames) {
        Poll::Ready(outgoing) => (outgoing, frames),
        Poll::Pending => (None, frames),
    }
}

fn frames(handle: &SocketHandle) -> Vec<String> {
    poll(handle).1.iter().map(ToString::to_string).collect()
}

fn group() -> GroupName {
    GroupName::parse("g").expect("legal")
}

/// The last of a log.
fn page(after: u64, frames: Vec<ByteString>, last: u64) -> ReplayPage {
    ReplayPage { after, frames, last, more: false }
}

fn delta(offset: usize, text: &str) -> Arc<Delta> {
    Arc::new(Delta::new(group(), AnswerText::of(&AnswerId::from("a")), offset, text.into()))
}

#[tokio::test]
async fn waiting_deltas_of_one_answer_become_one_frame_without_a_hole() {
    let (handle, _) = handle();
    for (offset, text) in [(0, "ab"), (2, "cd"), (4, "é")] {
        assert!(handle.push_delta(&delta(offset, text)));
    }
    let sent = frames(&handle);
    assert_eq!(sent.len(), 1);
    let frame: serde_json::Value = serde_json::from_str(&sent[0]).expect("JSON");
    assert_eq!((frame["offset"].as_u64(), frame["text"].as_str()), (Some(0), Some("abcdé")));
    assert!(handle.push_delta(&delta(5, "f")));
    assert!(frames(&handle)[0].contains("\"offset\":5"));
    assert_eq!(handle.queued_bytes(), 0);
}

#[tokio::test]
async fn a_full_queue_closes_the_socket_as_slow() {
    let (handle, _) = handle();
    for _ in 0..5 {
        assert!(handle.push("x".into()));
    }
    assert!(!handle.push("x".into()));
    assert!(matches!(poll(&handle).0, Some(Outgoing::Close(Close { code: CloseCode::Slow, .. }))));
    assert!(!handle.push("x".into()), "nothing is queued behind a close");
}

#[tokio::test]
async fn one_frame_may_be_larger_than_the_whole_queue() {
    let (handle, _) = handle();
    assert!(handle.push("x".repeat(2 * LIMITS.bytes).into()));
    assert!(!handle.push("x".into()), "but nothing may wait behind it");
}

#[tokio::test]
async fn a_log_that_begins_anew_is_not_taken_for_what_was_replayed() {
    let (handle, _) = handle();
    handle.begin_replay(&group(), 0);
    handle.push_replayed(&group(), page(0, vec!["old".into()], 50));
    handle.end_replay(&group());
    handle.push_logged(&group(), 1, "new".into());
    assert_eq!(frames(&handle), ["old", "new"]);
}

#[tokio::test]
async fn what_waits_is_sent_before_any_other_close() {
    let (handle, _) = handle();
    handle.push("last words".into());
    handle.close(CloseCode::Draining);
    handle.close(CloseCode::Slow);
    assert_eq!(frames(&handle), ["last words"]);
    assert!(matches!(poll(&handle).0, Some(Outgoing::Close(Close { code: CloseCode::Draining, .. }))));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_nothing_is_cut_though_its_transport_stands_still() {
    let (handle, cuts) = handle();
    handle.push("unread".into());
    tokio::time::advance(Duration::from_millis(9_900)).await;
    handle.sweep();
    assert_eq!(handle.closing(), None);
    tokio::time::advance(Duration::from_millis(200)).await;
    handle.sweep();
    assert_eq!(handle.closing(), Some(CloseCode::Slow));
    tokio::time::advance(CLOSE_GRACE).await;
    handle.sweep();
    assert_eq!(cuts.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_replay_passes_over_to_live_events_without_hole_or_repetition() {
    let (handle, _) = handle();
    handle.begin_replay(&group(), 0);
    handle.push_logged(&group(), 3, "three".into());
    assert!(!handle.push_replayed(&group(), page(0, vec!["one".into(), "two".into()], 2)), "3 is still to be read");
    assert!(handle.push_replayed(&group(), page(2, vec!["three".into(), "four".into()], 4)));
    handle.push_logged(&group(), 4, "four again".into());
    handle.push_logged(&group(), 5, "five".into());
    assert_eq!(frames(&handle), ["one", "two", "three", "four", "five"]);
}

#[tokio::test]
async fn a_replay_that_another_one_has_overtaken_brings_nothing_more() {
    let (handle, _) = handle();
    handle.begin_replay(&group(), 0);
    let more = |page| ReplayPage { more: true, ..page };
    assert!(!handle.push_replayed(&group(), more(page(0, vec!["one".into()], 1))));
    handle.begin_replay(&group(), 2);
    assert!(handle.push_replayed(&group(), page(1, vec!["two".into(), "three".into()], 3)), "it ends");
    assert!(handle.push_replayed(&group(), page(2, vec!["three".into()], 3)));
    assert_eq!(frames(&handle), ["one", "three"]);
}

#[tokio::test]
async fn what_is_withheld_is_owed_once() {
    let (handle, _) = handle();
    let owed = Replay { group: group(), epoch: Epoch::from("e"), after: 7 };
    handle.withhold(owed.clone());
    handle.push_logged(&group(), 8, "eight".into());
    assert_eq!(frames(&handle), [] as [&str; 0]);
    assert_eq!(handle.take_withheld(&group()), Some(owed.clone()));
    assert!(handle.take_all_withheld().is_empty());
    assert!(handle.push_replayed(&group(), page(7, vec!["eight".into()], 8)));
    assert_eq!(frames(&handle), ["eight"]);

    handle.withhold(owed);
    handle.end_replay(&group());
    assert!(handle.take_all_withheld().is_empty());
    assert!(handle.push_replayed(&group(), page(7, vec!["stale".into()], 9)), "it was given up");
    handle.push_logged(&group(), 9, "nine".into());
    assert_eq!(frames(&handle), ["nine"]);
}

#[tokio::test]
async fn a_replay_does_not_count_against_the_bounds() {
    let (handle, _) = handle();
    handle.begin_replay(&group(), 0);
    let many = (0..100).map(|_| ByteString::from("0123456789012345678901234567890")).collect();
    assert!(handle.push_replayed(&group(), page(0, many, 100)));
    assert!(handle.push("live".into()));
    assert_eq!(handle.closing(), None);
}

#[tokio::test]
async fn a_large_queue_leaves_in_batches() {
    let (handle, _) = handle();
    handle.begin_replay(&group(), 0);
    let many = (0..3).map(|_| ByteString::from("x".repeat(BATCH_BYTES))).collect();
    handle.push_replayed(&group(), page(0, many, 3));
    for _ in 0..3 {
        assert_eq!(frames(&handle).len(), 1, "what is taken at once is bounded");
    }
    assert!(poll(&handle).0.is_none());
}

#[tokio::test]
async fn a_socket_at_rest_keeps_room_for_one_frame_and_after_a_sweep_for_none() {
    let (handle, _) = handle();
    let room = || handle.state().queue.capacity();
    assert!(handle.push("one".into()));
    assert_eq!((frames(&handle).len(), room()), (1, 1));
    handle.sweep();
    assert_eq!(room(), 0);
    // There is one for each socket, of which there are many; mimalloc gives out 320 bytes next, and 384 after that.
    assert!(size_of::<Shared>() + 2 * size_of::<usize>() <= 320, "{}", size_of::<Shared>());
}

#[tokio::test]
async fn who_has_caught_up_is_remembered_to_be_behind_by_nothing() {
    let (handle, _) = handle();
    let is_behind = || handle.state().behind.is_some();
    handle.begin_replay(&group(), 0);
    assert!(handle.push_replayed(&group(), page(0, vec!["one".into()], 1)));
    assert!(handle.push_logged(&group(), 1, "again".into()));
    assert!(is_behind(), "the live path may bring it again");
    assert!(handle.push_logged(&group(), 2, "two".into()));
    assert_eq!((is_behind(), frames(&handle)), (false, vec!["one".to_owned(), "two".to_owned()]));
    let owed = Owed { group: group(), of: AnswerText::of(&AnswerId::from("a")) };
    handle.owe(&owed.of);
    assert!(is_behind());
    assert!(!handle.pay(&owed, "text", 100));
    assert!(!is_behind());
}
