//! Admission: how much a user, an application, an address, a group or the service may ask for.

mod actor;
mod advance;
mod buckets;
mod fallback;
mod messages;
mod tightest;

pub use crate::protocol::{Left, Quota};
pub use actor::{Look, RateLimiter, Restore};
pub use buckets::Subject;
pub use messages::{Admit, AdmitConnect, Application, Caller, Permit, Raise, Refund, Refused, Settle, Spend, Spending};
