//! Who is at other nodes where there are none.

use async_trait::async_trait;

use super::alone::Alone;
use crate::ids::{GroupName, SessionId};
use crate::store::{Listing, NodeInfo, Presence, Row, Rows, Spread, StoreResult};

#[async_trait]
impl Presence for Alone {
    async fn write(&self, _: &[(SessionId, Option<Row>)]) -> StoreResult<()> {
        Ok(())
    }

    async fn renew(&self, _: &[(SessionId, Option<Row>)]) -> StoreResult<()> {
        Ok(())
    }

    async fn missing(&self, _: &[SessionId], _: &[GroupName]) -> StoreResult<Vec<SessionId>> {
        Ok(Vec::new())
    }

    async fn members(&self, _: &GroupName, _: usize) -> StoreResult<Vec<Rows>> {
        Ok(Vec::new())
    }

    async fn spread(&self, groups: &[GroupName]) -> StoreResult<Vec<Spread>> {
        Ok(vec![Spread::default(); groups.len()])
    }

    async fn sessions(&self, _: &str, _: Option<&str>, _: usize) -> StoreResult<Listing> {
        Ok(Listing::default())
    }

    async fn session(&self, _: &SessionId) -> StoreResult<Vec<Row>> {
        Ok(Vec::new())
    }

    async fn nodes(&self) -> StoreResult<Vec<NodeInfo>> {
        Ok(Vec::new())
    }

    async fn forget_own(&self) -> StoreResult<bool> {
        Ok(true)
    }

    async fn forget(&self, _: &str) -> StoreResult<bool> {
        Ok(true)
    }
}
