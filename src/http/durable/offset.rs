//! Places in a stream, as its readers name them.

use std::fmt;

use crate::http::ApiError;

/// A place that a stream has given out: which stream of that name, and how much of it lies before. Sorts as text in the stream's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Offset {
    pub(super) epoch: String,
    pub(super) position: u64,
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{:020}", self.epoch, self.position)
    }
}

/// Where a reader wants to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum From {
    /// At the first piece.
    Start,
    /// Behind what there is.
    Now,
    /// Where it left off.
    At(Offset),
}

impl From {
    /// Reads `?offset=`.
    ///
    /// # Errors
    /// 400: no stream gives out such an offset.
    pub(super) fn read(text: Option<&str>) -> Result<Self, ApiError> {
        let bad = || {
            ApiError::bad_request(
                "`offset` is `-1` for the start, `now` for the tail, or one that this stream has given out",
            )
        };
        match text {
            None | Some("-1") => Ok(Self::Start),
            Some("now") => Ok(Self::Now),
            Some(given) => {
                let (epoch, position) = given.rsplit_once('_').ok_or_else(bad)?;
                let is_epoch =
                    !epoch.is_empty() && epoch.len() <= 64 && epoch.bytes().all(|b| b.is_ascii_alphanumeric());
                let is_position = position.len() == 20 && position.bytes().all(|b| b.is_ascii_digit());
                let position = position.parse().ok().filter(|_| is_epoch && is_position).ok_or_else(bad)?;
                Ok(Self::At(Offset { epoch: epoch.to_owned(), position }))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_given_out_is_read_and_sorts_as_the_stream_does() {
        let offset = |position| Offset { epoch: "x7".to_owned(), position };
        for position in [0, 1, 9, 10, 4_294_967_296, u64::MAX] {
            let given = offset(position).to_string();
            assert_eq!(From::read(Some(&given)).unwrap(), From::At(offset(position)));
            assert!(!given.contains([',', '&', '=', '?', '/']), "{given}");
        }
        assert!(offset(9).to_string() < offset(10).to_string());
        assert!("-1" < offset(0).to_string().as_str());
    }

    #[test]
    fn anything_else_is_refused() {
        assert_eq!(From::read(None).unwrap(), From::Start);
        assert_eq!(From::read(Some("-1")).unwrap(), From::Start);
        assert_eq!(From::read(Some("now")).unwrap(), From::Now);
        for bad in [
            "",
            "0",
            "-2",
            "_00000000000000000000",
            "x_1",
            "x_0000000000000000000a",
            "x_-0000000000000000001",
            "x_99999999999999999999",
            "é_00000000000000000000",
        ] {
            assert!(From::read(Some(bad)).is_err(), "{bad}");
        }
    }
}
