//! What a listener with TLS shows, and shows from the next handshake on once it was read again.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use rustls::sign::{CertifiedKey, SingleCertAndKey};

use super::expiry::{Expiry, Validity};
use super::{Fault, Files};

/// What this service speaks over TLS.
const HTTP_1: &[u8] = b"http/1.1";

/// A listener's certificate and how it is shown.
#[derive(Debug)]
pub struct Listening {
    files: Files,
    current: RwLock<Certificate>,
}

/// A certificate that was read, and is not shown yet.
#[derive(Debug)]
pub struct Certificate {
    config: Arc<ServerConfig>,
    chain: Vec<CertificateDer<'static>>,
}

impl Listening {
    /// With the certificate of these files; the log says until when it is good. Blocks while they are read.
    ///
    /// # Errors
    /// What is wrong with one of them.
    pub fn with(files: Files) -> Result<Self, Fault> {
        let certificate = read(&files)?;
        tell(&files, &certificate);
        Ok(Self { files, current: RwLock::new(certificate) })
    }

    /// What the next handshake is to be done with.
    pub fn current(&self) -> Arc<ServerConfig> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).config.clone()
    }

    /// Reads the files again, and shows nothing of them yet. Blocks.
    ///
    /// # Errors
    /// What is wrong with one of them.
    pub fn read(&self) -> Result<Certificate, Fault> {
        read(&self.files)
    }

    /// Shows what was read from the next handshake on; connections that are there stay as they are. The log says until when it is good.
    /// Whether it is another one than before.
    pub fn show(&self, certificate: Certificate) -> bool {
        tell(&self.files, &certificate);
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let differs = current.chain != certificate.chain;
        *current = certificate;
        differs
    }
}

fn read(files: &Files) -> Result<Certificate, Fault> {
    let certified = files.read()?;
    let chain = certified.cert.clone();
    Ok(Certificate { config: Arc::new(config(certified)), chain })
}

/// A configuration of its own for each certificate: sessions that began with one before are not resumed.
fn config(certified: CertifiedKey) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let mut config = versions
        .expect("ring has what TLS 1.2 and 1.3 need")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    config.alpn_protocols = vec![HTTP_1.to_vec()];
    config
}

/// Says what was read, and until when it is good.
fn tell(files: &Files, certificate: &Certificate) {
    let file = files.certificate.display();
    let Some(expiry) = certificate.chain.first().and_then(|own| Expiry::of(own)) else {
        log::warn!(event = "certificate_read", file:%; "the certificate's dates cannot be read");
        return;
    };
    let until = expiry.written();
    match expiry.at(SystemTime::now()) {
        Validity::Good(days) => log::info!(
            event = "certificate_read", file:%, until:%, days;
            "the certificate is read"
        ),
        Validity::EndsSoon(days) => {
            log::warn!(event = "certificate_read", file:%, until:%, days; "the certificate is about to end, renew it soon");
        }
        Validity::Ended => {
            log::error!(event = "certificate_read", file:%, until:%; "the certificate has expired: clients refuse it");
        }
        Validity::NotYet => {
            log::error!(
                event = "certificate_read", file:%, until:%;
                "the certificate is not good yet: clients refuse it"
            );
        }
    }
}
