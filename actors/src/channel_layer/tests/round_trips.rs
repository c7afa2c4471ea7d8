//! Whether a layer works, as somebody finds out who asks before it is needed.

use std::time::Duration;

use super::*;

#[tokio::test]
async fn a_message_goes_to_the_node_and_one_comes_back_and_nothing_is_left() {
    for site in variants().await {
        let mut options = site.options.clone();
        options.node_key = key_on_first_shard(options.hosts.len());
        let took = round_trip(options, site.twin == Twin::Pubsub).await;
        assert!(took.is_ok_and(|took| took > Duration::ZERO), "{:?}", site.twin);
        for shard in 0..site.servers.len() {
            let keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut site.redis(shard)).expect("an answer");
            assert_eq!(keys, Vec::<String>::new(), "{:?}", site.twin);
        }
    }
}

#[tokio::test]
async fn a_host_that_does_not_do_as_asked_is_quoted() {
    for site in variants().await {
        let mut options = site.options.clone();
        options.node_key = key_on_first_shard(options.hosts.len());
        for shard in 0..site.servers.len() {
            let mut rename = redis::cmd("CONFIG");
            rename.arg("SET").arg("maxmemory").arg(1).exec(&mut site.redis(shard)).expect("set");
        }
        let ended = round_trip(options, site.twin == Twin::Pubsub).await;
        match site.twin {
            Twin::Core => assert!(matches!(&ended, Err(BrokenTrip::Refused(why)) if why.contains("OOM")), "{ended:?}"),
            // What is not kept needs no memory.
            Twin::Pubsub => assert!(ended.is_ok(), "{ended:?}"),
        }
    }
}
