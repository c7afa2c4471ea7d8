//! One router after another: a backend whose settings stay the same is the same one, with all that is known of it.

use std::sync::Arc;

use sophie_actors::metrics::Metrics;

use super::fleet::Fleet;
use super::member::{Member, MemberOptions};
use super::models::ModelList;
use super::options::{BadOptions, span};
use super::router::{Router, RouterOptions};

/// Options that are of no use, with the name of the backend whose they are.
pub type BadMember = (String, BadOptions);

impl Router {
    /// A router that is in force from now on. Checks the options of every member.
    ///
    /// # Errors
    /// What is wrong with one of them.
    pub fn new(options: RouterOptions, metrics: &Metrics) -> Result<Self, BadMember> {
        let router = Self::after(None, options, metrics)?;
        router.enter();
        Ok(router)
    }

    /// One that may come into force after another one, and counts for nothing until it [enters](Self::enter).
    ///
    /// # Errors
    /// As for [`Self::new`].
    pub fn after(before: Option<&Self>, options: RouterOptions, metrics: &Metrics) -> Result<Self, BadMember> {
        let fleet = before.map_or_else(
            || Arc::new(Fleet::new(metrics.clone(), options.prices.clone())),
            |before| before.fleet.clone(),
        );
        let known = |of: &MemberOptions| before?.members.iter().find(|member| member.is_of(of)).cloned();
        let member = |of: MemberOptions| {
            let name = of.name.clone();
            let new = |of| Member::new(of, options.patience, fleet.clone()).map(Arc::new).map_err(|bad| (name, bad));
            known(&of).map_or_else(|| new(of), Ok)
        };
        let members = options.members.into_iter().map(member).collect::<Result<Vec<_>, _>>()?;
        let models = ModelList::new(members.clone(), options.model);
        Ok(Self { fleet, members, total: span(options.total_seconds), models })
    }

    /// Its backends are those that figures and readiness tell of from now on. Requests to others come to their end.
    pub fn enter(&self) {
        self.fleet.takes(&self.members);
    }

    /// None of its backends is told of any more.
    pub fn leave(&self) {
        self.fleet.takes(&[]);
    }
}
