//! Both directions of `/ws/worker/{id}`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use swarm_fuzz::document;
use swarm_proto::worker::{ToCoordinator, ToWorker};

fuzz_target!(|bytes: &[u8]| {
    document::<ToCoordinator>(bytes);
    document::<ToWorker>(bytes);
});
