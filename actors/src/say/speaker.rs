//! Who speaks, and what that counts against.

use std::net::IpAddr;

use crate::admission::{Admit, Admitted, Application, Caller, SlotOf, Spend, Spending, Subject};
use crate::ids::{GroupName, SessionId, UserId};
use crate::node::Node;
use crate::protocol::{Protocol, Refusal};

/// Who speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Speaker {
    /// Somebody in a chat session.
    Session {
        /// Which session: the answers to it are counted together.
        session: SessionId,
        /// Who it is.
        user: UserId,
        /// No more is known of them than a name: they share the limits of their address.
        is_guest: bool,
        /// From where.
        address: IpAddr,
        /// What the application says of them; joins the system prompt.
        context: Option<String>,
        /// How they speak.
        protocol: Protocol,
    },
    /// An application, by its API key.
    Application {
        /// Which, and what it may use up.
        application: Application,
        /// From where.
        address: IpAddr,
    },
    /// An operator: no limit counts.
    Operator,
    /// A Django application through the channel layer, which has limits of its own.
    Django,
}

impl Speaker {
    pub(super) fn is_django(&self) -> bool {
        *self == Self::Django
    }

    /// In which session.
    pub(super) fn session(&self) -> Option<SessionId> {
        match self {
            Self::Session { session, .. } => Some(session.clone()),
            _ => None,
        }
    }

    /// How they speak.
    pub(super) fn protocol(&self) -> Protocol {
        match self {
            Self::Session { protocol, .. } => *protocol,
            Self::Application { .. } | Self::Operator => Protocol::HttpApi,
            Self::Django => Protocol::Django,
        }
    }

    /// For whom an answer is, and what the application says of them, for the model.
    pub(super) fn asker(&self) -> (UserId, Option<String>) {
        match self {
            Self::Session { user, context, .. } => (user.clone(), context.clone()),
            Self::Application { application, .. } => (UserId::from(application.name.as_str()), None),
            Self::Operator => (UserId::from("operator"), None),
            Self::Django => (UserId::from("django"), None),
        }
    }

    /// Takes what something said costs, all of it or nothing: a message, and for a `question` of so many tokens a slot and the tokens that
    /// its answer may come to use.
    ///
    /// # Errors
    /// It may not be said now.
    pub(crate) async fn admit(
        &self,
        node: &Node,
        group: &GroupName,
        question: Option<u64>,
    ) -> Result<Admitted, Refusal> {
        let (caller, address, slot) = match self {
            Self::Session { session, user, is_guest, address, .. } => {
                let caller = if *is_guest { Caller::Guest(user.clone()) } else { Caller::User(user.clone()) };
                (caller, *address, SlotOf::Session(session.clone()))
            }
            Self::Application { application, address } => {
                (Caller::Application(application.clone()), *address, SlotOf::Service)
            }
            Self::Operator | Self::Django => return Ok(Admitted::without_limits()),
        };
        let admit = Admit {
            caller,
            address,
            group: Some(group.clone()),
            prompt_tokens: question,
            slot: question.map(|_| slot),
        };
        Ok(node.limiter.admit(admit).await?)
    }

    /// Takes what a read costs.
    ///
    /// # Errors
    /// Nothing is left of it.
    pub(super) async fn read(&self, node: &Node) -> Result<(), Refusal> {
        let whose = match self {
            Self::Session { user, .. } => Subject::User(user.clone()),
            Self::Application { application, .. } => Subject::Key(application.clone()),
            Self::Operator | Self::Django => return Ok(()),
        };
        Ok(node.limiter.spend(Spend { whose, on: Spending::Reads, units: 1 }).await?)
    }
}
