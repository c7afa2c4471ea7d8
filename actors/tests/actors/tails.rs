//! The ends of logs, as those read along who are no sockets.

use std::time::Duration;

use futures_util::future::join_all;
use sophie_actors::store::memory::MemoryOptions;
use sophie_actors::store::{Append, PageSize, Stores};
use sophie_actors::tails::{TailReader, Tails};
use sophie_kit::faults::{self, Fault, Faults};
use tokio::time::{Instant, advance};

use crate::support::group;

const ALL: PageSize = PageSize { events: 1_000, bytes: 1 << 20 };

struct Log {
    stores: Stores,
    faults: Faults,
    tails: Tails,
}

impl Log {
    fn new() -> Self {
        let (stores, faults) =
            faults::stores(MemoryOptions { log_events: 600, ..sophie_kit::stores::memory_options() });
        let tails = Tails::new(stores.logs.clone());
        Self { stores, faults, tails }
    }

    /// Logs so many events; what was heard of them is told behind that.
    async fn grow(&self, events: usize) {
        for _ in 0..events {
            let body = "{\"type\":\"message\"}".into();
            let append = Append { group: group("g"), body, message: None, once: None, owes: None };
            self.stores.logs.append(append).await.expect("logged");
        }
        self.tails.grew(&group("g"));
    }

    fn reads(&self) -> usize {
        self.faults.calls("read_after").len()
    }
}

async fn seqs(reader: &TailReader, after: u64) -> Vec<u64> {
    let page = reader.read(after, ALL).await.expect("a page");
    assert!(!page.more, "all of it");
    page.events.iter().map(|event| event.seq).collect()
}

#[tokio::test(start_paused = true)]
async fn what_is_new_is_read_once_for_all_who_wait_for_it() {
    let log = Log::new();
    log.grow(3).await;
    let mut readers: Vec<TailReader> = (0..100).map(|_| log.tails.follow(&group("g"))).collect();
    for read in join_all(readers.iter().map(|reader| seqs(reader, 3))).await {
        assert!(read.is_empty());
    }
    assert_eq!(log.reads(), 1);
    let waiting = async { join_all(readers.iter_mut().map(TailReader::changed)).await };
    let began = Instant::now();
    tokio::join!(waiting, log.grow(2));
    assert_eq!(began.elapsed(), Duration::ZERO, "they are told at once");
    for read in join_all(readers.iter().map(|reader| seqs(reader, 3))).await {
        assert_eq!(read, [4, 5]);
    }
    assert_eq!(log.reads(), 2);
}

#[tokio::test(start_paused = true)]
async fn who_is_far_behind_reads_for_itself_and_keeps_nobody_up() {
    let log = Log::new();
    log.grow(500).await;
    let (near, far) = (log.tails.follow(&group("g")), log.tails.follow(&group("g")));
    assert_eq!(seqs(&near, 499).await, [500]);
    assert_eq!(seqs(&far, 7).await, (8..=500).collect::<Vec<_>>());
    log.grow(1).await;
    assert_eq!(seqs(&near, 500).await, [501]);
    assert_eq!(log.reads(), 3);
    log.grow(400).await;
    assert_eq!(seqs(&near, 850).await, (851..=901).collect::<Vec<_>>(), "also behind more than is kept at once");
    // The log itself begins later by now: nothing in the middle is passed over in silence.
    assert_eq!(seqs(&far, 7).await[0], 302);
}

#[tokio::test(start_paused = true)]
async fn what_nobody_told_this_node_of_is_found_all_the_same() {
    let log = Log::new();
    log.grow(1).await;
    let mut reader = log.tails.follow(&group("g"));
    assert_eq!(seqs(&reader, 0).await, [1]);
    let deaf = Tails::new(log.stores.logs.clone());
    Log { tails: deaf, stores: log.stores.clone(), faults: log.faults.clone() }.grow(1).await;
    let began = Instant::now();
    reader.changed().await;
    assert!(began.elapsed() <= Duration::from_secs(20));
    assert_eq!(seqs(&reader, 1).await, [2]);
    let waiting = tokio::spawn(async move {
        reader.changed().await;
        Instant::now()
    });
    tokio::task::yield_now().await;
    let missed = Instant::now();
    log.tails.missed();
    assert_eq!(waiting.await.expect("told"), missed, "who may have missed something looks");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_fails_once_for_all_who_wait_and_then_not_again() {
    let log = Log::new();
    log.grow(1).await;
    let readers: Vec<TailReader> = (0..50).map(|_| log.tails.follow(&group("g"))).collect();
    log.faults.set("read_after", Fault::Hang);
    let all = join_all(readers.iter().map(|reader| reader.read(0, ALL)));
    let ends = async {
        advance(Duration::from_secs(1)).await;
        log.faults.set("read_after", Fault::Away);
        log.faults.wake();
    };
    let (pages, ()) = tokio::join!(all, ends);
    assert!(pages.iter().all(Result::is_err));
    assert_eq!(log.reads(), 1);
    log.faults.lift("read_after");
    assert_eq!(seqs(&readers[7], 0).await, [1]);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_begins_anew_is_no_part_of_the_one_before() {
    let log = Log::new();
    log.grow(2).await;
    let reader = log.tails.follow(&group("g"));
    let first = reader.read(0, ALL).await.expect("a page");
    assert!(log.stores.groups.delete(&group("g")).await.expect("deleted"));
    log.tails.grew(&group("g"));
    assert_eq!(reader.read(2, ALL).await.expect("a page").epoch, None);
    log.grow(3).await;
    let second = reader.read(2, ALL).await.expect("a page");
    assert_ne!(first.epoch, second.epoch);
    assert_eq!(seqs(&reader, 0).await, [1, 2, 3]);
}
