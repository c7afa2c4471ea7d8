//! Models as labels. Callers choose their names, and each label costs memory for good.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// So many models have a label of their own; those beyond are `other`.
const MOST: usize = 64;

/// The models that have a label of their own.
#[derive(Debug, Default)]
pub struct ModelLabels(Mutex<BTreeSet<String>>);

impl ModelLabels {
    /// The label of a model.
    pub fn label<'a>(&self, model: &'a str) -> &'a str {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.contains(model) {
            if known.len() >= MOST {
                return "other";
            }
            known.insert(model.to_owned());
        }
        model
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_cannot_make_up_labels_without_end() {
        let labels = ModelLabels::default();
        let names: Vec<String> = (0..MOST + 9).map(|number| format!("m{number}")).collect();
        let own = names.iter().filter(|name| labels.label(name) == name.as_str()).count();
        assert_eq!((own, labels.label("m0"), labels.label("new")), (MOST, "m0", "other"));
    }
}
