//! How long a certificate is good for, as its operator is to know it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use x509_cert::Certificate;
use x509_cert::der::Decode;

const DAY: u64 = 24 * 60 * 60;
/// Before its end it is to be renewed: authorities of today give 90 days and less, and their clients renew when a third is left.
const SOON_DAYS: u64 = 14;

/// When it begins and ends to be good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expiry {
    from: Duration,
    until: Duration,
    written: String,
}

/// What that means at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// For so many days.
    Good(u64),
    /// For so many days: it should have been renewed.
    EndsSoon(u64),
    /// No client takes it any more.
    Ended,
    /// No client takes it yet.
    NotYet,
}

impl Expiry {
    /// What a certificate (DER) says. None if it is not one that can be read here: TLS may still take it.
    pub fn of(certificate: &[u8]) -> Option<Self> {
        let validity = Certificate::from_der(certificate).ok()?.tbs_certificate.validity;
        Some(Self {
            from: validity.not_before.to_unix_duration(),
            until: validity.not_after.to_unix_duration(),
            written: validity.not_after.to_date_time().to_string(),
        })
    }

    /// Its end, as RFC 3339 has it.
    pub fn written(&self) -> &str {
        &self.written
    }

    /// What that means at a moment.
    pub fn at(&self, now: SystemTime) -> Validity {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        if now < self.from {
            return Validity::NotYet;
        }
        match self.until.checked_sub(now).map(|left| left.as_secs() / DAY) {
            None => Validity::Ended,
            Some(days) if days < SOON_DAYS => Validity::EndsSoon(days),
            Some(days) => Validity::Good(days),
        }
    }
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;
    use sophie_kit::certificates::Authority;

    use super::*;

    #[test]
    fn a_certificate_is_good_ends_soon_or_has_ended() {
        // From the first of January 2030.
        let from = Duration::from_secs(1_893_456_000);
        let issued = Authority::new("a").issue_between(&["localhost"], from, from + Duration::from_secs(90 * DAY));
        let der = CertificateDer::from_pem_slice(issued.certificate.as_bytes()).unwrap();
        let expiry = Expiry::of(&der).unwrap();
        assert_eq!(expiry.written(), "2030-04-01T00:00:00Z");
        let at = |days: u64| expiry.at(UNIX_EPOCH + from + Duration::from_secs(days * DAY));
        assert_eq!(at(0), Validity::Good(90));
        assert_eq!(at(76), Validity::Good(14));
        assert_eq!(at(77), Validity::EndsSoon(13));
        assert_eq!(at(90), Validity::EndsSoon(0));
        assert_eq!(at(91), Validity::Ended);
        assert_eq!(expiry.at(UNIX_EPOCH), Validity::NotYet);
        assert_eq!(Expiry::of(b"no certificate"), None);
    }
}
