//! The tools that an AI client is given over the Model Context Protocol: hand work to the swarm, watch it, end it.
//!
//! One set of tools with one text each, for both ways in: `garageswarm mcp` over standard input and output, and `/mcp`
//! of the coordinator. What they ask is the [`Swarm`], whose members are operations of the REST interface; whoever
//! implements it checks rights as that interface does. This crate checks none, and knows neither HTTP nor the
//! coordinator.

mod arguments;
mod definitions;
mod server;
mod shown;
mod swarm;
mod wait;

pub use rmcp::model::Extensions;
pub use server::SwarmServer;
pub use swarm::{Entrance, Refusal, Swarm};
