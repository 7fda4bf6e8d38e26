//! The agent against a coordinator that does as the test says, over real sockets, with real runs.

mod coordinator;
mod crash;
mod ending;
mod session;
