//! For tests only: a whole coordinator in this process, a clock that tests move, a scripted model server.
//!
//! What can run runs: the router, the store on a real SQLite file, the dispatcher, sockets on a port of the
//! system's choice. Only time and the models' answers are made up.
#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot go on says why and ends")]

pub mod clock;
pub mod coordinator;
pub mod model_server;
pub mod request;
pub mod usage;
pub mod wait;

pub use clock::FakeClock;
pub use coordinator::{Builder, TestCoordinator, TestUser};
pub use request::{Answer, TestRequest};
pub use usage::check_usage;
pub use wait::eventually;
