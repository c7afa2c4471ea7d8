//! One response, from what was asked to its last event.

use sophie_actors::dialects::responses::{Items, Response, Says};
use sophie_actors::protocol::CloseCode;

use super::frame::{Create, LaneName};
use super::lanes::Shared;
use super::said::InLane;
use crate::http::gateway::GatewayError;
use crate::http::gateway::source::Broken;
use crate::http::responses::{Created, Events, create, prepare_alone};

impl Shared {
    pub(super) async fn carry_out(&self, lane: &LaneName, create: Create) {
        if let Err(refused) = self.answer(lane, create).await {
            self.refuse(lane, &refused);
        }
    }

    async fn answer(&self, lane: &LaneName, Create { asked, generates, .. }: Create) -> Result<(), GatewayError> {
        let (state, caller) = (&self.socket.state, self.caller_now()?);
        let previous = asked.previous()?;
        let before = previous.as_deref().and_then(|id| self.memory.borrow().of(id));
        if !generates {
            let (events, said) = prepare_alone(state, &caller, &asked, before).await?;
            for event in &events {
                self.tell(lane, event).await;
            }
            if let Some(Says::Response { response }) = events.last().map(|event| &event.says) {
                self.remember(response, said);
            }
            return Ok(());
        }
        let created = create(state, &caller, &asked, None, before).await?;
        let Created { said, mut telling, .. } = created;
        // A failure before the first event is the request's.
        telling.begins_within(state.policy().headers_within).await?;
        self.tell_all(lane, telling.events(), said).await;
        Ok(())
    }

    async fn tell_all(&self, lane: &LaneName, mut events: Events, said: Items) {
        let mut response = None;
        loop {
            match events.next().await {
                Ok(Some(event)) => {
                    if !self.tell(lane, &event).await {
                        return;
                    }
                    if let Says::Response { response: told } = event.says {
                        response = Some(told);
                    }
                }
                Ok(None) => break,
                // Its client comes back, and finds the rest elsewhere.
                Err(Broken) => return self.socket.close(CloseCode::Draining),
            }
        }
        if let Some(response) = response {
            self.remember(&response, said);
        }
    }

    async fn tell(&self, lane: &LaneName, event: &sophie_actors::dialects::responses::ResponseEvent) -> bool {
        self.socket.say_in_turn(&InLane { event, stream_id: lane.as_deref() }).await
    }

    fn remember(&self, response: &Response, mut said: Items) {
        said.add_output(response);
        self.memory.borrow_mut().add(response.id.clone(), said);
    }
}
