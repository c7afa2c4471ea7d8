//! The files of a certificate and its key, as operators get them from an authority: PEM, the certificate's own part first.

use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};

use rustls::crypto::ring::sign;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};

/// The setting that names the certificate.
const CERTIFICATE: &str = "server.tls_cert";
/// The setting that names the key.
const KEY: &str = "server.tls_key";

/// Where they lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// The certificate, and those that lead from it to one that clients know.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Why they cannot be used: the setting, the file, what is wrong with it and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {} {problem}", file.display())]
pub struct Fault {
    setting: &'static str,
    file: PathBuf,
    problem: String,
}

impl Fault {
    fn new(setting: &'static str, file: &Path, problem: impl Into<String>) -> Self {
        Self { setting, file: file.to_owned(), problem: problem.into() }
    }

    fn unreadable(setting: &'static str, file: &Path, error: &io::Error) -> Self {
        Self::new(setting, file, format!("cannot be read: {error}; give a file that this process may read"))
    }

    fn no_pem(setting: &'static str, file: &Path, error: impl Display, wanted: &str) -> Self {
        Self::new(setting, file, format!("is not what it should be: {error}; {wanted}"))
    }
}

impl Files {
    /// Reads both, and sees to it that they belong together. Blocks.
    ///
    /// # Errors
    /// What is wrong with one of them.
    pub fn read(&self) -> Result<CertifiedKey, Fault> {
        let chain = self.chain()?;
        let key = self.key()?;
        let key = sign::any_supported_type(&key).map_err(|error| {
            Fault::no_pem(KEY, &self.key, error, "give an RSA, ECDSA (P-256, P-384) or Ed25519 key")
        })?;
        let certified = CertifiedKey::new(chain, key);
        match certified.keys_match() {
            Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(certified),
            Err(Error::InconsistentKeys(_)) => {
                let problem = format!(
                    "is not the key of the first certificate in {}; give the key that it was made for, and put that certificate \
                     before those of its authority",
                    self.certificate.display()
                );
                Err(Fault::new(KEY, &self.key, problem))
            }
            Err(error) => Err(Fault::no_pem(CERTIFICATE, &self.certificate, error, "give an X.509 certificate")),
        }
    }

    fn chain(&self) -> Result<Vec<CertificateDer<'static>>, Fault> {
        const WANTED: &str = "give a PEM file with the certificate and those of its authority (fullchain.pem)";
        let file = &self.certificate;
        let no_pem = |error| match error {
            pem::Error::Io(error) => Fault::unreadable(CERTIFICATE, file, &error),
            error => Fault::no_pem(CERTIFICATE, file, error, WANTED),
        };
        let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(file).map_err(no_pem)?.collect();
        let chain = chain.map_err(no_pem)?;
        if chain.is_empty() {
            return Err(Fault::new(CERTIFICATE, file, format!("has no certificate in it; {WANTED}")));
        }
        Ok(chain)
    }

    fn key(&self) -> Result<PrivateKeyDer<'static>, Fault> {
        let file = &self.key;
        PrivateKeyDer::from_pem_file(file).map_err(|error| match error {
            pem::Error::Io(error) => Fault::unreadable(KEY, file, &error),
            pem::Error::NoItemsFound => Fault::new(
                KEY,
                file,
                "has no private key in it that can be read without a password; give one in PEM (`openssl pkey -in FILE` takes the \
                 password off)",
            ),
            // What stands in it is nobody's business.
            _ => Fault::new(KEY, file, "is no PEM file; give a private key in PEM"),
        })
    }
}

#[cfg(test)]
mod tests {
    use sophie_kit::certificates::{Authority, Issued};

    use super::*;

    /// What is said of a certificate and a key.
    fn told(certificate: &str, key: &str) -> Result<usize, String> {
        let dir = tempfile::tempdir().unwrap();
        let issued = Issued { certificate: certificate.to_owned(), key: key.to_owned() };
        let (certificate, key) = issued.write(dir.path());
        let read = Files { certificate, key }.read();
        read.map(|certified| certified.cert.len()).map_err(|fault| {
            let text = fault.to_string();
            assert!(!text.contains('\n'), "one line: {text}");
            text
        })
    }

    #[test]
    fn a_certificate_is_read_with_those_that_lead_to_it() {
        let authority = Authority::new("a");
        let issued = authority.issue(&["localhost"], 30);
        assert_eq!(told(&issued.certificate, &issued.key), Ok(1));
        assert_eq!(told(&(issued.certificate.clone() + &authority.pem()), &issued.key), Ok(2));
    }

    #[test]
    fn whatever_is_wrong_is_told_with_its_setting_its_file_and_what_to_do() {
        let authority = Authority::new("a");
        let (issued, other) = (authority.issue(&["localhost"], 30), authority.issue(&["localhost"], 30));
        let encrypted = issued.key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
        let reversed = authority.pem() + &issued.certificate;
        let nonsense = "-----BEGIN CERTIFICATE-----\nbm9uc2Vuc2U=\n-----END CERTIFICATE-----\n";
        for (certificate, key, words) in [
            (&*issued.certificate, &*other.key, ["server.tls_key", "key.pem is not the key of", "cert.pem"]),
            (&reversed, &issued.key, ["server.tls_key", "is not the key of the first certificate", "before those"]),
            (&issued.certificate, &issued.certificate, ["server.tls_key", "no private key", "PEM"]),
            (&issued.certificate, &encrypted, ["server.tls_key", "without a password", "openssl pkey"]),
            (&issued.certificate, "", ["server.tls_key", "no private key", "PEM"]),
            (&issued.key, &issued.key, ["server.tls_cert", "cert.pem has no certificate", "fullchain.pem"]),
            (nonsense, &issued.key, ["server.tls_cert", "cert.pem is not what it should be", "X.509"]),
            (&issued.certificate[..200], &issued.key, ["server.tls_cert", "cert.pem is not", "fullchain.pem"]),
        ] {
            let text = told(certificate, key).unwrap_err();
            assert!(words.iter().all(|word| text.contains(word)), "{text} {words:?}");
            assert!(!text.contains(&issued.key[60..80]), "{text}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let (certificate, key) = Authority::new("a").issue(&["localhost"], 30).write(dir.path());
        let nowhere = dir.path().join("nowhere.pem");
        let text = |certificate: &PathBuf, key: &PathBuf| {
            Files { certificate: certificate.clone(), key: key.clone() }.read().unwrap_err().to_string()
        };
        let told = text(&nowhere, &key);
        assert!(
            told.starts_with("server.tls_cert: ") && told.contains("nowhere.pem cannot be read: No such"),
            "{told}"
        );
        let told = text(&certificate, &nowhere);
        assert!(told.starts_with("server.tls_key: ") && told.contains("nowhere.pem cannot be read: No such"), "{told}");
    }
}
