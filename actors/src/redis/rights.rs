//! Which rights a node needs at a server, tried by using each of them on a key of its own: what a script would be refused in its
//! middle is known before.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use redis::aio::MultiplexedConnection;
use redis::{Cmd, RedisError, Value};
use tokio::time::timeout;

use super::commands::{ALWAYS, CACHE, LAYER, MAIN, SCRIPTS};
use super::source::Source;
use crate::dependencies::{ServerRefusal, ServerRefusals};

/// What a try of everything may take.
const TRY: Duration = Duration::from_secs(1);
/// Should it be broken off, its key is gone after this.
const KEY_MS: u64 = 10_000;

/// What a database is used for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Needs {
    /// A key for the tries, and the pattern of all; none: nothing is tried.
    key: Option<(String, String)>,
    commands: Vec<&'static str>,
    /// Channels that are spoken and listened to, and their patterns.
    channels: Vec<(String, String)>,
    /// A pattern of channels that is listened to, and what allows it.
    pattern: Option<(String, String)>,
    atomic: bool,
    /// Where what is refused is noted.
    pub(crate) refusals: ServerRefusals,
}

impl Needs {
    /// The main database, with the nodes' channel.
    pub(crate) fn main(prefix: &str, channel: &str, refusals: &ServerRefusals) -> Self {
        Self {
            key: Some((format!("{prefix}:probe"), format!("{prefix}:*"))),
            commands: [MAIN, SCRIPTS].concat(),
            channels: vec![(channel.into(), channel.into())],
            pattern: None,
            atomic: true,
            refusals: refusals.clone(),
        }
    }

    /// A cache whose keys begin so.
    pub(crate) fn cache(prefix: &str, refusals: &ServerRefusals) -> Self {
        Self {
            key: Some((format!("{prefix}probe"), format!("{prefix}*"))),
            commands: CACHE.to_vec(),
            refusals: refusals.clone(),
            ..Self::default()
        }
    }

    /// A host of the channel layer; with `pubsub` its channels too.
    pub(crate) fn layer(prefix: &str, pubsub: bool, refusals: &ServerRefusals) -> Self {
        // Who listens to a pattern must be allowed that very pattern, or all channels; and it has a node's key in it.
        let all = || "*".to_owned();
        let channels = if pubsub { vec![(format!("{prefix}__group__sophie-probe"), all())] } else { Vec::new() };
        let pattern = pubsub.then(|| ("sophie.probe!*".to_owned(), all()));
        Self {
            key: Some((format!("{prefix}:group:sophie-probe"), format!("{prefix}*"))),
            commands: [LAYER, SCRIPTS].concat(),
            channels,
            pattern,
            atomic: false,
            refusals: refusals.clone(),
        }
    }

    /// The rules of an access list that give all of it, and what every connection takes.
    pub(super) fn rules(&self) -> Vec<String> {
        let words = |line: &&str| match line.split(' ').collect::<Vec<_>>()[..] {
            ["SCRIPT", second, ..] => format!("+script|{}", second.to_lowercase()),
            [first, ..] => format!("+{}", first.to_lowercase()),
            [] => String::new(),
        };
        let mut commands: BTreeSet<String> = self.commands.iter().map(words).collect();
        commands.extend(ALWAYS.iter().map(|command| (*command).to_owned()));
        if !self.channels.is_empty() {
            commands.extend(["+publish", "+subscribe", "+unsubscribe"].map(str::to_owned));
        }
        if self.pattern.is_some() {
            commands.insert("+psubscribe".to_owned());
        }
        if self.atomic {
            commands.extend(["+multi", "+exec"].map(str::to_owned));
        }
        let keys = self.key.iter().map(|(_, keys)| format!("~{keys}"));
        let channels = self.channels.iter().map(|(_, channels)| format!("&{channels}"));
        keys.chain(channels).chain(commands).collect()
    }

    /// Uses every right. An error: the server does not answer, or another one should be asked.
    pub(crate) async fn try_all(
        &self,
        connection: &MultiplexedConnection,
        source: &Source,
    ) -> Result<Option<ServerRefusal>, String> {
        match timeout(TRY, self.use_all(connection.clone(), source)).await {
            Ok(tried) => tried,
            Err(_) => Err("its rights could not be tried in time".into()),
        }
    }

    async fn use_all(
        &self,
        mut connection: MultiplexedConnection,
        source: &Source,
    ) -> Result<Option<ServerRefusal>, String> {
        let Some((key, keys)) = &self.key else { return Ok(None) };
        let mut missing = BTreeSet::new();
        let mut set = redis::cmd("SET");
        set.arg(key).arg(1).arg("PX").arg(KEY_MS);
        if let Err(error) = set.query_async::<()>(&mut connection).await {
            match missing_right(&error, keys, "") {
                Some(right) => _ = missing.insert(right),
                None if is_refusal(&error) => return Ok(Some(ServerRefusal::Writes(said(&error)))),
                None => return Err(error.to_string()),
            }
        }
        let mut tries: Vec<(Cmd, &str)> = self.commands.iter().map(|line| (command(line, key), "")).collect();
        for (channel, pattern) in &self.channels {
            let mut publish = redis::cmd("PUBLISH");
            // Junk to whoever hears it.
            publish.arg(channel).arg("");
            tries.push((publish, pattern));
        }
        tries.push((command("DEL {}", key), ""));
        if self.atomic {
            // Without a beginning: an error all the same, but another one.
            tries.push((command("EXEC", key), ""));
        }
        // All in one go, and in order.
        let replies = tries.iter().map(|(command, channel)| {
            let mut connection = connection.clone();
            async move { (command.query_async::<Value>(&mut connection).await, *channel) }
        });
        for (reply, channel) in join_all(replies).await {
            if let Err(error) = reply {
                if error.is_io_error() {
                    return Err(error.to_string());
                }
                missing.extend(missing_right(&error, keys, channel));
            }
        }
        if self.atomic && !missing.contains("+exec") {
            // In one go: what others send on this connection must not come between.
            let mut block = redis::pipe();
            block.cmd("MULTI").cmd("EXEC");
            if block.query_async::<Value>(&mut connection).await.is_err_and(|error| !error.is_io_error()) {
                missing.insert("+multi".to_owned());
            }
        }
        if let Some((pattern, rule)) = &self.pattern
            && let Err(error) = source.pubsub().await?.pubsub.psubscribe(pattern).await
        {
            missing.extend(missing_right(&error, keys, rule));
        }
        for (channel, pattern) in &self.channels {
            let mut ear = source.pubsub().await?;
            for reply in [ear.pubsub.subscribe(channel).await, ear.pubsub.unsubscribe(channel).await] {
                if let Err(error) = reply {
                    missing.extend(missing_right(&error, keys, pattern));
                }
            }
        }
        Ok((!missing.is_empty()).then(|| ServerRefusal::Rights(missing.into_iter().collect())))
    }
}

fn command(line: &str, key: &str) -> Cmd {
    let mut words = line.split(' ');
    let mut command = redis::cmd(words.next().unwrap_or_default());
    words.for_each(|word| _ = command.arg(if word == "{}" { key } else { word }));
    command
}

/// The rule of an access list that would have let it through, if that is what is wrong.
pub(super) fn missing_right(error: &RedisError, keys: &str, channel: &str) -> Option<String> {
    let detail = error.detail().unwrap_or_default();
    if error.code() != Some("NOPERM") && !detail.contains("NOPERM") {
        return None;
    }
    let quoted = detail.split('\'').nth(1);
    Some(match quoted {
        Some(command) if detail.contains("run the") => format!("+{command}"),
        _ if detail.contains("channel") => format!("&{channel}"),
        _ => format!("~{keys}"),
    })
}

/// The same of what a server said while a connection was made.
pub(crate) fn named_right(reason: &str) -> Option<String> {
    let command = reason.split_once("no permissions to run the '")?.1.split_once('\'')?.0;
    Some(format!("+{command}"))
}

/// What the server said, in its own words.
pub(crate) fn said(error: &RedisError) -> String {
    match (error.code(), error.detail()) {
        (Some(code), Some(detail)) => format!("{code} {detail}"),
        _ => error.to_string(),
    }
}

/// Whether a server that answers takes no writes, or not these. Before version 7 what a script's command met is told behind a
/// general error; about rights version 7 has words of its own.
pub(crate) fn is_refusal(error: &RedisError) -> bool {
    let (code, detail) = (error.code().unwrap_or_default(), error.detail().unwrap_or_default());
    ["OOM", "MISCONF", "NOREPLICAS", "NOPERM"]
        .iter()
        .any(|word| code == *word || (code == "ERR" && detail.contains(&format!("-{word} "))))
        || (code == "ERR"
            && (detail.contains("The user executing the script can't") || detail.contains("ACL failure in script")))
}
