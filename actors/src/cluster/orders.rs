//! Orders to every node: given so that they stand in the store, carried out once by each node in the order in which they
//! were given, also by one that did not hear of them, and answered by what was done.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, Notify};
use tokio::time::{Instant, sleep, timeout};

use crate::answers::Stopped;
use crate::backoff::Backoff;
use crate::ids::{GroupName, SessionId, UserId};
use crate::node::Node;
use crate::protocol::{CloseCode, unix_ms};
use crate::registry::{Enter, GroupStates};
use crate::store::{Given, Order, StoreError, StoreResult, Told};

/// How often a node looks for orders that it did not hear of.
const LOOK: Duration = Duration::from_secs(1);
/// How long whoever gave an order waits for those whom it concerns: two of their looks.
const CONFIRM_WITHIN: Duration = Duration::from_secs(2);
/// Between two looks at their reports, at first and at most.
const FIRST_POLL: Duration = Duration::from_millis(2);
const LAST_POLL: Duration = Duration::from_millis(50);
/// An order that is heard so many milliseconds after it was given may have been overtaken.
const LATE_MS: u64 = 300;
/// How often a report is tried.
const REPORT_TRIES: u32 = 5;
const REPORT_RETRY: Duration = Duration::from_millis(200);

/// What became of an order elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CarriedOut {
    /// How many times something was done.
    pub done: u64,
    /// The nodes that have not said so yet: they will do it when they are back.
    pub pending: Vec<String>,
}

/// Waits until those whom an order concerns have carried it out, or until `enough` was done; two seconds at most.
pub async fn confirmed(node: &Node, given: &Given, enough: u64) -> CarriedOut {
    let orders = &node.stores.orders;
    let until = Instant::now() + CONFIRM_WITHIN;
    let mut reports = HashMap::new();
    let mut looks = Backoff::between(FIRST_POLL, LAST_POLL);
    loop {
        let pending: Vec<String> =
            given.concerned.iter().filter(|node| !reports.contains_key(*node)).cloned().collect();
        let done = reports.values().sum();
        if pending.is_empty() || done >= enough {
            return CarriedOut { done, pending: Vec::new() };
        }
        if Instant::now() >= until {
            let names = orders.names(&pending).await.unwrap_or_default();
            let names: Vec<String> = names.iter().map(ToString::to_string).collect();
            return CarriedOut { done, pending: if names.is_empty() { pending } else { names } };
        }
        looks.wait().await;
        reports = orders.reports(&given.id).await.unwrap_or(reports);
    }
}

/// Where this node stands in the orders of the others.
pub(crate) struct OrderDesk {
    node: Arc<Node>,
    /// The last order that was carried out; `None` before the first look.
    position: Mutex<Option<String>>,
    /// How far the server's clock is ahead of this node's, in milliseconds.
    ahead_ms: AtomicI64,
    missed: Notify,
}

impl OrderDesk {
    pub(crate) fn new(node: Arc<Node>) -> Self {
        Self { node, position: Mutex::default(), ahead_ms: AtomicI64::new(0), missed: Notify::new() }
    }

    /// Something may have been missed.
    pub(crate) fn look_soon(&self) {
        self.missed.notify_one();
    }

    /// Carries out what was not heard, for ever.
    pub(crate) async fn run(&self) {
        loop {
            if let Err(error) = self.look().await {
                log::debug!(error:%; "orders were not looked at");
            }
            _ = timeout(LOOK, self.missed.notified()).await;
        }
    }

    /// An order was heard. It is carried out at once if it is the next one and nothing has to be read for it.
    pub(crate) async fn heard(&self, order: Order) {
        let Ok(mut position) = self.position.try_lock() else { return self.look_soon() };
        if position.get_or_insert_with(|| order.previous.clone()) != &order.previous || self.needs_store(&order) {
            return self.look_soon();
        }
        if let Some(told) = order.told.as_ref().filter(|_| !order.own) {
            let done = self.carry_out(&order, told, false).await.unwrap_or(0);
            if order.awaited {
                actix::spawn(report(self.node.clone(), order.id.clone(), done));
            }
        }
        *position = Some(order.id);
    }

    /// What a node of the version before told, which keeps no orders.
    pub(crate) fn told(self: &Arc<Self>, told: Told) {
        let desk = self.clone();
        let now = unix_ms().saturating_add_signed(self.ahead_ms.load(Ordering::Relaxed));
        actix::spawn(async move {
            let order = Order { id: format!("{now}-0"), ..Order::default() };
            if let Err(error) = desk.carry_out(&order, &told, false).await {
                log::warn!(event = "order_of_older_node", error:%; "what an older node told is not carried out");
            }
        });
    }

    fn needs_store(&self, order: &Order) -> bool {
        let roster = &self.node.roster;
        match &order.told {
            _ if order.own => false,
            Some(Told::GroupEnded { .. }) => true,
            Some(Told::Entered { group, session, .. }) => {
                roster.user_of(session).is_some() && !roster.is_member(session, group)
            }
            Some(Told::Left { group, session, .. }) => {
                roster.is_member(session, group) && self.given_at(order) + LATE_MS < unix_ms()
            }
            _ => false,
        }
    }

    async fn look(&self) -> StoreResult<()> {
        let mut position = self.position.lock().await;
        loop {
            let asked = Instant::now();
            let orders = self.node.stores.orders.after(position.as_deref()).await?;
            self.compare_clocks(orders.now_ms, asked.elapsed());
            if position.is_none() || orders.orders.is_empty() {
                *position = Some(orders.newest);
                return Ok(());
            }
            for order in orders.orders {
                if let Some(told) = order.told.as_ref().filter(|_| !order.own) {
                    let done = match self.carry_out(&order, told, true).await {
                        Err(error @ StoreError::Unavailable(_)) => return Err(error),
                        // It would stand before all others for ever.
                        Err(error) => {
                            log::error!(
                                event = "order_passed_over", order:% = order.id, error:%;
                                "an order is not carried out, it is passed over"
                            );
                            0
                        }
                        Ok(done) => done,
                    };
                    if order.awaited {
                        actix::spawn(report(self.node.clone(), order.id.clone(), done));
                    }
                }
                *position = Some(order.id);
            }
        }
    }

    /// Clocks that differ by no more than asking took are taken for equal.
    fn compare_clocks(&self, now_ms: u64, took: Duration) {
        if now_ms > 0 {
            let ahead = now_ms.cast_signed() - unix_ms().cast_signed();
            let uncertain = i64::try_from(took.as_millis()).unwrap_or(i64::MAX).saturating_add(2);
            self.ahead_ms.store(if ahead.abs() <= uncertain { 0 } else { ahead }, Ordering::Relaxed);
        }
    }

    /// When an order was given, by this node's clock.
    fn given_at(&self, order: &Order) -> u64 {
        order.given_ms().saturating_add_signed(-self.ahead_ms.load(Ordering::Relaxed))
    }

    /// This node's part of an order; how many times something was done. What came after the order was given is none of its
    /// business. `by_record`: it may have been overtaken, so the session's record decides.
    async fn carry_out(&self, order: &Order, told: &Told, by_record: bool) -> StoreResult<u64> {
        let node = &*self.node;
        let before = Some(self.given_at(order));
        match told.clone() {
            Told::Entered { group, session, user } => entered(node, group, session, user).await,
            Told::Left { group, session, user } => {
                let is_member = node.roster.is_member(&session, &group);
                if is_member && by_record && node.stores.sessions.load(&session).await?.groups.contains(&group) {
                    return Ok(0);
                }
                _ = node.registry.leave(session, user, group).await;
                Ok(u64::from(is_member))
            }
            Told::Cancelled { answer, steered } => {
                let why = if steered { Stopped::Steered } else { Stopped::Cancelled };
                let stopped = node.answers.stop_here(answer, why).await;
                Ok(u64::from(stopped.unwrap_or(false)))
            }
            Told::Disconnected { session } => Ok(disconnect_here(node, &session, before).await.unwrap_or(0) as u64),
            Told::GroupEnded { group } => Ok(end_group_here(node, &group, before).await? as u64),
            Told::Frame { .. }
            | Told::Started { .. }
            | Told::Grew { .. }
            | Told::Thought { .. }
            | Told::Attended { .. }
            | Told::Person(_)
            | Told::Rated(_) => Ok(0),
        }
    }
}

async fn report(node: Arc<Node>, order: String, done: u64) {
    for _ in 0..REPORT_TRIES {
        match node.stores.orders.report(&order, done).await {
            Ok(()) => return,
            Err(error) => log::debug!(order:%, error:%; "an order is carried out, and not reported yet"),
        }
        sleep(REPORT_RETRY).await;
    }
}

/// A session has joined a group elsewhere; it may also be here.
async fn entered(node: &Node, group: GroupName, session: SessionId, user: UserId) -> StoreResult<u64> {
    let roster = &node.roster;
    let mut done = 0;
    if roster.user_of(&session).is_some()
        && !roster.is_member(&session, &group)
        // It may have left since.
        && node.stores.sessions.load(&session).await?.groups.contains(&group)
    {
        enter(node, group.clone(), session.clone(), user.clone()).await?;
        done = 1;
    }
    _ = node.registry.entered(session, user, group).await;
    Ok(done)
}

async fn enter(node: &Node, group: GroupName, session: SessionId, user: UserId) -> StoreResult<()> {
    let names = [group];
    let GroupStates { logs: groups, answers, .. } = node.registry.look_at(&node.stores, &names).await?;
    let enter = Enter { session, user, groups, answers, announce: false, elsewhere: true, joining: None };
    _ = node.registry.enter(enter).await;
    Ok(())
}

/// This node's part of [`super::operators::end_group`]: who came after `before` (Unix milliseconds) stays.
pub(super) async fn end_group_here(node: &Node, group: &GroupName, before: Option<u64>) -> StoreResult<usize> {
    let ended = node.registry.end_group(group.clone(), before).await;
    let expelled = ended.map_err(|error| StoreError::Unavailable(error.to_string()))?;
    for session in &expelled {
        node.stores.sessions.remove_group(session, group).await?;
    }
    if node.roster.has_members(group) {
        // A session stays in its home group: its log begins anew.
        let GroupStates { logs, attended, .. } = GroupStates::read(&node.stores, std::slice::from_ref(group)).await?;
        _ = node.registry.resynced(logs, Vec::new()).await;
        _ = node.registry.attended(attended).await;
    }
    Ok(expelled.len())
}

/// This node's part of [`super::operators::disconnect`]: how many there were. A socket that came after `before` (Unix milliseconds) stays.
pub(super) async fn disconnect_here(node: &Node, session: &SessionId, before: Option<u64>) -> StoreResult<usize> {
    let closed = node.registry.disconnect(session.clone(), CloseCode::ByOperator.into(), before).await;
    closed.map_err(|error| StoreError::Unavailable(error.to_string()))
}
