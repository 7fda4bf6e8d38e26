use std::fmt::Write as _;

use super::*;

fn worker(last: u8) -> WorkerId {
    WorkerId::from_uuid(uuid::Uuid::from_bytes([0, 0, 0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, last]))
}

fn lease() -> Lease {
    Lease { worker_id: worker(1), attempt: 1 }
}

fn states() -> Vec<TaskState> {
    let at = Timestamp::EPOCH;
    vec![
        TaskState::Queued { ready_at: at },
        TaskState::Assigned { lease: lease() },
        TaskState::Running { lease: lease(), cancel_requested_at: None },
        TaskState::Running { lease: lease(), cancel_requested_at: Some(at) },
        TaskState::Waiting { reason: WaitReason::Quota, until: None },
        TaskState::Completed,
        TaskState::Failed(FailureClass::Server),
        TaskState::Cancelled,
    ]
}

fn events(attempt: u32) -> Vec<TaskEvent> {
    let at = Timestamp::EPOCH;
    vec![
        TaskEvent::Assign(Lease { worker_id: worker(2), attempt: 2 }),
        TaskEvent::Accept { attempt },
        TaskEvent::Requeue { attempt, ready_at: at },
        TaskEvent::Park { attempt, reason: WaitReason::Quota, until: None },
        TaskEvent::Hold { until: None },
        TaskEvent::Wake { ready_at: at },
        TaskEvent::Complete { attempt },
        TaskEvent::GiveUp { attempt, class: FailureClass::Server },
        TaskEvent::QueueTimeout,
        TaskEvent::Cancel { at },
        TaskEvent::ConfirmCancel { attempt },
    ]
}

fn short(state: &TaskState) -> &'static str {
    match state {
        TaskState::Running { cancel_requested_at: Some(_), .. } => "running, cancel asked",
        other => other.status().as_str(),
    }
}

/// The whole machine on one page: a change of any arrow shows up in review.
#[test]
fn the_transition_table() {
    let mut table = String::new();
    for state in states() {
        for event in events(1) {
            if let Ok(next) = state.on(event) {
                let name = format!("{event:?}");
                let name = name.split([' ', '(']).next().unwrap_or_default();
                writeln!(table, "{:<22} {:<14} {}", short(&state), name, short(&next)).unwrap();
            }
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn a_stale_attempt_changes_nothing() {
    for state in states().into_iter().filter(|state| state.lease().is_some()) {
        for event in events(9) {
            let quotes_an_attempt = !matches!(
                event,
                TaskEvent::Assign(_)
                    | TaskEvent::Hold { .. }
                    | TaskEvent::Wake { .. }
                    | TaskEvent::QueueTimeout
                    | TaskEvent::Cancel { .. }
            );
            if quotes_an_attempt {
                assert!(state.on(event).is_err(), "{state:?} took {event:?}");
            }
        }
    }
}

#[test]
fn an_ended_task_has_no_way_out() {
    for state in states().into_iter().filter(|state| state.status().is_terminal()) {
        for event in events(1) {
            assert!(state.on(event).is_err(), "{state:?} took {event:?}");
        }
    }
}

#[test]
fn the_first_cancel_is_the_one_that_counts() {
    let first = Timestamp::from_micros(1);
    let running = TaskState::Running { lease: lease(), cancel_requested_at: None };
    let asked = running.on(TaskEvent::Cancel { at: first }).unwrap();
    let again = asked.on(TaskEvent::Cancel { at: Timestamp::from_micros(2) }).unwrap();
    assert_eq!(asked, again);
}

#[test]
fn backoff_doubles_up_to_its_cap() {
    let policy = RetryPolicy { max_attempts: 9, backoff_ms: 1_000, max_backoff_ms: 5_000 };
    let pauses: Vec<_> = (1..=5).map(|nth| policy.backoff(nth).as_millis()).collect();
    assert_eq!(pauses, [1_000, 2_000, 4_000, 5_000, 5_000]);
    assert_eq!(policy.backoff(u32::MAX).as_millis(), 5_000);
}

#[test]
fn a_priority_outside_one_to_ten_is_refused() {
    assert!(serde_json::from_str::<Priority>("10").is_ok());
    let error = serde_json::from_str::<Priority>("11").unwrap_err().to_string();
    assert!(error.starts_with("priority 11 is not between 1 and 10"), "{error}");
}

#[test]
fn the_raw_end_is_kept_of_what_failed_and_no_more_than_is_useful() {
    let told = RunRecord { raw_tail: Some("é".repeat(RAW_TAIL_BYTES)), ..RunRecord::default() };
    let resets_at = Some(Timestamp::from_micros(7));
    let failed = Outcome::Failed { class: FailureClass::Quota, error: String::new(), resets_at, partial: None };
    let kept = told.clone().beside(&failed);
    assert_eq!(kept.resets_at, resets_at);
    assert_eq!(kept.raw_tail.unwrap().len(), RAW_TAIL_BYTES);
    let completed = Outcome::Completed { result: TaskResult::default() };
    assert_eq!(told.beside(&completed), RunRecord::default());
}
