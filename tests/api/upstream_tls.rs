//! Backends whose TLS is not right.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection};
use serde_json::{Map, Value};
use sophie::upstream::{BackendKey, OpenAi, OpenAiOptions};
use sophie_actors::backend::{Backend, BackendError};
use sophie_actors::openai::{BackendRequest, Body};
use sophie_actors::protocol::ErrorCode;
use sophie_kit::ai_server::{AiServer, Script};
use tokio::time::timeout;

use crate::support::{Backends, SOON, member};

/// A certificate for localhost that it has signed itself, until 2126, and its key. They protect nothing.
const CERTIFICATE: &str = "\
-----BEGIN CERTIFICATE-----\n\
MIIBmzCCAUGgAwIBAgIUa/1XVUDcWtRiSGMu+fa9LFC/8O4wCgYIKoZIzj0EAwIw\n\
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyNTIzMjE0MVoYDzIxMjYxMTAx\n\
MjMyMTQxWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO\n\
PQMBBwNCAAT6lK7aCNoKzqs1ZnXm1ll51V45wiU1GhfZHJeGs1p0OPenxAIx5t1g\n\
MzvB9sgF9BnJcQmmKmtvZphqWt70mxaEo28wbTAdBgNVHQ4EFgQU0Z/DbQGrT+FF\n\
WOGr24kbCD7EbWgwHwYDVR0jBBgwFoAU0Z/DbQGrT+FFWOGr24kbCD7EbWgwDwYD\n\
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI\n\
zj0EAwIDSAAwRQIgZeaG/ULjPcVCIDugrhMfg2qnwn2A1qMa3Up3OMTqSZcCIQCW\n\
M520ttMAtAyYxbqaeKtCZ1K0BZx0XhTZl4AFm5MDUg==\n\
-----END CERTIFICATE-----\n";
const KEY: &str = "\
-----BEGIN PRIVATE KEY-----\n\
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgIwMd4Txu7yqkTOTI\n\
ZjWPlxtCBXxtOcSwMoFV6L+nmQahRANCAAT6lK7aCNoKzqs1ZnXm1ll51V45wiU1\n\
GhfZHJeGs1p0OPenxAIx5t1gMzvB9sgF9BnJcQmmKmtvZphqWt70mxaE\n\
-----END PRIVATE KEY-----\n";

/// Accepts connections with that certificate and counts requests that get through.
fn untrusted() -> (SocketAddr, Arc<AtomicUsize>) {
    let certificate = CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).expect("a certificate");
    let key = PrivateKeyDer::from_pem_slice(KEY.as_bytes()).expect("a key");
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key);
    let config = Arc::new(config.expect("a good configuration"));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    let through = Arc::new(AtomicUsize::new(0));
    let count = through.clone();
    // Ends with the test's process.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let mut connection = ServerConnection::new(config.clone()).expect("a connection");
            // The client breaks off within the handshake, or it is a fault of ours.
            if connection.complete_io(&mut stream).is_ok() && !connection.is_handshaking() {
                count.fetch_add(1, Ordering::SeqCst);
            }
            _ = stream.flush();
        }
    });
    (address, through)
}

/// For a connection that is refused: a machine that pauses is no reason to give up before.
const PATIENT: u64 = 8;

/// Answers whatever comes as a web server without TLS does.
fn plain() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    // Ends with the test's process.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            // A client that is gone gets no answer.
            _ = stream.read(&mut [0; 4096]);
            _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        }
    });
    address
}

async fn ask(base_url: String, connect_seconds: u64) -> BackendError {
    sophie::tls::install();
    let options = OpenAiOptions {
        base_url,
        api_key: BackendKey::new("test-key-123"),
        connect_seconds,
        first_chunk_seconds: 20,
        idle_seconds: 20,
        total_seconds: 30,
        max_answer_bytes: 1_000_000,
        max_event_bytes: 16 * 1024 * 1024,
        ..OpenAiOptions::default()
    };
    let backend = OpenAi::new(options).expect("good options");
    let asked = BackendRequest::from(Body::from(Map::from_iter([("model".to_owned(), Value::from("m"))])));
    let answer = timeout(SOON, backend.stream(&asked)).await.expect("fails in time");
    answer.err().expect("no answer")
}

fn assert_unreachable(error: &BackendError) {
    assert_eq!(error.code, ErrorCode::AiUnavailable, "{error:?}");
    assert!(error.reason.contains("cannot be reached") && error.retry_after_ms.is_some(), "{error:?}");
    assert!(error.detail.starts_with("connection failed"), "{error:?}");
    assert!(!error.detail.contains("test-key"), "{error:?}");
}

#[tokio::test]
async fn https_to_a_port_without_tls_is_a_backend_that_cannot_be_reached() {
    let error = ask(format!("https://{}/v1", plain()), PATIENT).await;
    assert_unreachable(&error);
    // One that waits for a request as it knows them, and never gets it.
    let ai = AiServer::start().await;
    let error = ask(ai.base_url().replace("http://", "https://"), 2).await;
    assert_eq!(error.code, ErrorCode::AiTimeout, "{error:?}");
    assert!(error.reason.contains("connection"), "{error:?}");
    assert_eq!(ai.calls(), 0);
}

#[tokio::test]
async fn a_certificate_that_nobody_trusts_gets_neither_question_nor_key() {
    sophie::tls::install();
    let (address, through) = untrusted();
    for host in ["127.0.0.1", "localhost"] {
        let error = ask(format!("https://{host}:{}/v1", address.port()), PATIENT).await;
        assert_unreachable(&error);
        assert!(error.detail.to_lowercase().contains("certificate"), "the log says what it is: {}", error.detail);
    }
    assert_eq!(through.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn another_backend_takes_over_from_one_whose_tls_is_not_right() {
    let ai = AiServer::start().await;
    ai.set_default(|| Script::answer("second"));
    let mut first = member("a", &ai);
    first.reach.base_url = format!("https://{}/v1", plain());
    first.reach.connect_seconds = PATIENT;
    let backends = Backends::new(vec![first, member("b", &ai)]);
    assert_eq!(backends.ask().await.text(), "second");
    assert_eq!(backends.ended("a", "unreachable"), 1);
}
