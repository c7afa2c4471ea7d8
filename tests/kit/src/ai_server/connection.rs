//! One connection to the server: its calls, one after the other.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;

use super::State;
use super::call::{Call, Ledger};
use super::responses::said;
use super::script::{Script, Step};

/// How long a write may make no headway before the call counts as stalled.
const STALL: Duration = Duration::from_secs(3);

/// Serves a connection until either side closes it.
pub(super) async fn serve(stream: TcpStream, connection: usize, state: State) {
    stream.set_nodelay(true).expect("a TCP socket");
    let (mut input, mut output) = stream.into_split();
    let mut unread = vec![];
    while let Some(call) = receive(&mut input, &mut unread).await {
        let embeds = call.path.contains("/embeddings");
        let responds = call.path.ends_with("/responses");
        if !embeds && !responds && !call.path.contains("/chat/completions") {
            let models = {
                let mut models = state.models.lock().expect("whole");
                models.asked += 1;
                let object = |name| json!({ "id": name, "object": "model", "owned_by": "test" });
                json!({ "object": "list", "data": models.names.iter().map(object).collect::<Vec<_>>() })
            };
            let Script(steps) = Script::respond(200, &[("content-type", "application/json")], &models.to_string());
            for step in steps {
                let Step::Write(bytes) = step else { continue };
                if output.write_all(&bytes).await.is_err() {
                    return;
                }
            }
            continue;
        }
        let script = {
            let mut scripts = state.scripts.lock().expect("whole");
            match scripts.queue.pop_front() {
                Some(script) => script,
                None if embeds => Script::embeddings(&call.body),
                None if responds => Script::response(&[said("Hello from the test.")]),
                None => (scripts.default)(),
            }
        };
        let ledger = Ledger::open(&state.calls, Call { connection, ..call });
        let played = tokio::select! {
            played = play(script, &mut output, &ledger) => played,
            () = gone(&mut input, &mut unread) => None,
        };
        ledger.note(|call| match played {
            Some(_) => call.finished = true,
            None => call.cancelled = true,
        });
        if played != Some(true) {
            return;
        }
    }
}

/// Reads one request; `None` when the client is through.
async fn receive(input: &mut OwnedReadHalf, unread: &mut Vec<u8>) -> Option<Call> {
    let head_end = loop {
        if let Some(at) = unread.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if input.read_buf(unread).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&unread[..head_end]).into_owned();
    let mut lines = head.lines();
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let headers: HashMap<_, _> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length: usize = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    while unread.len() < head_end + length {
        if input.read_buf(unread).await.ok()? == 0 {
            return None;
        }
    }
    let body = serde_json::from_slice(&unread[head_end..head_end + length]).unwrap_or_default();
    let text = String::from_utf8_lossy(&unread[head_end..head_end + length]).into_owned();
    unread.drain(..head_end + length);
    Some(Call { path, headers, body, text, at: Some(tokio::time::Instant::now()), ..Call::default() })
}

/// Returns when the client has closed its side; keeps what it sent before.
async fn gone(input: &mut OwnedReadHalf, unread: &mut Vec<u8>) {
    while matches!(input.read_buf(unread).await, Ok(count) if count > 0) {}
}

/// Plays a script: `Some(whether the connection stays open)` at its end, `None` if the client left.
async fn play(script: Script, output: &mut OwnedWriteHalf, ledger: &Ledger) -> Option<bool> {
    let mut gate: Option<mpsc::UnboundedReceiver<Step>> = None;
    let Script(mut steps) = script;
    loop {
        let step = match &mut gate {
            None => match steps.pop_front() {
                Some(step) => step,
                None => return Some(true),
            },
            Some(released) => released.recv().await.unwrap_or(Step::Close),
        };
        match step {
            Step::Write(bytes) => write(&bytes, output, ledger).await?,
            Step::Repeat(bytes, times) => {
                for _ in 0..times {
                    write(&bytes, output, ledger).await?;
                }
            }
            Step::Pause(pause) => tokio::time::sleep(pause).await,
            Step::Gate(released) => gate = Some(released),
            Step::Hang => std::future::pending().await,
            Step::End => return Some(true),
            Step::Close => return Some(false),
        }
    }
}

async fn write(mut bytes: &[u8], output: &mut OwnedWriteHalf, ledger: &Ledger) -> Option<()> {
    while !bytes.is_empty() {
        let written = match tokio::time::timeout(STALL, output.write(bytes)).await {
            Ok(written) => written.ok()?,
            Err(_) => {
                ledger.note(|call| call.stalled = true);
                output.write(bytes).await.ok()?
            }
        };
        ledger.note(|call| call.sent += written);
        bytes = &bytes[written..];
    }
    Some(())
}
