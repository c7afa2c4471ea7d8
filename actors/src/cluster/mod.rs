//! Several nodes on one Redis: what this one hears of the others, what it writes for them, who is where, and what is carried out at
//! every node. Nodes speak through the store alone.

mod ear;
mod figures;
pub mod history;
mod lost;
pub mod mirror;
pub mod operators;
mod orders;
mod people;
mod steering;
mod stopping;
pub mod whereabouts;

pub use ear::{Ear, EarHandle, Listen, resync};
pub use figures::{BackendFigures, of_backend};
pub use lost::hold_to;
pub(crate) use lost::leave_lost;
use orders::OrderDesk;
pub use orders::{CarriedOut, confirmed};
pub use people::settle;
pub(crate) use people::{USED_ID, ask as ask_for_person};
pub(crate) use steering::steer;
pub(crate) use stopping::stop_elsewhere;
pub use stopping::{stop, stop_recorded};
