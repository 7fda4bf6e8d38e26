//! Which folders are ours on this machine.

use std::path::{Path, PathBuf};

use directories::ProjectDirs;

use crate::failure::{Exit, Failure};

/// Where things lie.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    /// What the command line remembers.
    pub(crate) config_dir: PathBuf,
    default_data_dir: PathBuf,
}

impl Places {
    /// The system's folders for such things, unless the environment names others.
    pub(crate) fn find() -> Result<Self, Failure> {
        let named = |variable| std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
        let system = ProjectDirs::from("", "", "garageswarm");
        let config_dir =
            named("GARAGESWARM_CONFIG_DIR").or_else(|| system.as_ref().map(|dirs| dirs.config_dir().to_owned()));
        let data_dir =
            named("GARAGESWARM_DATA_DIR").or_else(|| system.as_ref().map(|dirs| dirs.data_local_dir().to_owned()));
        match (config_dir, data_dir) {
            (Some(config_dir), Some(default_data_dir)) => Ok(Self { config_dir, default_data_dir }),
            _ => Err(Failure::new(Exit::Fault, "this account has no home folder")
                .advise("set HOME, or GARAGESWARM_CONFIG_DIR and GARAGESWARM_DATA_DIR")),
        }
    }

    /// The data folder: the one that is named, else the usual one. Absolute, so that it names itself.
    pub(crate) fn data_dir(&self, named: Option<&Path>) -> Result<PathBuf, Failure> {
        Ok(std::path::absolute(named.unwrap_or(&self.default_data_dir))?)
    }
}

/// Makes a folder that nobody else may read, where it is not there yet.
pub(crate) fn make_private_dir(folder: &Path) -> Result<(), Failure> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|error| {
        Failure::new(Exit::Fault, format!("the folder {} cannot be made: {error}", folder.display()))
            .advise("name another one with --data-dir, or mend its rights")
    })
}
