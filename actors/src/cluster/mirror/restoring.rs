//! Looking at the logs, and writing what only this node knows, after the store was away or has lost its data.

use tokio::time::sleep;

use super::{RETRY, Writer, lock};
use crate::aside::{in_parts, set_aside};
use crate::cluster::resync;
use crate::ids::{GroupName, SessionId};
use crate::store::StoreResult;

/// Sessions whose records are restored in one round trip.
const RECORDS: usize = 100;

impl Writer {
    /// Looks at the logs, and writes the sessions' records, when that is due.
    pub(super) async fn restore(self) {
        loop {
            self.shared.restore.notified().await;
            loop {
                let due = {
                    let mut due = lock(&self.shared.due);
                    let now = *due;
                    (due.logs, due.records) = (false, false);
                    now
                };
                if !due.logs && !due.records {
                    break;
                }
                let records = if due.records { self.restore_records().await } else { Ok(()) };
                let groups = self.roster.groups();
                let logs = if due.logs { resync(&self.stores, &self.registry, &groups).await } else { Ok(()) };
                if records.is_err() || logs.is_err() {
                    {
                        let mut again = lock(&self.shared.due);
                        again.records |= records.is_err();
                        again.logs |= logs.is_err();
                    }
                    sleep(RETRY).await;
                }
            }
        }
    }

    /// The store came back empty: what sessions of this node joined is known here alone.
    async fn restore_records(&self) -> StoreResult<()> {
        let joined = |(session, groups): (_, Vec<GroupName>)| {
            let home = SessionId::home(&session);
            let groups: Vec<_> = groups.into_iter().filter(|group| *group != home).collect();
            (!groups.is_empty()).then_some((session, groups))
        };
        let sessions = self.roster.memberships();
        let records: Vec<_> = sessions.iter().cloned().filter_map(joined).collect();
        let write = async |part: &[_]| self.stores.sessions.restore(part).await;
        in_parts(&records, RECORDS, write, |(session, _), error| set_aside("session", session, error)).await?;
        let write = async |part: &[(SessionId, Vec<GroupName>)]| {
            for (session, _) in part {
                self.restore_rights(session).await?;
            }
            Ok(())
        };
        in_parts(&sessions, 1, write, |(session, _), error| set_aside("session", session, error)).await
    }

    /// What a session's sockets have shown.
    async fn restore_rights(&self, session: &SessionId) -> StoreResult<()> {
        for socket in self.roster.sockets(session) {
            if let Some(shown) = socket.access.rights() {
                let again = shown.again();
                self.stores.sessions.grant(session, &again).await?;
            }
            if socket.access.owns() {
                self.stores.sessions.claim(session, socket.access.user()).await?;
            }
        }
        Ok(())
    }
}
