//! TLS: the cryptography of all connections of this process, and the certificate that its listener shows.

mod expiry;
mod files;
mod listening;

pub use expiry::{Expiry, Validity};
pub use files::{Fault, Files};
pub use listening::{Certificate, Listening};

/// Makes ring the process's TLS provider. Called once at start, before any HTTP client or `rediss://` connection is made; calling it
/// again changes nothing.
pub fn install() {
    // An error means only that a provider is installed already.
    let _already_installed = rustls::crypto::ring::default_provider().install_default();
}
