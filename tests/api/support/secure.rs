//! The program behind TLS, with a certificate of an authority that only its test knows, and clients who trust that one.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use sophie_kit::certificates::{Authority, Issued};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{Connector, connect_async_tls_with_config};

use super::{Broker, SOON, TestSocket};

/// The binary with TLS. Its certificate is for `localhost`.
pub struct Secure {
    /// The process.
    pub broker: Broker,
    /// Who signed its certificate.
    pub authority: Authority,
    dir: TempDir,
}

/// Clients of an authority's servers.
#[derive(Clone)]
pub struct Trusting(Arc<ClientConfig>);

impl Secure {
    /// With a certificate that is good for 30 days.
    pub async fn start(environment: &[(&str, &str)]) -> Self {
        let authority = Authority::new("the authority of the tests");
        let issued = authority.issue(&["localhost"], 30);
        Self::showing(authority, issued, environment).await
    }

    /// With any certificate.
    pub async fn showing(authority: Authority, issued: Issued, environment: &[(&str, &str)]) -> Self {
        Self::with_files(authority, issued, 4_096, environment).await
    }

    /// [`Self::showing`], with no more than so many open files.
    pub async fn with_files(authority: Authority, issued: Issued, files: u32, environment: &[(&str, &str)]) -> Self {
        let dir = TempDir::new().expect("a directory");
        let (certificate, key) = issued.write(dir.path());
        let (certificate, key) = (certificate.display().to_string(), key.display().to_string());
        let named = [("SOPHIE__SERVER__TLS_CERT", certificate.as_str()), ("SOPHIE__SERVER__TLS_KEY", key.as_str())];
        let broker = Broker::with_files(files, &[&named[..], environment].concat()).await;
        Self { broker, authority, dir }
    }

    /// Where the files of certificate and key lie.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.broker.address
    }

    /// `https://localhost…` of a path.
    pub fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.address().port())
    }

    /// Clients who trust its authority.
    pub fn trusting(&self) -> Trusting {
        Trusting::in_one(&self.authority)
    }

    /// A socket of a session over TLS, ready.
    pub async fn open(&self, session: &str) -> TestSocket {
        let url = format!("wss://localhost:{}/ws/chat/{session}", self.address().port());
        let mut request = url.into_client_request().expect("a good URL");
        request.headers_mut().insert("sec-websocket-protocol", "sophie.v1".parse().expect("a value"));
        let connector = Connector::Rustls(self.trusting().0);
        let opening = connect_async_tls_with_config(request, None, true, Some(connector));
        let (stream, _) = timeout(SOON, opening).await.expect("in time").expect("connected");
        let mut socket = TestSocket { stream, ready: Value::Null };
        socket.ready = socket.event().await;
        assert_eq!(socket.ready["type"], "session.ready", "{}", socket.ready);
        socket
    }

    /// What the log says of something, once it does.
    pub async fn logged(&self, word: &str) -> String {
        super::eventually(word, SOON, async || {
            self.broker.log().lines().find(|line| line.contains(word)).map(str::to_owned)
        })
        .await
    }
}

impl Trusting {
    /// Who trust one authority alone.
    pub fn in_one(authority: &Authority) -> Self {
        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from_pem_slice(authority.pem().as_bytes()).expect("a certificate");
        roots.add(root).expect("an authority");
        sophie::tls::install();
        Self(Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()))
    }

    /// Who speak nothing but this by ALPN.
    pub fn speaking(&self, protocol: &str) -> Self {
        let mut config = (*self.0).clone();
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        Self(Arc::new(config))
    }

    /// Shakes hands with who is at an address, for a name.
    pub async fn connect(&self, address: SocketAddr, name: &str) -> std::io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(address).await.expect("connected");
        let name = ServerName::try_from(name.to_owned()).expect("a name");
        timeout(SOON, TlsConnector::from(self.0.clone()).connect(name, stream)).await.expect("in time")
    }
}
