//! Good clients beside many bad ones of every kind: their messages take no longer than they did without them.
//!
//! `make crowd` plays it with 1,000 bad clients (`SOPHIE_CROWD`) and the program as it is shipped. Without optimization a bad client costs
//! several times as much, so in every run there are fewer, and what is counted is that each message is acknowledged.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::support::{Broker, Crowd, SOON, TestSocket, eventually};

/// Bad ones, if nothing else is said.
const BAD: usize = 100;
const GOOD: usize = 8;
/// Whether the times mean anything.
const AS_SHIPPED: bool = !cfg!(debug_assertions);
/// Times that it is quiet and then crowded.
const ROUNDS: usize = if AS_SHIPPED { 5 } else { 1 };
/// Round trips of each good client in each.
const TRIPS: usize = 60;
/// Between two of them: well within the commands that one may send.
const PACE: Duration = Duration::from_millis(30);
/// What is below this is how the machine schedules threads, not how the program deals with clients.
const FLOOR: Duration = Duration::from_millis(5);

/// Says so many messages; how long each took to be acknowledged.
async fn trips(socket: &mut TestSocket, round: &str) -> Vec<Duration> {
    let mut took = Vec::new();
    for trip in 0..TRIPS {
        let since = Instant::now();
        let ack = socket.say(&format!("{round}-{trip}"), "hello").await;
        took.push(since.elapsed());
        assert_eq!(ack["type"], "ack", "{ack}");
        sleep(PACE).await;
    }
    took
}

/// The 99th percentile of what all good clients see.
async fn p99(good: &mut [TestSocket], round: &str) -> Duration {
    let all = futures_util::future::join_all(good.iter_mut().map(|socket| trips(socket, round))).await;
    let mut all = all.concat();
    all.sort_unstable();
    all[all.len() * 99 / 100]
}

fn median(mut of: Vec<Duration>) -> Duration {
    of.sort_unstable();
    of[of.len() / 2]
}

#[tokio::test]
async fn a_good_clients_messages_take_no_more_than_twice_as_long_beside_a_crowd_of_bad_ones() {
    let bad = std::env::var("SOPHIE_CROWD").map_or(BAD, |bad| bad.parse().expect("SOPHIE_CROWD is a number"));
    rlimit::increase_nofile_limit(u64::MAX).expect("a limit");
    let broker = Broker::start(
        0,
        &[
            ("SOPHIE__LIMITS__ENABLED", "true"),
            ("SOPHIE__SERVER__TRUSTED_PROXIES", "127.0.0.1"),
            // A connection may send few frames at once: what a crowd may cost is a setting.
            ("SOPHIE__SESSION__COMMANDS_BURST", "50"),
            // Good clients say more than people do.
            ("SOPHIE__LIMITS__USER_MESSAGES_PER_MINUTE", "1000000"),
            ("SOPHIE__LIMITS__USER_BURST", "1000000"),
            ("SOPHIE__LIMITS__ADDRESS_MESSAGES_PER_MINUTE", "1000000"),
        ],
    )
    .await;
    let mut good = Vec::new();
    for n in 0..GOOD {
        good.push(TestSocket::open(broker.address, &format!("good-{n}"), "").await);
    }
    let crowd = Crowd::of(bad, broker.address);
    trips(&mut good[0], "warm").await;
    let (mut quiet, mut crowded) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        quiet.push(p99(&mut good, &format!("quiet-{round}")).await);
        let before = crowd.connects();
        crowd.let_loose(true);
        eventually("they have come", 3 * SOON, async || (crowd.connects() >= before + bad).then_some(())).await;
        sleep(Duration::from_secs(1)).await;
        crowded.push(p99(&mut good, &format!("crowded-{round}")).await);
        println!("round {round}: {} connected, {} connects", crowd.connected(), crowd.connects() - before);
        crowd.let_loose(false);
        eventually("they have gone", SOON, async || (crowd.connected() == 0).then_some(())).await;
        eventually("they are forgotten", 3 * SOON, async || {
            let (_, figures) = broker.get("/metrics").await;
            figures.contains(&format!("sophie_sockets {GOOD}\n")).then_some(())
        })
        .await;
    }
    println!("p99 quiet {quiet:?}, crowded {crowded:?}");
    let (quiet, crowded) = (median(quiet), median(crowded));
    assert!(
        !AS_SHIPPED || crowded <= 2 * quiet.max(FLOOR),
        "p99 {crowded:?} beside {bad} bad clients, {quiet:?} without"
    );
}
