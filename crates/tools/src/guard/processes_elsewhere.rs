//! The processes of a run where there is no subreaper and no `/proc`: the process group of the tool.
//!
//! A process that leaves the group is out of reach; the documentation says so.

/// The tool's process group.
#[cfg(unix)]
#[derive(Debug)]
pub(super) struct Tree {
    group: nix::unistd::Pid,
}

#[cfg(unix)]
impl Tree {
    pub(super) fn of(first: nix::unistd::Pid) -> Self {
        Self { group: first }
    }

    /// Sends a signal to the group; returns 1 where it still has members, whose number is not known.
    pub(super) fn signal(&self, signal: nix::sys::signal::Signal) -> u32 {
        u32::from(nix::sys::signal::killpg(self.group, signal).is_ok())
    }

    /// Sends a signal to what is left of the group after the first process was reaped.
    pub(super) fn signal_stragglers(&self, signal: nix::sys::signal::Signal) {
        // A group without members is what is hoped for.
        let _absent = nix::sys::signal::killpg(self.group, signal);
    }
}

/// Ends every process whose run mark begins with `prefix`. This system does not show other processes'
/// environment, so nothing is found.
pub fn sweep_marked(_prefix: &str) -> std::io::Result<usize> {
    Ok(0)
}
