//! A network of its own for clients that vanish: its link is taken down, and no packet comes any more, neither FIN nor RST.
//!
//! Linux makes one for root alone, by `ip` (Debian: iproute2).

use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};

/// A namespace with one link to this machine. It goes when it is dropped, and so does what runs in it.
pub struct Network {
    name: String,
    /// This machine, as the clients see it.
    pub host: Ipv4Addr,
    clients: Vec<Child>,
}

impl Network {
    /// A new one; `None`, with a word on why, where none can be made.
    pub fn new() -> Option<Self> {
        let pid = std::process::id();
        let name = format!("sv{}", pid % 1_000_000);
        // Of a range that is for tests between networks (RFC 2544): four addresses for each process.
        let [low, high] = ((pid % 0x4000) << 2).to_be_bytes()[2..] else { return None };
        let (host, client) = (Ipv4Addr::new(198, 18, low, high | 1), Ipv4Addr::new(198, 18, low, high | 2));
        let network = Self { name: name.clone(), host, clients: Vec::new() };
        for command in [
            format!("netns add {name}"),
            format!("link add {name}a type veth peer name {name}b netns {name}"),
            format!("addr add {host}/30 dev {name}a"),
            format!("link set {name}a up"),
            format!("-n {name} addr add {client}/30 dev {name}b"),
            format!("-n {name} link set {name}b up"),
        ] {
            if let Err(why) = ip(&command) {
                println!(
                    "NOT TESTED: clients that vanish need a network namespace (root on Linux, and iproute2): {why}"
                );
                return None;
            }
        }
        Some(network)
    }

    /// A client that connects to a port of this machine, says this, and stays without reading.
    pub fn client(&mut self, port: u16, says: &str) {
        let script = format!("exec 3<>/dev/tcp/{}/{port}; printf %b \"$0\" >&3; exec sleep 600", self.host);
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, "bash", "-c", &script, says]).stderr(Stdio::null());
        self.clients.push(command.spawn().expect("ip is there"));
    }

    /// Takes the link down, and what it loses is lost.
    pub fn cut(&self) {
        let name = &self.name;
        ip(&format!("-n {name} link set {name}b down")).expect("there is a link");
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for client in &mut self.clients {
            _ = client.kill();
            _ = client.wait();
        }
        // The link goes with it.
        _ = ip(&format!("netns del {}", self.name));
    }
}

fn ip(command: &str) -> Result<(), String> {
    let output = Command::new("ip").args(command.split(' ')).output().map_err(|error| error.to_string())?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("ip {command}: {}", String::from_utf8_lossy(&output.stderr).trim())),
    }
}
