//! What everything rests on: when such an actor ends, the process ends with an error, so that it is started again.

use std::future::pending;
use std::path::PathBuf;
use std::process::ExitCode;

use sophie::app::{Program, Replacements};
use sophie::cli::{self, Invocation};
use sophie_kit::faults::{self, Fault, Faults};
use sophie_kit::stores::memory_options;

use crate::support::{Mode, TestApp};

fn replaced() -> (Replacements, Faults) {
    let (stores, faults) = faults::stores(memory_options());
    (Replacements { stores: Some(stores), ..Default::default() }, faults)
}

/// A call that an actor makes on its own task, and the actor.
async fn ends_when_it_panics(call: &'static str, actor: &str) {
    let (replacements, faults) = replaced();
    let app = TestApp::start_with(Mode::Memory, &[], replacements).await;
    let mut socket = app.open("s1").await;
    faults.set(call, Fault::Panic(""));
    socket.until_closed().await;
    let error = app.stop().await.expect_err("the program has failed");
    assert!(error.contains(&format!("the {actor} ended")), "{error}");
}

#[tokio::test]
async fn the_program_ends_with_an_error_when_its_mirror_panics() {
    ends_when_it_panics("heartbeat", "mirror").await;
}

#[tokio::test]
async fn the_program_ends_with_an_error_when_its_answers_panic() {
    ends_when_it_panics("orphan", "answers").await;
}

#[test]
fn such_an_end_is_a_failure_of_the_process() {
    let (replacements, faults) = replaced();
    faults.set("heartbeat", Fault::Panic(""));
    let invocation = Invocation {
        arguments: vec!["sophie".into()],
        environment: vec![
            ("SOPHIE__SERVER__BIND".into(), "127.0.0.1:0".into()),
            ("SOPHIE__SERVER__WORKERS".into(), "1".into()),
            // The other tests of this process are not to log.
            ("RUST_LOG".into(), "off".into()),
        ],
        dir: PathBuf::from(env!("CARGO_TARGET_TMPDIR")),
    };
    let code = cli::run(invocation, |loaded, _| async move {
        Ok(Program::build_with(loaded.settings, replacements).await?.run(pending()).await?)
    });
    // Exit codes can be compared by what they show only.
    assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::FAILURE));
}
