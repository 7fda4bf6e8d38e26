//! Short texts: what people type, what stands in a path or in a link.
#![no_main]

use libfuzzer_sys::fuzz_target;
use swarm_fuzz::{document, text};
use swarm_model::rights::{InstanceRole, Scope, WorkerRole};
use swarm_model::{Day, TaskId, TaskRef, TaskStatus, Timestamp, TokenId, ToolName, UserId, WorkerId};
use swarm_proto::fingerprint::Fingerprint;
use swarm_proto::join::JoinLink;

#[expect(dead_code, reason = "its methods are for the client around it")]
#[path = "../../../../crates/client/src/address.rs"]
mod address;

fuzz_target!(|bytes: &[u8]| {
    let Ok(typed) = std::str::from_utf8(bytes) else { return };
    text::<address::Address>(typed);
    text::<ToolName>(typed);
    text::<TaskRef>(typed);
    text::<TaskId>(typed);
    text::<Timestamp>(typed);
    text::<Day>(typed);
    text::<JoinLink>(typed);
    text::<Fingerprint>(typed);
    match typed.parse::<Scope>() {
        Ok(scope) => assert_eq!(scope.as_str(), typed),
        Err(error) => assert!(error.to_string().len() < 2_000),
    }
    for name in [WorkerRole::parse(typed).map(WorkerRole::as_str), TaskStatus::parse(typed).map(TaskStatus::as_str)] {
        assert!(name.is_none_or(|name| name == typed));
    }
    // The same as they stand in a document, where escapes come before.
    document::<ToolName>(bytes);
    document::<Timestamp>(bytes);
    document::<Day>(bytes);
    document::<(TaskId, WorkerId, UserId, TokenId)>(bytes);
    document::<Vec<Scope>>(bytes);
    document::<InstanceRole>(bytes);
});
