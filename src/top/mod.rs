//! `sophie top`: how a node fares, in a terminal, a look a second.

mod figures;
mod keys;
mod look;
mod node;
mod screen;
mod tables;

use std::io::{self, IsTerminal};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event};

pub use node::Trouble;

use crate::settings::Settings;
use keys::Choice;
use look::Look;
use node::Node;

/// Between two looks.
const EVERY: Duration = Duration::from_secs(1);
/// How long a key is waited for before the screen is drawn again.
const KEY: Duration = Duration::from_millis(200);

/// Why there is nothing to be seen.
#[derive(Debug, thiserror::Error)]
pub enum TopError {
    /// The node does not answer as it should.
    #[error("{0}")]
    Node(#[from] Trouble),
    /// There is no terminal.
    #[error("sophie top needs a terminal: {0}")]
    Terminal(#[from] io::Error),
    /// The runtime, or what asks the node, cannot be made.
    #[error("cannot ask the node: {0}")]
    Setup(String),
}

/// Shows how the node of these settings fares, or the one at `url`, until somebody presses `q`. The process's TLS provider must be
/// installed before, see [`crate::tls::install`].
///
/// # Errors
/// The first look fails, or there is no terminal.
pub fn run(settings: &Settings, url: Option<String>) -> Result<(), TopError> {
    let node = Node::of(settings, url)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Whoever cannot be asked at all is told in a line, not on a screen.
    let first = runtime.block_on(node.look())?;
    let place = node.place().to_owned();
    let (tell, told) = mpsc::channel();
    let looking = thread::Builder::new().name("looks".into()).spawn(move || runtime.block_on(look_on(node, tell)))?;
    if !io::stdout().is_terminal() {
        return Err(io::Error::other("what is printed goes elsewhere").into());
    }
    let mut terminal = ratatui::try_init()?;
    let shown = show(&mut terminal, &place, first, &told);
    ratatui::restore();
    drop(told);
    // It ends with its next look, which nobody waits for.
    drop(looking);
    Ok(shown?)
}

/// Looks again and again, until nobody listens any more.
async fn look_on(node: Node, tell: Sender<Result<Look, Trouble>>) {
    loop {
        tokio::time::sleep(EVERY).await;
        if tell.send(node.look().await).is_err() {
            return;
        }
    }
}

fn show(
    terminal: &mut DefaultTerminal,
    place: &str,
    first: Look,
    told: &Receiver<Result<Look, Trouble>>,
) -> io::Result<()> {
    let (mut look, mut trouble, mut choice) = (first, None, Choice::default());
    loop {
        for news in told.try_iter() {
            match news {
                Ok(news) => (look, trouble) = (news, None),
                // What was seen last stays.
                Err(why) => trouble = Some(why.to_string()),
            }
        }
        terminal.draw(|frame| screen::draw(frame, place, &look, trouble.as_deref(), &choice))?;
        if event::poll(KEY)?
            && let Event::Key(key) = event::read()?
            && choice.press(key).is_break()
        {
            return Ok(());
        }
    }
}
