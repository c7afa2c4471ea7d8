//! The channel layer: a message from Django to a node and one back.

use sophie_actors::channel_layer::{BrokenTrip, key_on_first_shard, round_trip};
use sophie_actors::redis::Bound;
use tokio::time::timeout;

use super::PROBE;
use super::finding::{Area, Finding};
use crate::app::layer_options;
use crate::settings::{ChannelLayer, Settings};

pub(super) async fn findings(settings: &Settings) -> Vec<Finding> {
    let channel = &settings.channel;
    let (subject, by_publishing) = match channel.layer {
        ChannelLayer::Core => ("core", false),
        ChannelLayer::Pubsub => ("pubsub", true),
    };
    let options = layer_options(settings, key_on_first_shard(settings.layer_urls().len()), Bound::none());
    let broken = |code, found: String, advice: &str| {
        let means = "Django and Sophie do not hear each other";
        Finding::fault(code, Area::Layer, subject, found, means, advice)
    };
    let look = "see that redis.url (channel.hosts) and channel.prefix are those of the Django site, and look at Redis' SLOWLOG";
    vec![match timeout(PROBE, round_trip(options, by_publishing)).await {
        Ok(Ok(took)) => {
            let found = format!("a message to a node and one to Django: {:.1} ms", took.as_secs_f64() * 1_000.0);
            Finding::ok("layer_ok", Area::Layer, subject, found)
        }
        Ok(Err(BrokenTrip::Refused(words))) => {
            broken("layer_refused", format!("its Redis does not do as asked: {words}"), "mend what Redis says")
        }
        Ok(Err(BrokenTrip::ToNode)) => broken("layer_lost", "a message to a node was lost".into(), look),
        Ok(Err(BrokenTrip::ToDjango)) => broken("layer_lost", "a message to Django was lost".into(), look),
        Err(_) => broken("layer_silent", "no message came within 2 s".into(), look),
    }]
}
