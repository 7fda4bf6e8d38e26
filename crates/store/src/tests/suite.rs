//! The suite that every backend passes: `task_store_suite!` on all three, `store_suite!` on both databases.

pub(super) mod budgets;
pub(super) mod logs;
pub(super) mod people;
pub(super) mod retention;
pub(super) mod tasks;
pub(super) mod tokens;
pub(super) mod usage;
pub(super) mod workers;

use std::sync::Arc;

use crate::task::TaskStore;

/// A backend that keeps tasks alone.
pub(super) struct TasksOnly {
    pub(super) tasks: Arc<dyn TaskStore>,
}

impl TasksOnly {
    pub(super) fn close(self) -> std::future::Ready<()> {
        drop(self.tasks);
        std::future::ready(())
    }
}

/// Stamps tests of `$module`, each on a fresh backend that `$open` gives, or none where it is not there.
macro_rules! stamp {
    ($open:path, $module:ident: $($test:ident),+ $(,)?) => {
        mod $module {
            $(
                #[tokio::test]
                async fn $test() {
                    let Some(backend) = $open().await else { return };
                    $crate::tests::suite::$module::$test(&backend).await;
                    backend.close().await;
                }
            )+
        }
    };
}

/// What every store of tasks passes.
macro_rules! task_store_suite {
    ($open:path) => {
        $crate::tests::suite::stamp!($open, tasks:
            everything_about_a_task_comes_back,
            every_field_survives,
            a_stale_version_undoes_the_whole_commit,
            an_unknown_attempt_undoes_the_whole_commit,
            an_idempotency_key_is_unique_for_its_user,
            a_number_is_given_out_once,
            live_tasks_are_those_that_have_not_ended,
            lists_page_from_the_newest,
            lists_filter,
            searched_text_has_no_special_signs,
            an_edit_changes_the_spec_alone,
            a_late_result_is_evidence_and_nothing_else,
            events_are_seen_by_those_they_concern,
            what_ran_on_a_worker_is_found_without_its_text,
            limits_of_accounts_stand_until_they_are_over,
            only_ended_tasks_are_deleted,
            any_text_is_kept,
            invariants_hold_through_a_life,
        );
        $crate::tests::suite::stamp!($open, logs:
            pages_run_across_batches,
            lines_come_back_whole,
            a_restarted_coordinator_knows_which_lines_it_has,
            an_unknown_task_has_no_log,
        );
        $crate::tests::suite::stamp!($open, usage:
            a_run_is_in_the_sums_of_its_day,
            sums_are_told_apart_by_whatever_is_asked,
            the_parts_of_a_sum_are_the_sum,
            a_commit_that_is_undone_adds_nothing,
            a_late_result_puts_the_sums_right_once,
            a_late_result_of_a_run_that_nobody_counted_is_one,
            a_repeat_of_what_is_known_adds_nothing,
            of_several_late_results_the_first_one_counts,
            what_is_deleted_stays_in_the_sums,
            everybody_sees_their_own_and_owners_what_ran_on_theirs,
            what_others_make_up_is_counted_and_breaks_nothing,
        );
    };
}

/// What every database passes.
macro_rules! store_suite {
    ($open:path) => {
        $crate::tests::suite::task_store_suite!($open);
        $crate::tests::suite::stamp!($open, people:
            the_first_user_is_made_once,
            names_are_unique_whatever_their_case,
            an_invitation_counts_as_often_as_it_says,
            deactivating_ends_everything_at_once,
            a_new_password_ends_the_other_sessions,
            the_last_admin_stays,
            settings_are_kept_and_audited,
            what_people_choose_is_their_own,
        );
        $crate::tests::suite::stamp!($open, budgets:
            budgets_are_set_changed_and_removed,
        );
        $crate::tests::suite::stamp!($open, tokens:
            a_credential_is_found_by_its_hash_while_it_counts,
            a_spent_refresh_token_gives_the_same_successor_within_grace,
            reuse_after_grace_ends_the_family,
            an_old_refresh_token_still_ends_the_family,
            a_link_counts_once,
            revoking_a_key_revokes_what_it_enrolled,
            uses_are_noted_and_never_go_back,
            revoking_what_is_unknown_says_so,
        );
        $crate::tests::suite::stamp!($open, workers:
            a_worker_joins_with_its_key_and_owner,
            a_key_never_enrols_more_than_it_may,
            a_machine_is_one_worker_of_its_owner,
            coming_back_replaces_the_credential,
            another_persons_worker_cannot_be_taken,
            people_see_their_workers_and_shared_ones,
            what_a_worker_tells_is_kept,
            a_removed_worker_stays_in_history,
            roles_are_given_and_ended,
        );
        $crate::tests::suite::stamp!($open, retention:
            live_tasks_are_left_alone,
            logs_go_before_their_tasks_and_count_as_gone,
            counting_goes_on_after_everything_is_removed,
            old_credentials_and_audit_go,
            artifacts_go_with_their_task,
            sums_outlive_everything,
        );
    };
}

pub(super) use {stamp, store_suite, task_store_suite};

/// A backend with tasks.
pub(super) trait HasTasks {
    fn tasks(&self) -> &dyn TaskStore;
}

impl HasTasks for TasksOnly {
    fn tasks(&self) -> &dyn TaskStore {
        &*self.tasks
    }
}

/// A backend with everything.
pub(super) trait HasStores: HasTasks {
    fn stores(&self) -> &crate::Stores;
}
