//! This program beside another build, in turns.

use crate::load::{Caller, Target, added, load, percentile};
use crate::peer::Peer;

/// The middle of what was measured.
pub(crate) fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of[of.len() / 2]
}

/// What one turn of a comparison gives, in the order of [`FIGURES`].
pub(crate) async fn turn(peer: &Peer, direct: &Target, hits: &mut Caller) -> [f64; 5] {
    let before = peer.cpu();
    let (_, took) = load(&peer.target, 32, 4_000, true).await;
    let cpu = (peer.cpu() - before) / took.len() as f64 * 1e3;
    let mut first: Vec<_> = took.iter().map(|took| took.first).collect();
    let (streamed, _) = added(&peer.target, direct, 300, true).await;
    let (whole, _) = added(&peer.target, direct, 300, false).await;
    let mut times = Vec::new();
    for _ in 0..300 {
        times.push(hits.ask("the same", false).await.whole);
    }
    [cpu, percentile(&mut first, 0.5), streamed, whole, percentile(&mut times, 0.5)]
}

pub(crate) const FIGURES: [&str; 5] = [
    "CPU s per 1,000 streams, c=32",
    "first ms p50, c=32",
    "added to a stream, ms p50",
    "added to a whole answer, ms p50",
    "a hit, ms p50",
];

/// This program beside another one, in turns, so that what else the machine does meets both.
pub(crate) async fn compare(program: &str, backend: u16, direct: &Target, url: &str) {
    const TURNS: usize = 9;
    for (name, more) in [("memory", &[][..]), ("Redis", &[("USE_REDIS", "true"), ("REDIS_URL", url)][..])] {
        let peers = [Peer::sophie_of(program, "before", backend, more).await, Peer::sophie(name, backend, more).await];
        let mut hits = Vec::new();
        for peer in &peers {
            load(&peer.target, 4, 400, true).await;
            let mut caller = Caller::connect(&peer.target).await;
            caller.ask("the same", false).await;
            hits.push(caller);
        }
        let mut turns: [Vec<[f64; 5]>; 2] = Default::default();
        for _ in 0..TURNS {
            for ((peer, hits), turns) in peers.iter().zip(&mut hits).zip(&mut turns) {
                turns.push(turn(peer, direct, hits).await);
            }
        }
        println!("\n{name:<34} {:>9} {:>9} {:>7}", "before", "now", "ratio");
        for (at, figure) in FIGURES.iter().enumerate() {
            let [before, now] = [0, 1].map(|side| median(turns[side].iter().map(|turn| turn[at]).collect()));
            let ratios = turns[0].iter().zip(&turns[1]).map(|(before, now)| now[at] / before[at]).collect();
            println!("{figure:<34} {before:>9.3} {now:>9.3} {:>7.2}", median(ratios));
        }
    }
}
