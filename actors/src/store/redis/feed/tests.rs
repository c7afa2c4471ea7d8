//! What is heard of what was published.

use super::*;
use crate::ids::AnswerId;

#[test]
fn junk_on_the_channel_is_not_heard() {
    let (own, life) = (NodeKey::random(), Life::default());
    for junk in
        [&b""[..], b"n e 1 g", b"n e x g {}", b"n e 1 a:b {}", b"n \xff 1 g {}", b"@", b"@n {}", b"@n {\"told\":\"x\"}"]
    {
        assert_eq!(decode(&own, &life, junk), None);
    }
    // Of the version before, and of this one.
    for by in ["other", "other:l1:12"] {
        let published = format!("{by} e1 7 team-7 {{\"text\":\"a b\"}}");
        let Some(Published::Heard(Heard::Logged { event, .. })) = decode(&own, &life, published.as_bytes()) else {
            panic!("well-formed: {published}")
        };
        assert_eq!((event.seq, &*event.body), (7, "{\"text\":\"a b\"}"));
    }
    assert_eq!(life.heard(), [("l1".to_owned(), 12)]);
}

#[test]
fn a_node_hears_the_others_and_not_itself() {
    let (one, other) = (NodeKey::random(), NodeKey::random());
    let told = Told::Cancelled { answer: AnswerId::from("a 1"), steered: false };
    let published = encode(&one, &told);
    let life = Life::default();
    assert_eq!(decode(&other, &life, published.as_bytes()), Some(Published::Heard(Heard::Told(told))));
    assert_eq!(decode(&one, &life, published.as_bytes()), None);
    let check = format!("@{} ?7", one.as_str());
    assert_eq!(decode(&one, &life, check.as_bytes()), Some(Published::Check(7)));
    assert_eq!(decode(&other, &life, check.as_bytes()), None);
}
