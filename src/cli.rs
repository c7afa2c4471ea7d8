//! The command line: `sophie [serve | check | top | settings | token]`.

mod token;

use std::error::Error;
use std::ffi::OsString;
use std::future::Future;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::check::check;
use crate::settings::{LoadFrom, Loaded, SECRET_BYTES, Settings};
use crate::{logging, tls, top};

/// What the process was started with.
pub struct Invocation {
    /// The command line, the program's name included.
    pub arguments: Vec<OsString>,
    /// The environment.
    pub environment: Vec<(String, String)>,
    /// Where settings are looked for.
    pub dir: PathBuf,
}

impl Invocation {
    /// That of this process.
    pub fn of_process() -> Self {
        // Names that are not Unicode are nobody's settings; values that are not are kept readable, so that they can be refused.
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())));
        Self {
            arguments: std::env::args_os().collect(),
            environment: variables.collect(),
            dir: std::env::current_dir().unwrap_or_else(|_| PathBuf::from(".")),
        }
    }
}

/// An actor-based message broker for AI chat.
#[derive(Parser)]
#[command(name = "sophie", version, about, disable_help_subcommand = true)]
struct Cli {
    /// Read this file in place of `settings.toml`; it must exist
    #[arg(long, value_name = "FILE", global = true)]
    settings: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve until SIGTERM (what `sophie` alone does)
    Serve,
    /// Find out whether a node would work: settings, Redis, AI backends and all else that they name
    Check(CheckArguments),
    /// Show how a node fares: sessions, groups, answers, backends, Redis, nodes
    Top(TopArguments),
    /// Print what is in force and where each value came from, secrets masked
    Settings,
    /// Print a token for development, signed with auth.jwt_secret
    Token(token::Arguments),
}

#[derive(Args)]
struct CheckArguments {
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    /// Ask each model for one token, too
    #[arg(long)]
    ask: bool,
}

#[derive(Args)]
struct TopArguments {
    /// The node's address, in place of the one of the settings
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

type Outcome = Result<(), Box<dyn Error>>;

/// Runs the command line. `serve` is what serving is: it gets the settings, which are checked, and where they can be loaded again, with
/// logging and TLS set up, and runs on an actix system until it is done. Exits with 0, 1 (a fault, told in one line; a check that found one)
/// or 2 (not a command).
pub fn run<S, F>(invocation: Invocation, serve: S) -> ExitCode
where
    S: FnOnce(Loaded, LoadFrom) -> F,
    F: Future<Output = Outcome>,
{
    let cli = match Cli::try_parse_from(&invocation.arguments) {
        Ok(cli) => cli,
        Err(usage) => {
            // Help and version come here too, with 0. A closed pipe is no fault of ours.
            let _printed = usage.print();
            return u8::try_from(usage.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from);
        }
    };
    match carry_out(cli, invocation, serve) {
        Ok(code) => code,
        Err(error) => {
            let _printed = writeln!(std::io::stderr(), "sophie: {error}");
            ExitCode::FAILURE
        }
    }
}

fn carry_out<S, F>(cli: Cli, invocation: Invocation, serve: S) -> Result<ExitCode, Box<dyn Error>>
where
    S: FnOnce(Loaded, LoadFrom) -> F,
    F: Future<Output = Outcome>,
{
    let from = LoadFrom { dir: invocation.dir, file: cli.settings, environment: invocation.environment };
    let command = cli.command.unwrap_or(Command::Serve);
    if let Command::Check(arguments) = command {
        return check_with(&from, &arguments);
    }
    let loaded = Settings::load(&from)?;
    match command {
        Command::Settings => show(&from, &loaded),
        Command::Top(arguments) => {
            tls::install();
            Ok(top::run(&loaded.settings, arguments.url)?)
        }
        Command::Token(arguments) => print(&format!("{}\n", token::mint(&loaded.settings, arguments)?)),
        _ => serve_with(loaded, from, serve),
    }?;
    Ok(ExitCode::SUCCESS)
}

/// The files that were looked for, then what is in force. What is set for nothing goes to standard error.
fn show(from: &LoadFrom, loaded: &Loaded) -> Outcome {
    for warning in &loaded.warnings {
        writeln!(std::io::stderr(), "sophie: {warning}")?;
    }
    let file = |file: crate::settings::SettingsFile| {
        // A file may have any name; in a comment it must stay on its line.
        let name = file.name.replace(char::is_control, " ");
        format!("# {name}: {}\n", if file.is_there { "read" } else { "not there" })
    };
    let files: String = from.files().into_iter().map(file).collect();
    print(&format!("{files}\n{}", loaded.origins.show()))
}

fn check_with(from: &LoadFrom, arguments: &CheckArguments) -> Result<ExitCode, Box<dyn Error>> {
    tls::install();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(check(from, arguments.ask));
    // A name that is still looked up holds nobody up.
    runtime.shutdown_background();
    print(&if arguments.json { report.json() } else { report.text() })?;
    Ok(if report.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn serve_with<S, F>(loaded: Loaded, from: LoadFrom, serve: S) -> Outcome
where
    S: FnOnce(Loaded, LoadFrom) -> F,
    F: Future<Output = Outcome>,
{
    loaded.settings.refuse_open_listening()?;
    logging::start(&loaded.settings.log, from.log_filters());
    for warning in &loaded.warnings {
        log::warn!(event = "settings_warning", reason:% = warning; "a setting should be looked at");
    }
    if loaded.settings.auth.has_short_secret() {
        log::warn!(
            event = "short_jwt_secret", setting = "auth.jwt_secret", min_bytes = SECRET_BYTES;
            "the secret for tokens is short enough to be guessed"
        );
    }
    tls::install();
    actix_web::rt::System::new().block_on(serve(loaded, from))
}

/// Prints to standard output. Whoever stops reading (`| head`) has seen enough.
fn print(text: &str) -> Outcome {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(arguments: &[&str], environment: &[(&str, &str)]) -> (ExitCode, bool) {
        let dir = tempfile::tempdir().unwrap();
        let served = std::cell::Cell::new(false);
        let invocation = Invocation {
            arguments: std::iter::once("sophie").chain(arguments.iter().copied()).map(OsString::from).collect(),
            environment: environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            dir: dir.path().to_owned(),
        };
        let code = run(invocation, |_, _| {
            served.set(true);
            async { Ok(()) }
        });
        (code, served.get())
    }

    #[test]
    fn sophie_alone_serves() {
        assert_eq!(code(&[], &[]), (ExitCode::SUCCESS, true));
        assert_eq!(code(&["serve"], &[]), (ExitCode::SUCCESS, true));
    }

    #[test]
    fn faults_and_usage_have_codes_of_their_own() {
        assert_eq!(code(&["dance"], &[]), (ExitCode::from(2), false));
        assert_eq!(code(&["token"], &[]), (ExitCode::from(2), false));
        assert_eq!(code(&["token", "--user", "a", "--ttl", "1 week"], &[]), (ExitCode::from(2), false));
        assert_eq!(code(&["token", "--user", "a"], &[]), (ExitCode::FAILURE, false), "no secret to sign with");
        assert_eq!(code(&["--settings", "missing.toml"], &[]), (ExitCode::FAILURE, false));
        assert_eq!(code(&[], &[("SOPHIE__SERVER__BIND", "0.0.0.0:1")]), (ExitCode::FAILURE, false), "open to all");
        assert_eq!(code(&["--version"], &[]), (ExitCode::SUCCESS, false));
    }

    #[test]
    fn a_secret_shorter_than_its_hash_is_worth_a_warning() {
        let short = |secret: &str| {
            let environment = [("SOPHIE__AUTH__JWT_SECRET", secret)];
            crate::settings::tests::load(&environment).unwrap().settings.auth.has_short_secret()
        };
        assert!(short("s") && short(&"s".repeat(31)));
        assert!(!short(&"s".repeat(32)) && !short(""), "one that is not set signs nothing");
    }
}
