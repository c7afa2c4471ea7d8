//! The store's lives, as `scripts/life.lua` has them, and what a node knows of them.

use super::Store;

/// How a life of the store began, as in `life.lua`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum How {
    First,
    Kept,
    Lost,
    Doubted,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Life {
    pub(super) id: u8,
    base: u64,
    pub(super) how: How,
}

/// What a node knows of the store, and tells it with each script.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(in super::super) struct Known {
    pub(in super::super) life: Option<u8>,
    pub(in super::super) count: u64,
    others: Vec<(u8, u64)>,
}

impl Known {
    /// The store itself says so.
    pub(super) fn told(&mut self, life: u8, count: u64) {
        if self.life != Some(life) {
            let before = (self.life.replace(life), std::mem::take(&mut self.count));
            if let (Some(id), count) = before {
                self.note(id, count);
            }
        }
        self.count = self.count.max(count);
    }

    /// Another node's append was heard.
    pub(in super::super) fn noticed(&mut self, life: u8, count: u64) {
        match self.life == Some(life) {
            true => self.count = self.count.max(count),
            false => self.note(life, count),
        }
    }

    fn note(&mut self, life: u8, count: u64) {
        match self.others.iter_mut().find(|(known, _)| *known == life) {
            Some((_, known)) => *known = count.max(*known),
            None => self.others.push((life, count)),
        }
    }
}

impl Store {
    pub(super) fn begin_life(&mut self, how: How) {
        let id = self.name();
        let run = self.run;
        let data = &mut self.data;
        data.lives.push(Life { id, base: data.count, how });
        (data.life, data.run) = (Some(id), run);
    }

    fn wrong_with(&self, id: u8, known: u64, strict: bool) -> Option<How> {
        let data = &self.data;
        if data.life == Some(id) {
            return (known > data.count).then_some(How::Lost);
        }
        let Some(at) = data.lives.iter().position(|life| life.id == id) else { return strict.then_some(How::Lost) };
        let later = &data.lives[at + 1..];
        if later.iter().any(|life| matches!(life.how, How::Lost | How::Doubted)) {
            return None;
        }
        match later.first() {
            Some(next) => (known > next.base).then_some(How::Doubted),
            None => strict.then_some(How::Lost),
        }
    }

    /// What every script begins with.
    pub(super) fn enter(&mut self, known: &Known) {
        if !self.is_mended && self.data.life.is_some() {
            return;
        }
        if self.data.life.is_none() {
            return self.begin_life(if known.life.is_none() { How::First } else { How::Lost });
        }
        if self.run != self.data.run {
            let whole = self.data.life == known.life && known.count <= self.data.count;
            self.begin_life(if whole { How::Kept } else { How::Lost });
        } else if self.data.life != known.life || known.count > self.data.count {
            let wrong = known.life.and_then(|life| self.wrong_with(life, known.count, true));
            if let Some(how) = wrong {
                self.begin_life(how);
            }
        }
    }

    /// `claim.lua`, and the heartbeat behind it: a node tells all that it knows, and renews its lease.
    pub(in super::super) fn claim(&mut self, node: u8, known: &mut Known) {
        self.enter(known);
        if self.is_mended {
            let wrong = known.others.iter().find_map(|(life, count)| self.wrong_with(*life, *count, false));
            if let Some(how) = wrong {
                self.begin_life(how);
            }
        }
        known.others.clear();
        self.tell(known);
        self.data.leases.insert(node, self.data.life.unwrap_or_default());
    }

    /// Nodes whose leases have run out are buried: one that did not live to see a life that was kept may have known better.
    pub(in super::super) fn bury(&mut self, living: &[u8]) {
        let dead: Vec<u8> = self.data.leases.keys().copied().filter(|node| !living.contains(node)).collect();
        for node in dead {
            let last = self.data.leases.remove(&node);
            let kept = self.data.lives.last().is_some_and(|life| life.how == How::Kept);
            if self.is_mended && kept && last != self.data.life {
                self.begin_life(How::Doubted);
            }
        }
    }

    /// What every reply tells of the store.
    pub(super) fn tell(&self, known: &mut Known) {
        known.told(self.data.life.unwrap_or_default(), self.data.count);
    }
}
