//! The program seen from outside, in one test binary.

/// Makes a test of each named scenario for each mode: the same promises in memory and in Redis.
macro_rules! in_both_modes {
    ($($name:ident),* $(,)?) => {
        mod in_memory {
            $(#[tokio::test] async fn $name() {
                super::$name($crate::support::Mode::Memory).await;
            })*
        }
        mod in_redis {
            $(#[tokio::test] async fn $name() {
                super::$name($crate::support::Mode::Redis).await;
            })*
        }
    };
}

mod ai_server;
mod architecture;
mod chat;
mod essential;
#[allow(dead_code, reason = "the core's own tests use all of it")]
#[path = "../../actors/tests/actors/faults.rs"]
mod faults;
mod session_faults;
mod support;
mod upstream;
