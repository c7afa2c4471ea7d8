//! Whether a layer works, as somebody finds out who asks before it is needed.

use std::time::Duration;

use super::*;

#[tokio::test]
async fn a_message_goes_to_the_node_and_one_comes_back_and_nothing_is_left() {
    for site in variants().await {
        let mut options = site.options.clone();
        options.node_key = key_on_first_shard(options.hosts.len());
        // A trip that the machine broke off, by a pause, may have left something, and is made again.
        let took = eventually("a round trip", DEADLINE, async || {
            let took = round_trip(options.clone(), site.twin == Twin::Pubsub).await;
            if let Err(broken) = &took {
                println!("{:?}: {broken:?}", site.twin);
                (0..site.servers.len())
                    .for_each(|shard| redis::cmd("FLUSHALL").exec(&mut site.redis(shard)).expect("emptied"));
            }
            took.ok()
        });
        assert!(took.await > Duration::ZERO, "{:?}", site.twin);
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
        // Again where a pause of the machine broke it off.
        eventually("the end of the trip that its host makes", DEADLINE, async || {
            let ended = round_trip(options.clone(), site.twin == Twin::Pubsub).await;
            println!("{:?}: {ended:?}", site.twin);
            let is_as_expected = match site.twin {
                Twin::Core => matches!(&ended, Err(BrokenTrip::Refused(why)) if why.contains("OOM")),
                // What is not kept needs no memory.
                Twin::Pubsub => ended.is_ok(),
            };
            is_as_expected.then_some(())
        })
        .await;
    }
}
