//! Whose question is being begun in a chat: one at a time, at whichever node, until everybody can see its answer under way. Else two that
//! come at once would each find nobody before them.

use actix_web::rt;
use actix_web::web::Data;
use sophie_actors::ids::{AnswerId, SessionId, random_text};

use super::finding::begun;
use super::looks::Looks;
use crate::http::{ApiError, State};

/// How long a turn lasts whose node is gone, in seconds.
const LASTS: u64 = 30;

/// A turn. It is given back, or ends by itself.
pub struct Turn {
    state: Data<State>,
    name: String,
    word: String,
}

impl Turn {
    /// Waits for one.
    ///
    /// # Errors
    /// The store is away; somebody else's lasts for too long.
    pub async fn take(state: &Data<State>, session: &SessionId) -> Result<Self, ApiError> {
        let turn = Self { state: state.clone(), name: format!("turn {session}"), word: random_text(12) };
        let mut looks = Looks::begin();
        while state.node.stores.claims.claim(&turn.name, &turn.word, LASTS).await?.is_some() {
            looks.again().await?;
        }
        Ok(turn)
    }

    /// Its question was asked, or none was.
    pub async fn is_over(self, answer: Option<&AnswerId>) {
        match answer.cloned() {
            // Its asker need not wait for it.
            Some(answer) => {
                _ = rt::spawn(async move {
                    _ = begun(&self.state, &answer).await;
                    self.give_back().await;
                })
            }
            None => self.give_back().await,
        }
    }

    async fn give_back(self) {
        // What cannot be given back ends by itself.
        _ = self.state.node.stores.claims.release(&self.name, &self.word).await;
    }
}
