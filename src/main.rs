//! `sophie`: the command. All it does is in the library.

use std::process::ExitCode;

use sophie::cli::{self, Invocation};

fn main() -> ExitCode {
    cli::run(Invocation::of_process(), |settings| async { Ok(sophie::app::run(settings).await?) })
}
