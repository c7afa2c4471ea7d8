//! An answer as the chunks of one request, from its first one to its end, as quickly as the client reads.

use sophie_actors::answers::{Recorded, RecordingReader};
use sophie_actors::dialects::Fold;
use sophie_actors::dialects::ui::{UiChunk, UiFold, merge};
use sophie_actors::protocol::Protocol;

use super::frame::Told;
use crate::ws::dialect::Socket;

/// An answer on its way to one client.
struct Telling {
    reader: RecordingReader,
    fold: UiFold,
    untold: Vec<UiChunk>,
    end: Option<HowItEnds>,
}

/// What is behind the last chunk.
enum HowItEnds {
    Through,
    /// The rest cannot be had any more.
    Gone,
}

/// Tells an answer, whose fold has begun. `false`: it was not told to its end.
pub(super) async fn tell(
    socket: &Socket,
    request: &str,
    (fold, untold): (UiFold, Vec<UiChunk>),
    reader: RecordingReader,
    first: u64,
) -> bool {
    let mut telling = Telling { reader: reader.told_in(Protocol::AiSdk), fold, untold, end: None };
    let mut sequence = first;
    loop {
        telling.take_what_there_is();
        for chunk in merge(std::mem::take(&mut telling.untold)) {
            if !socket.say_in_turn(&Told::Chunk { request_id: request, sequence, chunk: &chunk }).await {
                return false;
            }
            sequence += 1;
        }
        match telling.end {
            None => {
                let next = telling.reader.next().await;
                telling.take(next);
            }
            Some(HowItEnds::Through) => return socket.say_in_turn(&Told::End { request_id: request }).await,
            Some(HowItEnds::Gone) => {
                let error_text = "The rest of this answer cannot be had any more.".to_owned();
                socket.say_in_turn(&Told::Error { request_id: request, error_text }).await;
                return false;
            }
        }
    }
}

impl Telling {
    /// Whatever has come while nothing could be said goes with the rest.
    fn take_what_there_is(&mut self) {
        while self.end.is_none() {
            let Some(next) = self.reader.next_now() else { return };
            self.take(next);
        }
    }

    fn take(&mut self, next: Recorded) {
        match next {
            Recorded::Chunks(chunks) => {
                for chunk in &chunks {
                    self.untold.extend(self.fold.chunk(chunk));
                }
            }
            Recorded::End(end) => {
                self.untold.extend(self.fold.end(&end));
                self.end = Some(HowItEnds::Through);
            }
            Recorded::Gone => self.end = Some(HowItEnds::Gone),
        }
    }
}
