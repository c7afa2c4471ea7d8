//! The AI backend of the bench: it answers everything at once.

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::load::read_head;

pub(crate) const CHUNKS: usize = 20;

/// Answers everything at once.
pub(crate) async fn backend() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            tokio::spawn(serve(stream));
        }
    });
    port
}

pub(crate) async fn serve(stream: TcpStream) {
    stream.set_nodelay(true).expect("a socket");
    let mut stream = BufReader::new(stream);
    let piece = |delta: &str, finish: &str| {
        format!(
            "data: {{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{{\"index\":0,\
             \"delta\":{delta},\"finish_reason\":{finish}}}]}}\n\n"
        )
    };
    let mut events: String = (1..CHUNKS).map(|_| piece("{\"content\":\"word \"}", "null")).collect();
    events += &piece("{}", "\"stop\"");
    events += "data: [DONE]\n\n";
    let streamed = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{events}\r\n0\r\n\r\n",
        events.len()
    );
    let body = "{\"id\":\"c\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"message\":\
                {\"role\":\"assistant\",\"content\":\"word word word\"},\"finish_reason\":\"stop\"}],\
                \"usage\":{\"prompt_tokens\":5,\"completion_tokens\":3,\"total_tokens\":8}}";
    let whole =
        format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    while let Some(request) = read_request(&mut stream).await {
        let text = String::from_utf8_lossy(&request);
        let streams = text.contains("\"stream\":true") || text.contains("\"stream\": true");
        let answer = if streams { &streamed } else { &whole };
        if stream.get_mut().write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

pub(crate) async fn read_request(stream: &mut BufReader<TcpStream>) -> Option<Vec<u8>> {
    let (length, _) = read_head(stream).await?;
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await.ok()?;
    Some(body)
}
