//! What a script replied.

use crate::failure::{StoreError, StoreResult};

/// A script's reply of varying shape: a word, and what follows it.
pub(crate) struct ScriptReply {
    pub(crate) word: String,
    rest: std::vec::IntoIter<redis::Value>,
}

impl ScriptReply {
    pub(crate) fn read(values: Vec<redis::Value>) -> StoreResult<Self> {
        let mut rest = values.into_iter();
        let word = rest.next().and_then(|word| redis::from_redis_value(word).ok()).ok_or_else(|| wrong("empty"))?;
        Ok(Self { word, rest })
    }

    pub(crate) fn take<T: redis::FromRedisValue>(&mut self) -> StoreResult<T> {
        let value = self.rest.next().ok_or_else(|| wrong("too short"))?;
        redis::from_redis_value(value).map_err(|error| wrong(&error.to_string()))
    }
}

pub(crate) fn wrong(reason: &str) -> StoreError {
    StoreError::Corrupt(format!("a script's reply: {reason}"))
}
