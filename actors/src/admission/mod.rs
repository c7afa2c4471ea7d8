//! Admission: how much a user, an application, an address, a group or the service may ask for.

mod actor;
mod advance;
mod buckets;
mod fallback;
mod handle;
mod messages;
mod tightest;

pub use crate::protocol::{Left, Quota};
pub use actor::RateLimiter;
pub use buckets::Subject;
pub use handle::LimiterHandle;
pub use messages::{Admit, AdmitConnect, Application, Caller, Permit, Refused, Spend, Spending};
