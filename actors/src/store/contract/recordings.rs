//! Recordings of answers.

use std::time::Duration;

use sophie_kit::eventually;

use super::*;
use crate::ids::AnswerId;
use crate::protocol::CacheStatus;

fn head(keep_seconds: u64) -> RecordingHead {
    RecordingHead {
        owner: AnswerOwner::Key("digest".into()),
        model: "m".into(),
        cache: Some(CacheStatus::Hit),
        began_ms: 1_760_000_000_123,
        keep_seconds,
    }
}

fn windows(from: usize, to: usize) -> Vec<Window> {
    (from..to).map(|n| vec![format!("{{\"n\":{n},\n\"é\":1}}").into(), "{}".into()]).collect()
}

/// How many windows a recording holds after some were added.
async fn held(stores: &Stores, answer: &AnswerId, added: usize, windows: &[Window]) -> Option<usize> {
    match stores.recordings.add(answer, added, windows).await.expect("asked") {
        RecordingStanding::Held { windows, .. } => Some(windows),
        RecordingStanding::Ended | RecordingStanding::Unknown => None,
    }
}

async fn read(stores: &Stores, answer: &AnswerId) -> (Vec<Window>, RecordingState) {
    let (mut all, mut state) = (Vec::new(), RecordingState::Running);
    loop {
        let (more, then) = stores.recordings.read(answer, all.len()).await.expect("read").expect("known");
        let is_all = more.is_empty() || then != RecordingState::Running;
        all.extend(more);
        state.clone_from(&then);
        if is_all {
            return (all, state);
        }
    }
}

pub(in crate::store) async fn a_recording_is_read_as_it_was_written_while_it_grows_and_after_its_end(stores: Stores) {
    let (answer, recordings) = (AnswerId::random(), &stores.recordings);
    assert_eq!(recordings.read(&answer, 0).await.expect("read"), None);
    assert_eq!(recordings.head(&answer).await.expect("read"), None);
    assert!(recordings.begin(&answer, &head(60), "{\"x\":1}").await.expect("begun"));
    assert!(!recordings.begin(&answer, &head(90), "other").await.expect("asked"), "the first one stands");
    assert_eq!(recordings.head(&answer).await.expect("read"), Some((head(60), "{\"x\":1}".into())));
    assert_eq!(read(&stores, &answer).await, (vec![], RecordingState::Running));
    assert_eq!(held(&stores, &answer, 0, &windows(0, 1)).await, Some(1));
    assert_eq!(read(&stores, &answer).await, (windows(0, 1), RecordingState::Running));
    assert_eq!(held(&stores, &answer, 1, &windows(1, 1_203)).await, Some(1_203));
    let ended = recordings.end(&answer, Some(1_203), "{\"end\":1}").await.expect("ended");
    assert_eq!(ended, RecordingEnded::As("{\"end\":1}".into()));
    assert_eq!(read(&stores, &answer).await, (windows(0, 1_203), RecordingState::Ended("{\"end\":1}".into())));
    assert!(recordings.forget(&answer).await.expect("forgotten"));
    assert!(!recordings.forget(&answer).await.expect("asked"));
    assert_eq!(recordings.read(&answer, 0).await.expect("read"), None);
}

pub(in crate::store) async fn what_is_added_twice_is_there_once_and_what_is_lacking_is_told(stores: Stores) {
    let (answer, recordings) = (AnswerId::random(), &stores.recordings);
    assert_eq!(recordings.add(&answer, 0, &windows(0, 1)).await.expect("asked"), RecordingStanding::Unknown);
    recordings.begin(&answer, &head(60), "").await.expect("begun");
    for _ in 0..2 {
        assert_eq!(held(&stores, &answer, 0, &windows(0, 3)).await, Some(3));
    }
    assert_eq!(held(&stores, &answer, 2, &windows(2, 5)).await, Some(5));
    assert_eq!(held(&stores, &answer, 7, &windows(7, 9)).await, Some(5));
    assert_eq!(recordings.end(&answer, Some(7), "e").await.expect("asked"), RecordingEnded::NotYet);
    assert_eq!(held(&stores, &answer, 5, &windows(5, 7)).await, Some(7));
    assert_eq!(read(&stores, &answer).await.0, windows(0, 7));
}

pub(in crate::store) async fn a_recording_ends_once_and_takes_nothing_more(stores: Stores) {
    let (answer, recordings) = (AnswerId::random(), &stores.recordings);
    assert_eq!(recordings.end(&answer, Some(0), "e").await.expect("asked"), RecordingEnded::Unknown);
    recordings.begin(&answer, &head(60), "").await.expect("begun");
    recordings.add(&answer, 0, &windows(0, 2)).await.expect("added");
    for end in ["first", "second"] {
        assert_eq!(recordings.end(&answer, Some(2), end).await.expect("ended"), RecordingEnded::As("first".into()));
    }
    assert_eq!(recordings.end(&answer, None, "third").await.expect("asked"), RecordingEnded::As("first".into()));
    assert_eq!(recordings.add(&answer, 2, &windows(2, 3)).await.expect("asked"), RecordingStanding::Ended);
    assert_eq!(read(&stores, &answer).await, (windows(0, 2), RecordingState::Ended("first".into())));
}

pub(in crate::store) async fn a_recording_whose_writer_is_gone_is_lost_and_can_be_ended_by_others(stores: Stores) {
    let (answer, recordings) = (AnswerId::random(), &stores.recordings);
    recordings.begin(&answer, &head(60), "").await.expect("begun");
    recordings.add(&answer, 0, &windows(0, 2)).await.expect("added");
    assert_eq!(recordings.end(&answer, None, "gone").await.expect("asked"), RecordingEnded::NotYet, "its writer lives");
    eventually("its lease has run out", Duration::from_secs(20), async || {
        (read(&stores, &answer).await.1 == RecordingState::Lost).then_some(())
    })
    .await;
    assert_eq!(held(&stores, &answer, 2, &[]).await, Some(2), "it was only slow");
    assert_eq!(recordings.end(&answer, None, "gone").await.expect("asked"), RecordingEnded::NotYet);
    eventually("its lease has run out again", Duration::from_secs(20), async || {
        (recordings.end(&answer, None, "gone").await.expect("asked") == RecordingEnded::As("gone".into())).then_some(())
    })
    .await;
    assert_eq!(read(&stores, &answer).await, (windows(0, 2), RecordingState::Ended("gone".into())));
}

pub(in crate::store) async fn a_recording_is_kept_for_its_time_after_its_last_change(stores: Stores) {
    let (answer, recordings) = (AnswerId::random(), &stores.recordings);
    recordings.begin(&answer, &head(5), "").await.expect("begun");
    recordings.add(&answer, 0, &windows(0, 1)).await.expect("added");
    assert!(recordings.read(&answer, 0).await.expect("read").is_some());
    eventually("its time is over", Duration::from_secs(20), async || {
        recordings.read(&answer, 0).await.expect("read").is_none().then_some(())
    })
    .await;
    assert_eq!(recordings.add(&answer, 1, &[]).await.expect("asked"), RecordingStanding::Unknown);
}

pub(in crate::store) async fn the_writer_of_a_recording_hears_whether_it_is_read(stores: Stores) {
    let (answer, recordings) = (AnswerId::random(), &stores.recordings);
    recordings.begin(&answer, &head(60), "").await.expect("begun");
    let is_read = async || match recordings.add(&answer, 0, &[]).await.expect("asked") {
        RecordingStanding::Held { is_read, .. } => is_read,
        other => panic!("not held: {other:?}"),
    };
    assert!(!is_read().await);
    // A reading counts for two seconds, which a busy machine may pause.
    eventually("somebody reads it", Duration::from_secs(10), async || {
        read(&stores, &answer).await;
        is_read().await.then_some(())
    })
    .await;
    eventually("nobody has read for a while", Duration::from_secs(10), async || (!is_read().await).then_some(())).await;
}
