//! Whom limits refused of late. It is no figure: metrics may not name users.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How long a refusal is remembered.
const REMEMBERED: Duration = Duration::from_secs(900);
/// Subjects that are remembered; whoever was refused the longest ago makes room.
const MOST: usize = 512;

/// Somebody whom a limit refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AtEdge {
    /// Who, as operators name them: `user:alice`.
    pub subject: String,
    /// The limit, by its label.
    pub limit: &'static str,
    /// How often, since it was remembered.
    pub times: u64,
    /// How long ago, the last time.
    pub ago: Duration,
}

/// A subject and the limit that refused it.
type Refused = (String, &'static str);

/// Those of this node, with how often and when last.
#[derive(Debug, Default)]
pub struct Edge(Mutex<HashMap<Refused, (u64, Instant)>>);

impl Edge {
    /// A limit refuses somebody.
    pub fn refused(&self, subject: &str, limit: &'static str) {
        let now = Instant::now();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((times, last)) = known.get_mut(&(subject.to_owned(), limit)) {
            *times += 1;
            *last = now;
            return;
        }
        if known.len() >= MOST {
            known.retain(|_, (_, last)| now.duration_since(*last) < REMEMBERED);
        }
        if known.len() >= MOST {
            let oldest = known.iter().min_by_key(|(_, (_, last))| *last).map(|(who, _)| who.clone());
            oldest.map(|who| known.remove(&who));
        }
        known.insert((subject.to_owned(), limit), (1, now));
    }

    /// Those who were refused last, at most so many, the last one first.
    pub fn latest(&self, most: usize) -> Vec<AtEdge> {
        let now = Instant::now();
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<AtEdge> = known
            .iter()
            .map(|((subject, limit), (times, last))| AtEdge {
                subject: subject.clone(),
                limit,
                times: *times,
                ago: now.duration_since(*last),
            })
            .filter(|at_edge| at_edge.ago < REMEMBERED)
            .collect();
        all.sort_by(|one, other| (one.ago, &one.subject).cmp(&(other.ago, &other.subject)));
        all.truncate(most);
        all
    }

    /// Somebody was given back what they had taken.
    pub fn forget(&self, subject: &str) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|(who, _), _| who != subject);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn those_who_were_refused_last_are_told_for_a_quarter_of_an_hour() {
        let edge = Edge::default();
        edge.refused("user:a", "user_messages");
        tokio::time::advance(Duration::from_secs(600)).await;
        edge.refused("user:b", "user_messages");
        edge.refused("user:b", "user_messages");
        let told = edge.latest(10);
        let told: Vec<_> = told.iter().map(|it| (it.subject.as_str(), it.times, it.ago.as_secs())).collect();
        assert_eq!(told, [("user:b", 2, 0), ("user:a", 1, 600)]);
        assert_eq!(edge.latest(1).len(), 1);
        tokio::time::advance(Duration::from_secs(400)).await;
        assert_eq!(edge.latest(10).len(), 1);
        edge.forget("user:b");
        assert_eq!(edge.latest(10), []);
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowd_is_not_remembered_whole() {
        let edge = Edge::default();
        for n in 0..2_000 {
            edge.refused(&format!("address:{n}"), "address_messages");
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        assert_eq!(edge.latest(usize::MAX).len(), MOST);
        assert_eq!(edge.latest(1)[0].subject, "address:1999");
    }
}
