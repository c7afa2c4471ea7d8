//! What it costs that an answer can be read again: streams with `x-sophie-resume: 1` beside streams without, at one gateway, in turns.

use crate::compare::median;
use crate::load::{Target, added, load, percentile};
use crate::peer::Peer;

const TURNS: usize = 9;
const FIGURES: [&str; 3] =
    ["CPU s per 1,000 streams, c=32", "first byte, ms p50, c=32", "first byte, c=1: added, ms p50"];

async fn turn(peer: &Peer, target: &Target, direct: &Target) -> [f64; 3] {
    let before = peer.cpu();
    let (_, took) = load(target, 32, 4_000, true).await;
    let cpu = (peer.cpu() - before) / took.len() as f64 * 1e3;
    let mut first: Vec<_> = took.iter().map(|took| took.first).collect();
    let (alone, _) = added(target, direct, 300, true).await;
    [cpu, percentile(&mut first, 0.5), alone]
}

/// Prints the figures of a gateway without Redis, and of one with it.
pub(crate) async fn recording(backend: u16, direct: &Target, url: &str) {
    for (name, more) in [("memory", &[][..]), ("Redis", &[("USE_REDIS", "true"), ("REDIS_URL", url)][..])] {
        let peer = Peer::sophie(name, backend, more).await;
        let plain = Target::at(peer.target.port);
        let recorded = Target { headers: "x-sophie-resume: 1\r\n".to_owned(), ..Target::at(plain.port) };
        let mut turns: [Vec<[f64; 3]>; 2] = Default::default();
        for target in [&plain, &recorded] {
            load(target, 4, 400, true).await;
        }
        for _ in 0..TURNS {
            for (target, turns) in [&plain, &recorded].into_iter().zip(&mut turns) {
                turns.push(turn(&peer, target, direct).await);
            }
        }
        println!("\n{name:<34} {:>9} {:>9} {:>7}", "plain", "resumable", "ratio");
        for (at, figure) in FIGURES.iter().enumerate() {
            let [plain, recorded] = [0, 1].map(|side| median(turns[side].iter().map(|turn| turn[at]).collect()));
            let ratios = turns[0].iter().zip(&turns[1]).map(|(plain, recorded)| recorded[at] / plain[at]).collect();
            println!("{figure:<34} {plain:>9.3} {recorded:>9.3} {:>7.2}", median(ratios));
        }
    }
}
