use std::time::Duration;

use serde_json::json;
use swarm_model::task::{Outcome, RunRecord, TaskResult};
use swarm_proto::worker::{Assignment, AttemptResult};

use super::*;
use crate::journal::Closing;

const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);
const MIB: usize = 1024 * 1024;

fn hours(n: u64) -> Duration {
    Duration::from_secs(n * 3600)
}

struct World {
    data: tempfile::TempDir,
    storage: Storage,
}

impl World {
    fn new() -> Self {
        let data = tempfile::tempdir().unwrap();
        let storage = Storage::new(data.path(), data.path().join("runs"));
        Self { data, storage }
    }

    /// The folder of a run with a mebibyte in it.
    fn run(&self, number: i64) -> (RunFolder, Assignment) {
        let assignment: Assignment = serde_json::from_value(json!({
            "task_id": format!("018f2d3a-0000-7000-8000-{number:012x}"),
            "number": number,
            "attempt": 1,
            "user_id": "018f2d3a-0000-7000-8000-000000000001",
            "by_owner": true,
            "tool": "claude-code",
            "description": "",
            "input": { "kind": "prompt" },
        }))
        .unwrap();
        let folder = RunFolder::of(self.storage.runs_dir(), &assignment);
        folder.create(&assignment).unwrap();
        fs::create_dir(folder.work()).unwrap();
        fs::write(folder.work().join("file"), vec![1; MIB]).unwrap();
        (folder, assignment)
    }

    fn finished(&self, number: i64) -> RunFolder {
        let (folder, assignment) = self.run(number);
        let outcome = Outcome::Completed { result: TaskResult::default() };
        let result = AttemptResult { attempt: assignment.attempt_ref(), outcome, record: RunRecord::default() };
        folder.write_result(&result).unwrap();
        folder
    }

    fn ended(&self, number: i64, ago: Duration) -> RunFolder {
        let folder = self.finished(number);
        folder.close(Closing::Acknowledged, false, NOW.minus(ago)).unwrap();
        folder
    }

    fn mirror(&self, key: &str, ago: Duration) -> PathBuf {
        let path = self.data.path().join("mirrors").join(key);
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("pack"), vec![1; MIB]).unwrap();
        let note = json!({
            "address": format!("https://git.example/{key}"),
            "user_id": "018f2d3a-0000-7000-8000-000000000001",
            "used_at": NOW.minus(ago),
        });
        fs::write(path.join("mirror.json"), note.to_string()).unwrap();
        path
    }
}

fn of_tree(folder: &RunFolder, mirror: &str) {
    let note = json!({ "mirror": mirror, "branch": "garageswarm/1-1", "base": "main", "commit": "c", "tree": "work" });
    fs::write(folder.path().join("worktree.json"), note.to_string()).unwrap();
}

#[test]
fn over_the_quota_the_oldest_goes_first_and_mirrors_last() {
    let world = World::new();
    let (running, _) = world.run(1);
    let undelivered = world.finished(2);
    let (older, newer) = (world.ended(3, hours(3)), world.ended(4, hours(2)));
    let (idle, busy) = (world.mirror("idle", hours(5)), world.mirror("busy", hours(50)));
    of_tree(&running, "busy");
    let cleaned = |max_disk_mb| {
        let settings = Settings { max_disk_mb, ..Settings::default() };
        world.storage.clean(&settings, || true, NOW).unwrap()
    };
    assert_eq!(cleaned(None), Cleaned::default());
    assert_eq!(cleaned(Some(100)).n_removed, 0);
    assert_eq!(cleaned(Some(6)).n_removed, 1);
    assert!(!older.path().exists() && newer.path().exists());
    assert_eq!(cleaned(Some(5)).n_removed, 1);
    assert!(!newer.path().exists() && idle.exists());
    // The rest is needed: who asks for room is told how much there is not.
    let Cleaned { n_removed, used } = cleaned(Some(1));
    assert!(!idle.exists() && busy.exists() && running.path().exists() && undelivered.path().exists());
    assert_eq!(n_removed, 1);
    assert!(used.unwrap() >= 3 * MIB as u64, "{used:?}");
}

#[test]
fn mirrors_go_when_nobody_used_them_for_long() {
    let world = World::new();
    let (young, old) = (world.mirror("young", hours(700)), world.mirror("old", hours(721)));
    let (folder, _) = world.run(1);
    of_tree(&folder, "needed");
    let needed = world.mirror("needed", hours(5000));
    assert_eq!(world.storage.clean(&Settings::default(), || true, NOW).unwrap().n_removed, 1);
    assert!(young.exists() && !old.exists() && needed.exists());
}

#[test]
fn the_report_says_what_would_be_freed_and_why_and_that_is_what_goes() {
    let world = World::new();
    world.run(1);
    world.finished(2);
    let ended = world.ended(3, hours(3));
    let (interrupted, _) = world.run(4);
    interrupted.close(Closing::Lost, true, NOW.minus(hours(1))).unwrap();
    let (given_up, _) = world.run(5);
    given_up.close(Closing::Lost, true, NOW.minus(hours(200))).unwrap();
    of_tree(&ended, "of-ended");
    world.mirror("of-ended", hours(30));
    world.mirror("fresh", hours(3));
    fs::create_dir_all(world.storage.state_of(None, "claude-code", "own")).unwrap();
    let ann = "018f2d3a-0000-7000-8000-000000000001";
    fs::create_dir_all(world.storage.state_of(Some(ann.parse().unwrap()), "codex", "none")).unwrap();

    let settings = Settings { max_disk_mb: Some(100), ..Settings::default() };
    let report = world.storage.report(&settings, NOW).unwrap();
    let told: Vec<_> = report.items.iter().map(|item| (item.name.as_str(), item.state, item.frees)).collect();
    let expected = [
        ("#1, attempt 1, claude-code", DiskState::Running, false),
        ("#2, attempt 1, claude-code", DiskState::Undelivered, false),
        ("#3, attempt 1, claude-code", DiskState::Ended, true),
        ("#4, attempt 1, claude-code", DiskState::Interrupted, false),
        ("#5, attempt 1, claude-code", DiskState::Interrupted, true),
        ("https://git.example/fresh", DiskState::Unused, false),
        ("https://git.example/of-ended", DiskState::Unused, true),
        ("claude-code, account own", DiskState::Kept, false),
        ("codex, account none, of 018f2d3a-0000-7000-8000-000000000001", DiskState::Kept, false),
    ];
    assert_eq!(told, expected);
    assert_eq!(report.max_bytes, Some(100 * MIB as u64));
    assert!(report.would_free_bytes >= 3 * MIB as u64 && report.used_bytes > report.would_free_bytes);
    assert!(report.items.iter().all(|item| !item.why.is_empty() && item.path.exists()));

    let freed = world.storage.free(&settings, NOW).unwrap();
    assert_eq!(freed.freed_bytes, Some(report.would_free_bytes));
    assert_eq!(freed.items.len(), 6);
    assert_eq!(freed.would_free_bytes, 0);
}
