//! Starting all actors, and joining them with what the settings ask for.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::prelude::*;
use actix_web::web::Data;
use sophie_actors::actor::{Exit, ExitGuard};
use sophie_actors::admission::{LimiterHandle, RateLimiter, Slots};
use sophie_actors::answers::{Answers, AnswersHandle, Parts};
use sophie_actors::backend::Backend;
use sophie_actors::channel_layer::NoLayer;
use sophie_actors::cluster::mirror::{Mirror, MirrorHandle};
use sophie_actors::cluster::{Ear, EarHandle, Listen};
use sophie_actors::delivery::Delivery;
use sophie_actors::ids::NodeId;
use sophie_actors::in_force::InForce;
use sophie_actors::ledger::Ledger;
use sophie_actors::metrics::Metrics;
use sophie_actors::node::Node;
use sophie_actors::notifier::Notifier;
use sophie_actors::redis::Budgets;
use sophie_actors::registry::{GroupRegistry, RegistryHandle, RegistryOptions, Roster, Seed, SessionFactory};
use sophie_actors::session::Session;
use sophie_actors::socket::SessionHandle;
use sophie_actors::store::Stores;
use sophie_actors::store::memory::MemoryLimits;
use sophie_actors::tails::Tails;
use tokio::sync::mpsc;

use super::adjustable::{self, Adjustable};
use super::listener::{Bound, Rules, raise_file_limit};
use super::routes::Serves;
use super::threads::Threads;
use super::{AppError, Program, announce, backend, certificate, policy, storage};
use crate::describe::Documents;
use crate::http::{ConnectionCaps, Gateway, LongBodies, RecentlySeen, Running, SocketPlaces, State, admin};
use crate::settings::Settings;
use crate::telemetry::Telemetry;

/// What a test may put in the place of what the settings ask for.
#[derive(Default)]
pub struct Replacements {
    /// Instead of the memory or Redis stores.
    pub stores: Option<Stores>,
    /// Instead of the demo or the OpenAI-compatible backend.
    pub backend: Option<Arc<dyn Backend>>,
    /// Instead of the product's own time budgets for calls to Redis, which a busy machine breaks.
    pub budgets: Option<Budgets>,
}

impl Program {
    /// Starts everything but the serving.
    ///
    /// # Errors
    /// A listener cannot be bound, or the settings cannot be carried out.
    pub async fn build(settings: Settings) -> Result<Self, AppError> {
        Self::build_with(settings, Replacements::default()).await
    }

    /// [`Self::build`] with some parts replaced.
    ///
    /// # Errors
    /// As for [`Self::build`].
    pub async fn build_with(settings: Settings, replacements: Replacements) -> Result<Self, AppError> {
        let files = raise_file_limit();
        // First of all, so that a port in use is told before anything else is tried.
        let public = Bound::to(settings.server.bind)?;
        let operators = settings.admin.bind.map(Bound::to).transpose()?;
        let tls = certificate::of(&settings)?;
        let name = match settings.server.node.as_str() {
            "" => NodeId::random(),
            named => NodeId::from(named),
        };
        let metrics = Metrics::new();
        let telemetry = Telemetry::start(&settings.otel, &name, &metrics).map_err(AppError::Telemetry)?;
        let prices = InForce::from(backend::prices(&settings));
        let (backend, router) = match replacements.backend {
            Some(backend) => (backend, None),
            None => backend::after(None, &settings, &metrics, adjustable::at_the_time(&prices))?,
        };
        if let Some(router) = &router {
            router.enter();
        }
        let adjustable = Adjustable::of(&settings, backend.clone(), prices);
        let storage::Storage { stores, layer, redis } = match replacements.stores {
            Some(stores) => storage::Storage { stores, layer: Arc::new(NoLayer), redis: None },
            None => storage::stores(&settings, replacements.budgets.unwrap_or_default(), &metrics).await?,
        };
        let policy = policy::first(&settings, &stores, &metrics, router)?;
        let (report, ended) = mpsc::channel(8);
        let essential = |name: &'static str| {
            let report = report.clone();
            ExitGuard::new(move |exit| {
                if exit == Exit::Panicked {
                    log::error!(event = "actor_panicked", actor = name; "an actor panicked");
                }
                // Full means that another end has been reported already.
                let _ = report.try_send(name);
            })
        };

        let roster = Arc::new(Roster::new(name.clone(), layer.channels().cloned()));
        let kinds = settings.channel.notify_django.clone();
        let (notifier, courier) = Notifier::new(kinds.clone(), metrics.clone());
        let threads = Threads::start(workers(&settings));
        let core = threads.core();
        let registry = {
            let (roster, metrics, exit) = (roster.clone(), metrics.clone(), essential("group registry"));
            let options = RegistryOptions {
                ping_interval: Duration::from_secs(settings.session.ping_seconds),
                presence_members: settings.session.presence_members,
                delta_window: Duration::from_millis(settings.session.delta_window_ms),
            };
            RegistryHandle::from(GroupRegistry::start_in_arbiter(&core, move |_| {
                GroupRegistry::new(roster, metrics, options, exit)
            }))
        };
        let ear = {
            let (stores, registry, exit) = (stores.clone(), registry.clone(), essential("ear"));
            EarHandle::from(Ear::start_in_arbiter(&core, |_| Ear::new(stores, registry, exit)))
        };
        let slots = Slots::new(stores.slots.clone(), &adjustable.limits, metrics.clone());
        let requests = threads.requests();
        let limiter = {
            let (shared, metrics, exit) = (stores.limits.clone(), metrics.clone(), essential("rate limiter"));
            let (slots, options) = (slots.clone(), adjustable.limits.clone());
            let actor = RateLimiter::start_in_arbiter(&requests, move |_| {
                RateLimiter::new(shared, Arc::new(MemoryLimits::new()), slots, options, metrics, exit)
            });
            LimiterHandle::of(actor, &adjustable.limits)
        };
        let tails = Tails::new(stores.logs.clone());
        let delivery = Delivery { registry: registry.clone(), tails, notifier, metrics: metrics.clone() };
        let ledger = Arc::new(Ledger::new(adjustable.prices(), &stores, metrics.clone()));
        let answers = {
            let parts = Parts {
                roster: roster.clone(),
                stores: stores.clone(),
                backend: adjustable.backend.clone(),
                delivery: delivery.clone(),
                limiter: limiter.clone(),
                options: adjustable.answers.clone(),
                cache: settings.cache.options.clone(),
                recordings: settings.answers,
                log_content: settings.log.content,
                ledger: ledger.clone(),
                metrics: metrics.clone(),
            };
            let exit = essential("answers");
            AnswersHandle::from(Answers::start_in_arbiter(&requests, move |_| Answers::new(parts, exit)))
        };
        let mirror = {
            let (roster, stores, registry, metrics) =
                (roster.clone(), stores.clone(), registry.clone(), metrics.clone());
            let layer = layer.clone();
            let (expiry, exit) = (Duration::from_secs(settings.channel.group_expiry_seconds), essential("mirror"));
            MirrorHandle::from(Mirror::start_in_arbiter(&core, move |_| {
                Mirror::new(roster, stores, layer, registry, metrics, expiry, exit)
            }))
        };
        let node = Node {
            roster,
            registry: registry.clone(),
            limiter,
            answers,
            slots,
            stores,
            layer,
            options: settings.session.clone(),
            metrics,
            delivery,
            ledger,
            tracing: telemetry.tracing(),
        };
        let gone = |_| AppError::ActorEnded("group registry");
        registry.read_by(ear.reader()).await.map_err(gone)?;
        registry.install(factory(Arc::new(node.clone()))).await.map_err(gone)?;

        let worker = settings.channel.notify_worker.clone();
        let worker = (!worker.is_empty()).then_some((worker, kinds));
        let listen = Listen { node: Arc::new(node.clone()), worker, courier };
        ear.listen(listen).await.map_err(|_| AppError::ActorEnded("ear"))?;

        let addresses = std::iter::once(&public).chain(&operators).map(|bound| bound.address).collect::<Vec<_>>();
        announce::announce(&settings, &addresses, &name, backend.name());
        announce::admin_token(&policy.operators.admin);
        let rules = Rules::of(&settings, files, threads.count());
        let state = Data::new(State {
            node,
            in_force: policy.into(),
            warned: Mutex::default(),
            trusted_proxies: settings.server.trusted_proxies.clone(),
            connections: SocketPlaces::new(settings.server.max_connections),
            lines: rules.places.clone(),
            body_within: Duration::from_secs(settings.server.body_seconds),
            most_bytes: rules.most_bytes,
            chat: settings.chat.clone(),
            keep_seconds: settings.answers.keep_seconds,
            poll_seconds: settings.ds.poll_seconds,
            gateway: Gateway {
                cache: settings.cache.options.clone(),
                sharing: settings.cache.http,
                long_bodies: LongBodies::default(),
                max_body_bytes: settings.server.max_body_bytes,
                running: Running::default(),
                keep_seconds: settings.answers.keep_seconds,
                keep_responses_seconds: settings.responses.keep_seconds,
                responses_socket: settings.responses.websocket,
            },
            documents: Documents::new(&settings.chat.path),
            redis,
            connection_caps: ConnectionCaps {
                main: settings.channel.max_connections,
                cache: settings.cache.max_connections,
                general: settings.general_cache.max_connections,
            },
            seen: RecentlySeen::default(),
            live: admin::Live::default(),
            draining: tokio::sync::watch::Sender::new(false),
        });
        core.spawn(admin::keep_looking(state.clone()));
        let both = Serves { public: true, admin: operators.is_none() };
        let mut acceptors = vec![public.serve(state.clone(), both, &threads.workers(), rules.clone(), tls.clone())?];
        if let Some(operators) = operators {
            let serves = Serves { public: false, admin: true };
            acceptors.push(operators.serve(state.clone(), serves, &threads.for_operators(), rules, None)?);
        }
        let drain = Duration::from_secs(settings.server.drain_seconds);
        Ok(Self { addresses, acceptors, state, mirror, threads, ended, drain, tls, adjustable, telemetry })
    }
}

/// How many threads serve connections.
pub(crate) fn workers(settings: &Settings) -> usize {
    match settings.server.workers {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        some => some,
    }
}

/// A session runs where its first socket is.
fn factory(node: Arc<Node>) -> SessionFactory {
    Arc::new(move |seed: Seed| {
        let (thread, node) = (seed.thread.clone(), node.clone());
        SessionHandle::of(&Session::start_in_arbiter(&thread, move |_| Session::new(seed, node)))
    })
}
