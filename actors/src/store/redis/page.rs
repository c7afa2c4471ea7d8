//! A page of a log, as page.lua reads it.

use crate::ids::Epoch;
use crate::redis::wrong;
use crate::store::{Page, StoreResult, StoredEvent};

/// The largest number that Lua's doubles count to without a hole. No log gets there.
pub(super) const LAST_SEQ: u64 = 1 << 53;

/// What page.lua tells, in the order of reading.
pub(super) fn page(reply: redis::Value) -> StoreResult<Page> {
    let reply: Option<(String, u8, Vec<redis::Value>)> = match reply {
        redis::Value::Array(empty) if empty.is_empty() => None,
        reply => Some(redis::from_redis_value(reply).map_err(|error| wrong(&error.to_string()))?),
    };
    let Some((epoch, more, flat)) = reply else { return Ok(Page::none()) };
    let flat: Vec<(u64, String)> =
        redis::from_redis_value(redis::Value::Array(flat)).map_err(|error| wrong(&error.to_string()))?;
    let events = flat.into_iter().map(|(seq, body)| StoredEvent { seq, body: body.into() }).collect();
    Ok(Page { epoch: Some(Epoch::from(epoch.as_str())), events, more: more == 1 })
}

/// Where reading backwards begins that is to come before this one.
pub(super) fn start_before(before: u64) -> String {
    before.min(LAST_SEQ).saturating_sub(1).to_string()
}
