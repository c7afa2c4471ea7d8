//! The addresses that a node listens on: free, or held by a node of this configuration that runs.

use std::io::ErrorKind;
use std::net::SocketAddr;

use super::finding::{Area, Finding};
use super::holder::{Holder, holder, is_public_side};
use crate::app::{AppError, Bound};
use crate::settings::Settings;

const PUBLIC: &str = "server.bind";
const OPERATORS: &str = "admin.bind";

pub(super) async fn findings(settings: &Settings) -> Vec<Finding> {
    let binds = [(PUBLIC, Some(settings.server.bind)), (OPERATORS, settings.admin.bind)];
    let mut findings = Vec::new();
    for (setting, address) in binds {
        if let Some(address) = address {
            findings.push(of(setting, address, settings).await);
        }
    }
    findings
}

async fn of(setting: &'static str, address: SocketAddr, settings: &Settings) -> Finding {
    let error = match Bound::to(address) {
        Ok(_) if address.port() == 0 => {
            return Finding::ok("port_free", Area::Port, setting, format!("{address}: a free port is taken"));
        }
        Ok(_) => return Finding::ok("port_free", Area::Port, setting, format!("{address} is free")),
        Err(AppError::Listen { error, .. }) => error,
        Err(error) => std::io::Error::other(error.to_string()),
    };
    let fault = |code, found: String, advice: &str| {
        Finding::fault(code, Area::Port, setting, found, "a node does not start", advice)
    };
    if error.kind() != ErrorKind::AddrInUse {
        let advice = "choose an address of this machine, and a port that this user may listen on";
        return fault("port_unusable", format!("{address} cannot be listened on: {error}"), advice);
    }
    let holder = match holder(settings).await {
        Holder::Stranger => Holder::Stranger,
        _ if setting == PUBLIC && settings.admin.bind.is_some() && !is_public_side(settings).await => Holder::Stranger,
        holder => holder,
    };
    match holder {
        Holder::Ours => {
            Finding::ok("port_ours", Area::Port, setting, format!("{address} is held by a node of this configuration"))
        }
        Holder::Sophie => {
            let without =
                if settings.admin.token.expose().is_empty() { "without admin.token" } else { "while it has no Redis" };
            let found = format!("{address} is held by a node; {without} nobody can tell of which configuration");
            Finding::ok("port_sophie", Area::Port, setting, found)
        }
        Holder::Other => fault(
            "port_other_node",
            format!("{address} is held by a node of another configuration"),
            "stop that node, or choose another port; its admin.token or its server.node is another one",
        ),
        Holder::Stranger => fault(
            "port_taken",
            format!("{address} is held by another program"),
            "choose another port, or stop that program (`ss -ltnp` names it)",
        ),
    }
}
