//! What the pages say: plain values computed from what the coordinator sent. No signals, no browser, no clock of
//! their own; time comes in as a [`words::Moment`].

pub mod account;
pub mod budgets;
pub mod connection;
pub mod door;
pub mod facts;
pub mod home;
pub mod joining;
pub mod limits;
pub mod list;
pub mod log;
pub mod news;
pub mod password;
pub mod placement;
pub mod record;
pub mod register;
pub mod submit;
pub mod swarm;
pub mod task;
pub mod tools;
pub mod usage;
pub mod words;

#[cfg(test)]
mod samples;
