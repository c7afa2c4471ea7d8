//! Groups: listed, described, switched, deleted, forgotten.

use super::*;
use crate::ids::GroupName;

pub(in crate::store) async fn groups_are_listed_by_prefix_and_cursor(stores: Stores) {
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

pub(in crate::store) async fn a_group_is_described_switched_and_deleted(stores: Stores) {
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
    stores.desk.settle(&team, Act::TakeOver).await.expect("switched");
    assert!(!stores.groups.info(&team).await.expect("asked").expect("there").assistant);
    stores.desk.settle(&group("quiet"), Act::TakeOver).await.expect("switched");
    let quiet = stores.groups.info(&group("quiet")).await.expect("asked").expect("made by the switch");
    assert_eq!((quiet.assistant, quiet.last_seq), (false, 0));
    assert!(stores.groups.delete(&team).await.expect("deleted"));
    assert!(!stores.groups.delete(&team).await.expect("deleted"));
    assert_eq!(stores.groups.info(&team).await.expect("asked"), None);
    assert_eq!(stores.logs.read_after(&team, 0, EVERYTHING).await.expect("read"), Page::none());
    assert_eq!(append(&stores, &team, "z").await.1, 1);
    assert!(stores.groups.info(&team).await.expect("asked").expect("there").assistant);
}

pub(in crate::store) async fn a_group_in_which_nothing_was_logged_goes_soon_after_its_last_member(stores: Stores) {
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
    stores.desk.settle(&blank, Act::TakeOver).await.expect("switched");
    stores.membership.leave(&both).await.expect("left");
    assert!(is_day(left(&blank).await), "what an operator decided stays");
}
