//! What servers refuse that answer.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What a server that answers refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerRefusal {
    /// Every write, for this reason: it has no memory, no disk, or no replicas.
    Writes(String),
    /// What its access list does not let this node do, as the rules that would: `+hset`, `~sophie:*`, `&sophie:0:events`.
    Rights(Vec<String>),
}

/// What the servers refuse at present, by database. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct ServerRefusals(Arc<Mutex<BTreeMap<&'static str, ServerRefusal>>>);

impl ServerRefusals {
    /// How it is now; `None`: nothing is refused.
    pub(crate) fn set(&self, database: &'static str, refusal: Option<ServerRefusal>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match refusal {
            Some(refusal) => _ = all.insert(database, refusal),
            None => _ = all.remove(database),
        }
    }

    /// A sentence for each reason to send nobody here. A cache that takes nothing is none.
    pub fn reasons(&self) -> Vec<String> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let reason = |(database, refusal): (&&'static str, &ServerRefusal)| match refusal {
            ServerRefusal::Writes(_) if *database != "main" => None,
            ServerRefusal::Writes(why) => {
                let word = ["OOM", "MISCONF", "NOREPLICAS"].into_iter().find(|word| why.contains(word));
                Some(format!("Redis takes no writes ({})", word.unwrap_or("refused")))
            }
            ServerRefusal::Rights(missing) => {
                Some(format!("Redis does not give this node the rights {} (database {database})", missing.join(" ")))
            }
        };
        all.iter().filter_map(reason).collect()
    }
}
