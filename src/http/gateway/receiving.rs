//! A request's body on its way in. A short one that is there at once costs nothing to wait for; of any other nothing is read before its
//! sender is admitted.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header;
use actix_web::web::{Bytes, BytesMut, Payload};
use futures_util::StreamExt;
use sophie_actors::openai::Weight;
use tokio::time::timeout;

use super::GatewayError;

/// So long, in bytes, is a body that is read, and taken apart where it is read, before its sender is admitted: a long conversation, and
/// a fraction of a millisecond's work.
pub const SHORT: usize = 64 * 1024;
/// So long may a short body take: most come with their head, or right behind it.
const AT_ONCE: Duration = Duration::from_millis(50);

/// The body, as far as it has come.
pub struct Receiving {
    payload: Payload,
    /// The length that the head gives.
    declared: Option<usize>,
    most: usize,
    come: BytesMut,
}

impl Receiving {
    /// Begins with a body of at most `most` bytes.
    ///
    /// # Errors
    /// Its head says that it is longer.
    pub fn begin(request: &HttpRequest, payload: Payload, most: usize) -> Result<Self, GatewayError> {
        let length = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
        let declared = length.and_then(|length| length.parse::<u64>().ok());
        if declared.is_some_and(|length| length > most as u64) {
            return Err(GatewayError::too_large(most));
        }
        let declared = declared.and_then(|length| usize::try_from(length).ok());
        Ok(Self { payload, declared, most, come: BytesMut::new() })
    }

    /// All of it, if it is short and there at once.
    ///
    /// # Errors
    /// It does not come to its end.
    pub async fn short(&mut self) -> Result<Option<Bytes>, GatewayError> {
        if self.declared.is_some_and(|length| length > SHORT) {
            return Ok(None);
        }
        match timeout(AT_ONCE, self.read(SHORT, |_| ())).await {
            Ok(Ok(true)) => Ok(Some(self.come.split().freeze())),
            Ok(Ok(false)) | Err(_) => Ok(None),
            Ok(Err(refused)) => Err(refused),
        }
    }

    /// All of it, and about how many tokens it is.
    ///
    /// # Errors
    /// It is too long, or does not come to its end.
    pub async fn long(mut self) -> Result<(Bytes, u64), GatewayError> {
        let mut weight = Weight::default();
        weight.add(&self.come);
        // At once, as growing would need it twice.
        self.come.reserve(self.declared.unwrap_or(SHORT).saturating_sub(self.come.len()));
        match self.read(self.most, |piece| weight.add(piece)).await? {
            true => Ok((self.come.freeze(), weight.tokens())),
            false => Err(GatewayError::too_large(self.most)),
        }
    }

    /// Reads to the end, or until more than `most` bytes have come: `false`.
    async fn read(&mut self, most: usize, mut see: impl FnMut(&[u8])) -> Result<bool, GatewayError> {
        while let Some(piece) = self.payload.next().await {
            let piece = piece.map_err(|_| GatewayError::invalid("The request could not be read to its end."))?;
            see(&piece);
            self.come.extend_from_slice(&piece);
            if self.come.len() > most {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
