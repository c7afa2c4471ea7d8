//! The body of a response in its pieces, inflated where a backend compressed it unasked.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::write::{MultiGzDecoder, ZlibDecoder};
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::Response;
use reqwest::header::CONTENT_ENCODING;
use tokio::time::{Instant, timeout_at};

use super::clock::Clock;
use super::fault::{Fault, chain};

/// How much is inflated at once, in bytes: a byte becomes about a thousand at most, so no piece grows beyond a MiB.
const SLICE: usize = 1024;

/// The pieces of a body; faults are texts for the log.
pub type Pieces = BoxStream<'static, Result<Bytes, String>>;

/// The body of a response. Nothing is read ahead.
pub fn pieces(response: Response) -> Result<Pieces, Fault> {
    let encoding = response.headers().get(CONTENT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let encoding = encoding.trim().to_ascii_lowercase();
    let raw = response.bytes_stream().map_err(chain).boxed();
    match encoding.as_str() {
        "" | "identity" => Ok(raw),
        "gzip" | "x-gzip" => Ok(inflated(raw, MultiGzDecoder::new(Vec::new()))),
        "deflate" => Ok(inflated(raw, ZlibDecoder::new(Vec::new()))),
        other => Err(Fault::Unreadable(format!("content encoding {other:?}"))),
    }
}

/// Reads all of a body of at most `most` bytes.
pub async fn read(mut pieces: Pieces, most: usize, clock: &mut Clock) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    while let Some(piece) = clock.wait(pieces.next()).await? {
        clock.heard(Instant::now());
        let piece = piece.map_err(Fault::Broken)?;
        if bytes.len().saturating_add(piece.len()) > most {
            return Err(Fault::Overlong);
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// Reads as much of a body as comes until then, at most `most` bytes.
pub async fn beginning(mut pieces: Pieces, most: usize, until: Instant) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Ok(Some(Ok(piece))) = timeout_at(until, pieces.next()).await {
        bytes.extend_from_slice(&piece[..piece.len().min(most - bytes.len())]);
        if bytes.len() >= most {
            break;
        }
    }
    bytes
}

/// A decoder that writes what it has inflated into a list.
trait Inflate: Write + Send + 'static {
    fn take(&mut self) -> Vec<u8>;
    fn end(&mut self) -> io::Result<()>;
}

impl Inflate for MultiGzDecoder<Vec<u8>> {
    fn take(&mut self) -> Vec<u8> {
        std::mem::take(self.get_mut())
    }

    fn end(&mut self) -> io::Result<()> {
        self.try_finish()
    }
}

impl Inflate for ZlibDecoder<Vec<u8>> {
    fn take(&mut self) -> Vec<u8> {
        std::mem::take(self.get_mut())
    }

    fn end(&mut self) -> io::Result<()> {
        self.try_finish()
    }
}

fn inflated(raw: Pieces, decoder: impl Inflate) -> Pieces {
    let state = Some((raw, decoder, Bytes::new()));
    stream::unfold(state, |state| async move {
        let (mut raw, mut decoder, mut rest) = state?;
        loop {
            if rest.is_empty() {
                rest = match raw.next().await {
                    Some(Ok(piece)) => piece,
                    Some(Err(cause)) => return Some((Err(cause), None)),
                    None => {
                        let last = decoder.end().map(|()| Bytes::from(decoder.take())).map_err(unreadable);
                        return Some((last, None));
                    }
                };
            }
            let slice = rest.split_to(rest.len().min(SLICE));
            if let Err(error) = decoder.write_all(&slice).and_then(|()| decoder.flush()) {
                return Some((Err(unreadable(error)), None));
            }
            let piece = decoder.take();
            if !piece.is_empty() {
                return Some((Ok(piece.into()), Some((raw, decoder, rest))));
            }
        }
    })
    .boxed()
}

fn unreadable(error: io::Error) -> String {
    format!("the compressed body cannot be read: {error}")
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    async fn inflate(compressed: &[u8], piece: usize) -> Vec<Result<Bytes, String>> {
        let pieces: Vec<_> = compressed.chunks(piece).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        inflated(stream::iter(pieces).boxed(), MultiGzDecoder::new(Vec::new())).collect().await
    }

    fn gzip(parts: &[&[u8]]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        for part in parts {
            encoder.write_all(part).and_then(|()| encoder.flush()).expect("memory");
        }
        encoder.finish().expect("memory")
    }

    #[tokio::test]
    async fn what_a_backend_has_flushed_is_there_at_once() {
        let all = gzip(&[b"data: one\n\n", b"data: two\n\n"]);
        let pieces = inflate(&all, 1).await;
        let all: Vec<u8> = pieces.into_iter().flat_map(|piece| piece.expect("readable")).collect();
        assert_eq!(all, b"data: one\n\ndata: two\n\n");
    }

    #[tokio::test]
    async fn a_bomb_comes_in_small_pieces_and_a_torn_body_is_an_error() {
        let bomb = gzip(&[&vec![0; 32 * 1024 * 1024]]);
        let pieces = inflate(&bomb, usize::MAX).await;
        let sizes: Vec<usize> = pieces.iter().map(|piece| piece.as_ref().expect("readable").len()).collect();
        assert_eq!(sizes.iter().sum::<usize>(), 32 * 1024 * 1024);
        assert!(sizes.iter().all(|size| *size < 2 * 1024 * 1024), "{sizes:?}");
        assert!(inflate(&bomb[..bomb.len() - 9], usize::MAX).await.pop().expect("an end").is_err());
        assert!(inflate(b"no gzip at all", 100).await.pop().expect("an end").is_err());
    }
}
