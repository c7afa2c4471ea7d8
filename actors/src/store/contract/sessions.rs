//! What is kept of a session: its owner, its groups, its rights.

use std::collections::HashSet;

use tokio::task::JoinSet;

use super::*;
use crate::ids::{SessionId, UserId, random_text};

pub(in crate::store) async fn a_session_has_one_owner_and_its_groups_in_order(stores: Stores) {
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

pub(in crate::store) async fn the_newest_rights_of_a_session_count(stores: Stores) {
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
