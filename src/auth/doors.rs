//! Doors that stand open to this machine, guarded against foreign pages and forgotten proxies. A page whose name is rebound to a
//! loopback address is of one origin with us, and only its `Host` gives it away; a proxy on this machine makes everybody look as if
//! they sat at it.

use std::net::IpAddr;

use actix_web::http::Uri;
use actix_web::http::header::{self, HeaderMap, HeaderName};
use ipnet::IpNet;
use sophie_actors::repeated::{Line, Repeated};

use super::address::{self, Client};
use crate::settings::origin::{AllowedOrigin, host_and_port};
use crate::settings::{AuthMode, Settings};

/// What proxies say of those who came to them.
const FORWARDING: [HeaderName; 3] =
    [header::FORWARDED, HeaderName::from_static(address::FORWARDED_FOR), HeaderName::from_static("x-real-ip")];
/// Characters of a name in a log line.
const MAX_SHOWN: usize = 100;

/// A page or a misplaced proxy knocks with every request.
static SHUT: Repeated = Repeated::of(module_path!(), log::Level::Warn);

/// Why a request does not come in by an open door. The texts name the setting that opens it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Shut {
    /// It was sent to a name that is not ours.
    #[error("this service is not known by the name in Host: add the name to server.hosts, or use localhost")]
    Name,
    /// It came through somebody whose word is not taken.
    #[error("this request came through a proxy: add the proxy's address to server.trusted_proxies")]
    Proxy,
    /// It is not from this machine, and shows no key.
    #[error("without a key only this machine may ask here: set auth.api_keys")]
    Far,
}

impl Shut {
    /// The setting that it is about.
    pub fn setting(self) -> &'static str {
        match self {
            Self::Name => "server.hosts",
            Self::Proxy => "server.trusted_proxies",
            Self::Far => "auth.api_keys",
        }
    }
}

/// One request, as far as doors are concerned.
pub struct Knock<'a> {
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Its target, which may name a host, too.
    pub target: &'a Uri,
    /// Who is connected.
    pub peer: IpAddr,
}

/// The doors of this service.
pub struct Doors {
    guards_chat: bool,
    names: Vec<String>,
    origins: Vec<AllowedOrigin>,
    trusted: Vec<IpNet>,
}

impl Doors {
    /// As the settings say.
    pub fn from(settings: &Settings) -> Self {
        let (server, auth) = (&settings.server, &settings.auth);
        Self {
            guards_chat: auth.mode == AuthMode::None && !auth.open && is_loopback(server.bind.ip()),
            names: server.hosts.iter().map(|name| name.to_ascii_lowercase()).collect(),
            origins: server.allowed_origins.iter().filter_map(|text| AllowedOrigin::parse(text)).collect(),
            trusted: server.trusted_proxies.clone(),
        }
    }

    /// Whether a request may come to the chat and its page.
    ///
    /// # Errors
    /// The door stands open, and the request is not from where it seems.
    pub fn to_chat(&self, knock: &Knock) -> Result<(), Shut> {
        if !self.guards_chat {
            return Ok(());
        }
        told("chat", knock, self.guard(knock))
    }

    /// Whether a request without a key may come in where none is set.
    ///
    /// # Errors
    /// As for [`Self::to_chat`], or it is not from this machine.
    pub fn to_applications(&self, knock: &Knock) -> Result<(), Shut> {
        let client = client_of(knock, &self.trusted);
        let here = client.is_known && is_loopback(client.address) && !self.is_named_otherwise(knock);
        told("applications", knock, self.guard(knock).and(if here { Ok(()) } else { Err(Shut::Far) }))
    }

    /// What of `headers` is not believed, because it comes from a peer that is no trusted proxy.
    pub fn disbelieved(&self, headers: &HeaderMap, peer: IpAddr) -> Option<&'static str> {
        let peer = peer.to_canonical();
        if self.trusted.iter().any(|network| network.contains(&peer)) {
            return None;
        }
        FORWARDING.iter().find(|name| headers.contains_key(*name)).map(|name| match name.as_str() {
            "forwarded" => "forwarded",
            address::FORWARDED_FOR => address::FORWARDED_FOR,
            _ => "x-real-ip",
        })
    }

    fn guard(&self, knock: &Knock) -> Result<(), Shut> {
        if self.disbelieved(knock.headers, knock.peer).is_some() {
            return Err(Shut::Proxy);
        }
        let mut names = knock.headers.get_all(header::HOST);
        let (first, more) = (names.next(), names.next());
        let named = first.and_then(|name| name.to_str().ok()).filter(|_| more.is_none());
        // A target that names a host is what counts for proxies and virtual hosts; for us both must be ours.
        let target = knock.target.authority().map(|authority| authority.as_str());
        let ours = named.is_some_and(|name| self.is_ours(name)) && target.is_none_or(|name| self.is_ours(name));
        if ours { Ok(()) } else { Err(Shut::Name) }
    }

    fn is_ours(&self, host: &str) -> bool {
        let Some((host, _)) = host_and_port(&host.to_ascii_lowercase()) else { return false };
        let host = host.strip_suffix('.').unwrap_or(&host);
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        // A name that a page was rebound from is never an address, and nobody but this machine answers for localhost.
        bare.parse::<IpAddr>().is_ok()
            || host == "localhost"
            || host.ends_with(".localhost")
            || self.names.iter().any(|name| name == host)
            || self.origins.iter().any(|origin| origin.is_at(host))
    }

    /// A trusted proxy told of its client by another header than the one that is read.
    fn is_named_otherwise(&self, knock: &Knock) -> bool {
        let [forwarded, forwarded_for, real] = &FORWARDING;
        let has = |name| knock.headers.contains_key(name);
        !has(forwarded_for) && (has(forwarded) || has(real))
    }
}

/// Where a request comes from, behind trusted proxies too.
pub fn client_of(knock: &Knock, trusted: &[IpNet]) -> Client {
    let forwarded = knock.headers.get_all(&FORWARDING[1]).map(|value| value.as_bytes());
    address::client(knock.peer, forwarded.collect::<Vec<_>>().into_iter(), trusted)
}

/// Whether an address is of this machine alone.
pub fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

fn told(door: &'static str, knock: &Knock, outcome: Result<(), Shut>) -> Result<(), Shut> {
    if let Err(shut) = outcome {
        SHUT.log(shut.setting(), || {
            let host = knock.headers.get(header::HOST).map(|host| String::from_utf8_lossy(host.as_bytes()));
            let host: String = host.unwrap_or_default().chars().take(MAX_SHOWN).collect();
            let line = Line::of("door_shut", "a door is kept shut").with("door", door).with("setting", shut.setting());
            line.with("host", host).with("peer", knock.peer).with("reason", shut)
        });
    }
    outcome
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;
    use crate::settings::tests::load;

    fn doors(environment: &[(&str, &str)]) -> Doors {
        Doors::from(&load(environment).unwrap().settings)
    }

    fn headers(pairs: &[(&'static str, &[u8])]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::from_static(name), HeaderValue::from_bytes(value).unwrap());
        }
        headers
    }

    fn knock(doors: &Doors, pairs: &[(&'static str, &[u8])], target: &str, peer: &str) -> Result<(), Shut> {
        let (headers, target) = (headers(pairs), target.parse().unwrap());
        doors.to_applications(&Knock { headers: &headers, target: &target, peer: peer.parse().unwrap() })
    }

    fn host(doors: &Doors, name: &str) -> Result<(), Shut> {
        knock(doors, &[("host", name.as_bytes())], "/", "127.0.0.1")
    }

    #[test]
    fn only_names_that_are_ours_come_in() {
        let doors = doors(&[
            ("SOPHIE__SERVER__HOSTS", "sophie.lan,Box"),
            ("SOPHIE__SERVER__ALLOWED_ORIGINS", "https://app.example.com:444,https://*.shop.com,*"),
        ]);
        for name in [
            "127.0.0.1",
            "127.0.0.1:8080",
            "[::1]:8080",
            "10.1.2.3:1",
            "localhost",
            "LOCALHOST:8080",
            "a.localhost",
            "localhost.",
            "sophie.lan:8080",
            "box",
            "app.example.com",
            "app.example.com:8080",
            "a.shop.com",
        ] {
            assert_eq!(host(&doors, name), Ok(()), "{name}");
        }
        for name in [
            "evil.example",
            "evil.example:8080",
            "localhost.evil.example",
            "xlocalhost",
            "127.0.0.1.evil.example",
            "2130706433",
            "0x7f000001",
            "shop.com",
            "evilshop.com",
            "",
            "[::1",
            "local host",
            "::1",
            "a@localhost",
        ] {
            assert_eq!(host(&doors, name), Err(Shut::Name), "{name}");
        }
        let local = ("host", b"localhost".as_slice());
        assert_eq!(knock(&doors, &[], "/", "127.0.0.1"), Err(Shut::Name));
        assert_eq!(knock(&doors, &[local, ("host", b"evil.example")], "/", "127.0.0.1"), Err(Shut::Name));
        assert_eq!(knock(&doors, &[local], "http://evil.example/", "127.0.0.1"), Err(Shut::Name));
        assert_eq!(knock(&doors, &[local], "http://127.0.0.1:80/", "127.0.0.1"), Ok(()));
        assert_eq!(knock(&doors, &[("host", b"\xff")], "/", "127.0.0.1"), Err(Shut::Name));
    }

    #[test]
    fn who_came_through_a_proxy_is_not_of_this_machine() {
        let local = ("host", b"localhost".as_slice());
        let alone = doors(&[]);
        for name in ["forwarded", "x-forwarded-for", "x-real-ip"] {
            for value in [b"127.0.0.1".as_slice(), b"", b"\xff"] {
                assert_eq!(knock(&alone, &[local, (name, value)], "/", "127.0.0.1"), Err(Shut::Proxy), "{name}");
            }
        }
        let behind = doors(&[("SOPHIE__SERVER__TRUSTED_PROXIES", "127.0.0.1")]);
        let through = |pairs: &[(&'static str, &[u8])]| knock(&behind, &[&[local], pairs].concat(), "/", "127.0.0.1");
        assert_eq!(through(&[]), Ok(()), "a program on this machine");
        assert_eq!(through(&[("x-forwarded-for", b"::1")]), Ok(()));
        for far in [b"203.0.113.5".as_slice(), b"127.0.0.1, 203.0.113.5", b"unknown", b"203.0.113.5, \xff", b"", b" , "]
        {
            assert_eq!(through(&[("x-forwarded-for", far)]), Err(Shut::Far), "{}", String::from_utf8_lossy(far));
        }
        assert_eq!(through(&[("x-real-ip", b"203.0.113.5")]), Err(Shut::Far));
        assert_eq!(through(&[("forwarded", b"for=203.0.113.5")]), Err(Shut::Far));
        assert_eq!(knock(&behind, &[local], "/", "::ffff:127.0.0.1"), Ok(()));
        assert_eq!(knock(&behind, &[local], "/", "192.0.2.1"), Err(Shut::Far));
    }

    #[test]
    fn the_chat_is_guarded_where_it_is_open_without_being_meant() {
        let chat = |environment: &[(&str, &str)]| {
            let (headers, target) = (headers(&[("host", b"evil.example")]), "/".parse().unwrap());
            let peer = "127.0.0.1".parse().unwrap();
            doors(environment).to_chat(&Knock { headers: &headers, target: &target, peer })
        };
        assert_eq!(chat(&[]), Err(Shut::Name));
        assert_eq!(chat(&[("SOPHIE__AUTH__OPEN", "true")]), Ok(()));
        assert_eq!(chat(&[("SOPHIE__AUTH__MODE", "jwt"), ("SOPHIE__AUTH__JWT_SECRET", "s")]), Ok(()));
        assert_eq!(chat(&[("SOPHIE__SERVER__BIND", "[::1]:0")]), Err(Shut::Name));
        for shut in [Shut::Name, Shut::Proxy, Shut::Far] {
            assert!(shut.to_string().contains(shut.setting()));
        }
    }
}
