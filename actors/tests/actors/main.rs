//! Every actor by itself, with probes around it and with time that stands still unless everybody waits.

mod answers;
mod django;
mod ear;
mod limiter;
mod mirror;
mod registry;
mod rights;
mod session;
mod slots;
mod support;
mod tails;
