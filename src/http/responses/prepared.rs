//! A request for a response that is ready to be asked.

use bytestring::ByteString;
use sophie_actors::answers::{Join, digest_for};
use sophie_actors::dialects::responses::request::{in_own_words, to_chat};
use sophie_actors::dialects::responses::{Echo, Items, StoredRequest};
use sophie_actors::ids::AnswerId;
use sophie_actors::openai::{Api, BackendRequest, named_models};

use super::asked::Asked;
use super::creating::Caller;
use super::earlier::Earlier;
use super::refusal::too_long;
use crate::http::State;
use crate::http::gateway::{GatewayError, caller, sharing};

/// What is asked, and what is kept of it.
pub(super) struct Prepared {
    pub(super) join: Join,
    /// What its response repeats of the request.
    pub(super) echo: Echo,
    /// The conversation with the request at its end.
    pub(super) said: Items,
    /// What is kept beside the response, if that is.
    pub(super) about: Option<ByteString>,
    /// Tools that no backend has.
    pub(super) dropped: Vec<String>,
}

impl Prepared {
    /// Makes a question to a backend of it.
    ///
    /// # Errors
    /// A field is wrong; it names a model that its sender may not ask; the conversation is too long.
    pub(super) fn of(
        answer: &AnswerId,
        asked: &Asked,
        earlier: Earlier,
        by: &Caller,
        state: &State,
    ) -> Result<Self, GatewayError> {
        let (mut body, api) = (asked.body.clone(), state.api_of(&asked.model()));
        let input = match Items::of_input(&body, answer.as_str()) {
            Some(mut input) => {
                input.resolve(&|id| earlier.named.get(id).cloned())?;
                body.set_text("input", input.json());
                input
            }
            // It is refused below.
            None => Items::default(),
        };
        let most = state.gateway.max_body_bytes;
        if earlier.before.bytes() + input.bytes() > most {
            return Err(too_long(most));
        }
        let question = to_chat(&body, api, earlier.before.messages(api)?, &|_| None)?;
        let about = asked.stores.then(|| StoredRequest::new(&body, &input, &earlier.before).text().into());
        let mut said = earlier.before;
        said.extend(input);
        let mut request = BackendRequest::from(question.body);
        request.as_response = (api == Api::Responses).then(|| in_own_words(&asked.body, &said));
        if by.holder.is_restricted() {
            for body in [Some(&request.body), request.as_response.as_ref()].into_iter().flatten() {
                if let Some((field, model)) = named_models::forbidden(body, &|model| by.holder.may_use(model)) {
                    return Err(GatewayError::no_model(&model).about(&field));
                }
            }
        }
        let is_fixed = sharing::is_fixed(&request.body);
        let reuse = sharing::reuse(state.gateway.sharing, by.wishes, is_fixed);
        // What is for nobody else needs no name.
        let digest = match reuse.read || reuse.write {
            true => digest_for(request.endpoint, &caller::scope(state, &by.holder), &request.identity()),
            false => String::new(),
        };
        let (prompt_tokens, asker) = (request.estimated_tokens(), caller::asker(&by.holder));
        let join = Join { digest, request, reuse, asker, prompt_tokens };
        Ok(Self { join, echo: Echo::of(&asked.body), said, about, dropped: question.dropped })
    }
}
