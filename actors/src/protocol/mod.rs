//! The WebSocket protocol `sophie.v1` as plain data: commands in, events out, and the tables of error and close codes.

mod close;
mod command;
mod depth;
mod django_event;
mod error;
mod event;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod image;
mod logged;
mod parsing;
mod person;
mod quota;
mod remarks;
mod spoken;
mod strand;

pub use close::{Close, CloseCode};
pub use command::{BadCommand, Command, CommandBody, JoinGroup, SendMessage};
pub use depth::{EVENT_DEPTH, METADATA_DEPTH, is_deeper, is_map_deeper};
pub use django_event::DjangoEvent;
pub use error::{ErrorCode, Refusal};
pub use event::{CacheStatus, Event, LogHead, Member, RunningAnswer, Standing, Who};
pub use image::{IMAGE_NAME_CHARS, Image, ImageLimits};
pub use logged::{AnswerFailed, AnswerFinished, Logged, Message, Role, Usage};
pub use person::PersonState;
pub use quota::{Quota, Remaining};
pub use remarks::{AskForPerson, GiveFeedback, REMARK_CHARS};
pub use spoken::Protocol;
pub use strand::{AnswerText, REASONING_BYTES, Reasoning, Strand};

/// The subprotocol's name.
pub const SUBPROTOCOL: &str = "sophie.v1";

/// Now, as the protocol writes times: RFC 3339 in UTC with milliseconds.
pub fn timestamp() -> String {
    rfc3339(time::OffsetDateTime::now_utc())
}

/// A time given in milliseconds since the Unix epoch, as the protocol writes it.
pub fn timestamp_of(unix_ms: u64) -> String {
    let nanos = i128::from(unix_ms) * 1_000_000;
    rfc3339(time::OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap_or(time::OffsetDateTime::UNIX_EPOCH))
}

/// Milliseconds since the Unix epoch, now.
pub fn unix_ms() -> u64 {
    u64::try_from(time::OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000).unwrap_or(0)
}

/// The milliseconds since the Unix epoch that a time of the protocol stands for, if it is one.
pub fn unix_ms_of(timestamp: &str) -> Option<u64> {
    let at = time::OffsetDateTime::parse(timestamp, &time::format_description::well_known::Rfc3339).ok()?;
    u64::try_from(at.unix_timestamp_nanos() / 1_000_000).ok()
}

fn rfc3339(at: time::OffsetDateTime) -> String {
    let (date, clock) = (at.date(), at.time());
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        date.year(),
        u8::from(date.month()),
        date.day(),
        clock.hour(),
        clock.minute(),
        clock.second(),
        clock.millisecond()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339_in_utc() {
        assert_eq!(timestamp_of(1_760_000_000_123), "2025-10-09T08:53:20.123Z");
        assert!(timestamp().ends_with('Z'));
        assert_eq!(unix_ms_of("2025-10-09T08:53:20.123Z"), Some(1_760_000_000_123));
        assert_eq!(unix_ms_of("yesterday"), None);
    }
}
