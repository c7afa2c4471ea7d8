//! An answer as a UI message stream, from its first chunk to its end. It is a reading alone: the client's going ends nothing.

use std::io;

use actix_web::HttpResponse;
use actix_web::http::header::HeaderName;
use actix_web::web::{Bytes, Data};
use futures_util::stream;
use sophie_actors::answers::{Recorded, RecordingReader};
use sophie_actors::dialects::Fold;
use sophie_actors::dialects::ui::{UiChunk, UiFold};
use sophie_actors::ids::AnswerId;
use sophie_actors::protocol::Protocol;
use sophie_actors::store::StoreResult;
use tokio::time::timeout;

use super::entrance::Guest;
use super::steps::{self, Beginning};
use crate::http::State;
use crate::http::durable::name_answer;
use crate::http::gateway::Visit;
use crate::http::server_sent::{self, KEEPALIVE, QUIET};

const DIALECT: HeaderName = HeaderName::from_static("x-vercel-ai-ui-message-stream");

struct Telling {
    reader: RecordingReader,
    fold: UiFold,
    written: String,
    is_over: bool,
    /// A node that goes waits for the response's end.
    visit: Visit,
}

/// The response.
///
/// # Errors
/// The store is away.
pub(super) async fn respond(
    state: &Data<State>,
    guest: &Guest,
    answer: &AnswerId,
    reader: RecordingReader,
    from: Beginning,
) -> StoreResult<HttpResponse> {
    let visit = state.gateway.running.begin();
    let (fold, begun) = steps::begin(state, &guest.session.home(), answer, &reader, from).await?;
    let mut telling =
        Telling { reader: reader.told_in(Protocol::AiSdk), fold, written: String::new(), is_over: false, visit };
    telling.tell(&begun);
    let pieces = stream::unfold(Some(telling), |telling| async move {
        let mut telling = telling?;
        match telling.next().await {
            Ok(Some(piece)) => Some((Ok(piece), Some(telling))),
            Ok(None) => None,
            // Without its last chunk the body is broken: a stream that ended early must not look like a whole one.
            Err(error) => Some((Err(error), None)),
        }
    });
    let mut reply = server_sent::response();
    name_answer(&mut reply, answer);
    Ok(reply.insert_header((DIALECT, "v1")).streaming(pieces))
}

impl Telling {
    /// The next write; `None` after the last one.
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        while self.written.is_empty() {
            if self.is_over {
                return Ok(None);
            }
            tokio::select! {
                biased;
                next = timeout(QUIET, self.reader.next()) => match next {
                    Ok(next) => self.take(next)?,
                    Err(_) => return Ok(Some(Bytes::from_static(KEEPALIVE))),
                },
                () = self.visit.interrupted() => return Err(io::Error::other("the node goes")),
            }
        }
        Ok(Some(Bytes::from(std::mem::take(&mut self.written))))
    }

    fn take(&mut self, next: Recorded) -> io::Result<()> {
        match next {
            Recorded::Chunks(chunks) => {
                for chunk in &chunks {
                    let told = self.fold.chunk(chunk);
                    self.tell(&told);
                }
            }
            Recorded::End(end) => {
                let told = self.fold.end(&end);
                self.tell(&told);
                self.written.push_str("data: [DONE]\n\n");
                self.is_over = true;
            }
            Recorded::Gone => return Err(io::Error::other("the answer is gone")),
        }
        Ok(())
    }

    fn tell(&mut self, chunks: &[UiChunk]) {
        for chunk in chunks {
            if let Ok(json) = serde_json::to_string(chunk) {
                self.written.push_str("data: ");
                self.written.push_str(&json);
                self.written.push_str("\n\n");
            }
        }
    }
}
