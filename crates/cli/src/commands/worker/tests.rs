use swarm_model::Timestamp;

use super::*;

fn workers() -> Vec<Worker> {
    let worker = |id: &str, name: &str, status: &str, paused: bool| {
        serde_json::json!({
            "worker_id": id, "machine_id": "m", "machine_name": name, "status": status,
            "pauses": {"by_coordinator": false, "by_owner": paused},
            "owner_id": "01890000-0000-7000-8000-0000000000aa", "shared": false, "role": "owner",
            "slots": 4, "os": "linux", "arch": "x86_64", "memory_mb": 16000, "cpus": 8, "agent_version": "0.1.0",
            "labels": {"gpu": "yes"},
            "tools": [
                {"name": "claude-code", "version": "2.1.197", "health": {"state": "needs_login", "fix": "run `claude` once and sign in"}},
                {"name": "demo", "health": {"state": "ready"}},
            ],
            "running": 1, "cpu_percent": 12.4, "memory_percent": 50.0, "disk_percent": 71.6,
            "last_heartbeat": "2026-11-20T12:00:00Z", "registered_at": "2026-11-18T12:00:00Z",
        })
    };
    serde_json::from_value(serde_json::json!([
        worker("01890000-0000-7000-8000-000000000001", "attic", "online", false),
        worker("01890000-0000-7000-8000-000000000002", "cellar", "paused", true),
        worker("01890000-0000-7000-8000-0000000abcd3", "Cellar", "offline", false),
    ]))
    .unwrap()
}

fn now() -> Timestamp {
    "2026-11-20T12:00:30Z".parse().unwrap()
}

fn plainly(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

#[test]
fn the_list() {
    insta::assert_snapshot!(plainly(&words::list(&workers(), now())));
    assert_eq!(
        plainly(&words::list(&[], now())),
        "no workers yet: `garageswarm worker invite` adds a machine of yours"
    );
}

#[test]
fn one() {
    insta::assert_snapshot!(plainly(&words::show(&workers()[0], now())));
}

#[test]
fn a_worker_is_meant_by_name_or_end_of_id() {
    assert_eq!(pick(workers(), "ATTIC").unwrap().machine_name, "attic");
    assert_eq!(pick(workers(), "abcd3").unwrap().machine_name, "Cellar");
    for nobody in ["cellar", "shed", "1"] {
        assert_eq!(pick(workers(), nobody).unwrap_err().exit, Exit::Refused, "{nobody}");
    }
}
