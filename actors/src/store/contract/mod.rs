//! What every keeper must do, whichever twin it is. Each promise is one function over fresh [`Stores`];
//! `promises!` runs them all for one twin.

mod answers;
mod caches;
mod claims;
mod desk;
mod groups;
mod kept;
mod limits;
mod logs;
mod membership;
mod owed;
mod recordings;
mod sessions;
mod slots;
mod usage;

use super::*;
use crate::ids::{Epoch, GroupName};

/// What the stores under test keep.
pub(super) const LOG_EVENTS: usize = 120;
/// Longer than a busy machine pauses between a write and the look at it.
pub(super) const LOG_SECONDS: u64 = 8;
pub(super) const GROUP_EXPIRY_SECONDS: u64 = 86_400;
pub(super) const CACHE_MAX_ENTRY_BYTES: usize = 2_000;
const EVERYTHING: PageSize = PageSize { events: usize::MAX >> 12, bytes: usize::MAX >> 12 };

/// Runs every promise against the stores that `$fixture().await` makes: a value with `stores()` and `finish()`.
macro_rules! promises {
    ($attributes:meta, $fixture:path) => {
        $crate::store::contract::promises! { @each $attributes, $fixture,
            a_hundred_appends_at_once_leave_no_hole
            a_page_stops_at_events_and_bytes_and_says_so
            pages_before_go_back_to_the_beginning
            a_group_without_a_log_reads_as_empty
            a_log_keeps_its_newest_events_only
            an_old_event_is_gone
            opening_makes_logs_and_keeps_order
            the_same_id_is_logged_once
            the_same_id_sent_at_once_is_logged_once
            an_id_with_another_content_is_a_conflict
            an_id_of_a_deleted_log_is_new
            a_log_behind_what_was_delivered_begins_a_new_epoch
            an_answer_is_begun_once_for_a_message
            an_answer_ends_once_however_many_try
            an_answer_that_ended_is_not_renewed
            an_unknown_answer_is_neither_renewed_nor_ended
            what_the_model_thinks_is_saved_beside_the_text_until_the_end
            an_answer_whose_writer_is_gone_is_an_orphan
            a_question_is_owed_its_answer_until_somebody_begins_it
            what_nobody_begins_is_an_orphan_too
            an_answer_of_which_nothing_is_known_is_owed_until_it_is_begun_or_ends
            nothing_is_owed_where_the_assistant_is_off
            a_message_tells_its_place_in_the_log
            a_long_text_is_read_whole_and_each_orphan_by_one_alone
            an_answer_is_known_to_others_from_its_start_to_its_end
            groups_are_listed_by_prefix_and_cursor
            a_group_is_described_switched_and_deleted
            a_group_in_which_nothing_was_logged_goes_soon_after_its_last_member
            a_person_takes_over_and_hands_back_and_only_changes_are_told
            a_group_waits_for_a_person_until_one_comes_or_it_is_let_be
            a_wish_counts_once_under_its_id
            those_who_wait_are_listed_in_pages_and_so_many_and_no_more
            a_group_that_waits_outlasts_its_silence
            a_later_rating_takes_the_place_of_the_one_before
            a_rating_counts_once_under_its_id
            a_session_keeps_its_newest_ratings
            acts_are_listed_newest_first
            a_general_entry_is_kept_for_its_time
            a_session_has_one_owner_and_its_groups_in_order
            the_newest_rights_of_a_session_count
            a_cached_answer_comes_back_whole
            entries_are_counted_and_purged_by_model
            too_large_an_answer_is_not_cached
            a_recording_is_read_as_it_was_written_while_it_grows_and_after_its_end
            what_is_added_twice_is_there_once_and_what_is_lacking_is_told
            a_recording_ends_once_and_takes_nothing_more
            a_recording_whose_writer_is_gone_is_lost_and_can_be_ended_by_others
            a_recording_is_kept_for_its_time_after_its_last_change
            the_writer_of_a_recording_hears_whether_it_is_read
            a_name_is_claimed_once_however_many_try
            what_is_noted_of_a_claim_stays_and_only_its_own_word_gives_it_back
            a_claim_ends_with_its_time
            what_answers_cost_is_summed_by_day_and_ranked
            what_is_flushed_again_is_not_counted_again_and_no_sum_is_too_large
            exactly_the_burst_is_admitted_at_once
            nothing_is_taken_when_one_bucket_refuses
            a_slot_and_the_buckets_are_taken_together_or_not_at_all
            what_is_given_back_can_be_taken_again
            a_refusal_and_a_look_tell_what_is_left_and_take_nothing
            many_are_corrected_and_filled_at_once
            a_debt_is_waited_for
            a_bucket_further_ahead_than_its_span_is_clamped
            each_who_is_refused_by_what_many_share_is_told_a_time_of_its_own
            exactly_as_many_slots_are_given_as_there_are
            a_full_room_leaves_the_others_alone
            a_slot_that_is_not_renewed_is_free_again
            the_first_heartbeat_tells_that_the_node_was_not_known
        }
    };
    (@each $attributes:meta, $fixture:path, $($promise:ident)*) => {$(
        #[$attributes]
        async fn $promise() {
            let fixture = $fixture().await;
            $crate::store::contract::$promise(fixture.stores()).await;
            fixture.finish();
        }
    )*};
}

pub(super) use self::{
    answers::*, caches::*, claims::*, desk::*, groups::*, kept::*, limits::*, logs::*, membership::*, owed::*,
    recordings::*, sessions::*, slots::*, usage::*,
};
pub(super) use promises;

pub(super) fn group(name: &str) -> GroupName {
    GroupName::parse(name).expect("a legal name")
}

pub(super) fn event(group: &GroupName, text: &str) -> Append {
    Append {
        group: group.clone(),
        body: format!("{{\"text\":\"{text}\"}}").into(),
        message: None,
        once: None,
        owes: None,
    }
}

fn once(id: &str, fingerprint: &str) -> Once {
    Once { scope: "s1".into(), id: id.into(), fingerprint: fingerprint.into(), seconds: ONCE_SECONDS }
}

async fn append(stores: &Stores, group: &GroupName, text: &str) -> (Epoch, u64) {
    match stores.logs.append(event(group, text)).await.expect("stored") {
        Appended::New { epoch, seq, .. } => (epoch, seq),
        other => panic!("not new: {other:?}"),
    }
}

fn seqs(page: &Page) -> Vec<u64> {
    page.events.iter().map(|event| event.seq).collect()
}
