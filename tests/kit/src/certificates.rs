//! Certificates of an authority that only a test knows: good ones, and every kind of bad one.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use p256::SecretKey;
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{DerSignature, SigningKey};
use p256::pkcs8::{EncodePrivateKey, LineEnding};
use x509_cert::der::asn1::{BitString, GeneralizedTime, Ia5String, UtcTime};
use x509_cert::der::oid::ObjectIdentifier;
use x509_cert::der::{Encode, EncodePem};
use x509_cert::ext::AsExtension;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{BasicConstraints, SubjectAltName};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use x509_cert::time::{Time, Validity};
use x509_cert::{Certificate, TbsCertificate, Version};

/// How they are signed (RFC 5758, section 3.2).
const ECDSA_WITH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Who signs.
pub struct Authority {
    name: Name,
    key: SecretKey,
    certificate: Certificate,
}

/// A certificate and its key, in PEM.
#[derive(Clone)]
pub struct Issued {
    /// The certificate alone, as its authority is known to those who trust it.
    pub certificate: String,
    /// PKCS #8.
    pub key: String,
}

impl Authority {
    /// One of this name, for a day before and 30 after now.
    pub fn new(name: &str) -> Self {
        let (key, name) = (new_key(), Name::from_str(&format!("CN={name}")).expect("a name"));
        let validity = validity(now() - DAY, now() + 30 * DAY);
        let certificate = sign(&key, name.clone(), name.clone(), &key, validity, &[]);
        Self { name, key, certificate }
    }

    /// What those trust who trust it, in PEM.
    pub fn pem(&self) -> String {
        pem(&self.certificate)
    }

    /// A certificate for these DNS names from a day ago, good for so many days from now; for less than none if it has ended.
    pub fn issue(&self, names: &[&str], days: i64) -> Issued {
        let ends = match u32::try_from(days) {
            Ok(days) => now() + days * DAY,
            Err(_) => now() - u32::try_from(-days).expect("days") * DAY,
        };
        self.issue_between(names, (now() - DAY).min(ends - DAY), ends)
    }

    /// A certificate for these DNS names between two times since 1970.
    pub fn issue_between(&self, names: &[&str], from: Duration, until: Duration) -> Issued {
        let key = new_key();
        let subject = Name::from_str("CN=a service of the tests").expect("a name");
        let certificate = sign(&self.key, self.name.clone(), subject, &key, validity(from, until), names);
        let key = key.to_pkcs8_pem(LineEnding::LF).expect("a key").to_string();
        Issued { certificate: pem(&certificate), key }
    }
}

impl Issued {
    /// Writes both into a directory, over what is there under the same names: `cert.pem` and `key.pem`.
    pub fn write(&self, into: &Path) -> (PathBuf, PathBuf) {
        let (certificate, key) = (into.join("cert.pem"), into.join("key.pem"));
        std::fs::write(&certificate, &self.certificate).expect("written");
        std::fs::write(&key, &self.key).expect("written");
        (certificate, key)
    }
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970")
}

fn new_key() -> SecretKey {
    // Every number below the order of the curve is a key, which nearly all of this length are.
    std::iter::repeat_with(|| SecretKey::from_slice(&rand::random::<[u8; 32]>())).find_map(Result::ok).expect("a key")
}

fn validity(from: Duration, until: Duration) -> Validity {
    Validity { not_before: time(from), not_after: time(until) }
}

fn time(since_1970: Duration) -> Time {
    let since_1970 = Duration::from_secs(since_1970.as_secs());
    match UtcTime::from_unix_duration(since_1970) {
        Ok(time) => Time::UtcTime(time),
        // From 2050 on.
        Err(_) => Time::GeneralTime(GeneralizedTime::from_unix_duration(since_1970).expect("a time")),
    }
}

/// A certificate of an authority, if there are no names, else of a server.
fn sign(
    by: &SecretKey,
    issuer: Name,
    subject: Name,
    key: &SecretKey,
    validity: Validity,
    names: &[&str],
) -> Certificate {
    let signer = SigningKey::from(by);
    let algorithm = AlgorithmIdentifierOwned { oid: ECDSA_WITH_SHA256, parameters: None };
    let ca = BasicConstraints { ca: names.is_empty(), path_len_constraint: None };
    let mut extensions = vec![ca.to_extension(&subject, &[]).expect("an extension")];
    if !names.is_empty() {
        let names = names.iter().map(|name| GeneralName::DnsName(Ia5String::new(name).expect("a DNS name")));
        extensions.push(SubjectAltName(names.collect()).to_extension(&subject, &[]).expect("an extension"));
    }
    let serial = SerialNumber::new(&rand::random::<[u8; 8]>()).expect("a number");
    let tbs_certificate = TbsCertificate {
        version: Version::V3,
        serial_number: serial,
        signature: algorithm.clone(),
        issuer,
        validity,
        subject,
        subject_public_key_info: SubjectPublicKeyInfoOwned::from_key(key.public_key()).expect("a public key"),
        issuer_unique_id: None,
        subject_unique_id: None,
        extensions: Some(extensions),
    };
    let signature: DerSignature = signer.sign(&tbs_certificate.to_der().expect("DER"));
    let signature = BitString::from_bytes(signature.as_bytes()).expect("bits");
    Certificate { tbs_certificate, signature_algorithm: algorithm, signature }
}

fn pem(certificate: &Certificate) -> String {
    certificate.to_pem(LineEnding::LF).expect("PEM")
}
