//! What must hold at every moment, with ids that tests, simulation and documents share.

use std::collections::HashSet;

use crate::change::{AttemptStatus, TaskRow};
use crate::{TaskNumber, TaskStatus};

/// An invariant that does not hold, with the place where it broke.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Its id: `T1`, `T2`, ...
    pub id: &'static str,
    /// What is wrong where.
    pub detail: String,
}

/// What an audit looks at: every task's row with the states of its attempts, in order.
#[derive(Debug, Clone)]
pub struct AuditedTask {
    /// Which task.
    pub number: TaskNumber,
    /// Its row.
    pub row: TaskRow,
    /// The states of its attempts, the first one first.
    pub attempts: Vec<AttemptStatus>,
    /// First and last number of each stored log batch, in order.
    pub log_batches: Vec<(u64, u64)>,
}

/// Checks the invariants of tasks:
///
/// - `T1` at most one attempt of a task is open, and only while the task is assigned or running;
/// - `T2` `attempt` counts the attempts without gaps;
/// - `T3` a completed task has exactly one completed attempt, and no other task has one;
/// - `T4` a terminal task has an end time, and only a terminal one has;
/// - `T5` log numbers run from 1 to `log_seq` without gap or overlap.
pub fn check_tasks(tasks: &[AuditedTask]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for task in tasks {
        let mut broken =
            |id, detail: String| violations.push(Violation { id, detail: format!("task {}: {detail}", task.number) });
        let row = &task.row;

        let open = task
            .attempts
            .iter()
            .filter(|status| matches!(status, AttemptStatus::Assigned | AttemptStatus::Running))
            .count();
        let may_be_open = usize::from(matches!(row.status, TaskStatus::Assigned | TaskStatus::Running));
        if open != may_be_open {
            broken("T1", format!("{open} open attempts while {}", row.status));
        }
        if task.attempts.len() != row.attempt as usize {
            broken("T2", format!("attempt {} but {} attempts stored", row.attempt, task.attempts.len()));
        }
        let completed = task.attempts.iter().filter(|status| **status == AttemptStatus::Completed).count();
        if completed != usize::from(row.status == TaskStatus::Completed) {
            broken("T3", format!("{completed} completed attempts while {}", row.status));
        }
        if row.completed_at.is_some() != row.status.is_terminal() {
            broken("T4", format!("completed_at {:?} while {}", row.completed_at, row.status));
        }
        let mut next = 1;
        for (first, last) in &task.log_batches {
            if *first != next || last < first {
                broken("T5", format!("log batch {first}..={last} where {next} was due"));
            }
            next = last + 1;
        }
        if next != row.log_seq + 1 {
            broken("T5", format!("log ends at {} but log_seq is {}", next - 1, row.log_seq));
        }
    }
    let mut seen = HashSet::new();
    for task in tasks {
        if !seen.insert(task.number) {
            violations.push(Violation { id: "T2", detail: format!("task {} stands twice", task.number) });
        }
    }
    violations
}
