//! When a backend is left out, and how it comes back.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn breaker() -> (Breaker, Instant) {
    let now = Instant::now();
    let patience = Patience { failures: 3, first: SECOND, longest: SECOND * 4, longest_told: SECOND * 100 };
    (Breaker::new(patience, now), now)
}

fn open(breaker: &mut Breaker, now: Instant) {
    (0..3).for_each(|_| breaker.failed(Entry::Free, None, now));
    assert!(matches!(breaker.state(), State::Open(_)));
}

#[test]
fn failures_in_a_row_open_it_and_a_complete_answer_between_them_does_not() {
    let (mut breaker, now) = breaker();
    for _ in 0..5 {
        breaker.failed(Entry::Free, None, now);
        breaker.failed(Entry::Free, None, now);
        breaker.answered(Entry::Free, now);
        breaker.completed(Entry::Free, now);
    }
    assert_eq!((breaker.state(), breaker.failures()), (State::Closed, 0));
    open(&mut breaker, now);
    assert_eq!(breaker.enter(now), Entry::Out(SECOND));
}

#[test]
fn an_answer_that_only_began_does_not_forget_failures() {
    let (mut breaker, now) = breaker();
    for _ in 0..3 {
        breaker.answered(Entry::Free, now);
        breaker.failed(Entry::Free, None, now);
    }
    assert!(matches!(breaker.state(), State::Open(_)));
}

#[test]
fn one_probe_is_let_through_and_brings_it_back() {
    let (mut breaker, now) = breaker();
    open(&mut breaker, now);
    let later = now + SECOND;
    assert!(!breaker.admits(now) && breaker.admits(later));
    assert_eq!(breaker.enter(later), Entry::Probe);
    assert_eq!(breaker.enter(later), Entry::Out(PROBING), "one only");
    breaker.answered(Entry::Probe, later);
    assert_eq!((breaker.state(), breaker.since()), (State::Closed, later));
}

#[test]
fn each_probe_that_fails_doubles_the_time_up_to_its_bound() {
    let (mut breaker, mut now) = breaker();
    open(&mut breaker, now);
    for seconds in [1, 2, 4, 4] {
        let Entry::Out(wait) = breaker.enter(now) else { panic!("open") };
        assert_eq!(wait, SECOND * seconds);
        now += wait;
        assert_eq!(breaker.enter(now), Entry::Probe);
        breaker.failed(Entry::Probe, None, now);
    }
}

#[test]
fn a_probe_that_was_dropped_leaves_its_place_to_the_next() {
    let (mut breaker, now) = breaker();
    open(&mut breaker, now);
    assert_eq!(breaker.enter(now + SECOND), Entry::Probe);
    breaker.dropped(Entry::Probe, now + SECOND);
    assert_eq!(breaker.enter(now + SECOND), Entry::Probe);
}

#[test]
fn a_time_that_the_backend_names_counts_at_once_and_within_reason() {
    let (mut breaker, now) = breaker();
    breaker.failed(Entry::Free, Some(SECOND * 40), now);
    assert_eq!(breaker.enter(now), Entry::Out(SECOND * 40));
    breaker.failed(Entry::Free, Some(SECOND * 30), now);
    assert_eq!(breaker.enter(now), Entry::Out(SECOND * 40), "the later of two");
    breaker.failed(Entry::Free, Some(SECOND * 100_000), now);
    assert_eq!(breaker.enter(now), Entry::Out(SECOND * 100));
}

#[test]
fn once_that_time_has_come_everyone_may_ask_unless_it_keeps_failing() {
    let (mut breaker, mut now) = breaker();
    for _ in 0..2 {
        breaker.failed(Entry::Free, Some(SECOND), now);
        assert_eq!(breaker.state().name(), "open");
        now += SECOND;
        assert!(breaker.admits(now));
        assert_eq!((breaker.enter(now), breaker.enter(now)), (Entry::Free, Entry::Free));
    }
    breaker.failed(Entry::Free, Some(SECOND * 9), now);
    assert_eq!(breaker.enter(now), Entry::Out(SECOND * 9));
    assert_eq!(breaker.enter(now + SECOND * 9), Entry::Probe);
    let (mut breaker, now) = self::breaker();
    breaker.failed(Entry::Free, Some(SECOND / 2), now);
    assert_eq!((breaker.state(), breaker.failures()), (State::Closed, 1), "not worth it");
}

#[test]
fn late_failures_of_earlier_requests_do_not_prolong_it() {
    let (mut breaker, now) = breaker();
    open(&mut breaker, now);
    breaker.failed(Entry::Free, None, now + SECOND / 2);
    assert_eq!(breaker.enter(now + SECOND), Entry::Probe);
    breaker.failed(Entry::Free, None, now + SECOND);
    assert_eq!(breaker.state(), State::HalfOpen, "only the probe decides");
}
