//! A request that is taken apart and ready to be asked.

use std::sync::Arc;
use std::time::Duration;

use actix_web::web::{Bytes, Data};
use sophie_actors::answers::{Join, digest};
use sophie_actors::openai::{ChatRequest, Question, estimate_prompt_tokens, named_models};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::sharing::{self, Wishes};
use super::{GatewayError, State, caller};
use crate::auth::bearer::KeyHolder;

/// How long a long body may wait for its turn.
const TURN_WITHIN: Duration = Duration::from_secs(30);

/// How many long bodies are taken apart at once: as many as a small machine has cores.
const AT_ONCE: usize = 2;

/// The long bodies that are being taken apart: so many at once, and others wait for their turn.
pub struct LongBodies(Arc<Semaphore>);

impl Default for LongBodies {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

impl LongBodies {
    async fn turn(&self) -> Result<OwnedSemaphorePermit, GatewayError> {
        let turn = timeout(TURN_WITHIN, self.0.clone().acquire_owned()).await;
        turn.map_err(|_| GatewayError::overloaded())?.map_err(|_| GatewayError::internal())
    }
}

/// The form in which an answer is wanted.
#[derive(Debug, Clone, Copy)]
pub enum AnswerForm {
    /// One body.
    Body,
    /// A stream.
    Stream {
        /// Whether its last chunk is to count the tokens.
        wants_usage: bool,
    },
}

/// What is asked, and the form in which the answer is wanted.
pub struct Prepared {
    /// For the answers.
    pub join: Join,
    /// For the response.
    pub form: AnswerForm,
}

impl Prepared {
    /// Takes a body apart and checks it.
    ///
    /// # Errors
    /// It is no request for a chat completion, or names a model that its sender may not ask.
    pub fn read(bytes: Bytes, state: &State, holder: &KeyHolder, wishes: Wishes) -> Result<Self, GatewayError> {
        let Question { body, streams, wants_usage } = Question::read(bytes)?;
        if holder.is_restricted()
            && let Some((field, model)) = named_models::forbidden(&body, &|model| holder.may_use(model))
        {
            return Err(GatewayError::no_model(&model).about(&field));
        }
        let reuse = sharing::reuse(state.gateway.sharing, wishes, &body);
        let is_kept = reuse.read || reuse.write;
        // What is for nobody else needs no name.
        let digest = if is_kept { digest(&caller::scope(state, holder), &body) } else { String::new() };
        let prompt_tokens = estimate_prompt_tokens(&body);
        let asker = caller::asker(holder);
        let join = Join { digest, request: ChatRequest { body }, reuse, asker, prompt_tokens };
        Ok(Self { join, form: if streams { AnswerForm::Stream { wants_usage } } else { AnswerForm::Body } })
    }

    /// The same with a long body: away from the worker, whose chats must not stand still, and only a few of them at once.
    ///
    /// # Errors
    /// As [`Self::read`]; or its turn does not come.
    pub async fn read_apart(
        bytes: Bytes,
        state: Data<State>,
        holder: KeyHolder,
        wishes: Wishes,
    ) -> Result<Self, GatewayError> {
        let turn = state.gateway.long_bodies.turn().await?;
        let read = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            Self::read(bytes, &state, &holder, wishes)
        });
        read.await.unwrap_or_else(|_| Err(GatewayError::internal()))
    }
}
