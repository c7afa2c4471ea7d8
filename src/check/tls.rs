//! The certificate of the listener: whether its files fit, and until when it is good.

use std::time::SystemTime;

use super::finding::{Area, Finding};
use crate::settings::Settings;
use crate::tls::{Expiry, Files, Validity};

const CERTIFICATE: &str = "server.tls_cert";

pub(super) fn findings(settings: &Settings) -> Vec<Finding> {
    let server = &settings.server;
    if !server.has_tls() {
        return Vec::new();
    }
    let files = Files { certificate: server.tls_cert.clone(), key: server.tls_key.clone() };
    let certified = match files.read() {
        Ok(certified) => certified,
        Err(fault) => {
            let (found, advice) = (fault.to_string(), "give the files that belong together, then check again");
            return vec![Finding::fault("tls_files", Area::Tls, CERTIFICATE, found, "a node does not start", advice)];
        }
    };
    let Some(expiry) = certified.cert.first().and_then(|own| Expiry::of(own)) else {
        let found = "the files fit; its dates cannot be read";
        return vec![Finding::ok("tls_ok", Area::Tls, CERTIFICATE, found)];
    };
    vec![of(&expiry, SystemTime::now())]
}

fn of(expiry: &Expiry, now: SystemTime) -> Finding {
    let until = expiry.written();
    let renew = "renew it and send SIGHUP to the nodes";
    match expiry.at(now) {
        Validity::Good(days) => {
            Finding::ok("tls_ok", Area::Tls, CERTIFICATE, format!("the files fit; good until {until} ({days} days)"))
        }
        Validity::EndsSoon(days) => {
            let found = format!("it is good until {until} ({days} days)");
            Finding::warning("tls_ends_soon", Area::Tls, CERTIFICATE, found, "then clients refuse it", renew)
        }
        Validity::Ended => {
            let found = format!("it was good until {until}");
            Finding::fault("tls_ended", Area::Tls, CERTIFICATE, found, "clients refuse it", renew)
        }
        Validity::NotYet => {
            let found = "it is not good yet";
            let advice = "look at this machine's clock, or wait";
            Finding::fault("tls_not_yet", Area::Tls, CERTIFICATE, found, "clients refuse it", advice)
        }
    }
}
