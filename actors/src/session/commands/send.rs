//! `message.send`: what a client says, on the one road ([`crate::say`]).

use super::Work;
use crate::answers::AskedWith;
use crate::cluster::steer;
use crate::protocol::{ErrorCode, Refusal, Role, SendMessage};
use crate::say::{Key, Said, Speech, Unsaid, image_limits, said_before, say};
use crate::socket::Reply;
use crate::store::ONCE_SECONDS;

impl Work {
    pub(super) async fn send(&self, message: SendMessage, reply: Reply) {
        let mut reply = Some(reply);
        if let (Err(refusal), Some(reply)) = (self.try_send(message, &mut reply).await, reply) {
            reply.refuse(&refusal);
        }
    }

    async fn try_send(&self, message: SendMessage, reply: &mut Option<Reply>) -> Result<(), Refusal> {
        let SendMessage { text, images, group, assistant, metadata, steer: steers } = message;
        let group = self.member_of(group)?;
        image_limits(&self.node).check(&images)?;
        let Some(id) = reply.as_ref().and_then(Reply::id) else { return Err(Refusal::internal()) };
        let (scope, id) = (format!("session:{}", self.session), id.as_str().to_owned());
        let with = AskedWith::images(&text, &images);
        let speech = Speech {
            group,
            text,
            images,
            role: Role::User,
            author: self.socket.access.user().to_string(),
            metadata,
            assistant,
            with,
            key: Some(Key { scope, id, seconds: ONCE_SECONDS }),
        };
        let alone = self.sending.lock().await;
        if steers {
            Box::pin(self.steer(&speech)).await?;
        }
        let acknowledge = |said: &Said| {
            drop(alone);
            if let Some(reply) = reply.take() {
                reply.logged(said.seq, said.message.as_ref(), said.limits.as_ref());
            }
        };
        let said = say(&self.node, &self.speaker(), speech, acknowledge).await;
        said.map(|_| ()).map_err(|unsaid| self.refusal(unsaid))
    }

    /// Ends what is being written to its author, unless it was said before: then that was done.
    async fn steer(&self, speech: &Speech) -> Result<(), Refusal> {
        let before = said_before(&self.node, &self.speaker(), speech).await;
        match before.map_err(|unsaid| self.refusal(unsaid))? {
            Some(_) => Ok(()),
            None => steer(&self.node, &speech.group, &speech.author).await,
        }
    }

    fn refusal(&self, unsaid: Unsaid) -> Refusal {
        match unsaid {
            Unsaid::Refused(refusal) => refusal,
            Unsaid::Conflict => {
                Refusal::new(ErrorCode::BadRequest, "this id was used for another message; choose a new one")
            }
            Unsaid::Unlogged(error) => self.store_failed("append", &error),
        }
    }
}
