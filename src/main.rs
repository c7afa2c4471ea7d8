//! `sophie`: the command. All it does is in the library.

use std::process::ExitCode;

use sophie::cli::{self, Invocation};

/// Answers are made of many small texts: glibc's allocator took a quarter of the time that a request costs.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::run(Invocation::of_process(), |loaded, from| async { Ok(sophie::app::run(loaded, from).await?) })
}
