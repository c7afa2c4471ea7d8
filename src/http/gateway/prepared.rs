//! A request that is taken apart and ready to be asked.

use std::sync::Arc;
use std::time::Duration;

use actix_web::web::{Bytes, Data};
use sophie_actors::answers::{Join, digest_for};
use sophie_actors::openai::error::ErrorObject;
use sophie_actors::openai::{BackendRequest, Endpoint, Question, TextForm, TextQuestion, embeddings, named_models};
use sophie_actors::protocol::Protocol;
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
    /// A turn, until it is dropped.
    ///
    /// # Errors
    /// It does not come in time.
    pub async fn turn(&self) -> Result<OwnedSemaphorePermit, GatewayError> {
        let turn = timeout(TURN_WITHIN, self.0.clone().acquire_owned()).await;
        turn.map_err(|_| GatewayError::overloaded())?.map_err(|_| GatewayError::internal())
    }
}

/// What a caller does.
#[derive(Debug, Clone, Copy)]
pub enum Operation {
    /// `POST /v1/chat/completions`
    Chat,
    /// `POST /v1/completions`
    Complete,
    /// `POST /v1/embeddings`
    Embed,
}

impl Operation {
    /// The protocol of it.
    pub fn protocol(self) -> Protocol {
        match self {
            Self::Chat => Protocol::ChatCompletions,
            Self::Complete => Protocol::Completions,
            Self::Embed => Protocol::Embeddings,
        }
    }
}

/// The form in which an answer is wanted.
#[derive(Debug, Clone)]
pub enum AnswerForm {
    /// One body, joined from the chunks.
    Body(Words),
    /// The body that the backend wrote.
    AsItCame,
    /// A stream.
    Stream {
        /// Whether its last chunk is to count the tokens.
        wants_usage: bool,
        /// In which words it is told.
        words: Words,
    },
}

/// The words in which an answer is told.
#[derive(Debug, Clone)]
pub enum Words {
    /// As a chat completion, the chunks of a stream as they came.
    Chat,
    /// As a text completion.
    Text(TextForm),
}

impl AnswerForm {
    fn of(question: &Question, words: Words) -> Self {
        match question.streams {
            true => Self::Stream { wants_usage: question.wants_usage, words },
            false => Self::Body(words),
        }
    }
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
    /// It is not what its address takes, or names a model that its sender may not ask.
    pub fn read(
        operation: Operation,
        bytes: Bytes,
        state: &State,
        holder: &KeyHolder,
        wishes: Wishes,
    ) -> Result<Self, GatewayError> {
        let (request, form, is_fixed) = read(operation, bytes)?;
        let body = &request.body;
        if holder.is_restricted()
            && let Some((field, model)) = named_models::forbidden(body, &|model| holder.may_use(model))
        {
            return Err(GatewayError::no_model(&model).about(&field));
        }
        let reuse = sharing::reuse(state.gateway.sharing, wishes, is_fixed);
        let is_kept = reuse.read || reuse.write;
        // What is for nobody else needs no name.
        let digest = match is_kept {
            true => digest_for(request.endpoint, &caller::scope(state, holder), body),
            false => String::new(),
        };
        let prompt_tokens = request.estimated_tokens();
        let asker = caller::asker(holder);
        let join = Join { digest, request, reuse, asker, prompt_tokens };
        Ok(Self { join, form })
    }

    /// The same with a long body: away from the worker, whose chats must not stand still, and only a few of them at once.
    ///
    /// # Errors
    /// As [`Self::read`]; or its turn does not come.
    pub async fn read_apart(
        operation: Operation,
        bytes: Bytes,
        state: Data<State>,
        holder: Arc<KeyHolder>,
        wishes: Wishes,
    ) -> Result<Self, GatewayError> {
        let turn = state.gateway.long_bodies.turn().await?;
        let read = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            Self::read(operation, bytes, &state, &holder, wishes)
        });
        read.await.unwrap_or_else(|_| Err(GatewayError::internal()))
    }
}

/// What a body asks of a backend, in which form its answer is wanted, and whether it fixes that answer.
fn read(operation: Operation, bytes: Bytes) -> Result<(BackendRequest, AnswerForm, bool), ErrorObject> {
    match operation {
        Operation::Chat => {
            let question = Question::read(bytes)?;
            Ok(of_chat(question, Words::Chat))
        }
        Operation::Complete => {
            let TextQuestion { question, form } = TextQuestion::read(bytes)?;
            Ok(of_chat(question, Words::Text(form)))
        }
        Operation::Embed => {
            let request = BackendRequest { endpoint: Endpoint::Embeddings, ..embeddings::read(bytes)?.into() };
            // One text has one embedding: nothing is drawn by lot.
            Ok((request, AnswerForm::AsItCame, true))
        }
    }
}

fn of_chat(question: Question, words: Words) -> (BackendRequest, AnswerForm, bool) {
    let (form, is_fixed) = (AnswerForm::of(&question, words), sharing::is_fixed(&question.body));
    (BackendRequest::from(question.body), form, is_fixed)
}
