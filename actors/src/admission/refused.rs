//! What limits refuse, told in the log: the first of each limit at once, a crowd by its number.

use std::net::IpAddr;

use log::Level;

use super::buckets::Subject;
use super::messages::{Admit, AdmitConnect, Because, Caller, NotAdmitted, Spend};
use crate::repeated::{Line, Repeated};

/// Operators know the lines by this target, whichever file they come from.
static REFUSED: Repeated = Repeated::of("sophie::limits", Level::Info);

/// Who asks: kept beside the question, which goes away with it.
pub(super) struct Asker {
    whose: Option<Subject>,
    address: Option<IpAddr>,
}

impl From<&Admit> for Asker {
    fn from(admit: &Admit) -> Self {
        let whose = match &admit.caller {
            Caller::User(user) | Caller::Guest(user) => Subject::User(user.clone()),
            Caller::Application(application) => Subject::Key(application.clone()),
        };
        Self { whose: Some(whose), address: Some(admit.address) }
    }
}

impl From<&AdmitConnect> for Asker {
    fn from(connect: &AdmitConnect) -> Self {
        match connect {
            AdmitConnect::From(address) => Self { whose: None, address: Some(*address) },
            AdmitConnect::Of(user) => Self { whose: Some(Subject::User(user.clone())), address: None },
        }
    }
}

impl From<&Spend> for Asker {
    fn from(spend: &Spend) -> Self {
        Self { whose: Some(spend.whose.clone()), address: None }
    }
}

impl Asker {
    /// Whose request was admitted already, and is now to be raised.
    pub(super) fn unknown() -> Self {
        Self { whose: None, address: None }
    }

    /// Tells of a refusal. In the task of who asked, so that the line bears their request.
    pub(super) fn tell(&self, refused: &NotAdmitted) {
        let limit = match refused.because {
            Because::Limit(limit) => limit.label(),
            Because::Busy => "busy",
            // That is told already.
            Because::Unanswered => return,
        };
        REFUSED.log(limit, || {
            let line = Line::of("limit_reached", "a limit is used up").with("limit", limit);
            let line = line.with_some("whose", self.whose.as_ref()).with_some("address", self.address);
            line.with_number("retry_after_ms", refused.refusal.retry_after_ms.unwrap_or(0))
        });
    }
}
