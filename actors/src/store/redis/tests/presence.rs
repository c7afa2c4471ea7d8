//! The rows of sessions, as other nodes read them.

use sophie_kit::TestServer;

use super::*;
use crate::ids::SessionId;
use crate::store::Spread;
use crate::store::contract::{group, node_info};

#[tokio::test]
async fn sessions_are_seen_from_other_nodes_once_wherever_they_are() {
    let redis = in_redis().await;
    let (beside_two, beside_three) = (beside(&redis).await, beside(&redis).await);
    let (here, there, third) =
        (redis.stores.presence.clone(), beside_two.presence.clone(), beside_three.presence.clone());
    let (a, b) = (session("a"), session("b"));
    here.write(&[(a.clone(), Some(row("n1", 1, &["team", "chat_a"]))), (b.clone(), Some(row("n1", 2, &["team"])))])
        .await
        .expect("written");
    there.write(&[(a.clone(), Some(row("n2", 3, &["team"])))]).await.expect("written");
    for stores in [&redis.stores, &beside_two, &beside_three] {
        stores.membership.heartbeat(&node_info()).await.expect("beaten");
    }
    let (team, home) = (group("team"), group("chat_a"));
    let spread = |members, other_nodes| Spread { members, other_nodes };
    let both = [team.clone(), home.clone()];
    assert_eq!(third.spread(&both).await.expect("read"), [spread(2, 2), spread(1, 1)]);
    assert_eq!(here.spread(&both).await.expect("read"), [spread(2, 1), spread(1, 0)]);
    let members = third.members(&team, 10).await.expect("read");
    assert_eq!(
        members.iter().map(|(session, rows)| (session.as_str(), rows.len())).collect::<Vec<_>>(),
        [("a", 2), ("b", 1)]
    );
    assert_eq!(here.members(&team, 10).await.expect("read"), [(a.clone(), vec![row("n2", 3, &["team"])])]);
    let listed = third.sessions("", Some("a"), 10).await.expect("read").rows;
    assert_eq!(listed, [(b.clone(), vec![row("n1", 2, &["team"])])]);
    assert_eq!(there.sessions("", None, 1).await.expect("read").rows[0].0, a);
    // It leaves one group and one node: it is in the other still.
    here.write(&[(a.clone(), Some(row("n1", 1, &["chat_a"])))]).await.expect("written");
    assert_eq!(third.spread(&both).await.expect("read"), [spread(2, 2), spread(1, 1)]);
    there.write(&[(a.clone(), None)]).await.expect("written");
    assert_eq!(third.spread(&both).await.expect("read"), [spread(1, 1), spread(1, 1)]);
    here.write(&[(a.clone(), None), (b, None)]).await.expect("written");
    assert_eq!(third.spread(&both).await.expect("read"), [spread(0, 0), spread(0, 0)]);
    assert_eq!(third.sessions("", None, 10).await.expect("read").rows, []);
    assert_eq!(third.session(&a).await.expect("read"), []);
    redis.finish();
}

/// Two nodes; the first has written the rows of 350 sessions of one group.
async fn with_rows(one: RedisOptions, other: RedisOptions) -> (Stores, Stores) {
    let ((here, _), (there, _)) = (connected(one).await, connected(other).await);
    let rows: Vec<_> = (0..350)
        .map(|n| (SessionId::parse(&format!("s{n:03}")).expect("legal"), Some(row("n1", n, &["team"]))))
        .collect();
    here.presence.write(&rows).await.expect("written");
    (here, there)
}

#[tokio::test]
async fn members_whose_rows_are_gone_hide_no_others() {
    let server = TestServer::start();
    let one = options(&server, PATIENT);
    let other = RedisOptions { node_key: NodeKey::random(), ..one.clone() };
    let prefix = one.prefix.clone();
    let (_here, there) = with_rows(one, other).await;
    let mut connection = server.connection(0);
    // Some of the first page, and all of the second.
    for n in (0..100).step_by(3).chain(100..200) {
        redis::cmd("DEL").arg(format!("{prefix}:here:s{n:03}")).query::<()>(&mut connection).expect("deleted");
    }
    // One that cannot be read stays, and is no member that is known.
    redis::cmd("DEL").arg(format!("{prefix}:here:s001")).query::<()>(&mut connection).expect("deleted");
    redis::cmd("SET").arg(&[format!("{prefix}:here:s001"), "junk".into()]).query::<()>(&mut connection).expect("set");
    let expected: Vec<String> =
        (0..350).filter(|n| *n >= 200 || (n % 3 > 0 && *n < 100 && *n != 1)).map(|n| format!("s{n:03}")).collect();
    let names = async |limit| {
        let members = there.presence.members(&group("team"), limit).await.expect("read");
        members.iter().map(|(session, _)| session.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names(350).await, expected);
    // Now that they are gone.
    assert_eq!(names(350).await, expected);
    assert_eq!(names(120).await, expected[..119]);
}

#[tokio::test]
async fn a_row_that_redis_lost_is_noticed_and_counts_for_nothing() {
    let redis = in_redis().await;
    let (here, third) = (redis.stores.presence.clone(), beside(&redis).await);
    redis.stores.membership.heartbeat(&node_info()).await.expect("beaten");
    let (a, b, team) = (session("a"), session("b"), group("team"));
    let rows = [(a.clone(), Some(row("n1", 1, &["team"]))), (b.clone(), Some(row("n1", 2, &["team"])))];
    here.write(&rows).await.expect("written");
    let spread = async || third.presence.spread(std::slice::from_ref(&team)).await.expect("read")[0];
    assert_eq!(spread().await, Spread { members: 2, other_nodes: 1 });
    let lose = |session: &str| {
        let key = format!("{}:here:{session}", redis.options.prefix);
        redis::cmd("DEL").arg(key).query::<()>(&mut redis.server.connection(0)).expect("deleted");
    };
    // It is noticed, and written anew.
    lose("a");
    assert_eq!(here.missing(&[a.clone(), b.clone()], &[]).await.expect("looked at"), std::slice::from_ref(&a));
    here.write(&rows[..1]).await.expect("written");
    assert_eq!(here.missing(&[a.clone(), b.clone()], &[]).await.expect("looked at"), []);
    // Both go, one before it was noticed.
    lose("a");
    here.write(&[(a, None), (b.clone(), None)]).await.expect("written");
    assert_eq!(spread().await, Spread::default());
    // Of a node that died, another one notices.
    here.write(&rows[1..]).await.expect("written");
    lose("b");
    for _ in 0..3 {
        third.presence.missing(&[], std::slice::from_ref(&team)).await.expect("looked at");
    }
    assert_eq!(spread().await.members, 0);
    let dead = redis.options.node_key.as_str();
    redis.stores.membership.join(std::slice::from_ref(&team)).await.expect("joined");
    third.membership.cleared(dead, std::slice::from_ref(&team)).await.expect("cleared");
    third.membership.bury(dead).await.expect("buried");
    assert_eq!(spread().await, Spread::default());
    redis.finish();
}

#[tokio::test]
async fn one_key_of_a_wrong_type_keeps_no_other_row_from_being_written_or_removed() {
    let redis = in_redis().await;
    let (here, other) = (redis.stores.presence.clone(), beside(&redis).await);
    let key = |name: &str| format!("{}:{name}", redis.options.prefix);
    let rows: Vec<_> = ["a", "b", "c"].map(|name| (session(name), Some(row("n1", 1, &["team"])))).into();
    here.write(&rows).await.expect("written");
    let mut connection = redis.server.connection(0);
    for (key, value) in [(key("here:b"), "junk"), (key("members:bad"), "junk")] {
        redis::cmd("SET").arg(key).arg(value).arg("EX").arg(60).query::<()>(&mut connection).expect("set");
    }
    assert!(matches!(here.write(&rows[1..2]).await, Err(StoreError::Corrupt(_))));
    let dead = redis.options.node_key.as_str();
    while !other.presence.forget(dead).await.expect("removed") {}
    let members = other.presence.members(&group("team"), 10).await.expect("read");
    assert_eq!(members, [], "{members:?}");
}

#[tokio::test]
async fn members_and_sessions_are_read_in_pages_and_no_session_of_this_node_costs_a_page() {
    let server = TestServer::start();
    let one = options(&server, PATIENT);
    let other = RedisOptions { node_key: NodeKey::random(), ..one.clone() };
    let (here, there) = with_rows(one, other).await;
    // Each run of the script asks for names once.
    let calls = |told: &[String], command: &str| {
        told.iter().filter(|line| line.contains(" lua] ") && line.contains(&format!("\"{command}"))).count()
    };
    let told = monitored(&server, async {
        assert_eq!(there.presence.members(&group("team"), 300).await.expect("read").len(), 300);
    });
    let told = told.await;
    assert_eq!((calls(&told, "ZRANGE"), calls(&told, "HGETALL")), (3, 300));
    let told = monitored(&server, async {
        let listing = here.presence.sessions("s", None, 1).await.expect("read");
        assert_eq!((listing.rows.len(), listing.until.as_deref()), (0, Some("s099")));
    });
    assert_eq!(calls(&told.await, "ZRANGEBYLEX"), 1);
    let listing = there.presence.sessions("s3", Some("s310"), 100).await.expect("read");
    assert_eq!((listing.rows.len(), listing.until), (39, None));
}
