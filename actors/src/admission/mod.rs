//! Admission: how much a user, an application, an address, a group or the service may ask for, and how many answers may be
//! under way at once.

mod actor;
mod advance;
mod buckets;
mod fallback;
mod guard;
mod handle;
mod held;
mod messages;
mod refused;
mod slots;
mod tightest;

pub use crate::protocol::{Quota, Remaining};
pub use actor::RateLimiter;
pub use buckets::Subject;
pub use guard::Admitted;
pub use handle::LimiterHandle;
pub use messages::{Admit, AdmitConnect, Application, Because, Caller, NotAdmitted, SlotOf, Spend, Spending};
pub use slots::Slots;
