//! `?since=SEQ&epoch=E`: where a client left off.

use sophie_actors::ids::Epoch;

use super::Resume;
use crate::http::ApiError;

/// Reads both; one without the other is nothing to go by.
pub(super) fn resume(query: &str) -> Result<Resume, ApiError> {
    let (mut since, mut epoch) = (None, None);
    for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        match name {
            "since" => {
                let seq = value.parse::<u64>();
                since = Some(seq.map_err(|_| ApiError::bad_request("`since` is the number of the last event seen"))?);
            }
            // Epochs are made of letters and digits: nothing of them is ever escaped.
            "epoch" => epoch = Some(Epoch::from(value)),
            _ => {}
        }
    }
    Ok(since.zip(epoch))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_or_nothing() {
        assert_eq!(resume("token=t&since=42&epoch=x7Qk").unwrap(), Some((42, Epoch::from("x7Qk"))));
        assert_eq!(resume("since=42").unwrap(), None);
        assert_eq!(resume("").unwrap(), None);
        assert!(resume("since=abc&epoch=e").is_err());
        assert!(resume("since=-1&epoch=e").is_err());
    }
}
