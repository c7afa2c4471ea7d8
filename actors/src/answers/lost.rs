//! Answers that this node shows as being written and of which the store knows nothing: it has lost them, or they have ended.

use std::time::Duration;

use tokio::time::sleep;

use super::ending;
use crate::ids::GroupName;
use crate::registry::{AnswerOver, RegistryHandle};
use crate::store::{AnswerRecord, StoreResult, Stores};

/// How often it is tried, and how soon again: a store that is away for longer is looked at anew when it is back.
const TRIES: u32 = 20;
const RETRY: Duration = Duration::from_millis(500);

/// Looks whether such answers of a group have ended, in one reading of its log however many they are, and tells the registry of each that
/// is over. One that has not ended is owed: its writer notes it again if it lives, and else it is an orphan.
pub(crate) async fn settle(stores: &Stores, registry: &RegistryHandle, group: &GroupName, mut lost: Vec<AnswerRecord>) {
    for _ in 0..TRIES {
        match try_to_settle(stores, registry, group, &mut lost).await {
            Ok(()) => return,
            Err(error) => log::debug!(group:%, answers = lost.len(), error:%; "lost answers were not looked at"),
        }
        sleep(RETRY).await;
    }
}

/// Takes those out that are settled.
async fn try_to_settle(
    stores: &Stores,
    registry: &RegistryHandle,
    group: &GroupName,
    lost: &mut Vec<AnswerRecord>,
) -> StoreResult<()> {
    let from = lost.iter().map(|record| record.message.seq().unwrap_or(1)).min().unwrap_or(1);
    let answers: Vec<_> = lost.iter().map(|record| &record.answer).collect();
    let ends = ending::find(stores, group, from, &answers).await?;
    while let Some(record) = lost.last() {
        let end = match ends.get(&record.answer) {
            Some(seq) => Some(*seq),
            // An end that the log does not hold any more cannot be delivered.
            None => (!stores.answers.owe(record).await?).then_some(0),
        };
        if let Some((record, seq)) = lost.pop().zip(end) {
            _ = registry.answer_over(AnswerOver { group: group.clone(), answer: record.answer, seq }).await;
        }
    }
    Ok(())
}
