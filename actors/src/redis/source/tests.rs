//! Which sources share a server, and what is noticed of it.

use super::*;

#[test]
fn sentinels_without_a_master_are_no_source() {
    assert!(Source::new("redis+sentinel://s1/0", &Bound::none()).is_err());
}

#[test]
fn databases_of_one_server_are_looked_after_together() {
    let source = |url| Source::new(url, &Bound::none()).expect("a good URL");
    for (url, other, together) in [
        ("redis://a/0", "redis://a:6379/1", true),
        ("redis://a/0", "redis://b/0", false),
        ("redis://a/0", "redis://a:6380/0", false),
        ("redis://a/0", "rediss://a/0", false),
        ("redis://u:p@a/0", "redis://u:p@a/1", true),
        ("redis://u:p@a/0", "redis://w:p@a/1", false),
        ("redis+sentinel://s/0?master=m", "redis+sentinel://s/1?master=m", true),
        ("redis+sentinel://s/0?master=m", "redis+sentinel://s/1?master=n", false),
        ("redis+sentinel://s/0?master=m", "redis+sentinel://t/1?master=m", false),
    ] {
        let (one, beside) = (source(url), source(url).beside(other, &Bound::none()).expect("a good URL"));
        assert_eq!(one.place.is(&beside.place), together, "{url} {other}");
        assert_eq!(are_on_one_server(url, other), together, "{url} {other}");
        assert_eq!(beside.db(), source(other).db(), "{other}");
    }
}

#[tokio::test]
async fn one_notices_that_another_server_has_taken_the_place() {
    let place = watch::Sender::new(Arc::<str>::from(""));
    let mut seen = Seen { server: place.subscribe(), known: "".into() };
    for (now, leaves) in [("a", false), ("", false), ("a", false), ("b", true)] {
        place.send_replace(now.into());
        assert_eq!(timeout(Duration::from_millis(10), seen.moved()).await.is_ok(), leaves, "{now}");
    }
}
