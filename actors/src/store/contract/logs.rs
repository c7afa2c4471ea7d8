//! A log: appended to at once, read in pages, cut, once-only, and confirmed.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

use super::*;
use crate::ids::MessageId;
use crate::protocol::LogHead;

pub(in crate::store) async fn a_hundred_appends_at_once_leave_no_hole(stores: Stores) {
    let team = group("team");
    let mut tasks = JoinSet::new();
    for n in 0..100 {
        let (stores, team) = (stores.clone(), team.clone());
        tasks.spawn(async move { (append(&stores, &team, &n.to_string()).await, n) });
    }
    let mut appended = tasks.join_all().await;
    appended.sort_by_key(|((_, seq), _)| *seq);
    let page = stores.logs.read_after(&team, 0, EVERYTHING).await.expect("read");
    assert_eq!(seqs(&page), (1..=100).collect::<Vec<_>>());
    assert!(!page.more);
    for (((epoch, seq), n), read) in appended.iter().zip(&page.events) {
        assert_eq!((*seq, page.epoch.as_ref()), (read.seq, Some(epoch)));
        assert_eq!(&*read.body, format!("{{\"text\":\"{n}\"}}"));
    }
}

pub(in crate::store) async fn a_page_stops_at_events_and_bytes_and_says_so(stores: Stores) {
    let team = group("team");
    for n in 10..90 {
        append(&stores, &team, &n.to_string()).await;
    }
    let read = async |after, events, bytes| {
        let page = stores.logs.read_after(&team, after, PageSize { events, bytes }).await.expect("read");
        (seqs(&page), page.more)
    };
    assert_eq!(read(0, 3, 1_000_000).await, (vec![1, 2, 3], true));
    assert_eq!(read(77, 3, 1_000_000).await, (vec![78, 79, 80], false));
    assert_eq!(read(0, 100, 13 * 40).await, ((1..=40).collect(), true));
    assert_eq!(read(0, 100, 1).await, (vec![1], true));
    assert_eq!(read(0, 0, 0).await, (vec![1], true));
    assert_eq!(read(80, 3, 1_000_000).await, (vec![], false));
    assert_eq!(read(u64::MAX, 3, 1_000_000).await, (vec![], false));
}

pub(in crate::store) async fn pages_before_go_back_to_the_beginning(stores: Stores) {
    let team = group("team");
    for n in 10..80 {
        append(&stores, &team, &n.to_string()).await;
    }
    let read = async |before, events, bytes| {
        let page = stores.logs.read_before(&team, before, PageSize { events, bytes }).await.expect("read");
        (seqs(&page), page.more)
    };
    assert_eq!(read(None, 3, 1_000_000).await, (vec![68, 69, 70], true));
    assert_eq!(read(Some(68), 60, 1_000_000).await, ((8..=67).collect(), true));
    assert_eq!(read(Some(8), 60, 1_000_000).await, ((1..=7).collect(), false));
    assert_eq!(read(Some(8), 60, 13 * 2).await, (vec![6, 7], true));
    assert_eq!(read(Some(1), 60, 1_000_000).await, (vec![], false));
    assert_eq!(read(Some(0), 60, 1_000_000).await, (vec![], false));
    assert_eq!(read(Some(u64::MAX), 1, 1).await, (vec![70], true));
}

pub(in crate::store) async fn a_group_without_a_log_reads_as_empty(stores: Stores) {
    let page = stores.logs.read_after(&group("nobody"), 0, EVERYTHING).await.expect("read");
    assert_eq!(page, Page::none());
    let page = stores.logs.read_before(&group("nobody"), None, EVERYTHING).await.expect("read");
    assert_eq!(page, Page::none());
    assert_eq!(stores.groups.info(&group("nobody")).await.expect("asked"), None, "reading must not make a group");
}

pub(in crate::store) async fn a_log_keeps_its_newest_events_only(stores: Stores) {
    let team = group("team");
    for n in 0..150 {
        append(&stores, &team, &n.to_string()).await;
    }
    let page = stores.logs.read_after(&team, 0, EVERYTHING).await.expect("read");
    assert_eq!(seqs(&page), (31..=150).collect::<Vec<_>>());
    let state = stores.logs.open(&[team]).await.expect("opened").remove(0);
    assert_eq!((state.first, state.head.seq), (31, 150));
}

pub(in crate::store) async fn an_old_event_is_gone(stores: Stores) {
    let (team, silent) = (group("team"), group("silent"));
    let (epoch, _) = append(&stores, &team, "old").await;
    append(&stores, &silent, "old").await;
    sleep(Duration::from_secs(LOG_SECONDS) + Duration::from_millis(100)).await;
    let page = stores.logs.read_before(&silent, None, EVERYTHING).await.expect("read");
    assert_eq!((seqs(&page), page.more), (vec![], false));
    assert_eq!(append(&stores, &team, "new").await, (epoch.clone(), 2), "the log goes on");
    let page = stores.logs.read_after(&team, 0, EVERYTHING).await.expect("read");
    assert_eq!((seqs(&page), page.epoch), (vec![2], Some(epoch)));
    let states = stores.logs.open(&[team, silent]).await.expect("opened");
    assert_eq!((states[0].first, states[0].head.seq), (2, 2));
    assert_eq!((states[1].first, states[1].head.seq), (2, 1));
}

pub(in crate::store) async fn opening_makes_logs_and_keeps_order(stores: Stores) {
    let known = group("known");
    let (epoch, _) = append(&stores, &known, "one").await;
    let mut groups: Vec<_> = (0..600).map(|n| group(&format!("new-{n}"))).collect();
    groups.insert(300, known.clone());
    let states = stores.logs.open(&groups).await.expect("opened");
    assert_eq!(states.len(), 601);
    for (state, group) in states.iter().zip(&groups) {
        let expected = if *group == known { (1, 1) } else { (0, 1) };
        assert_eq!((state.head.seq, state.first), expected, "{group}");
    }
    assert_eq!(states[300].head.epoch, epoch);
    assert_eq!(stores.logs.open(&groups).await.expect("opened"), states, "opening again changes nothing");
    assert_eq!(stores.logs.open(&[]).await.expect("opened"), vec![]);
}

pub(in crate::store) async fn the_same_id_is_logged_once(stores: Stores) {
    let team = group("team");
    let message = MessageId::random(&team);
    let sent = Append { message: Some(message.clone()), once: Some(once("c1", "f")), ..event(&team, "hello") };
    assert_eq!(stores.logs.recall(&once("c1", "f")).await.expect("asked"), None);
    assert!(matches!(stores.logs.append(sent.clone()).await.expect("stored"), Appended::New { seq: 1, .. }));
    append(&stores, &team, "between").await;
    let again = Appended::Again { seq: 1, message: Some(message.at(1)), owed: false };
    assert_eq!(stores.logs.append(sent).await.expect("stored"), again);
    assert_eq!(stores.logs.recall(&once("c1", "f")).await.expect("asked"), Some(again));
    let elsewhere = Once { scope: "s2".into(), ..once("c1", "f") };
    assert_eq!(stores.logs.recall(&elsewhere).await.expect("asked"), None, "ids are their scope's own");
    assert_eq!(stores.logs.read_after(&team, 0, EVERYTHING).await.expect("read").events.len(), 2);
}

pub(in crate::store) async fn the_same_id_sent_at_once_is_logged_once(stores: Stores) {
    let team = group("team");
    let mut tasks = JoinSet::new();
    for _ in 0..50 {
        let (stores, sent) = (stores.clone(), Append { once: Some(once("c1", "f")), ..event(&team, "hello") });
        tasks.spawn(async move { stores.logs.append(sent).await.expect("stored") });
    }
    let results = tasks.join_all().await;
    assert_eq!(results.iter().filter(|result| matches!(result, Appended::New { seq: 1, .. })).count(), 1);
    assert_eq!(results.iter().filter(|result| matches!(result, Appended::Again { seq: 1, .. })).count(), 49);
    assert_eq!(stores.logs.read_after(&team, 0, EVERYTHING).await.expect("read").events.len(), 1);
}

pub(in crate::store) async fn an_id_with_another_content_is_a_conflict(stores: Stores) {
    let team = group("team");
    let sent = Append { once: Some(once("c1", "f")), ..event(&team, "hello") };
    stores.logs.append(sent).await.expect("stored");
    let other = Append { once: Some(once("c1", "g")), ..event(&team, "other") };
    assert_eq!(stores.logs.append(other).await.expect("stored"), Appended::Conflict);
    assert_eq!(stores.logs.recall(&once("c1", "g")).await.expect("asked"), Some(Appended::Conflict));
    assert_eq!(stores.logs.read_after(&team, 0, EVERYTHING).await.expect("read").events.len(), 1);
}

pub(in crate::store) async fn an_id_of_a_deleted_log_is_new(stores: Stores) {
    let team = group("team");
    let sent = Append { once: Some(once("c1", "f")), ..event(&team, "hello") };
    let Appended::New { epoch, .. } = stores.logs.append(sent.clone()).await.expect("stored") else { panic!("new") };
    assert!(stores.groups.delete(&team).await.expect("deleted"));
    assert_eq!(stores.logs.recall(&once("c1", "f")).await.expect("asked"), None);
    let Appended::New { epoch: fresh, seq: 1, .. } = stores.logs.append(sent).await.expect("stored") else {
        panic!("an acknowledgement means that it is in the log");
    };
    assert_ne!(fresh, epoch);
}

pub(in crate::store) async fn a_log_behind_what_was_delivered_begins_a_new_epoch(stores: Stores) {
    let (team, other) = (group("team"), group("other"));
    let sent = Append { once: Some(once("c1", "f")), ..event(&team, "hello") };
    let Appended::New { epoch, .. } = stores.logs.append(sent.clone()).await.expect("stored") else { panic!("new") };
    append(&stores, &team, "second").await;
    let head = |seq| LogHead { epoch: epoch.clone(), seq };
    for delivered in [1, 2] {
        let state = stores.logs.confirm(&team, &head(delivered)).await.expect("asked");
        assert_eq!((state.head, state.first, state.began), (head(2), 1, 0), "nothing is missing");
    }
    let state = stores.logs.confirm(&team, &head(3)).await.expect("asked");
    assert_eq!((state.head.seq, state.first, state.began), (2, 1, 2));
    assert_ne!(state.head.epoch, epoch);
    assert_eq!(stores.logs.confirm(&team, &head(3)).await.expect("asked"), state, "one loss is one epoch");
    assert_eq!(stores.logs.open(std::slice::from_ref(&team)).await.expect("opened").remove(0), state);
    assert_eq!(append(&stores, &team, "third").await, (state.head.epoch, 3));
    assert_eq!(stores.logs.append(sent).await.expect("asked"), Appended::Again { seq: 1, message: None, owed: false });
    let page = stores.logs.read_after(&team, 0, EVERYTHING).await.expect("read");
    assert_eq!(seqs(&page), [1, 2, 3], "what is there can be read");
    let made = stores.logs.confirm(&other, &head(3)).await.expect("asked");
    assert_eq!((made.head.seq, made.began), (0, 0), "one that is gone is another one as it is");
}

pub(in crate::store) async fn a_message_tells_its_place_in_the_log(stores: Stores) {
    let team = group("team");
    append(&stores, &team, "before").await;
    let message = MessageId::random(&team);
    let sent = Append { message: Some(message.clone()), ..event(&team, &format!("{message} {message}")) };
    stores.logs.append(sent.clone()).await.expect("stored");
    let (logged, id) = sent.logged(2);
    assert_eq!(id, Some(message.at(2)));
    let page = stores.logs.read_after(&team, 1, EVERYTHING).await.expect("read");
    assert_eq!(page.events, [logged], "the twins write what the caller delivers");
    assert_eq!(&*page.events[0].body, format!("{{\"text\":\"{message}-2 {message}\"}}"));
}
