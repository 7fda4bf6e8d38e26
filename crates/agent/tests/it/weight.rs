//! What an idle worker costs its machine, and how soon it begins.

use std::time::{Duration, Instant};

use swarm_proto::worker::ToCoordinator;

use crate::coordinator::*;
use crate::crash::Process;

/// Heartbeats over which the processor's time is counted.
const HEARTBEATS: u32 = 20;

#[tokio::test]
async fn an_idle_worker_is_small_and_quiet() {
    let mut coordinator = Coordinator::start().await;
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(&folder, &coordinator.url, None);
    let (mut session, _) = coordinator.session(&[]).await;
    let pid = process.child.id();
    heartbeats(&mut session, 3).await;
    let (began, before) = (Instant::now(), cpu_time(pid));
    heartbeats(&mut session, HEARTBEATS).await;
    let (span, used) = (began.elapsed(), cpu_time(pid).saturating_sub(before));
    let resident = resident_kib(pid);
    println!("idle: {resident} KiB, {used:?} of the processor in {span:?} with {HEARTBEATS} heartbeats");
    assert!(resident < 20 * 1024, "{resident} KiB");
    // Fifty times as many heartbeats as a real coordinator asks for.
    assert!(used < span / 20, "{used:?} of {span:?}");
}

async fn heartbeats(session: &mut Session, n: u32) {
    let mut n_heard = 0;
    while n_heard < n {
        n_heard += u32::from(matches!(session.next().await, ToCoordinator::Heartbeat { .. }));
    }
}

fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Time in this process, in steps of 10 ms.
fn cpu_time(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(10 * ticks)
}

#[tokio::test]
async fn an_assignment_is_accepted_at_once() {
    let mut coordinator = Coordinator::start().await;
    let agent = TestAgent::start(config(&coordinator.url)).await;
    let (mut session, _) = coordinator.session(&[]).await;
    let mut ledger = Ledger::default();
    let mut spans = Vec::new();
    for number in 1..=20 {
        let task = script(number, "true");
        let asked = Instant::now();
        session.assign(&task).await;
        let first = session.report().await;
        spans.push(asked.elapsed());
        assert_eq!(first.accepted, [task.attempt_ref()]);
        session.send(&swarm_proto::worker::ToWorker::Ack(ledger.book(&first))).await;
        if first.results.is_empty() {
            session.result_of(task.attempt_ref(), &mut ledger).await;
        }
    }
    spans.sort();
    println!("assignment to acceptance: p50 {:?}, worst {:?}", spans[10], spans[19]);
    // Less than the moment for which lines wait for company: an acceptance waits for none.
    assert!(spans[10] < Duration::from_millis(20), "{spans:?}");
    agent.stop().await.unwrap();
}
