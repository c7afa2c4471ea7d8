//! Answers that this node shows as being written and of which the store knows nothing: it has lost them, or they have ended.

use std::time::Duration;

use tokio::time::sleep;

use super::ending::{self, AnswerInDoubt, Ending};
use crate::registry::AnswerOver;
use crate::store::{AnswerRecord, StoreResult, Stores};

/// How often it is tried, and how soon again: a store that is away for longer is looked at anew when it is back.
const TRIES: u32 = 20;
const RETRY: Duration = Duration::from_millis(500);

/// Looks whether such an answer has ended. One that has not is owed: its writer notes it again if it lives, and else it is an
/// orphan. What is returned is for the registry.
pub(crate) async fn settle(stores: &Stores, record: AnswerRecord) -> Option<AnswerOver> {
    for _ in 0..TRIES {
        match try_to_settle(stores, &record).await {
            Ok(over) => return over,
            Err(error) => log::debug!("lost answer not looked at answer={} error={error}", record.answer),
        }
        sleep(RETRY).await;
    }
    None
}

async fn try_to_settle(stores: &Stores, record: &AnswerRecord) -> StoreResult<Option<AnswerOver>> {
    let AnswerRecord { answer, group, message, .. } = record;
    let question = AnswerInDoubt { answer, group, message, seq: message.seq().unwrap_or(1), epoch: None };
    let over = |seq| AnswerOver { group: group.clone(), answer: answer.clone(), seq };
    Ok(match ending::look(stores, &question).await? {
        Ending::At(seq) => Some(over(seq)),
        Ending::None | Ending::Trimmed => {
            // An end that the log does not hold any more cannot be delivered.
            let is_owed = stores.answers.owe(record).await?;
            (!is_owed).then(|| over(0))
        }
    })
}
