//! Drives one generation: the cache, else another node that generates it already, else the backend, and back into the cache
//! with proof of completion.

use std::sync::Arc;
use std::time::Duration;

use bytestring::ByteString;
use futures_util::StreamExt;
use tokio::time::timeout;

use super::flying::{Boarded, Lead, board};
use super::generation::{End, Generation, GenerationOrigin};
use super::{AnswersHandle, Generated, Join, Parts};
use crate::backend::{BackendError, StreamItem};
use crate::openai::{BackendRequest, Choices, Chunk, is_plausible};
use crate::options::DATA_PER_TEXT;
use crate::protocol::{ErrorCode, timestamp, unix_ms, unix_ms_of};
use crate::store::CachedAnswer;

/// What the backend's own time-outs may be late by before it is given up from here.
const SLACK: Duration = Duration::from_secs(5);

/// Runs until the generation has ended and is cached, or everybody has left.
pub(super) async fn run(parts: Arc<Parts>, answers: AnswersHandle, generation: Arc<Generation>, join: Join) {
    let ending = EndOnDrop { answers, generation, digest: join.digest.clone() };
    tokio::select! {
        () = ending.generation.abandoned() => {}
        () = write(&parts, &ending.generation, &join) => {}
    }
    let model = model_of(&join.request);
    ending.generation.tell_span(&model);
    let (accounts, usage) = ending.generation.accounts(join.prompt_tokens);
    accounts.iter().for_each(|(asker, account)| parts.ledger.note(asker, &model, usage, *account));
}

async fn write(parts: &Parts, generation: &Arc<Generation>, join: &Join) {
    let Join { digest, request, reuse, .. } = join;
    let look = async || parts.cache.enabled && read_cache(parts, generation, join).await;
    let mut lead = None;
    let whole = Duration::from_secs(parts.options.get().total_seconds) + SLACK;
    if reuse.read {
        if look().await {
            return;
        }
        let flight = match timeout(whole, board(parts, generation, join, look)).await {
            Ok(Boarded::Leads(flight)) => flight,
            Ok(Boarded::Ended) => return,
            Err(_) => {
                let detail = "another node's answer did not end within ai.total_seconds";
                return generation.finish(End::Failed(BackendError::too_long(detail)));
            }
        };
        lead = flight.map(|flight| Lead::new(parts.stores.flights.clone(), flight, generation.clone()));
    }
    generation.begin(GenerationOrigin::Backend);
    generation.pay();
    // What is for nobody's log may be as long as the backend's data may.
    let is_logged = join.asker.group.is_some();
    let most = parts.options.get().max_answer_bytes.saturating_mul(if is_logged { 1 } else { DATA_PER_TEXT });
    let reading = timeout(whole, read_backend(parts, generation, request, most));
    let read = match &mut lead {
        Some(lead) => tokio::select! {
            read = reading => read,
            never = lead.keep() => match never {},
        },
        None => reading.await,
    };
    let (end, is_kept) = match read {
        Ok(Ok(is_through)) => prove(&generation.chunks(), request.choices(), is_through),
        Ok(Err(error)) => (End::Failed(error), false),
        Err(_) => {
            let detail = "no end within ai.total_seconds";
            (End::Failed(BackendError::too_long(detail)), false)
        }
    };
    if let (End::Failed(_), Some(lead)) = (&end, &mut lead) {
        // Before anybody here hears of it and asks again: a failure is not to be followed. What this does not settle is tried again.
        _ = lead.try_to_land(&end).await;
    }
    generation.finish(end.clone());
    if parts.cache.enabled && is_kept {
        write_cache(parts, generation, digest, request, end.clone()).await;
    }
    // After the cache: who comes too late to follow finds it there.
    if let Some(lead) = lead {
        lead.land(&end).await;
    }
}

/// Whether the cache had the answer.
async fn read_cache(parts: &Parts, generation: &Generation, join: &Join) -> bool {
    let Join { digest, request, reuse, .. } = join;
    let looked = parts.metrics.dependencies.cache.watch(parts.stores.cache.get(digest)).await;
    let entry = match looked {
        Ok(entry) => entry,
        Err(error) => {
            // Fails open: the backend is asked.
            log::debug!(error:%; "the cache was not read");
            parts.metrics.store_failed("cache_get");
            None
        }
    };
    let Some(entry) = entry else { return false };
    let chunks: Vec<Chunk> = entry.chunks.iter().filter_map(|raw| request.endpoint.read(raw.clone())).collect();
    if chunks.len() != entry.chunks.len() || !Choices::of(&chunks).is_worth_keeping(request.choices()) {
        // Not whole, or from a time in which more was kept.
        log::warn!(event = "cache_entry_unusable", digest:%; "an entry of the cache is not usable");
        return false;
    }
    // The clocks of two nodes may differ by a little; an age is never below zero.
    let made_at = unix_ms_of(&entry.created_at).unwrap_or_else(unix_ms);
    let age_seconds = unix_ms().saturating_sub(made_at) / 1_000;
    if !reuse.admits(age_seconds) {
        return false;
    }
    generation.begin(GenerationOrigin::Cache { age_seconds });
    entry.span.iter().for_each(|span| generation.span().link_to(span));
    chunks.into_iter().for_each(|chunk| generation.push(chunk));
    generation.finish(End::Complete { finish_reason: entry.finish_reason, usage: entry.usage });
    true
}

/// Reads the backend's answer of at most so many bytes of text to its end. `false`: the backend did not say that it is through.
async fn read_backend(
    parts: &Parts,
    generation: &Generation,
    request: &BackendRequest,
    most: usize,
) -> Result<bool, BackendError> {
    let backend = parts.backend.get();
    let mut stream = backend.stream(request).await?;
    let (mut bytes, mut data) = (0, 0);
    while let Some(item) = stream.next().await {
        match item? {
            StreamItem::Chunk(mut chunk) => {
                bytes += chunk.text.len();
                data += chunk.raw.len();
                if bytes > most {
                    let detail = "the answer passed ai.max_answer_bytes";
                    return Err(BackendError::new(
                        ErrorCode::Interrupted,
                        "the answer grew too long and was cut off",
                        detail,
                    ));
                }
                chunk.usage = chunk.usage.filter(|usage| is_plausible(*usage, request, data));
                generation.push(chunk);
            }
            StreamItem::Done => return Ok(true),
        }
    }
    Ok(false)
}

/// The end of a stream of so many choices that was read to its end, and whether the answer may be kept. `is_through`: the backend said
/// that this is all.
fn prove(chunks: &[Arc<Chunk>], choices: u64, is_through: bool) -> (End, bool) {
    let completion = Choices::of(chunks.iter().map(Arc::as_ref));
    if !completion.has_finished(if is_through { 1 } else { choices }) {
        let detail = match is_through {
            true => "[DONE] came before every choice had a finish_reason",
            false => "the stream ended before every choice had a finish_reason",
        };
        let reason = "the answer was cut off before its end; try again";
        return (End::Failed(BackendError::new(ErrorCode::Interrupted, reason, detail)), false);
    }
    let finish_reason = chunks.iter().flat_map(|chunk| &chunk.finished).find(|(choice, _)| *choice == 0);
    let end = End::Complete {
        finish_reason: finish_reason.map_or_else(|| "stop".to_owned(), |(_, reason)| reason.clone()),
        usage: chunks.iter().rev().find_map(|chunk| chunk.usage),
    };
    (end, is_through && completion.is_worth_keeping(choices))
}

async fn write_cache(parts: &Parts, generation: &Generation, digest: &str, request: &BackendRequest, end: End) {
    let (End::Complete { finish_reason, usage }, Some(ttl)) = (end, generation.keep()) else { return };
    let chunks = generation.chunks();
    let entry = CachedAnswer {
        model: model_of(request),
        text: chunks.iter().map(|chunk| chunk.text.as_str()).collect(),
        finish_reason,
        created_at: timestamp(),
        usage,
        chunks: chunks.iter().map(|chunk| chunk.raw.clone()).collect::<Vec<ByteString>>(),
        span: generation.span().written(),
    };
    if let Err(error) = parts.stores.cache.put(digest, &entry, ttl).await {
        log::debug!(error:%; "the cache was not written");
        parts.metrics.store_failed("cache_put");
    }
}

/// The model that a request names.
fn model_of(request: &BackendRequest) -> String {
    request.body.text("model").unwrap_or_default()
}

/// A generation whose driver is gone has ended, whatever happened to the driver; equal questions must not find it.
struct EndOnDrop {
    answers: AnswersHandle,
    generation: Arc<Generation>,
    digest: String,
}

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.generation.finish(End::Failed(BackendError::new(
            ErrorCode::Interrupted,
            "the answer was cut off; try again",
            "driver ended",
        )));
        self.generation.span().end();
        let ended = Generated { digest: std::mem::take(&mut self.digest), generation: self.generation.clone() };
        self.answers.generated(ended);
    }
}
