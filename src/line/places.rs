//! Places for connections: how many there are at once, of all clients and of one address.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use ipnet::IpNet;
use sophie_actors::repeated::Reminder;
use tokio::time::Instant;

use super::{Standing, Wire};

/// Connections beyond the bound that are looked at at the same time: probes are answered at once, so these are enough for what comes
/// while one of them is read.
const FOR_PROBES: usize = 48;

/// Connections that were accepted and that nobody has looked at yet, of all workers together. So many descriptors are kept for them: who
/// accepts is faster than who looks, and would take all that there are in a burst.
pub const UNSEEN: usize = 16;

/// How many connections there may be where a process may have `files` open: one for each, below what it needs itself. That is the logs,
/// Redis, a connection to the AI backend for each answer under way, and some four for each of its threads.
pub fn bound(files: u64, threads: usize) -> usize {
    let own = 32 + files / 8 + 4 * threads as u64;
    usize::try_from(files.saturating_sub(own)).unwrap_or(usize::MAX).saturating_sub(FOR_PROBES + UNSEEN).max(FOR_PROBES)
}

/// The places of this node.
#[derive(Debug, Clone)]
pub struct Places(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    most: usize,
    of_one_address: usize,
    trusted_proxies: Vec<IpNet>,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    whole: usize,
    for_probes: VecDeque<Weak<Wire>>,
    /// Those that were sent away, until their threads have let go of them.
    going: Vec<Weak<Wire>>,
    of_address: HashMap<IpAddr, usize>,
    reminder: Reminder,
}

/// One place, free again when dropped.
#[derive(Debug)]
pub struct Place {
    places: Places,
    counts: bool,
    _share: Share,
}

/// One connection of an address, given back when dropped. Holds nothing where they are not counted.
#[derive(Debug, Default)]
pub struct Share {
    _counted: Option<Box<Counted>>,
}

#[derive(Debug)]
struct Counted {
    places: Places,
    of: IpAddr,
}

impl Places {
    /// So many of all clients, and so many of one address; 0 for as many as there are. A proxy is not counted as an address.
    pub fn new(most: usize, of_one_address: usize, trusted_proxies: Vec<IpNet>) -> Self {
        Self(Arc::new(Inner { most, of_one_address, trusted_proxies, taken: Mutex::default() }))
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        // Counts are whole between statements: a panic elsewhere does not spoil them.
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection that was accepted, with what it may be used for. Beyond the bound the newest ones are looked at, since probes bring
    /// their request with them; who lets them wait for it makes room.
    pub(super) fn admit(&self, peer: Option<IpAddr>) -> (Arc<Wire>, Place) {
        let share = peer.filter(|peer| !self.is_proxy(*peer)).map(|peer| self.share(peer));
        let too_many = matches!(share, Some(None));
        let mut taken = self.taken();
        let counts = !too_many && taken.whole < self.0.most;
        let wire = Arc::new(Wire::new(match (counts, too_many) {
            (true, _) => Standing::Whole,
            (false, true) => Standing::OfTooMany,
            (false, false) => Standing::ForProbes,
        }));
        match counts {
            true => taken.whole += 1,
            false => {
                taken.for_probes.retain(|other| other.strong_count() > 0);
                taken.for_probes.push_back(Arc::downgrade(&wire));
                if taken.for_probes.len() > FOR_PROBES {
                    // Who was answered goes first, then who has said nothing yet; but not who has just come.
                    let others = || taken.for_probes.iter().rev().skip(1).rev().map(Weak::upgrade);
                    let answered = |wire: Option<Arc<Wire>>| wire.is_some_and(|it| it.requests() > 0 && it.is_idle());
                    let silent = |wire: Option<Arc<Wire>>| wire.is_some_and(|it| it.requests() == 0);
                    let place = others().position(answered).or_else(|| others().position(silent)).unwrap_or(0);
                    if let Some(oldest) = taken.for_probes.remove(place).and_then(|oldest| oldest.upgrade()) {
                        oldest.cut();
                        taken.going.push(Arc::downgrade(&oldest));
                    }
                }
                if !too_many && taken.reminder.is_due(Instant::now()) {
                    log::warn!(
                        event = "all_places_taken", connections = taken.whole;
                        "all places are taken, new connections are refused"
                    );
                }
            }
        }
        (wire, Place { places: self.clone(), counts, _share: share.flatten().unwrap_or_default() })
    }

    /// How many connections were sent away and hold their descriptors still.
    pub fn going(&self) -> usize {
        let mut taken = self.taken();
        taken.going.retain(|wire| wire.strong_count() > 0);
        taken.going.len()
    }

    fn is_proxy(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.trusted_proxies.iter().any(|network| network.contains(&address))
    }

    /// A client's connection that came through a proxy: `None` if its address has as many as it may.
    pub fn share_behind(&self, peer: Option<IpAddr>, client: IpAddr) -> Option<Share> {
        match peer.is_some_and(|peer| self.is_proxy(peer)) {
            true => self.share(client),
            // It was counted when it was accepted.
            false => Some(Share::default()),
        }
    }

    fn share(&self, address: IpAddr) -> Option<Share> {
        if self.0.of_one_address == 0 {
            return Some(Share::default());
        }
        let of = network(address);
        let mut taken = self.taken();
        let count = taken.of_address.entry(of).or_default();
        if *count >= self.0.of_one_address {
            return None;
        }
        *count += 1;
        Some(Share { _counted: Some(Box::new(Counted { places: self.clone(), of })) })
    }
}

/// Whom an address belongs to: who has one of IPv6 has the 2⁶⁴ beside it.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address => address,
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.counts {
            self.places.taken().whole -= 1;
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        if let Some(count) = taken.of_address.get_mut(&self.of) {
            *count -= 1;
            if *count == 0 {
                taken.of_address.remove(&self.of);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_bound_lies_below_the_descriptors() {
        assert_eq!(bound(512, 6), 328);
        assert_eq!(bound(1_024, 6), 776);
        assert!(bound(1 << 20, 100) > 900_000);
        assert_eq!(bound(64, 4), FOR_PROBES, "a few are always taken");
    }

    #[test]
    fn beyond_the_bound_the_newest_few_are_looked_at() {
        let places = Places::new(2, 0, Vec::new());
        let mut whole = vec![places.admit(None), places.admit(None)];
        assert!(whole.iter().all(|(wire, _)| wire.standing() == Standing::Whole));
        let beyond: Vec<_> = (0..FOR_PROBES + 1).map(|_| places.admit(None)).collect();
        assert!(beyond.iter().all(|(wire, _)| wire.standing() == Standing::ForProbes));
        let cut = |wire: &Wire| wire.is_cut(&mut std::task::Context::from_waker(std::task::Waker::noop()));
        let gone = || beyond.iter().map(|(wire, _)| cut(wire)).collect::<Vec<bool>>();
        assert!(gone()[0] && !gone()[1..].contains(&true), "{:?}", gone());
        let _asks = beyond[1].0.begin();
        let _newest = places.admit(None);
        assert!(!gone()[1] && gone()[2] && !gone()[3..].contains(&true), "who asks is answered: {:?}", gone());
        whole.pop();
        assert_eq!(places.admit(None).0.standing(), Standing::Whole);
    }

    #[test]
    fn who_comes_beyond_the_bound_is_looked_at_though_all_the_others_have_spoken() {
        let places = Places::new(0, 0, Vec::new());
        let others: Vec<_> = (0..FOR_PROBES).map(|_| places.admit(None)).collect();
        let mut asking: Vec<_> = others.iter().map(|(wire, _)| wire.begin()).collect();
        // This one was answered.
        asking.remove(7);
        let cut = |wire: &Wire| wire.is_cut(&mut std::task::Context::from_waker(std::task::Waker::noop()));
        let first = places.admit(None);
        let gone = || others.iter().map(|(wire, _)| cut(wire)).collect::<Vec<bool>>();
        assert_eq!(gone().iter().position(|gone| *gone), Some(7), "who was answered goes first");
        let second = places.admit(None);
        assert!(!cut(&first.0) || !cut(&second.0), "somebody who has just come is looked at");
        assert!(!cut(&second.0));
    }

    #[test]
    fn an_address_has_so_many_and_a_proxy_speaks_for_others() {
        let places = Places::new(100, 2, vec!["10.0.0.0/8".parse().unwrap()]);
        let standing = |text: &str| {
            let (wire, place) = places.admit(Some(address(text)));
            (wire.standing(), place)
        };
        let first = [standing("192.0.2.1"), standing("192.0.2.1")];
        assert_eq!(standing("192.0.2.1").0, Standing::OfTooMany);
        assert_eq!(standing("192.0.2.2").0, Standing::Whole);
        drop(first);
        assert_eq!(standing("192.0.2.1").0, Standing::Whole);
        let _six = [standing("2001:db8::1"), standing("2001:db8::2")];
        assert_eq!(standing("2001:db8::3").0, Standing::OfTooMany);
        assert_eq!(standing("2001:db8:0:1::3").0, Standing::Whole);
        let proxied: Vec<_> = (0..5).map(|_| standing("10.0.0.1")).collect();
        assert!(proxied.iter().all(|(standing, _)| *standing == Standing::Whole));
        let proxy = Some(address("10.0.0.1"));
        let _shares = [(); 2].map(|()| places.share_behind(proxy, address("198.51.100.1")).unwrap());
        assert!(places.share_behind(proxy, address("198.51.100.1")).is_none());
        assert!(places.share_behind(Some(address("192.0.2.1")), address("192.0.2.1")).is_some());
    }
}
