//! Who answers in a group, and which groups wait for a person.

use super::*;
use crate::ids::{SessionId, UserId, random_text};
use crate::protocol::PersonState;

fn asker(session: &SessionId, text: &str) -> Asker {
    Asker { session: session.clone(), user: UserId::from("alice"), text: Some(text.to_owned()) }
}

fn session() -> SessionId {
    SessionId::parse(&random_text(12)).expect("legal")
}

async fn ask(stores: &Stores, group: &GroupName, text: &str) -> (Change, bool) {
    match stores.desk.ask(group, &asker(&session(), text), None).await.expect("asked") {
        Asked::Noted { change, first } => (change, first),
        other => panic!("not noted: {other:?}"),
    }
}

async fn attendance(stores: &Stores, group: &GroupName) -> Attendance {
    stores.desk.attendance(std::slice::from_ref(group)).await.expect("read").remove(0)
}

async fn waiting(stores: &Stores) -> Vec<String> {
    let rows = stores.desk.waiting("", None, 100).await.expect("listed");
    rows.iter().map(|row| row.group.to_string()).collect()
}

pub(in crate::store) async fn a_person_takes_over_and_hands_back_and_only_changes_are_told(stores: Stores) {
    let team = group("team");
    assert_eq!(attendance(&stores, &team).await, Attendance::default(), "nobody knows it");
    append(&stores, &team, "x").await;
    let before = attendance(&stores, &team).await;
    assert!(before.epoch.is_some() && before.assistant && before.person.is_none(), "{before:?}");
    let settle = async |act| stores.desk.settle(&team, act).await.expect("settled");
    assert_eq!(settle(Act::Dismiss).await, None, "it does not wait");
    assert_eq!(settle(Act::HandBack).await.expect("done").told, None, "it was so before");
    let taken = settle(Act::TakeOver).await.expect("done");
    assert!(taken.attendance.follows(&before) && !taken.attendance.assistant, "{taken:?}");
    let told = taken.told.expect("told");
    assert_eq!((told.state, told.on, &told.asker, &told.group), (PersonNews::Taken, false, &None, &team));
    assert_eq!(taken.attendance.person, None, "nobody had asked");
    assert_eq!(attendance(&stores, &team).await, taken.attendance);
    let again = settle(Act::TakeOver).await.expect("done");
    assert_eq!((again.told, again.attendance), (None, taken.attendance.clone()));
    let back = settle(Act::HandBack).await.expect("done");
    assert!(back.attendance.follows(&taken.attendance) && back.attendance.assistant);
    assert_eq!(back.told.expect("told").state, PersonNews::HandedBack);
    stores.desk.settle(&group("fresh"), Act::TakeOver).await.expect("settled");
    assert!(!attendance(&stores, &group("fresh")).await.assistant, "made by it");
}

pub(in crate::store) async fn a_group_waits_for_a_person_until_one_comes_or_it_is_let_be(stores: Stores) {
    let (one, two, three) = (group("one"), group("two"), group("three"));
    let newest = async || stores.desk.newest().await.expect("asked").map(|row| row.group.to_string());
    assert_eq!(newest().await, None);
    let (first, is_first) = ask(&stores, &one, "help").await;
    assert!(is_first && first.waiting == 1 && first.attendance.assistant, "{first:?}");
    assert_eq!(first.attendance.person, Some(PersonState::Asked));
    let since = stores.desk.waits(&one).await.expect("asked").expect("waits").since_ms;
    // Later ones come behind it, whatever their names.
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    ask(&stores, &three, "").await;
    assert_eq!(newest().await.as_deref(), Some("three"));
    ask(&stores, &two, "").await;
    let (renewed, is_first) = ask(&stores, &one, "help, please").await;
    assert!(!is_first && renewed.waiting == 3 && renewed.told.is_some(), "{renewed:?}");
    assert_eq!(renewed.attendance, first.attendance, "nothing that its members are told has changed");
    let row = stores.desk.waits(&one).await.expect("asked").expect("waits");
    assert_eq!((row.since_ms, row.asker.text.as_deref(), row.assistant), (since, Some("help, please"), true));
    assert_eq!((waiting(&stores).await[0].as_str(), stores.desk.count().await.expect("counted")), ("one", 3));
    assert_eq!(newest().await.as_deref(), Some("two"), "who asks again keeps their place");
    // A person comes.
    let taken = stores.desk.settle(&one, Act::TakeOver).await.expect("settled").expect("done");
    assert_eq!((taken.attendance.person, taken.waiting), (Some(PersonState::Taken), 2));
    assert_eq!(taken.told.expect("told").asker.and_then(|it| it.text).as_deref(), Some("help, please"));
    let back = stores.desk.settle(&one, Act::HandBack).await.expect("settled").expect("done");
    assert_eq!((back.attendance.person, back.waiting), (None, 2), "handing back does not put it there again");
    // Nobody comes; and the group ends.
    let dismissed = stores.desk.settle(&two, Act::Dismiss).await.expect("settled").expect("done");
    assert_eq!((dismissed.attendance.person, dismissed.attendance.assistant), (Some(PersonState::Dismissed), true));
    assert!(stores.groups.delete(&three).await.expect("deleted"));
    assert_eq!(newest().await, None, "the one that came last has ended");
    assert_eq!((waiting(&stores).await, stores.desk.count().await.expect("counted")), (Vec::<String>::new(), 0));
    // Where a person answers already, another one may be asked for.
    stores.desk.settle(&two, Act::TakeOver).await.expect("settled");
    assert!(ask(&stores, &two, "").await.1);
    assert!(!stores.desk.waiting("", None, 1).await.expect("listed")[0].assistant);
    let back = stores.desk.settle(&two, Act::HandBack).await.expect("settled").expect("done");
    assert_eq!((back.attendance.person, back.waiting), (Some(PersonState::Asked), 1), "who waits goes on waiting");
}

pub(in crate::store) async fn a_wish_counts_once_under_its_id(stores: Stores) {
    let (team, session) = (group("team"), session());
    let ask = async |id, text| stores.desk.ask(&team, &asker(&session, text), Some(id)).await.expect("asked");
    assert!(matches!(ask("1", "a").await, Asked::Noted { first: true, .. }));
    assert_eq!(ask("1", "a").await, Asked::Again);
    assert_eq!(ask("1", "b").await, Asked::Conflict);
    stores.desk.settle(&team, Act::TakeOver).await.expect("settled");
    assert_eq!(ask("1", "a").await, Asked::Again, "what was asked before is not asked anew");
    assert_eq!(waiting(&stores).await, [""; 0]);
    assert!(matches!(ask("2", "b").await, Asked::Noted { first: true, .. }));
    let other = stores.desk.ask(&team, &asker(&SessionId::parse("other").expect("legal"), "c"), Some("2")).await;
    assert!(matches!(other.expect("asked"), Asked::Noted { first: false, .. }), "ids are each session's own");
}

pub(in crate::store) async fn those_who_wait_are_listed_in_pages_and_so_many_and_no_more(stores: Stores) {
    for n in 0..MOST_WAITING {
        stores.desk.ask(&group(&format!("g{n}")), &asker(&session(), ""), None).await.expect("asked");
    }
    let one_more = group("one-more");
    assert_eq!(stores.desk.ask(&one_more, &asker(&session(), ""), None).await.expect("asked"), Asked::Full);
    assert!(matches!(
        stores.desk.ask(&group("g7"), &asker(&session(), ""), None).await.expect("asked"),
        Asked::Noted { first: false, .. }
    ));
    let (mut all, mut after): (Vec<Waiting>, Option<(u64, String)>) = (Vec::new(), None);
    loop {
        let behind = after.as_ref().map(|(since, name)| (*since, name.as_str()));
        let page = stores.desk.waiting("g", behind, 300).await.expect("listed");
        let Some(last) = page.last() else { break };
        after = Some((last.since_ms, last.group.to_string()));
        all.extend(page);
    }
    assert!(all.len() == MOST_WAITING && all.is_sorted_by_key(|row| row.since_ms), "{}", all.len());
    assert_eq!(stores.desk.waiting("g99", None, 100).await.expect("listed").len(), 11);
    stores.desk.settle(&group("g0"), Act::Dismiss).await.expect("settled");
    assert!(matches!(
        stores.desk.ask(&one_more, &asker(&session(), ""), None).await.expect("asked"),
        Asked::Noted { first: true, .. }
    ));
}

pub(in crate::store) async fn a_group_that_waits_outlasts_its_silence(stores: Stores) {
    let blank = group("blank");
    stores.logs.open(std::slice::from_ref(&blank)).await.expect("opened");
    ask(&stores, &blank, "help").await;
    stores.membership.join(std::slice::from_ref(&blank)).await.expect("joined");
    stores.membership.leave(std::slice::from_ref(&blank)).await.expect("left");
    let info = stores.groups.info(&blank).await.expect("asked").expect("there");
    assert!(info.expires_at_ms > crate::protocol::unix_ms() + 80_000_000, "nothing was logged, and somebody waits");
}
