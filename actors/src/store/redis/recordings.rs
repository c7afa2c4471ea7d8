//! Recordings in Redis: a hash and a list of windows each.

use async_trait::async_trait;
use bytestring::ByteString;
use redis::Script;

use super::keys::Keys;
use crate::ids::AnswerId;
use crate::redis::{Database, wrong};
use crate::store::{
    RECORDING_LEASE_MS, RECORDING_READ_MS, RecordingEnded, RecordingHead, RecordingStanding, RecordingState,
    Recordings, StoreError, StoreResult, Window,
};

/// Windows that are added or read in one call.
const BATCH: usize = 500;
/// Stands between the chunks of a window, as RFC 7464 has it: no JSON text contains it.
const SEPARATOR: char = '\u{1e}';

macro_rules! recording_script {
    ($name:literal) => {
        Script::new(concat!(include_str!("scripts/recording.lua"), include_str!(concat!("scripts/recording_", $name))))
    };
}

/// The recordings.
pub struct RedisRecordings {
    database: Database,
    keys: Keys,
    begin: Script,
    add: Script,
    end: Script,
    read: Script,
}

impl RedisRecordings {
    pub(super) fn new(database: Database, keys: Keys) -> Self {
        Self {
            database,
            keys,
            begin: recording_script!("begin.lua"),
            add: recording_script!("add.lua"),
            end: recording_script!("end.lua"),
            read: recording_script!("read.lua"),
        }
    }

    fn call<'a>(&self, script: &'a Script, answer: &AnswerId) -> redis::ScriptInvocation<'a> {
        let mut call = script.key(self.keys.recording(answer));
        call.key(self.keys.recording_windows(answer));
        call
    }
}

fn corrupt(error: serde_json::Error) -> StoreError {
    StoreError::Corrupt(error.to_string())
}

fn written(window: &Window) -> String {
    window.join(&SEPARATOR.to_string())
}

fn window(text: &str) -> Window {
    text.split(SEPARATOR).map(ByteString::from).collect()
}

#[async_trait]
impl Recordings for RedisRecordings {
    async fn begin(&self, answer: &AnswerId, head: &RecordingHead, about: &str) -> StoreResult<bool> {
        let json = serde_json::to_string(head).map_err(corrupt)?;
        let mut call = self.call(&self.begin, answer);
        call.arg(json).arg(about).arg(head.keep_seconds).arg(RECORDING_LEASE_MS);
        self.database.script(&call).await
    }

    async fn add(&self, answer: &AnswerId, mut added: usize, windows: &[Window]) -> StoreResult<RecordingStanding> {
        let mut rest = windows;
        loop {
            let (batch, later) = rest.split_at(rest.len().min(BATCH));
            let mut call = self.call(&self.add, answer);
            call.arg(RECORDING_LEASE_MS).arg(added);
            batch.iter().for_each(|window| _ = call.arg(written(window)));
            let (length, is_read): (i64, bool) = self.database.script(&call).await?;
            (added, rest) = (added + batch.len(), later);
            match usize::try_from(length) {
                Ok(windows) if rest.is_empty() || windows < added => {
                    return Ok(RecordingStanding::Held { windows, is_read });
                }
                Ok(_) => {}
                Err(_) if length == -1 => return Ok(RecordingStanding::Ended),
                Err(_) => return Ok(RecordingStanding::Unknown),
            }
        }
    }

    async fn end(&self, answer: &AnswerId, windows: Option<usize>, end: &str) -> StoreResult<RecordingEnded> {
        let mut call = self.call(&self.end, answer);
        call.arg(end).arg(windows.map_or(-1, |windows| i64::try_from(windows).unwrap_or(i64::MAX)));
        let (word, end): (String, String) = self.database.script(&call).await?;
        match word.as_str() {
            "ended" => Ok(RecordingEnded::As(end.into())),
            "not yet" => Ok(RecordingEnded::NotYet),
            "unknown" => Ok(RecordingEnded::Unknown),
            other => Err(wrong(other)),
        }
    }

    async fn read(&self, answer: &AnswerId, seen: usize) -> StoreResult<Option<(Vec<Window>, RecordingState)>> {
        let mut call = self.call(&self.read, answer);
        call.arg(seen).arg(BATCH).arg(RECORDING_READ_MS);
        let (word, end, windows): (String, String, Vec<String>) = self.database.script(&call).await?;
        let state = match word.as_str() {
            "unknown" => return Ok(None),
            // What is behind the end of a page comes before the end of the recording.
            _ if windows.len() >= BATCH => RecordingState::Running,
            "running" => RecordingState::Running,
            "lost" => RecordingState::Lost,
            "ended" => RecordingState::Ended(end.into()),
            other => return Err(wrong(other)),
        };
        Ok(Some((windows.iter().map(|text| window(text)).collect(), state)))
    }

    async fn head(&self, answer: &AnswerId) -> StoreResult<Option<(RecordingHead, ByteString)>> {
        let mut get = redis::cmd("HMGET");
        get.arg(self.keys.recording(answer)).arg("head").arg("about");
        let ask = async |mut connection| get.query_async::<(Option<String>, Option<String>)>(&mut connection).await;
        let (Some(head), Some(about)) = self.database.call(ask).await? else { return Ok(None) };
        Ok(Some((serde_json::from_str(&head).map_err(corrupt)?, about.into())))
    }

    async fn forget(&self, answer: &AnswerId) -> StoreResult<bool> {
        let mut unlink = redis::cmd("UNLINK");
        unlink.arg(self.keys.recording(answer)).arg(self.keys.recording_windows(answer));
        let gone: u64 = self.database.call(async |mut connection| unlink.query_async(&mut connection).await).await?;
        Ok(gone > 0)
    }
}
