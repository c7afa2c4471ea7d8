use bytestring::ByteString;

use crate::ids::{Epoch, GroupName};

/// The pub/sub channel on which every logged event is told to all nodes, in the order of each log. The database's number
/// is in its name, since PUBLISH knows no databases.
pub fn events_channel(prefix: &str, db: i64) -> String {
    format!("{prefix}:{db}:events")
}

/// One logged event, as the append's script publishes it: `{epoch} {seq} {group} {body}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Which log.
    pub epoch: Epoch,
    /// Its place there.
    pub seq: u64,
    /// Whose log.
    pub group: GroupName,
    /// The encoded event without `seq`.
    pub body: ByteString,
}

impl Published {
    /// Reads what came from the channel; `None` if it is not of this form.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(payload).ok()?;
        let mut parts = text.splitn(4, ' ');
        let epoch = Epoch::from(parts.next()?);
        let seq = parts.next()?.parse().ok()?;
        let group = GroupName::parse(parts.next()?).ok()?;
        Some(Self { epoch, seq, group, body: parts.next()?.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn junk_on_the_channel_is_not_an_event() {
        for junk in [&b""[..], b"e 1 g", b"e x g {}", b"e 1 a:b {}", b"\xff 1 g {}"] {
            assert_eq!(Published::parse(junk), None);
        }
        let event = Published::parse(b"e1 7 team-7 {\"text\":\"a b\"}").expect("well-formed");
        assert_eq!((event.seq, &*event.body), (7, "{\"text\":\"a b\"}"));
    }
}
