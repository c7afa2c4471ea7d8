//! Who is where in the cluster: what this node knows of itself, together with what the store knows of the others. So a
//! change is seen at once by whoever made it here, and soon by everybody else.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use serde::Serialize;

use super::figures;
use crate::actor::PATIENCE;
use crate::ids::{GroupName, NodeId, SessionId, UserId};
use crate::metrics::Metrics;
use crate::node::Node;
use crate::protocol::{Member, timestamp_of};
use crate::registry::{RegistryHandle, Roster};
use crate::store::{Listing, NodeInfo, Row, Spread, StoreResult};

/// One socket, for operators.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SocketView {
    /// Where it is.
    pub node: NodeId,
    /// The channel of its session there, if a channel layer is shared with Django.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// RFC 3339.
    pub since: String,
    /// The client's address.
    pub address: IpAddr,
    /// Bytes that wait for it; of another node's, those that waited when the session changed last.
    pub queued_bytes: usize,
}

/// One session that has a socket somewhere, for operators.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SessionView {
    /// The session.
    pub session: SessionId,
    /// Its user.
    pub user: UserId,
    /// Its groups.
    pub groups: Vec<GroupName>,
    /// Its sockets, oldest first.
    pub sockets: Vec<SocketView>,
}

/// One member of a group, for operators.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MemberView {
    /// The member.
    #[serde(flatten)]
    pub member: Member,
    /// How many sockets it has.
    pub sockets: usize,
}

/// How many are in a group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Headcount {
    /// Sessions with a socket, each once.
    pub members: usize,
    /// Nodes where one of them is.
    pub nodes: usize,
}

/// The members of a group, at most `limit` of them, by session, and how many there are.
///
/// # Errors
/// The store is away.
pub async fn members(node: &Node, group: &GroupName, limit: usize) -> StoreResult<(Vec<MemberView>, usize)> {
    let others = node.stores.presence.members(group, limit).await?;
    let (here, count) = node.roster.rows_in(group, limit);
    let whole = others.len() < limit && here.len() < limit;
    let mut rows: BTreeMap<SessionId, Vec<Row>> = others.into_iter().collect();
    here.into_iter().for_each(|(session, row)| rows.entry(session).or_default().push(row));
    let total = match whole {
        true => rows.len(),
        false => headcounts(node, std::slice::from_ref(group)).await?.first().map_or(count, |it| it.members),
    };
    let views = rows.into_iter().take(limit).map(|(session, rows)| member(session, group, rows));
    Ok((views.collect(), total))
}

fn member(session: SessionId, group: &GroupName, mut rows: Vec<Row>) -> MemberView {
    rows.sort_by_key(began);
    let since = rows.iter().filter_map(|row| row.groups.get(group)).min().copied().unwrap_or_default();
    let first = rows.first();
    let member = Member {
        user: first.map_or_else(|| UserId::guest(&session), |row| row.user.clone()),
        node: first.map_or_else(|| NodeId::from(""), |row| row.node.clone()),
        since: timestamp_of(since),
        session,
    };
    MemberView { member, sockets: rows.iter().map(|row| row.sockets.len()).sum() }
}

fn began(row: &Row) -> u64 {
    row.sockets.first().map_or(u64::MAX, |socket| socket.since_ms)
}

/// How many are in groups, in their order.
///
/// # Errors
/// The store is away.
pub async fn headcounts(node: &Node, groups: &[GroupName]) -> StoreResult<Vec<Headcount>> {
    let spreads = node.stores.presence.spread(groups).await?;
    let count = |(group, spread): (&GroupName, Spread)| {
        let here = node.roster.member_count(group);
        // What the store counts includes this node, a moment ago.
        let members = if spread.other_nodes == 0 { here } else { spread.members.max(here) };
        Headcount { members, nodes: spread.other_nodes + usize::from(here > 0) }
    };
    Ok(groups.iter().zip(spreads).map(count).collect())
}

/// At most `limit` sessions after `cursor` whose names begin with `prefix`, by name.
///
/// # Errors
/// The store is away.
pub async fn sessions(node: &Node, prefix: &str, cursor: Option<&str>, limit: usize) -> StoreResult<Vec<SessionView>> {
    let (mut views, mut from) = (Vec::new(), cursor.map(str::to_owned));
    loop {
        let wanted = limit - views.len();
        let Listing { rows, until } = node.stores.presence.sessions(prefix, from.as_deref(), wanted).await?;
        let mut rows: BTreeMap<SessionId, Vec<Row>> = rows.into_iter().collect();
        let here = node.roster.live_sessions(prefix, from.as_deref(), wanted).into_iter();
        // Beyond what was looked at there may be others before those of this node.
        for session in here.filter(|session| until.as_deref().is_none_or(|until| session.as_str() <= until)) {
            rows.entry(session).or_default();
        }
        for (session, mut rows) in rows.into_iter().take(wanted) {
            rows.extend(node.roster.row_of(&session));
            views.extend(view(session, rows));
        }
        if until.is_none() || views.len() >= limit {
            return Ok(views);
        }
        from = until;
    }
}

/// One session, if it has a socket somewhere.
///
/// # Errors
/// The store is away.
pub async fn session(node: &Node, session: &SessionId) -> StoreResult<Option<SessionView>> {
    let mut rows = node.stores.presence.session(session).await?;
    rows.extend(node.roster.row_of(session));
    Ok(view(session.clone(), rows))
}

fn view(session: SessionId, mut rows: Vec<Row>) -> Option<SessionView> {
    rows.sort_by_key(began);
    let user = rows.first()?.user.clone();
    let mut groups: Vec<GroupName> = rows.iter().flat_map(|row| row.groups.keys().cloned()).collect();
    groups.sort();
    groups.dedup();
    let sockets = rows.into_iter().flat_map(|row| {
        let (node, channel) = (row.node, row.channel);
        row.sockets.into_iter().map(move |socket| SocketView {
            node: node.clone(),
            channel: channel.clone(),
            since: timestamp_of(socket.since_ms),
            address: socket.address,
            queued_bytes: socket.queued_bytes,
        })
    });
    Some(SessionView { session, user, groups, sockets: sockets.collect() })
}

/// Every living node, by name.
///
/// # Errors
/// The store is away.
pub async fn nodes(node: &Node) -> StoreResult<Vec<NodeInfo>> {
    let mut nodes = node.stores.presence.nodes().await?;
    nodes.push(describe(&node.roster, &node.registry, &node.metrics, PATIENCE).await);
    nodes.sort_by(|one, other| (&one.node, &one.since).cmp(&(&other.node, &other.since)));
    Ok(nodes)
}

/// What this node tells of itself; the registry has `patience` to show how long a message waits for it.
pub async fn describe(roster: &Roster, registry: &RegistryHandle, metrics: &Metrics, patience: Duration) -> NodeInfo {
    let waited = u64::try_from(registry.delay(patience).await.as_millis()).unwrap_or(u64::MAX);
    let count = roster.count();
    NodeInfo {
        node: roster.node(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        since: roster.since().to_owned(),
        sockets: count.sockets,
        sessions: count.sessions,
        groups: count.groups,
        draining: roster.is_going(),
        mailbox_ms: [("registry".to_owned(), waited)].into(),
        figures: figures::of(metrics),
        edge: figures::edge(metrics),
    }
}
