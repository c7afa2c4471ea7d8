//! What every keeper must do, whichever twin it is. Each promise is one function over fresh [`Stores`];
//! `promises!` runs them all for one twin.

use std::collections::HashSet;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

pub(super) use super::limits::contract::*;
use super::*;
use crate::ids::{AnswerId, Epoch, GroupName, MessageId, NodeId, SessionId, UserId, random_text};
use crate::protocol::{CacheStatus, LogHead};

/// What the stores under test keep.
pub(super) const LOG_EVENTS: usize = 120;
pub(super) const LOG_SECONDS: u64 = 2;
pub(super) const GROUP_EXPIRY_SECONDS: u64 = 86_400;
pub(super) const CACHE_MAX_ENTRY_BYTES: usize = 2_000;
const EVERYTHING: PageSize = PageSize { events: usize::MAX >> 12, bytes: usize::MAX >> 12 };

/// Runs every promise against the stores that `$fixture().await` makes: a value with `stores()` and `finish()`.
macro_rules! promises {
    ($attributes:meta, $fixture:path) => {
        $crate::store::contract::promises! { @each $attributes, $fixture,
            a_hundred_appends_at_once_leave_no_hole
            a_page_stops_at_events_and_bytes_and_says_so
            pages_before_go_back_to_the_beginning
            a_group_without_a_log_reads_as_empty
            a_log_keeps_its_newest_events_only
            an_old_event_is_gone
            opening_makes_logs_and_keeps_order
            the_same_id_is_logged_once
            the_same_id_sent_at_once_is_logged_once
            an_id_with_another_content_is_a_conflict
            an_id_of_a_deleted_log_is_new
            a_log_behind_what_was_delivered_begins_a_new_epoch
            an_answer_is_begun_once_for_a_message
            an_answer_ends_once_however_many_try
            an_answer_that_ended_is_not_renewed
            an_unknown_answer_is_neither_renewed_nor_ended
            an_answer_whose_writer_is_gone_is_an_orphan
            a_question_is_owed_its_answer_until_somebody_begins_it
            what_nobody_begins_is_an_orphan_too
            an_answer_of_which_nothing_is_known_is_owed_until_it_is_begun_or_ends
            nothing_is_owed_where_the_assistant_is_off
            a_message_tells_its_place_in_the_log
            a_long_text_is_read_whole_and_each_orphan_by_one_alone
            an_answer_is_known_to_others_from_its_start_to_its_end
            groups_are_listed_by_prefix_and_cursor
            a_group_is_described_switched_and_deleted
            a_group_in_which_nothing_was_logged_goes_soon_after_its_last_member
            a_general_entry_is_kept_for_its_time
            a_session_has_one_owner_and_its_groups_in_order
            the_newest_rights_of_a_session_count
            a_cached_answer_comes_back_whole
            entries_are_counted_and_purged_by_model
            too_large_an_answer_is_not_cached
            what_answers_cost_is_summed_by_day_and_ranked
            what_is_flushed_again_is_not_counted_again_and_no_sum_is_too_large
            exactly_the_burst_is_admitted_at_once
            nothing_is_taken_when_one_bucket_refuses
            what_is_given_back_can_be_taken_again
            a_refusal_and_a_look_tell_what_is_left_and_take_nothing
            many_are_corrected_and_filled_at_once
            a_debt_is_waited_for
            a_bucket_further_ahead_than_its_span_is_clamped
            each_who_is_refused_by_what_many_share_is_told_a_time_of_its_own
            exactly_as_many_slots_are_given_as_there_are
            a_full_room_leaves_the_others_alone
            a_slot_that_is_not_renewed_is_free_again
            the_first_heartbeat_tells_that_the_node_was_not_known
        }
    };
    (@each $attributes:meta, $fixture:path, $($promise:ident)*) => {$(
        #[$attributes]
        async fn $promise() {
            let fixture = $fixture().await;
            $crate::store::contract::$promise(fixture.stores()).await;
            fixture.finish();
        }
    )*};
}
pub(super) use promises;

pub(super) fn group(name: &str) -> GroupName {
    GroupName::parse(name).expect("a legal name")
}

pub(super) fn event(group: &GroupName, text: &str) -> Append {
    Append {
        group: group.clone(),
        body: format!("{{\"text\":\"{text}\"}}").into(),
        message: None,
        once: None,
        owes: None,
    }
}

fn once(id: &str, fingerprint: &str) -> Once {
    Once { scope: "s1".into(), id: id.into(), fingerprint: fingerprint.into(), seconds: ONCE_SECONDS }
}

async fn append(stores: &Stores, group: &GroupName, text: &str) -> (Epoch, u64) {
    match stores.logs.append(event(group, text)).await.expect("stored") {
        Appended::New { epoch, seq, .. } => (epoch, seq),
        other => panic!("not new: {other:?}"),
    }
}

fn seqs(page: &Page) -> Vec<u64> {
    page.events.iter().map(|event| event.seq).collect()
}

pub(super) async fn a_hundred_appends_at_once_leave_no_hole(stores: Stores) {
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

pub(super) async fn a_page_stops_at_events_and_bytes_and_says_so(stores: Stores) {
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

pub(super) async fn pages_before_go_back_to_the_beginning(stores: Stores) {
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

pub(super) async fn a_group_without_a_log_reads_as_empty(stores: Stores) {
    let page = stores.logs.read_after(&group("nobody"), 0, EVERYTHING).await.expect("read");
    assert_eq!(page, Page::none());
    let page = stores.logs.read_before(&group("nobody"), None, EVERYTHING).await.expect("read");
    assert_eq!(page, Page::none());
    assert_eq!(stores.groups.info(&group("nobody")).await.expect("asked"), None, "reading must not make a group");
}

pub(super) async fn a_log_keeps_its_newest_events_only(stores: Stores) {
    let team = group("team");
    for n in 0..150 {
        append(&stores, &team, &n.to_string()).await;
    }
    let page = stores.logs.read_after(&team, 0, EVERYTHING).await.expect("read");
    assert_eq!(seqs(&page), (31..=150).collect::<Vec<_>>());
    let state = stores.logs.open(&[team]).await.expect("opened").remove(0);
    assert_eq!((state.first, state.head.seq), (31, 150));
}

pub(super) async fn an_old_event_is_gone(stores: Stores) {
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

pub(super) async fn opening_makes_logs_and_keeps_order(stores: Stores) {
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

pub(super) async fn the_same_id_is_logged_once(stores: Stores) {
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

pub(super) async fn the_same_id_sent_at_once_is_logged_once(stores: Stores) {
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

pub(super) async fn an_id_with_another_content_is_a_conflict(stores: Stores) {
    let team = group("team");
    let sent = Append { once: Some(once("c1", "f")), ..event(&team, "hello") };
    stores.logs.append(sent).await.expect("stored");
    let other = Append { once: Some(once("c1", "g")), ..event(&team, "other") };
    assert_eq!(stores.logs.append(other).await.expect("stored"), Appended::Conflict);
    assert_eq!(stores.logs.recall(&once("c1", "g")).await.expect("asked"), Some(Appended::Conflict));
    assert_eq!(stores.logs.read_after(&team, 0, EVERYTHING).await.expect("read").events.len(), 1);
}

pub(super) async fn an_id_of_a_deleted_log_is_new(stores: Stores) {
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

pub(super) async fn a_log_behind_what_was_delivered_begins_a_new_epoch(stores: Stores) {
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

pub(super) fn running(group: &GroupName) -> AnswerRecord {
    AnswerRecord {
        answer: AnswerId::random(),
        group: group.clone(),
        message: MessageId::random(group),
        node: NodeId::random(),
        text: String::new(),
        start: None,
    }
}

/// The record, once it is being written.
fn begun(record: &AnswerRecord) -> AnswerRecord {
    let start = AnswerStart { model: "m".into(), cache: CacheStatus::Coalesced };
    AnswerRecord { start: Some(start), ..record.clone() }
}

async fn renew(stores: &Stores, record: &AnswerRecord, more: &str) {
    assert_eq!(stores.answers.renew(&record.answer, more).await.expect("renewed"), Renewed::Held);
}

pub(super) async fn an_answer_is_known_to_others_from_its_start_to_its_end(stores: Stores) {
    let (team, other) = (group("team"), group("other"));
    let (record, silent, foreign) = (running(&team), running(&team), running(&other));
    for record in [&record, &silent, &foreign] {
        assert!(stores.answers.begin(record, None).await.expect("begun"));
    }
    stores.answers.start(&begun(&record)).await.expect("started");
    stores.answers.start(&begun(&foreign)).await.expect("started");
    renew(&stores, &record, "héllo").await;
    let shown = AnswerRecord { text: "héllo".into(), ..begun(&record) };
    let of_team = std::slice::from_ref(&team);
    assert_eq!(
        stores.answers.running(of_team).await.expect("read"),
        std::slice::from_ref(&shown),
        "what has not started is not shown"
    );
    assert_eq!(stores.answers.running(&[other, team.clone()]).await.expect("read").len(), 2);
    assert_eq!(stores.answers.find(&record.answer).await.expect("read"), Some(shown));
    assert_eq!(stores.answers.find(&silent.answer).await.expect("read"), Some(silent));
    assert_eq!(stores.answers.find(&AnswerId::random()).await.expect("read"), None);
    stores.answers.end(&record.answer, &team, "{}".into()).await.expect("ended");
    assert_eq!(stores.answers.running(of_team).await.expect("read"), []);
    assert_eq!(stores.answers.find(&record.answer).await.expect("read"), None);
    stores.answers.start(&begun(&record)).await.expect("told");
    assert_eq!(stores.answers.running(of_team).await.expect("read"), [], "it does not begin anew");
}

pub(super) async fn an_answer_is_begun_once_for_a_message(stores: Stores) {
    let team = group("team");
    let key = once("c1", "f");
    let sent = Append { once: Some(key.clone()), ..event(&team, "hello") };
    stores.logs.append(sent).await.expect("stored");
    let (first, second) = (running(&team), running(&team));
    assert!(stores.answers.begin(&first, Some(&key)).await.expect("begun"));
    assert!(!stores.answers.begin(&second, Some(&key)).await.expect("asked"));
    assert!(stores.answers.begin(&first, Some(&key)).await.expect("begun"), "the same one may say so again");
    let elsewhere = AnswerRecord { node: NodeId::random(), ..first };
    assert!(!stores.answers.begin(&elsewhere, Some(&key)).await.expect("asked"), "another node may not");
    assert!(stores.answers.begin(&second, None).await.expect("begun"), "without an id nothing is once-only");
    assert!(stores.answers.begin(&running(&team), Some(&once("unknown", "f"))).await.expect("begun"));
}

/// A question with an id, and the record of the answer that it is owed.
async fn ask(stores: &Stores, team: &GroupName, id: &str) -> (Append, AnswerRecord) {
    let message = MessageId::random(team);
    let node = NodeId::random();
    let asked = Append {
        message: Some(message.clone()),
        once: Some(once(id, "f")),
        owes: Some(node.clone()),
        ..event(team, "hello")
    };
    let Appended::New { seq, owed: true, .. } = stores.logs.append(asked.clone()).await.expect("stored") else {
        panic!("a question is owed an answer");
    };
    let record = AnswerRecord { answer: AnswerId::owed_to(&message), message: message.at(seq), node, ..running(team) };
    (asked, record)
}

async fn is_owed(stores: &Stores, asked: &Append) -> bool {
    let once = asked.once.clone().expect("an id");
    match stores.logs.recall(&once).await.expect("asked") {
        Some(Appended::Again { owed, .. }) => owed,
        other => panic!("not known: {other:?}"),
    }
}

pub(super) async fn a_question_is_owed_its_answer_until_somebody_begins_it(stores: Stores) {
    let team = group("team");
    let (asked, record) = ask(&stores, &team, "c1").await;
    assert!(is_owed(&stores, &asked).await);
    assert_eq!(stores.answers.find(&record.answer).await.expect("read"), None, "nobody writes it");
    assert!(stores.answers.begin(&record, asked.once.as_ref()).await.expect("begun"));
    assert!(!is_owed(&stores, &asked).await);
    let elsewhere = AnswerRecord { node: NodeId::random(), ..record.clone() };
    assert!(!stores.answers.begin(&elsewhere, asked.once.as_ref()).await.expect("asked"), "it is begun once");
    stores.answers.end(&record.answer, &team, "{}".into()).await.expect("ended");
    assert!(!is_owed(&stores, &asked).await);
    assert!(!stores.answers.begin(&record, asked.once.as_ref()).await.expect("asked"), "and ends once");
    let said = Append { owes: None, message: Some(MessageId::random(&team)), once: Some(once("c2", "f")), ..asked };
    let new = stores.logs.append(said.clone()).await.expect("stored");
    assert!(matches!(new, Appended::New { owed: false, .. }), "{new:?}");
    assert!(!is_owed(&stores, &said).await);
}

/// The orphan that is found next, with how long that took.
async fn orphaned(stores: &Stores, alive: &AnswerRecord) -> (AnswerRecord, Duration) {
    let start = Instant::now();
    loop {
        renew(stores, alive, "").await;
        if let Some(orphan) = stores.answers.orphan().await.expect("asked") {
            return (orphan, start.elapsed());
        }
        assert!(start.elapsed() < Duration::from_secs(14), "no orphan in time");
        sleep(Duration::from_millis(500)).await;
    }
}

pub(super) async fn what_nobody_begins_is_an_orphan_too(stores: Stores) {
    let alive = running(&group("other"));
    assert!(stores.answers.begin(&alive, None).await.expect("begun"));
    let (asked, record) = ask(&stores, &group("team"), "c1").await;
    let (orphan, took) = orphaned(&stores, &alive).await;
    assert!(took > Duration::from_secs(ANSWER_LEASE_SECONDS - 2), "too early: {took:?}");
    assert_eq!(orphan, record);
    let ended = stores.answers.end(&orphan.answer, &orphan.group, "{}".into()).await.expect("ended");
    assert!(matches!(ended, Ended::Now { seq: 2, .. }), "{ended:?}");
    assert!(!is_owed(&stores, &asked).await);
    assert!(!stores.answers.begin(&record, asked.once.as_ref()).await.expect("asked"), "too late");
}

pub(super) async fn an_answer_of_which_nothing_is_known_is_owed_until_it_is_begun_or_ends(stores: Stores) {
    let alive = running(&group("other"));
    assert!(stores.answers.begin(&alive, None).await.expect("begun"));
    let lost = AnswerRecord { text: "so far".into(), ..running(&group("team")) };
    assert!(stores.answers.owe(&lost).await.expect("noted"));
    assert!(stores.answers.owe(&AnswerRecord { text: "so".into(), ..lost.clone() }).await.expect("noted"), "already");
    let (orphan, took) = orphaned(&stores, &alive).await;
    assert!(took > Duration::from_secs(ANSWER_LEASE_SECONDS - 2), "too early: {took:?}");
    assert_eq!(orphan, AnswerRecord { start: None, ..lost.clone() });
    assert!(stores.answers.begin(&lost, None).await.expect("begun"), "its writer lives");
    assert!(stores.answers.owe(&lost).await.expect("noted"));
    renew(&stores, &lost, "").await;
    stores.answers.end(&lost.answer, &lost.group, "{}".into()).await.expect("ended");
    assert!(!stores.answers.owe(&lost).await.expect("asked"), "it has ended");
}

pub(super) async fn nothing_is_owed_where_the_assistant_is_off(stores: Stores) {
    let team = group("team");
    stores.groups.set_assistant(&team, false).await.expect("switched");
    let (message, node) = (MessageId::random(&team), NodeId::random());
    let asked =
        Append { message: Some(message), once: Some(once("c1", "f")), owes: Some(node), ..event(&team, "hello") };
    let new = stores.logs.append(asked.clone()).await.expect("stored");
    assert!(matches!(new, Appended::New { owed: false, .. }), "{new:?}");
    stores.groups.set_assistant(&team, true).await.expect("switched");
    assert!(!is_owed(&stores, &asked).await);
}

pub(super) async fn a_message_tells_its_place_in_the_log(stores: Stores) {
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

pub(super) async fn an_answer_ends_once_however_many_try(stores: Stores) {
    let team = group("team");
    let record = running(&team);
    assert!(stores.answers.begin(&record, None).await.expect("begun"));
    append(&stores, &team, "before").await;
    let mut tasks = JoinSet::new();
    for n in 0..20 {
        let (stores, record) = (stores.clone(), record.clone());
        tasks.spawn(async move {
            stores.answers.end(&record.answer, &record.group, format!("{{\"end\":{n}}}").into()).await.expect("ended")
        });
    }
    let results = tasks.join_all().await;
    assert_eq!(results.iter().filter(|ended| matches!(ended, Ended::Now { seq: 2, .. })).count(), 1, "{results:?}");
    assert_eq!(results.iter().filter(|ended| **ended == Ended::Before { seq: 2 }).count(), 19, "{results:?}");
    assert_eq!(stores.logs.read_after(&team, 0, EVERYTHING).await.expect("read").events.len(), 2);
}

pub(super) async fn an_answer_that_ended_is_not_renewed(stores: Stores) {
    let record = running(&group("team"));
    assert!(stores.answers.begin(&record, None).await.expect("begun"));
    renew(&stores, &record, "some ").await;
    stores.answers.end(&record.answer, &record.group, "{}".into()).await.expect("ended");
    assert_ne!(stores.answers.renew(&record.answer, "more").await.expect("asked"), Renewed::Held);
    assert!(!stores.answers.begin(&record, None).await.expect("asked"));
}

pub(super) async fn an_unknown_answer_is_neither_renewed_nor_ended(stores: Stores) {
    let record = running(&group("team"));
    assert_eq!(stores.answers.renew(&record.answer, "some").await.expect("asked"), Renewed::Unknown);
    assert_eq!(stores.answers.end(&record.answer, &record.group, "{}".into()).await.expect("asked"), Ended::Unknown);
    assert_eq!(stores.logs.read_after(&record.group, 0, EVERYTHING).await.expect("read").events, []);
    // One that is owed is not yet anybody's to renew.
    let (_, owed) = ask(&stores, &record.group, "c1").await;
    assert_eq!(stores.answers.renew(&owed.answer, "some").await.expect("asked"), Renewed::Unknown);
    let whole = AnswerRecord { text: "some".into(), ..owed };
    assert!(stores.answers.begin(&whole, None).await.expect("begun"));
    renew(&stores, &whole, " more").await;
    let found = stores.answers.find(&whole.answer).await.expect("read").expect("being written");
    assert_eq!(found.text, "some more");
}

pub(super) async fn an_answer_whose_writer_is_gone_is_an_orphan(stores: Stores) {
    let (gone, alive, ended) = (running(&group("a")), running(&group("b")), running(&group("c")));
    for record in [&gone, &alive, &ended] {
        assert!(stores.answers.begin(record, None).await.expect("begun"));
        renew(&stores, record, "grüße ").await;
        renew(&stores, record, "an alle").await;
    }
    stores.answers.end(&ended.answer, &ended.group, "{}".into()).await.expect("ended");
    let (orphan, took) = orphaned(&stores, &alive).await;
    assert!(took > Duration::from_secs(ANSWER_LEASE_SECONDS - 2), "too early: {took:?}");
    assert_eq!(orphan, AnswerRecord { text: "grüße an alle".into(), ..gone });
    assert_eq!(orphaned(&stores, &alive).await.0, orphan, "it stays one until it is ended");
    stores.answers.end(&orphan.answer, &orphan.group, "{}".into()).await.expect("ended");
    sleep(Duration::from_secs(CLAIM_SECONDS + 1)).await;
    assert_eq!(stores.answers.orphan().await.expect("asked"), None);
}

pub(super) async fn a_long_text_is_read_whole_and_each_orphan_by_one_alone(stores: Stores) {
    let (team, alive) = (group("team"), running(&group("other")));
    assert!(stores.answers.begin(&alive, None).await.expect("begun"));
    // Longer than any reply, and cut within a character wherever it is cut at an even place.
    let text = format!("x{}", "é".repeat(400_000));
    for _ in 0..3 {
        let record = running(&team);
        assert!(stores.answers.begin(&record, None).await.expect("begun"));
        stores.answers.start(&begun(&record)).await.expect("started");
        renew(&stores, &record, &text).await;
        assert_eq!(stores.answers.find(&record.answer).await.expect("read").expect("known").text, text);
    }
    let running = stores.answers.running(std::slice::from_ref(&team)).await.expect("read");
    assert!(running.len() == 3 && running.iter().all(|record| record.text == text), "all of all");
    let mut given: Vec<(Instant, AnswerRecord)> = Vec::new();
    while given.len() < 3 {
        let (orphan, _) = orphaned(&stores, &alive).await;
        assert_eq!(orphan.text, text);
        let before = given.iter().rfind(|(_, other)| other.answer == orphan.answer);
        let alone = Duration::from_secs(CLAIM_SECONDS - 1);
        assert!(before.is_none_or(|(at, _)| at.elapsed() >= alone), "two were given the same");
        given.push((Instant::now(), orphan));
    }
}

pub(super) async fn groups_are_listed_by_prefix_and_cursor(stores: Stores) {
    let names = ["a", "team", "team-1", "team-2", "team.3", "team_4", "teal", "Team-9", "z"];
    for name in names {
        append(&stores, &group(name), "x").await;
    }
    let list = async |prefix, cursor, limit| {
        let groups = stores.groups.list(prefix, cursor, limit).await.expect("listed");
        groups.iter().map(|info| info.name.to_string()).collect::<Vec<_>>()
    };
    let mut sorted = names;
    sorted.sort_unstable();
    assert_eq!(list("", None, 100).await, sorted);
    assert_eq!(list("team", None, 100).await, ["team", "team-1", "team-2", "team.3", "team_4"]);
    assert_eq!(list("team-", None, 1).await, ["team-1"]);
    assert_eq!(list("team-", Some("team-1"), 100).await, ["team-2"]);
    assert_eq!(list("team", Some("a"), 2).await, ["team", "team-1"]);
    assert_eq!(list("team", Some("z"), 2).await, [""; 0]);
    assert_eq!(list("", None, 0).await, [""; 0]);
    assert!(stores.groups.delete(&group("team-1")).await.expect("deleted"));
    assert_eq!(list("team-", None, 100).await, ["team-2"]);
}

pub(super) async fn a_group_is_described_switched_and_deleted(stores: Stores) {
    let team = group("team");
    let before = crate::protocol::unix_ms();
    append(&stores, &team, "x").await;
    append(&stores, &team, "y").await;
    let info = stores.groups.info(&team).await.expect("asked").expect("there");
    assert_eq!((&info.name, info.last_seq, info.assistant), (&team, 2, true));
    // Two clocks on one machine.
    assert!(info.created_at_ms + 1_000 > before && info.created_at_ms < before + 60_000);
    assert!(info.expires_at_ms > info.created_at_ms);
    assert_eq!(stores.groups.list("team", None, 1).await.expect("listed")[0].created_at_ms, info.created_at_ms);
    stores.groups.set_assistant(&team, false).await.expect("switched");
    assert!(!stores.groups.info(&team).await.expect("asked").expect("there").assistant);
    stores.groups.set_assistant(&group("quiet"), false).await.expect("switched");
    let quiet = stores.groups.info(&group("quiet")).await.expect("asked").expect("made by the switch");
    assert_eq!((quiet.assistant, quiet.last_seq), (false, 0));
    assert!(stores.groups.delete(&team).await.expect("deleted"));
    assert!(!stores.groups.delete(&team).await.expect("deleted"));
    assert_eq!(stores.groups.info(&team).await.expect("asked"), None);
    assert_eq!(stores.logs.read_after(&team, 0, EVERYTHING).await.expect("read"), Page::none());
    assert_eq!(append(&stores, &team, "z").await.1, 1);
    assert!(stores.groups.info(&team).await.expect("asked").expect("there").assistant);
}

pub(super) async fn a_session_has_one_owner_and_its_groups_in_order(stores: Stores) {
    let session = SessionId::parse(&random_text(12)).expect("legal");
    assert_eq!(stores.sessions.load(&session).await.expect("loaded"), SessionRecord::default());
    for name in ["zebra", "ape", "owner", "joined"] {
        stores.sessions.add_group(&session, &group(name)).await.expect("added");
    }
    stores.sessions.add_group(&session, &group("zebra")).await.expect("added");
    stores.sessions.remove_group(&session, &group("ape")).await.expect("removed");
    stores.sessions.remove_group(&session, &group("never")).await.expect("removed");
    stores.sessions.add_group(&session, &group("ape")).await.expect("added");
    let mut tasks = JoinSet::new();
    for n in 0..10 {
        let (stores, session) = (stores.clone(), session.clone());
        tasks.spawn(async move {
            stores.sessions.claim(&session, &UserId::from(format!("user-{n}").as_str())).await.expect("claimed")
        });
    }
    let owners: HashSet<UserId> = tasks.join_all().await.into_iter().collect();
    assert_eq!(owners.len(), 1);
    let record = stores.sessions.load(&session).await.expect("loaded");
    assert_eq!(record.owner, owners.into_iter().next());
    assert_eq!(record.groups, ["zebra", "owner", "joined", "ape"].map(group));
}

pub(super) async fn the_newest_rights_of_a_session_count(stores: Stores) {
    use crate::protocol::unix_ms;
    use crate::rights::{Issued, Rights, Shown};
    let session = SessionId::parse(&random_text(12)).expect("legal");
    let rights = |name: &str| Rights::to(&[name.to_owned()]);
    let now = unix_ms() / 1_000;
    let grant = async |name: &str, issued: Issued| {
        let record = stores
            .sessions
            .grant(&session, &Shown { rights: rights(name), issued, until: None })
            .await
            .expect("granted");
        assert_eq!(stores.sessions.load(&session).await.expect("loaded"), record);
        record.rights.expect("rights")
    };
    assert_eq!(grant("a", Issued::At(now - 50)).await, rights("a"));
    assert_eq!(grant("b", Issued::At(now - 60)).await, rights("a"), "an older token");
    assert_eq!(grant("b", Issued::Again(now - 50)).await, rights("a"), "what is as new is not told again");
    assert_eq!(grant("b", Issued::At(now - 50)).await, rights("b"), "of one second, the later");
    assert_eq!(grant("c", Issued::Again(now - 40)).await, rights("c"));
    assert_eq!(grant("d", Issued::At(now + 5_000)).await, rights("d"));
    assert_eq!(grant("e", Issued::Now(0)).await, rights("e"), "nothing is newer than what comes now");
    assert_eq!(grant("f", Issued::At(now - 1)).await, rights("e"));
    stores.sessions.add_group(&session, &group("g")).await.expect("added");
    stores.sessions.claim(&session, &UserId::from("u")).await.expect("claimed");
    let record =
        stores.sessions.grant(&session, &Shown { rights: rights("x"), issued: Issued::At(1), until: None }).await;
    let record = record.expect("granted");
    assert_eq!((record.owner, record.groups), (Some(UserId::from("u")), vec![group("g")]));
    // What has ended counts no more, and gives way to what is older.
    let ended = Shown { rights: rights("y"), issued: Issued::Now(0), until: Some(now) };
    assert_eq!(stores.sessions.grant(&session, &ended).await.expect("granted").rights, None);
    assert_eq!(stores.sessions.load(&session).await.expect("loaded").rights, None);
    assert_eq!(grant("older", Issued::Again(now - 90)).await, rights("older"));
}

fn answer(text: &str) -> CachedAnswer {
    CachedAnswer {
        model: "m".into(),
        text: text.into(),
        finish_reason: "stop".into(),
        created_at: "2025-10-09T08:53:20.123Z".into(),
        usage: None,
        chunks: vec!["{\"choices\":[ ]}".into(), format!("{{\"x\":\"{text}\"}}").into()],
    }
}

pub(super) async fn a_cached_answer_comes_back_whole(stores: Stores) {
    let digest = random_text(64);
    assert_eq!(stores.cache.get(&digest).await.expect("asked"), None);
    stores.cache.put(&digest, &answer("Grüße \u{1f600}"), None).await.expect("kept");
    assert_eq!(stores.cache.get(&digest).await.expect("asked"), Some(answer("Grüße \u{1f600}")));
    stores.cache.put(&digest, &answer("newer"), None).await.expect("kept");
    assert_eq!(stores.cache.get(&digest).await.expect("asked"), Some(answer("newer")));
}

pub(super) async fn entries_are_counted_and_purged_by_model(stores: Stores) {
    let model = random_text(8);
    for n in 0..3 {
        let entry = CachedAnswer { model: if n == 0 { "other".into() } else { model.clone() }, ..answer("x") };
        stores.cache.put(&format!("{model}{n}"), &entry, Some(60)).await.expect("kept");
    }
    let held = stores.cache.held().await.expect("counted");
    assert!(held.entries >= 3 && held.bytes > 300, "{held:?}");
    assert_eq!(stores.cache.purge(Some(&model)).await.expect("purged"), 2);
    assert_eq!(stores.cache.get(&format!("{model}1")).await.expect("asked"), None);
    assert!(stores.cache.get(&format!("{model}0")).await.expect("asked").is_some());
}

pub(super) async fn too_large_an_answer_is_not_cached(stores: Stores) {
    let digest = random_text(64);
    stores.cache.put(&digest, &answer(&"x".repeat(CACHE_MAX_ENTRY_BYTES)), None).await.expect("not an error");
    assert_eq!(stores.cache.get(&digest).await.expect("asked"), None);
}

pub(super) async fn what_answers_cost_is_summed_by_day_and_ranked(stores: Stores) {
    let row = |by: By, name: &str, tokens: u64| {
        (
            by,
            name.to_owned(),
            Totals { answers: 1, prompt_tokens: tokens, saved_nanos: u64::MAX >> 12, ..Totals::default() },
        )
    };
    let rows = [row(By::User, "a b:c", 5), row(By::User, "bob", 7), row(By::Model, "m", 12)];
    stores.usage.add(1, "2025-10-09", &rows).await.expect("added");
    stores.usage.add(2, "2025-10-09", &rows[..1]).await.expect("added");
    stores.usage.add(3, "2025-10-10", &rows[..1]).await.expect("added");
    let top = async |day, by, limit| stores.usage.top(day, by, limit).await.expect("read");
    let users = top("2025-10-09", By::User, 10).await;
    let of = |answers, prompt_tokens, times| Totals {
        answers,
        prompt_tokens,
        saved_nanos: (u64::MAX >> 12) * times,
        ..Totals::default()
    };
    assert_eq!(users, [("a b:c".to_owned(), of(2, 10, 2)), ("bob".to_owned(), of(1, 7, 1))]);
    assert_eq!(top("2025-10-09", By::User, 1).await, users[..1]);
    assert_eq!(top("2025-10-09", By::Model, 10).await.len(), 1);
    assert_eq!(top("2025-10-10", By::User, 10).await, [("a b:c".to_owned(), of(1, 5, 1))]);
    assert_eq!(top("2025-10-10", By::Group, 10).await, []);
    assert_eq!(top("2025-10-09", By::User, 0).await, []);
}

pub(super) async fn a_general_entry_is_kept_for_its_time(stores: Stores) {
    let (value, name) =
        (serde_json::json!({"user": "älice", "n": [1, null]}), format!("sophie:test:{}", random_text(8)));
    assert_eq!(stores.general.get(&name).await.expect("read"), None);
    stores.general.set(&name, &value, 1).await.expect("kept");
    assert_eq!(stores.general.get(&name).await.expect("read"), Some(value));
    let until = Instant::now() + Duration::from_secs(10);
    while stores.general.get(&name).await.expect("read").is_some() {
        assert!(Instant::now() < until, "it has outlived its second");
        sleep(Duration::from_millis(50)).await;
    }
}

/// What some node tells of itself.
pub(super) fn node_info() -> NodeInfo {
    NodeInfo {
        node: NodeId::from("n1"),
        version: "1".into(),
        since: "2026-01-01T00:00:00.000Z".into(),
        sockets: 3,
        sessions: 2,
        groups: 1,
        mailbox_ms: std::collections::BTreeMap::new(),
    }
}

pub(super) async fn the_first_heartbeat_tells_that_the_node_was_not_known(stores: Stores) {
    let groups = [group("team"), group(&"g".repeat(99))];
    stores.membership.join(&groups).await.expect("joined");
    stores.membership.join(&groups).await.expect("renewed");
    assert!(!stores.membership.heartbeat(&node_info()).await.expect("beaten").known);
    assert!(stores.membership.heartbeat(&node_info()).await.expect("beaten").known);
    stores.membership.leave(&groups).await.expect("left");
    stores.membership.resign().await.expect("resigned");
    assert!(!stores.membership.heartbeat(&node_info()).await.expect("beaten").known);
}

fn room(name: &str, slots: usize) -> Room {
    Room { name: name.into(), slots }
}

fn held(room: &str, holder: &str) -> Held {
    Held { room: room.into(), holder: holder.into() }
}

pub(super) async fn exactly_as_many_slots_are_given_as_there_are(stores: Stores) {
    let mut tasks = JoinSet::new();
    for n in 0..100 {
        let stores = stores.clone();
        tasks.spawn(async move { (n, stores.slots.take(&n.to_string(), &[room("a", 7)]).await.expect("asked")) });
    }
    let given: Vec<_> = tasks.join_all().await.into_iter().filter(|(_, taken)| taken.is_ok()).collect();
    assert_eq!((given.len(), stores.slots.taken("a").await.expect("read")), (7, 7));
    let own = given[0].0.to_string();
    assert_eq!(stores.slots.take(&own, &[room("a", 7)]).await.expect("asked"), Ok(()), "it has one");
    stores.slots.release(&[held("a", &own), held("a", "nobody"), held("none", "x")]).await.expect("given back");
    assert_eq!(stores.slots.taken("a").await.expect("read"), 6);
    assert_eq!(stores.slots.take("late", &[room("a", 7)]).await.expect("asked"), Ok(()));
    assert_eq!(stores.slots.take("later", &[room("a", 7)]).await.expect("asked"), Err(0));
    stores.slots.release(&[]).await.expect("nothing to give back");
    stores.slots.renew(&[]).await.expect("nothing to renew");
}

pub(super) async fn a_full_room_leaves_the_others_alone(stores: Stores) {
    let (small, all) = ([room("s", 1), room("all", 3)], "all");
    assert_eq!(stores.slots.take("1", &small).await.expect("asked"), Ok(()));
    assert_eq!(stores.slots.take("2", &small).await.expect("asked"), Err(0));
    assert_eq!(stores.slots.taken(all).await.expect("read"), 1, "nothing was taken");
    for holder in ["3", "4"] {
        assert_eq!(stores.slots.take(holder, &[room(holder, 1), room(all, 3)]).await.expect("asked"), Ok(()));
    }
    assert_eq!(stores.slots.take("5", &[room("5", 1), room(all, 3)]).await.expect("asked"), Err(1));
    assert_eq!(stores.slots.taken("5").await.expect("read"), 0);
}

pub(super) async fn a_slot_that_is_not_renewed_is_free_again(stores: Stores) {
    for holder in ["dies", "lives"] {
        assert_eq!(stores.slots.take(holder, &[room("a", 2)]).await.expect("asked"), Ok(()));
    }
    let half = Duration::from_millis(SLOT_LEASE_MS / 2);
    for _ in 0..2 {
        sleep(half + Duration::from_millis(50)).await;
        // What the store has lost comes back by its renewal.
        stores.slots.renew(&[held("a", "lives"), held("b", "lost")]).await.expect("renewed");
    }
    assert_eq!(stores.slots.taken("a").await.expect("read"), 1);
    assert_eq!(stores.slots.take("next", &[room("a", 2)]).await.expect("asked"), Ok(()));
    assert_eq!(stores.slots.take("third", &[room("a", 2)]).await.expect("asked"), Err(0));
    assert_eq!(stores.slots.taken("b").await.expect("read"), 1);
}

pub(super) async fn a_group_in_which_nothing_was_logged_goes_soon_after_its_last_member(stores: Stores) {
    const DAY_MS: u64 = 86_400_000;
    let (blank, spoken) = (group("blank"), group("spoken"));
    let both = [blank.clone(), spoken.clone()];
    let left = async |group: &GroupName| {
        let info = stores.groups.info(group).await.expect("asked").expect("there");
        info.expires_at_ms.saturating_sub(crate::protocol::unix_ms())
    };
    let is_soon = |left: u64| (200_000..=300_500).contains(&left);
    let is_day = |left: u64| (DAY_MS - 100_000..=DAY_MS + 500).contains(&left);
    stores.logs.open(&both).await.expect("opened");
    stores.logs.append(event(&spoken, "x")).await.expect("stored");
    assert!(is_soon(left(&blank).await) && is_day(left(&spoken).await));
    stores.membership.join(&both).await.expect("joined");
    // Whoever is in it says so more often than that.
    assert!((600_000..=900_500).contains(&left(&blank).await) && is_day(left(&spoken).await));
    stores.logs.open(&both).await.expect("opened");
    assert!(left(&blank).await > 600_000, "who opens it does not shorten its life");
    stores.membership.leave(&both).await.expect("left");
    assert!(is_soon(left(&blank).await) && is_day(left(&spoken).await));
    stores.groups.set_assistant(&blank, false).await.expect("switched");
    stores.membership.leave(&both).await.expect("left");
    assert!(is_day(left(&blank).await), "what an operator decided stays");
}

pub(super) async fn what_is_flushed_again_is_not_counted_again_and_no_sum_is_too_large(stores: Stores) {
    let one = |name: &str, tokens: u64| {
        (
            By::Model,
            name.to_owned(),
            Totals { answers: 1, completion_tokens: tokens, cost_nanos: tokens, ..Totals::default() },
        )
    };
    // More than one script run takes.
    let many: Vec<UsageRow> = (0..450).map(|n| one(&format!("m{n}"), 1)).collect();
    for _ in 0..3 {
        stores.usage.add(1, "2025-10-09", &many).await.expect("added");
    }
    stores.usage.add(2, "2025-10-09", &many[..1]).await.expect("added");
    stores.usage.add(1, "2025-10-09", &many).await.expect("known");
    let top = stores.usage.top("2025-10-09", By::Model, 1_000).await.expect("read");
    assert_eq!((top.len(), top[0].0.as_str(), top[0].1.answers), (450, "m0", 2));
    assert!(top[1..].iter().all(|(_, totals)| totals.answers == 1), "each once");
    for flush in 3..6 {
        stores.usage.add(flush, "2025-10-09", &[one("mad", u64::MAX), one("m1", 1)]).await.expect("added");
    }
    let top = stores.usage.top("2025-10-09", By::Model, 1_000).await.expect("read");
    let of = |name: &str| top.iter().find(|(known, _)| known == name).map(|(_, totals)| totals.answers);
    assert_eq!((of("mad"), of("m1")), (Some(3), Some(4)));
}
