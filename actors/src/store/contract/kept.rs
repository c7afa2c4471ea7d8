//! What is kept of late: ratings, and what operators did.

use super::*;
use crate::ids::{AnswerId, SessionId, UserId, random_text};
use crate::protocol::unix_ms;

fn rating(session: &SessionId, answer: Option<&str>, rating: i8) -> Feedback {
    Feedback {
        session: session.clone(),
        user: UserId::from("alice"),
        group: session.home(),
        answer: answer.map(AnswerId::from),
        rating,
        text: Some(format!("rated {rating}")),
        at_ms: 0,
    }
}

pub(in crate::store) async fn a_later_rating_takes_the_place_of_the_one_before(stores: Stores) {
    let (one, other) = (SessionId::parse("one").expect("legal"), SessionId::parse("other").expect("legal"));
    let add = async |feedback: Feedback| match stores.feedback.add(&feedback, None).await.expect("kept") {
        Rated::New(kept) => kept,
        other => panic!("not new: {other:?}"),
    };
    let first = add(rating(&one, Some("a1"), 1)).await;
    assert!(first.at_ms + 60_000 > unix_ms() && first.at_ms < unix_ms() + 60_000, "{first:?}");
    add(rating(&other, Some("a1"), 1)).await;
    add(rating(&one, None, 5)).await;
    add(rating(&one, Some("a1"), -1)).await;
    add(rating(&one, Some("a2"), 1)).await;
    let all = stores.feedback.newest(None, 100).await.expect("listed");
    let seen: Vec<(&str, Option<&str>, i8)> =
        all.iter().map(|(_, it)| (it.session.as_str(), it.answer.as_ref().map(AnswerId::as_str), it.rating)).collect();
    assert_eq!(seen, [("one", Some("a2"), 1), ("one", Some("a1"), -1), ("one", None, 5), ("other", Some("a1"), 1)]);
    let ours = stores.feedback.of_session(&one).await.expect("read");
    assert_eq!(ours.len(), 3);
    assert!(all.iter().filter(|(_, it)| it.session == one).all(|(_, it)| ours.contains(it)), "{ours:?}");
    assert!(ours.is_sorted_by(|newer, older| newer.at_ms >= older.at_ms), "{ours:?}");
    let page = stores.feedback.newest(None, 2).await.expect("listed");
    let rest = stores.feedback.newest(Some(&page[1].0), 100).await.expect("listed");
    assert_eq!([page, rest].concat(), all, "a page goes on where the one before ended");
    assert_eq!(stores.feedback.of_session(&SessionId::parse("nobody").expect("legal")).await.expect("read"), []);
}

pub(in crate::store) async fn a_rating_counts_once_under_its_id(stores: Stores) {
    let one = SessionId::parse(&random_text(8)).expect("legal");
    let add = async |stars, id| stores.feedback.add(&rating(&one, None, stars), Some(id)).await.expect("kept");
    assert!(matches!(add(5, "1").await, Rated::New(_)) && matches!(add(1, "2").await, Rated::New(_)));
    assert_eq!(add(5, "1").await, Rated::Again, "a late repetition");
    assert_eq!(add(4, "1").await, Rated::Conflict);
    let kept = stores.feedback.of_session(&one).await.expect("read");
    assert_eq!((kept.len(), kept[0].rating), (1, 1));
}

pub(in crate::store) async fn a_session_keeps_its_newest_ratings(stores: Stores) {
    let one = SessionId::parse(&random_text(8)).expect("legal");
    for n in 0..SESSION_RATINGS + 3 {
        stores.feedback.add(&rating(&one, Some(&format!("a{n}")), 1), None).await.expect("kept");
    }
    // What is rated again is no more.
    stores.feedback.add(&rating(&one, Some("a50"), -1), None).await.expect("kept");
    let kept = stores.feedback.of_session(&one).await.expect("read");
    assert_eq!(kept.len(), SESSION_RATINGS);
    let has = |answer: &str| kept.iter().any(|it| it.answer == Some(AnswerId::from(answer)));
    assert!(!has("a0") && !has("a2") && has("a3") && has(&format!("a{}", SESSION_RATINGS + 2)));
}

pub(in crate::store) async fn acts_are_listed_newest_first(stores: Stores) {
    let act = |n: u16| OperatorAct {
        at: crate::protocol::timestamp(),
        act: "end_group".into(),
        who: "admin".into(),
        address: "127.0.0.1".into(),
        about: format!("groups/{n}"),
        outcome: "done".into(),
        status: 200,
        request_id: Some(random_text(8)),
        done: Some(u64::from(n)),
        pending: None,
    };
    assert_eq!(stores.acts.newest(None, 10).await.expect("listed"), []);
    let mut acts: Vec<OperatorAct> = (0..5).map(act).collect();
    for act in &acts {
        stores.acts.add(act).await.expect("kept");
    }
    acts.reverse();
    let all = stores.acts.newest(None, 10).await.expect("listed");
    assert_eq!(all.iter().map(|(_, act)| act.clone()).collect::<Vec<_>>(), acts);
    let page = stores.acts.newest(None, 2).await.expect("listed");
    let rest = stores.acts.newest(Some(&page[1].0), 10).await.expect("listed");
    assert_eq!([page, rest].concat(), all);
}
