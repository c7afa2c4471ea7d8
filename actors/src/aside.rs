//! What cannot be written for a reason of its own: a key of a wrong type, say. It is found, said once, and holds nobody up.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::sync::{Mutex, PoisonError};

use crate::failure::{StoreError, StoreResult};

/// Names that are remembered, and so said once. Beyond, nothing more is said.
const REMEMBERED: usize = 100;

/// What has been set aside in this process.
static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Says once that something cannot be written or read.
pub(crate) fn set_aside(what: &'static str, name: impl Display, error: &StoreError) {
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    if said.len() < REMEMBERED && said.insert(format!("{what} {name}")) {
        log::error!(
            event = "set_aside", what, name:%, error:%;
            "something is set aside, its key in redis is not what it should be"
        );
    }
}

/// Does something to `items` in portions of `size`. Where a portion is refused for one that is bad in itself, the bad one is
/// found by halves and handed to `bad`; the others go on.
///
/// # Errors
/// The store is away.
pub(crate) async fn in_parts<T>(
    items: &[T],
    size: usize,
    mut work: impl AsyncFnMut(&[T]) -> StoreResult<()>,
    mut bad: impl FnMut(&T, &StoreError),
) -> StoreResult<()> {
    let mut waiting: Vec<&[T]> = items.chunks(size).rev().collect();
    while let Some(part) = waiting.pop() {
        match (work(part).await, part) {
            (Ok(()), _) => {}
            (Err(error @ StoreError::Corrupt(_)), [one]) => bad(one, &error),
            (Err(StoreError::Corrupt(_)), _) => {
                let (first, second) = part.split_at(part.len() / 2);
                waiting.extend([second, first]);
            }
            (Err(error), _) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_bad_ones_are_found_and_the_others_go_on() {
        let items: Vec<u32> = (0..100).collect();
        let (mut done, mut bad) = (Vec::new(), Vec::new());
        let work = async |part: &[u32]| {
            if part.iter().any(|item| item % 40 == 7) {
                return Err(StoreError::Corrupt("wrong type".into()));
            }
            done.extend_from_slice(part);
            Ok(())
        };
        in_parts(&items, 30, work, |item, _| bad.push(*item)).await.expect("the store is there");
        assert_eq!(bad, [7, 47, 87]);
        assert_eq!(done, items.iter().copied().filter(|item| item % 40 != 7).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn a_store_that_is_away_ends_it() {
        let away = async |_: &[u32]| Err(StoreError::Unavailable("away".into()));
        assert!(in_parts(&[1, 2], 1, away, |_, _| unreachable!("none is bad")).await.is_err());
    }
}
