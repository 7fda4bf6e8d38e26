//! Both directions of `/ws/client/{id}`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use swarm_fuzz::document;
use swarm_proto::client::{FromViewer, ToViewer};

fuzz_target!(|bytes: &[u8]| {
    document::<FromViewer>(bytes);
    document::<ToViewer>(bytes);
});
