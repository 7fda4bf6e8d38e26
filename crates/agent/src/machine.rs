//! The machine as the coordinator sees it: what it brings, and how busy it is.
//!
//! Nothing here runs by itself: numbers are taken when a heartbeat is due.

use std::path::{Path, PathBuf};

use swarm_model::tool::{ToolHealth, ToolInfo};
use swarm_model::worker::{Capabilities, Load, ProvenIsolation};
use sysinfo::{DiskRefreshKind, Disks, MemoryRefreshKind, RefreshKind, System};

use crate::settings::Settings;

/// Looks at the machine. What the system does not tell stays unknown; nothing depends on it.
#[derive(Debug)]
pub(crate) struct Machine {
    system: Option<System>,
    disks: Option<Disks>,
    work_dir: PathBuf,
}

impl Machine {
    pub(crate) fn new(work_dir: PathBuf) -> Self {
        let what = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
        let mut system = System::new_with_specifics(what).ok();
        if let Some(system) = &mut system {
            system.refresh_cpu_usage();
        }
        Self { system, disks: Disks::new_with_refreshed_list().ok(), work_dir }
    }

    /// How busy the machine is since it was last asked.
    pub(crate) fn load(&mut self) -> Load {
        let mut load = Load::default();
        if let Some(system) = &mut self.system {
            system.refresh_cpu_usage();
            system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
            load.cpu_percent = system.global_cpu_usage().clamp(0.0, 100.0);
            load.memory_percent = percent(system.used_memory(), system.total_memory());
        }
        if let Some((free, total)) = self.disk() {
            load.disk_percent = percent(total - free, total);
        }
        load
    }

    /// Bytes free on the volume of the working folders; none where the system does not tell.
    pub(crate) fn free_disk(&mut self) -> Option<u64> {
        self.disk().map(|(free, _)| free)
    }

    fn disk(&mut self) -> Option<(u64, u64)> {
        let place = existing(&self.work_dir);
        let disk = self
            .disks
            .as_mut()?
            .iter_mut()
            .filter(|disk| place.starts_with(disk.mount_point()))
            .max_by_key(|disk| disk.mount_point().as_os_str().len())?;
        disk.refresh_specifics(DiskRefreshKind::nothing().with_storage());
        let (free, total) = (disk.available_space(), disk.total_space());
        (total > 0).then_some((free.min(total), total))
    }

    /// What this machine brings, with these tools.
    pub(crate) fn capabilities(&self, settings: &Settings, tools: Vec<ToolInfo>) -> Capabilities {
        Capabilities {
            slots: settings.slots(),
            tools,
            os: std::env::consts::OS.to_owned(),
            arch: std::env::consts::ARCH.to_owned(),
            memory_mb: self.system.as_ref().map_or(0, System::total_memory) / (1024 * 1024),
            cpus: std::thread::available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(u32::MAX)),
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            labels: settings.labels.clone(),
            grants: Vec::new(),
            // That is not known by looking.
            isolation: ProvenIsolation::default(),
        }
    }
}

/// Bytes free on the volume of a folder; none where the system does not tell.
pub(crate) fn free_disk(folder: &Path) -> Option<u64> {
    Machine { system: None, disks: Disks::new_with_refreshed_list().ok(), work_dir: folder.to_owned() }.free_disk()
}

/// What people call this machine where its owner did not say.
pub(crate) fn host_name() -> String {
    System::host_name().ok().filter(|name| !name.is_empty()).unwrap_or_else(|| "unnamed".to_owned())
}

/// Tools that the owner has not switched on are shown as such.
pub(crate) fn as_allowed(settings: &Settings, found: Vec<ToolInfo>) -> Vec<ToolInfo> {
    let allowed = |tool: ToolInfo| {
        let health = if settings.is_enabled(&tool.name) { tool.health } else { ToolHealth::NotAllowed };
        ToolInfo { health, ..tool }
    };
    found.into_iter().map(allowed).collect()
}

fn percent(part: u64, whole: u64) -> f32 {
    if whole == 0 { 0.0 } else { (part as f64 / whole as f64 * 100.0) as f32 }
}

/// The nearest folder above that is there, without links, so that its volume can be found.
fn existing(folder: &Path) -> PathBuf {
    folder.ancestors().find_map(|place| place.canonicalize().ok()).unwrap_or_else(|| folder.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_tells_plausible_numbers() {
        let folder = tempfile::tempdir().unwrap();
        let mut machine = Machine::new(folder.path().join("runs"));
        let load = machine.load();
        for value in [load.cpu_percent, load.memory_percent, load.disk_percent] {
            assert!((0.0..=100.0).contains(&value), "{load:?}");
        }
        assert!(load.memory_percent > 0.0, "{load:?}");
        assert!(machine.free_disk().unwrap() > 0);
        let brought = machine.capabilities(&Settings::default(), Vec::new());
        assert!(brought.memory_mb > 0 && brought.cpus > 0 && brought.slots >= 2);
    }
}
