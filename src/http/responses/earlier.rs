//! What was said before a request: the conversation that it goes on, and items that it names.

use std::collections::HashMap;

use actix_web::web::Data;
use sophie_actors::dialects::BadRequest;
use sophie_actors::dialects::responses::{Item, Items, id_of};
use sophie_actors::ids::AnswerId;

use super::asked::Asked;
use super::kept::KeptResponse;
use super::refusal::no_previous;
use crate::auth::bearer::KeyHolder;
use crate::http::State;
use crate::http::gateway::GatewayError;

/// So many earlier responses may the items be of that one request names: each costs a read.
const MOST_NAMED: usize = 32;

/// What a request needs of earlier responses.
#[derive(Debug, Default)]
pub(super) struct Earlier {
    /// The conversation that it goes on.
    pub(super) before: Items,
    /// Items that it names, by their ids.
    pub(super) named: HashMap<String, String>,
}

impl Earlier {
    /// Reads it. `remembered`: the conversation that it goes on, for a caller who has kept that.
    ///
    /// # Errors
    /// The earlier response is not there, or not through; the store is away.
    pub(super) async fn of(
        state: &Data<State>,
        holder: &KeyHolder,
        asked: &Asked,
        remembered: Option<Items>,
    ) -> Result<Self, GatewayError> {
        let mut earlier = Self::default();
        if let Some(remembered) = remembered {
            earlier.before = remembered;
        } else if let Some(id) = asked.previous()? {
            let found = KeptResponse::find(state, holder, &id).await?;
            let mut response = found.ok_or_else(|| no_previous(&id))?;
            response.read_now().await?;
            if !response.has_ended() {
                return Err(BadRequest::new("previous_response_id", "this response is not through yet").into());
            }
            earlier.before = said_by(&response);
        }
        earlier.read_named(state, holder, asked).await?;
        Ok(earlier)
    }

    async fn read_named(&mut self, state: &Data<State>, holder: &KeyHolder, asked: &Asked) -> Result<(), GatewayError> {
        // Only who names some pays for looking.
        if !asked.body.get("input").is_some_and(|input| input.contains("item_reference")) {
            return Ok(());
        }
        let wanted = Items::of_input(&asked.body, "").unwrap_or_default().references();
        let mut answers: Vec<&str> = wanted.iter().filter_map(|id| Item::answer_of(id)).collect();
        answers.sort_unstable();
        answers.dedup();
        if answers.len() > MOST_NAMED {
            return Err(BadRequest::new("input", "it names items of more than 32 responses").into());
        }
        for answer in answers {
            // What is not found is refused where it is put in its place.
            let Some(mut response) = KeptResponse::of_answer(state, holder, AnswerId::from(answer)).await? else {
                continue;
            };
            response.read_now().await?;
            let items = said_by(&response);
            let named = items.iter().filter_map(|item| Some((id_of(item)?, item.to_owned())));
            self.named.extend(named.filter(|(id, _)| wanted.contains(id)));
        }
        Ok(())
    }
}

/// The conversation with a response at its end.
fn said_by(response: &KeptResponse) -> Items {
    let mut items = response.request.items();
    items.add_output(&response.response());
    items
}
