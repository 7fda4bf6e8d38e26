//! The processes of a run, read from `/proc`: descendants of the guard, and bearers of the run's mark.

use std::collections::{HashMap, HashSet};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getpid};

use super::RUN_MARK;

/// How often the sweep looks again for processes that were started while it killed.
const MAX_ROUNDS: u32 = 500;

/// Everything that descends from the guard.
#[derive(Debug)]
pub(super) struct Tree {
    guard: Pid,
    /// Holds the sandbox, and lives until nobody else does.
    holder: Option<Pid>,
}

impl Tree {
    pub(super) fn of(_first: Pid) -> Self {
        Self { guard: getpid(), holder: None }
    }

    pub(super) fn held_by(holder: Pid) -> Self {
        Self { guard: getpid(), holder: Some(holder) }
    }

    /// Sends a signal to every living descendant; returns how many there were.
    pub(super) fn signal(&self, signal: Signal) -> u32 {
        let snapshot = Snapshot::take();
        let descendants = snapshot.descendants(&HashSet::from([self.guard.as_raw()]));
        let holder = self.holder.map(Pid::as_raw);
        // The holder and the init below it are ours, and reap what ends; only KILL takes all at once.
        let is_ours = |pid: i32| {
            signal != Signal::SIGKILL
                && holder.is_some_and(|holder| pid == holder || snapshot.parents.get(&pid) == Some(&holder))
        };
        let mut n_told = 0;
        for pid in descendants.into_iter().filter(|pid| !is_ours(*pid)) {
            // One that ended in between is no failure.
            n_told += u32::from(kill(Pid::from_raw(pid), signal).is_ok());
        }
        n_told
    }

    /// A subreaper that has no child left has no descendant left.
    #[expect(clippy::unused_self, reason = "the other systems have something to do here")]
    pub(super) fn signal_stragglers(&self, _signal: Signal) {}
}

/// Ends every process whose run mark begins with `prefix`, and what descends from it. For the start of a
/// worker, and after a guard that was killed. Returns how many processes were ended.
///
/// Blocks for as long as that takes; a process that hides its environment and has lost its parent is not
/// found.
pub fn sweep_marked(prefix: &str) -> std::io::Result<usize> {
    let needle = format!("{RUN_MARK}={prefix}");
    let mut ended = HashSet::new();
    for _round in 0..MAX_ROUNDS {
        let snapshot = Snapshot::take();
        let marked: HashSet<i32> = snapshot.living().filter(|pid| bears_mark(*pid, needle.as_bytes())).collect();
        let mut targets = snapshot.descendants(&marked);
        targets.extend(&marked);
        let protected = snapshot.line_of(getpid().as_raw());
        targets.retain(|pid| !protected.contains(pid));
        if targets.is_empty() {
            break;
        }
        for pid in targets {
            if kill(Pid::from_raw(pid), Signal::SIGKILL).is_ok() {
                ended.insert(pid);
            }
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    Ok(ended.len())
}

fn bears_mark(pid: i32, needle: &[u8]) -> bool {
    // A process of somebody else, or one that is gone, cannot be read and is not ours.
    std::fs::read(format!("/proc/{pid}/environ"))
        .is_ok_and(|environment| environment.split(|byte| *byte == 0).any(|entry| entry.starts_with(needle)))
}

/// Who was whose child at one moment. Zombies are left out: they only wait to be reaped.
#[derive(Debug, Default)]
struct Snapshot {
    parents: HashMap<i32, i32>,
    zombies: HashSet<i32>,
}

impl Snapshot {
    fn take() -> Self {
        let mut snapshot = Self::default();
        let Ok(entries) = std::fs::read_dir("/proc") else { return snapshot };
        for entry in entries.flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
            let Ok(stat) = std::fs::read(entry.path().join("stat")) else { continue };
            if let Some((state, parent)) = parse_stat(&stat) {
                snapshot.parents.insert(pid, parent);
                if matches!(state, b'Z' | b'X') {
                    snapshot.zombies.insert(pid);
                }
            }
        }
        snapshot
    }

    fn living(&self) -> impl Iterator<Item = i32> + '_ {
        self.parents.keys().copied().filter(|pid| !self.zombies.contains(pid))
    }

    fn descendants(&self, roots: &HashSet<i32>) -> Vec<i32> {
        let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
        for (pid, parent) in &self.parents {
            children.entry(*parent).or_default().push(*pid);
        }
        let mut found = Vec::new();
        let mut open: Vec<i32> = roots.iter().copied().collect();
        while let Some(pid) = open.pop() {
            for child in children.remove(&pid).unwrap_or_default() {
                // A zombie can still have living children of other threads' making.
                open.push(child);
                if !self.zombies.contains(&child) && !roots.contains(&child) {
                    found.push(child);
                }
            }
        }
        found
    }

    /// The process and its ancestors.
    fn line_of(&self, pid: i32) -> HashSet<i32> {
        let mut line = HashSet::new();
        let mut next = Some(pid);
        while let Some(pid) = next.filter(|pid| *pid > 0 && line.insert(*pid)) {
            next = self.parents.get(&pid).copied();
        }
        line
    }
}

/// State and parent from `/proc/PID/stat`. The command's name stands in brackets and may hold anything.
fn parse_stat(stat: &[u8]) -> Option<(u8, i32)> {
    let after_name = stat.iter().rposition(|byte| *byte == b')')? + 1;
    let mut fields = std::str::from_utf8(&stat[after_name..]).ok()?.split_ascii_whitespace();
    let state = *fields.next()?.as_bytes().first()?;
    Some((state, fields.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_forge_its_parent() {
        assert_eq!(parse_stat(b"12 (sh) S 7 12 12 0 -1"), Some((b'S', 7)));
        assert_eq!(parse_stat(b"12 (a) Z 1 (b) R 7 12 12"), Some((b'R', 7)));
        assert_eq!(parse_stat(b"12 (a b) c"), None);
        assert_eq!(parse_stat(b""), None);
    }

    #[test]
    fn we_and_our_ancestors_are_in_our_own_line() {
        let line = Snapshot::take().line_of(getpid().as_raw());
        assert!(line.contains(&getpid().as_raw()));
        assert!(line.contains(&nix::unistd::getppid().as_raw()));
    }

    #[test]
    fn descendants_are_found_through_zombies() {
        let parents = HashMap::from([(10, 1), (11, 10), (12, 11), (13, 12), (20, 1)]);
        let snapshot = Snapshot { parents, zombies: HashSet::from([12]) };
        let mut found = snapshot.descendants(&HashSet::from([10]));
        found.sort_unstable();
        assert_eq!(found, [11, 13]);
    }
}
