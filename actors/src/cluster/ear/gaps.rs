//! Reading what somebody missed.
//!
//! So much of it at once and no more: when the store is back, every group of this node may have missed something. Asked for all at a
//! time, the last answers would come later than a call may take, the connection would be given up for that, and all would be asked
//! for again.

use tokio::sync::Semaphore;

use crate::answers::lost;
use crate::ids::GroupName;
use crate::registry::{Gap, RegistryHandle};
use crate::store::{PageSize, Stores};

/// What is read of a gap at once; the registry asks again for the rest.
const PAGE: PageSize = PageSize { events: 500, bytes: 4 * 1024 * 1024 };
/// Gaps that are read at a time: together they take the store less than a call may.
const READS: usize = 8;
/// Groups in which lost answers are looked for at a time. Such a look waits for a store that is away.
const LOOKS: usize = 4;

/// Who reads gaps.
pub(super) struct GapFiller {
    stores: Stores,
    registry: RegistryHandle,
    reads: Semaphore,
    looks: Semaphore,
}

impl GapFiller {
    pub(super) fn new(stores: Stores, registry: RegistryHandle) -> Self {
        Self { stores, registry, reads: Semaphore::new(READS), looks: Semaphore::new(LOOKS) }
    }

    /// Reads what a gap of a group holds, in its turn, and tells the registry.
    pub(super) async fn fill(&self, group: GroupName, gap: Gap) {
        let (stores, registry) = (&self.stores, &self.registry);
        let turns = if matches!(gap, Gap::Lost(_)) { &self.looks } else { &self.reads };
        // Nobody closes them.
        let _turn = turns.acquire().await;
        match gap {
            Gap::Log(after) => {
                let page = match stores.logs.read_after(&group, after, PAGE).await {
                    Ok(page) => page.epoch.map(|epoch| (epoch, page.events)),
                    Err(error) => {
                        log::debug!(group:%, after, error:%; "a gap was not filled");
                        None
                    }
                };
                _ = registry.filled(group, page).await;
            }
            Gap::Life(head) => {
                let state = stores.logs.confirm(&group, &head).await;
                if let Err(error) = &state {
                    log::debug!(group:%, error:%; "a log was not confirmed");
                }
                _ = registry.confirmed(group, state.ok()).await;
            }
            Gap::Members => {
                let spread = stores.presence.spread(std::slice::from_ref(&group)).await;
                let spread = spread.ok().and_then(|spread| spread.first().copied());
                _ = registry.counted(group, spread).await;
            }
            Gap::Lost(records) => {
                let answers = records.iter().map(|record| record.answer.clone()).collect();
                lost::settle(stores, registry, &group, records).await;
                _ = registry.lost_settled(group, answers).await;
            }
            Gap::Answer(answer) => {
                let record = stores.answers.find(&answer).await.unwrap_or_else(|error| {
                    log::debug!(answer:%, error:%; "an answer was not read");
                    None
                });
                _ = registry.answer_found(group, answer, record).await;
            }
        }
    }
}
