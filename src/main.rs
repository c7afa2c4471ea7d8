//! `sophie`: the command. All it does is in the library.

use std::process::ExitCode;

use sophie::cli::{self, Invocation};

fn main() -> ExitCode {
    cli::run(Invocation::of_process(), |_settings| async { Err("this build has nothing to serve with".into()) })
}
