//! How long a group is known.

use super::*;
use crate::ids::GroupName;
use crate::store::contract::group;

#[tokio::test]
async fn a_group_that_somebody_is_in_lives_on() {
    let redis = in_redis().await;
    redis.stores.logs.open(&[group("team")]).await.expect("opened");
    let mut connection = redis.server.connection(0);
    for name in ["groups", "head:team"] {
        let key = format!("{}:{name}", redis.options.prefix);
        redis::cmd("EXPIRE").arg(key).arg(20).query::<()>(&mut connection).expect("aged");
    }
    redis.stores.membership.join(&[group("team"), group("unknown")]).await.expect("joined");
    for name in ["groups", "head:team"] {
        let key = format!("{}:{name}", redis.options.prefix);
        let ttl: i64 = redis::cmd("TTL").arg(key).query(&mut connection).expect("asked");
        assert!(ttl > 20, "{name} has {ttl} s left");
    }
    assert_eq!(redis.stores.groups.info(&group("unknown")).await.expect("asked"), None);
}

#[tokio::test]
async fn the_index_forgets_groups_that_expired() {
    let redis = in_redis().await;
    let mut connection = redis.server.connection(0);
    let groups: Vec<GroupName> = (0..300).map(|n| group(&format!("gone-{n}"))).collect();
    redis.stores.logs.open(&groups).await.expect("opened");
    for name in &groups {
        let key = format!("{}:head:{name}", redis.options.prefix);
        redis::cmd("DEL").arg(key).query::<()>(&mut connection).expect("expired");
    }
    let fresh: Vec<GroupName> = (0..300).map(|n| group(&format!("fresh-{n}"))).collect();
    for name in &fresh {
        redis.stores.logs.open(std::slice::from_ref(name)).await.expect("opened");
    }
    let index = format!("{}:groups", redis.options.prefix);
    let size: usize = redis::cmd("ZCARD").arg(&index).query(&mut connection).expect("counted");
    assert!((300..450).contains(&size), "{size} entries: new groups make room");
    let listed = redis.stores.groups.list("", None, 1_000).await.expect("listed");
    assert_eq!(listed.len(), 300);
    let size: usize = redis::cmd("ZCARD").arg(&index).query(&mut connection).expect("counted");
    assert_eq!(size, 300, "listing drops the rest");
}
