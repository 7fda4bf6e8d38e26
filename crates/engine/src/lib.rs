//! Policy: in which order tasks are handed out, to whom, for how long, and what follows a failure.
//!
//! Pure: no I/O, no clock, no randomness, no async. [`Board`] is the coordinator's state machine. The server
//! feeds it commands and writes what it says ([`swarm_model::change::Changes`]) in one commit; the effects are
//! carried out only after that commit.

pub mod board;
mod budgets;
mod fairness;
mod fleet;
mod limits;
mod queue;
mod score;

pub use board::{
    Board, CandidateReport, CommandError, Counters, Effect, EntryReport, Joined, NewTask, PlacementReport, Staleness,
    TaskEdit, Verdict,
};
pub use budgets::StandingBudget;
pub use fleet::{WorkerProfile, WorkerView};
pub use score::Score;
