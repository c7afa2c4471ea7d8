//! Which models can be asked for: those that the settings name, and those that the backends list themselves.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::Value;
use sophie_actors::openai::models::{id, named};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::member::Member;

/// How long a list is good for.
const FRESH: Duration = Duration::from_secs(60);
/// The most models that are listed.
const MOST: usize = 2_000;
/// The longest name of a model, in bytes.
const NAME_BYTES: usize = 256;

/// The list, kept for a minute.
pub struct ModelList {
    members: Vec<Arc<Member>>,
    model: String,
    kept: Mutex<Option<(Instant, Vec<Value>)>>,
}

impl ModelList {
    /// The list of these backends; `model` is always in it.
    pub fn new(members: Vec<Arc<Member>>, model: String) -> Self {
        Self { members, model, kept: Mutex::new(None) }
    }

    /// The models. Who asks while another one does waits for the same answer.
    pub async fn get(&self) -> Vec<Value> {
        let mut kept = self.kept.lock().await;
        if let Some((at, list)) = &*kept
            && at.elapsed() < FRESH
        {
            return list.clone();
        }
        let list = self.read().await;
        *kept = Some((Instant::now(), list.clone()));
        list
    }

    /// In the order of the backends: what the first one says of a model counts. One that is left out is not asked.
    async fn read(&self) -> Vec<Value> {
        let own = join_all(self.members.iter().map(|member| async move {
            // Its own names are not those by which it is asked.
            let asked = !member.renames && member.is_usable();
            if asked { member.client.models().await.unwrap_or_default() } else { Vec::new() }
        }));
        let mut list = Vec::new();
        for (member, models) in self.members.iter().zip(own.await) {
            let serves = |model: &Value| id(model).is_some_and(|id| id.len() <= NAME_BYTES && member.serves(id));
            models.into_iter().filter(serves).for_each(|model| add(&mut list, model));
            member.named_models().for_each(|name| add(&mut list, named(name)));
        }
        add(&mut list, named(&self.model));
        list
    }
}

fn add(list: &mut Vec<Value>, model: Value) {
    if list.len() < MOST && !list.iter().any(|known| id(known) == id(&model)) {
        list.push(model);
    }
}
