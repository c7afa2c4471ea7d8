//! An answer that came as one body.

use futures_util::{StreamExt, stream};
use sophie_actors::backend::StreamItem;
use sophie_actors::openai::completion::to_chunk;
use sophie_actors::openai::{Api, Body, Endpoint, Parsed, ResponseReader, embeddings};

use super::answer::Items;
use super::fault::Fault;

/// The items of an answer to a request of this body.
pub fn items(endpoint: Endpoint, api: Api, asked: &Body, bytes: Vec<u8>) -> Result<Items, Fault> {
    let said = match (endpoint, api) {
        (Endpoint::ChatCompletions, Api::Responses) => response(asked, &bytes)?,
        (Endpoint::ChatCompletions, Api::ChatCompletions) => {
            vec![StreamItem::Chunk(to_chunk(&bytes)?), StreamItem::Done]
        }
        (Endpoint::Embeddings, _) => vec![StreamItem::Chunk(embeddings::to_chunk(bytes.into())?), StreamItem::Done],
    };
    Ok(stream::iter(said.into_iter().map(Ok)).boxed())
}

fn response(asked: &Body, bytes: &[u8]) -> Result<Vec<StreamItem>, Fault> {
    let said = ResponseReader::of_request(asked).whole(bytes).map_err(|bad| Fault::Unreadable(bad.to_string()))?;
    let item = |parsed| match parsed {
        Parsed::Chunk(chunk) => Ok(StreamItem::Chunk(chunk)),
        Parsed::Done => Ok(StreamItem::Done),
        Parsed::Error(error) => Err(Fault::Reported(error)),
    };
    said.into_iter().map(item).collect()
}
