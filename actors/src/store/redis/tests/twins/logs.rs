//! Logs: appended to, once-only, read in pages both ways, cut, confirmed and deleted.

use std::collections::HashMap;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use sophie_kit::properties::cases;

use super::*;
use crate::ids::{Epoch, GroupName};
use crate::protocol::LogHead;
use crate::store::contract::event;
use crate::store::{Append, Appended, LogState, ONCE_SECONDS, Once, Page};

const GROUPS: usize = 2;

#[derive(Debug, Clone)]
enum Act {
    /// Into a group, perhaps once-only: an id and a content.
    Append(usize, Option<(u8, u8)>, usize),
    Recall(u8, u8),
    Open(usize),
    /// Somebody has delivered so many events more or less than there are, of this epoch or an older one.
    Confirm(usize, i64, bool),
    After(usize, u64, usize, usize),
    Before(usize, Option<u64>, usize, usize),
    Delete(usize),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let (group, once) = (0..GROUPS, (0..3_u8, 0..2_u8));
    let sizes = (0..5_usize, 0..120_usize);
    let act = prop_oneof![
        8 => (group.clone(), prop::option::of(once.clone()), 0..40_usize).prop_map(|(g, o, size)| Act::Append(g, o, size)),
        1 => once.prop_map(|(id, content)| Act::Recall(id, content)),
        1 => group.clone().prop_map(Act::Open),
        2 => (group.clone(), -2..3_i64, any::<bool>()).prop_map(|(g, by, now)| Act::Confirm(g, by, now)),
        3 => (group.clone(), 0..16_u64, sizes.clone()).prop_map(|(g, at, (n, bytes))| Act::After(g, at, n, bytes)),
        3 => (group.clone(), prop::option::of(0..16_u64), sizes).prop_map(|(g, at, (n, b))| Act::Before(g, at, n, b)),
        1 => group.prop_map(Act::Delete),
    ];
    prop::collection::vec(act, 1..40)
}

/// What a store must hold. Its epochs are known by when they were first told.
#[derive(Default)]
struct Model {
    epochs: Vec<Epoch>,
    logs: HashMap<usize, Log>,
    known: HashMap<u8, Known>,
    /// How many logs there have been.
    made: usize,
}

struct Log {
    number: usize,
    /// `None`: it has one that nobody was told.
    epoch: Option<Epoch>,
    older: Vec<Epoch>,
    began: u64,
    bodies: Vec<String>,
}

struct Known {
    content: u8,
    log: usize,
    seq: u64,
}

impl Log {
    /// Where it stands.
    fn begin_anew(&mut self) {
        self.older.extend(self.epoch.take());
        self.began = self.seq();
    }

    fn seq(&self) -> u64 {
        self.bodies.len() as u64
    }

    fn first(&self) -> u64 {
        self.seq().saturating_sub(KEPT as u64) + 1
    }

    fn kept(&self) -> impl DoubleEndedIterator<Item = (u64, &str)> {
        (1..)
            .zip(self.bodies.iter().map(String::as_str))
            .collect::<Vec<_>>()
            .into_iter()
            .skip(self.first() as usize - 1)
    }
}

impl Model {
    fn log(&mut self, group: usize) -> &mut Log {
        self.made += 1;
        let number = self.made;
        let fresh = || Log { number, epoch: None, older: Vec::new(), began: 0, bodies: Vec::new() };
        self.logs.entry(group).or_insert_with(fresh)
    }

    /// An epoch that a store tells of a group: a new one, or the one that it told before.
    fn tell(&mut self, group: usize, told: &Epoch) {
        let is_new = !self.epochs.contains(told);
        let log = self.log(group);
        match &log.epoch {
            Some(known) => assert_eq!(known, told),
            None => assert!(is_new, "an epoch of another log or life"),
        }
        log.epoch = Some(told.clone());
        if is_new {
            self.epochs.push(told.clone());
        }
    }

    fn state(&mut self, group: usize, told: &LogState) {
        self.tell(group, &told.head.epoch);
        let log = self.log(group);
        assert_eq!((told.head.seq, told.first, told.began), (log.seq(), log.first(), log.began));
    }

    /// What is known of an id whose log is still there.
    fn known(&self, id: u8, content: u8) -> Option<Appended> {
        let known = self.known.get(&id).filter(|known| self.logs.values().any(|log| log.number == known.log))?;
        let again = Appended::Again { seq: known.seq, message: None, owed: false };
        Some(if known.content == content { again } else { Appended::Conflict })
    }

    fn page(&mut self, group: usize, told: &Page, older: bool, from: u64, most: usize, bytes: usize) {
        let Some(log) = self.logs.get(&group) else {
            assert_eq!(*told, Page::none());
            return;
        };
        let mut all: Vec<(u64, &str)> =
            log.kept().filter(|(seq, _)| if older { *seq < from } else { *seq > from }).collect();
        if older {
            all.reverse();
        }
        let (mut size, mut taken) = (0, Vec::new());
        for (seq, body) in &all {
            size += body.len();
            if !taken.is_empty() && (taken.len() >= most || size > bytes) {
                break;
            }
            taken.push((*seq, (*body).to_owned()));
        }
        let more = taken.len() < all.len();
        if older {
            taken.reverse();
        }
        let found: Vec<_> = told.events.iter().map(|event| (event.seq, event.body.to_string())).collect();
        assert_eq!((found, told.more), (taken, more));
        self.tell(group, told.epoch.as_ref().expect("a log has an epoch"));
    }
}

async fn play(stores: &Stores, loses_all: bool, acts: &[Act]) {
    let (case, mut model) = (random_text(10), Model::default());
    let name = |group: usize| -> GroupName { crate::store::contract::group(&format!("{case}-{group}")) };
    let once = |id: u8, content: u8| Once {
        scope: case.clone(),
        id: id.to_string(),
        fingerprint: content.to_string(),
        seconds: ONCE_SECONDS,
    };
    for act in acts {
        match *act {
            Act::Append(group, id, size) => {
                let sent = event(&name(group), &"x".repeat(size));
                let body = sent.body.to_string();
                let known = id.and_then(|(id, content)| model.known(id, content));
                let sent = Append { once: id.map(|(id, content)| once(id, content)), ..sent };
                let appended = stores.logs.append(sent).await.expect("stored");
                if let Some(known) = known {
                    assert_eq!(appended, known);
                    continue;
                }
                let log = model.log(group);
                log.bodies.push(body);
                let (number, expected) = (log.number, log.seq());
                let Appended::New { epoch, seq, owed: false } = appended else { panic!("not new: {appended:?}") };
                assert_eq!(seq, expected);
                model.tell(group, &epoch);
                if let Some((id, content)) = id {
                    model.known.insert(id, Known { content, log: number, seq });
                }
            }
            Act::Recall(id, content) => {
                let known = stores.logs.recall(&once(id, content)).await.expect("asked");
                assert_eq!(known, model.known(id, content));
            }
            Act::Open(group) => {
                let state = stores.logs.open(&[name(group)]).await.expect("opened").remove(0);
                model.state(group, &state);
            }
            Act::Confirm(group, by, now) => {
                let Some(log) = model.logs.get_mut(&group) else { continue };
                let seq = log.seq().saturating_add_signed(by);
                let epoch = if now { log.epoch.clone() } else { log.older.last().cloned() };
                let Some(epoch) = epoch else { continue };
                if now && seq > log.seq() {
                    log.begin_anew();
                    // Who has lost something of one log may have lost something of all.
                    model.logs.values_mut().filter(|_| loses_all).for_each(Log::begin_anew);
                }
                let state = stores.logs.confirm(&name(group), &LogHead { epoch, seq }).await.expect("asked");
                model.state(group, &state);
            }
            Act::After(group, after, events, bytes) => {
                let page = stores.logs.read_after(&name(group), after, PageSize { events, bytes }).await.expect("read");
                model.page(group, &page, false, after, events, bytes);
            }
            Act::Before(group, before, events, bytes) => {
                let page =
                    stores.logs.read_before(&name(group), before, PageSize { events, bytes }).await.expect("read");
                model.page(group, &page, true, before.unwrap_or(u64::MAX), events, bytes);
            }
            Act::Delete(group) => {
                let was_there = stores.groups.delete(&name(group)).await.expect("deleted");
                assert_eq!(was_there, model.logs.remove(&group).is_some());
            }
        }
    }
}

#[test]
fn both_twins_keep_logs_as_the_model_does() {
    let twins = Twins::start();
    let played = TestRunner::new(cases("twins_logs", 48)).run(&acts(), |acts| {
        for (stores, loses_all) in twins.stores.iter().zip([false, true]) {
            twins.runtime.block_on(play(stores, loses_all, &acts));
        }
        Ok(())
    });
    played.unwrap_or_else(|fault| panic!("{fault}"));
}
