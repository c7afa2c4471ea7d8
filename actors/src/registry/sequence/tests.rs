//! What arrives in any order comes out in that of the log, once.

use super::*;

fn event(seq: u64) -> StoredEvent {
    StoredEvent { seq, body: format!("{{{seq}}}").into() }
}

fn state(epoch: &str, seq: u64) -> LogState {
    LogState { head: LogHead { epoch: Epoch::from(epoch), seq }, first: 1, began: 0 }
}

fn seqs(due: &Due) -> Vec<u64> {
    due.events.iter().map(|event| event.seq).collect()
}

#[test]
fn events_come_out_in_order_and_once() {
    let e = Epoch::from("e");
    let mut sequence = Sequence::default();
    assert!(sequence.arrived(&e, event(3)).events.is_empty(), "held back until the log's state is known");
    assert!(seqs(&sequence.opened(&state("e", 1))).is_empty());
    assert_eq!(sequence.gap(), Some(1));
    assert_eq!(seqs(&sequence.arrived(&e, event(2))), [2, 3]);
    assert!(seqs(&sequence.arrived(&e, event(2))).is_empty());
    assert_eq!(sequence.gap(), None);
}

#[test]
fn a_gap_is_filled_from_the_log() {
    let e = Epoch::from("e");
    let mut sequence = Sequence::default();
    sequence.opened(&state("e", 0));
    sequence.arrived(&e, event(4));
    assert_eq!(seqs(&sequence.filled(&e, vec![event(1), event(2), event(3)])), [1, 2, 3, 4]);
}

#[test]
fn what_the_log_no_longer_holds_is_passed_over() {
    let e = Epoch::from("e");
    let mut sequence = Sequence::default();
    sequence.opened(&state("e", 0));
    sequence.arrived(&e, event(9));
    assert_eq!(sequence.ask(), Some(LogQuestion::After(0)));
    assert_eq!(seqs(&sequence.filled(&e, vec![event(7), event(8)])), [7, 8, 9]);
    sequence.reached(20);
    sequence.ask();
    assert!(seqs(&sequence.filled(&e, Vec::new())).is_empty());
    assert_eq!(sequence.gap(), None);
}

#[test]
fn an_empty_page_never_makes_events_pass_that_are_still_to_come() {
    let e = Epoch::from("e");
    let mut sequence = Sequence::default();
    sequence.opened(&state("e", 3));
    // A place in an earlier life of the log.
    sequence.reached(500);
    assert_eq!(sequence.ask(), Some(LogQuestion::After(3)));
    sequence.filled(&e, Vec::new());
    assert_eq!(seqs(&sequence.arrived(&e, event(4))), [4]);
    sequence.reached(6);
    sequence.ask();
    sequence.reached(7);
    sequence.filled(&e, Vec::new());
    assert_eq!(sequence.gap(), Some(4), "7 was heard of after the log had been asked");
}

#[test]
fn a_new_epoch_is_asked_for_and_begins_anew_where_the_log_says() {
    let mut sequence = Sequence::default();
    sequence.opened(&state("old", 8));
    let new = Epoch::from("new");
    assert_eq!(sequence.arrived(&new, event(6)), Due::default(), "anybody may say so");
    let old = LogHead { epoch: Epoch::from("old"), seq: 8 };
    assert_eq!(sequence.ask(), Some(LogQuestion::Is(old)));
    let due = sequence.confirmed(&LogState { began: 5, ..state("new", 6) });
    assert_eq!(due.reset, Some((new.clone(), 5)));
    assert_eq!(sequence.ask(), Some(LogQuestion::After(5)));
    assert_eq!(seqs(&sequence.filled(&new, vec![event(6)])), [6]);
    assert!(!sequence.has_questions());
    assert_eq!(sequence.opened(&state("newer", 0)).reset, Some((Epoch::from("newer"), 0)));
}

#[test]
fn a_reply_to_what_was_asked_before_the_log_began_anew_passes_over_nothing() {
    let mut sequence = Sequence::default();
    sequence.opened(&state("old", 5));
    sequence.reached(7);
    assert_eq!(sequence.ask(), Some(LogQuestion::After(5)));
    // The log is another one by then, and says so first.
    let new = LogState { began: 4, ..state("new", 6) };
    assert_eq!(sequence.opened(&new).reset, Some((Epoch::from("new"), 4)));
    assert_eq!(seqs(&sequence.filled(&Epoch::from("new"), vec![event(6)])), [0; 0], "5 is missing");
    assert_eq!(sequence.ask(), Some(LogQuestion::After(4)));
    assert_eq!(seqs(&sequence.filled(&Epoch::from("new"), vec![event(5), event(6)])), [5, 6]);
}

#[test]
fn what_is_heard_late_of_an_earlier_life_changes_nothing() {
    let mut sequence = Sequence::default();
    sequence.opened(&state("new", 3));
    sequence.arrived(&Epoch::from("old"), event(9));
    sequence.reached_in(&Epoch::from("old"), 9);
    assert!(matches!(sequence.ask(), Some(LogQuestion::Is(_))));
    assert_eq!(sequence.confirmed(&state("new", 3)), Due::default());
    assert!(!sequence.has_questions());
    assert_eq!(seqs(&sequence.arrived(&Epoch::from("new"), event(4))), [4]);
}

#[test]
fn a_log_that_stands_behind_what_was_delivered_is_doubted() {
    let e = Epoch::from("e");
    for behind in [(|it: &mut Sequence| _ = it.opened(&state("e", 7))) as fn(&mut Sequence), |it| {
        it.reached(9);
        it.ask();
        it.filled(&Epoch::from("e"), Vec::new());
    }] {
        let mut sequence = Sequence::default();
        sequence.opened(&state("e", 8));
        behind(&mut sequence);
        assert_eq!(sequence.ask(), Some(LogQuestion::Is(LogHead { epoch: e.clone(), seq: 8 })));
        // It was asked before the last of it came.
        assert_eq!(seqs(&sequence.arrived(&e, event(9))), [9]);
        assert_eq!(sequence.confirmed(&state("e", 9)), Due::default());
        assert!(!sequence.has_questions());
    }
}

#[test]
fn a_doubt_that_comes_while_the_log_is_asked_is_asked_again() {
    let mut sequence = Sequence::default();
    sequence.opened(&state("e", 8));
    sequence.arrived(&Epoch::from("f"), event(9));
    sequence.ask();
    sequence.arrived(&Epoch::from("g"), event(9));
    sequence.confirmed(&state("f", 8));
    assert!(matches!(sequence.ask(), Some(LogQuestion::Is(_))));
}

#[test]
fn what_expired_while_it_was_doubted_is_passed_over() {
    let mut sequence = Sequence::default();
    sequence.opened(&state("e", 3));
    sequence.arrived(&Epoch::from("f"), event(9));
    sequence.ask();
    sequence.confirmed(&LogState { first: 10, ..state("e", 9) });
    assert!(!sequence.has_questions());
    assert_eq!(seqs(&sequence.arrived(&Epoch::from("e"), event(10))), [10]);
}

#[test]
fn what_came_of_another_life_before_the_log_was_known_is_not_taken_for_it() {
    let mut sequence = Sequence::default();
    sequence.arrived(&Epoch::from("old"), event(4));
    assert_eq!(seqs(&sequence.opened(&state("new", 3))), [0; 0]);
    assert_eq!(seqs(&sequence.arrived(&Epoch::from("new"), event(4))), [4]);
}
