//! `garageswarm backup` and `restore`: the embedded store as a folder.
//!
//! A backup is made beside a running coordinator and disturbs nobody; a restore needs the coordinator stopped.

use std::path::PathBuf;

use clap::Args;
use swarm_store::backup::{self, Manifest};
use swarm_store::{Holder, StoreError};

use crate::context::Context;
use crate::failure::{Exit, Failure, with_causes};
use crate::readable::bytes;

#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// The folder to write: new, or empty.
    target: PathBuf,
    /// The coordinator's data folder.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// The folder that `backup` wrote.
    source: PathBuf,
    /// The data folder to restore into.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Replace what is in the data folder.
    #[arg(long)]
    force: bool,
}

pub(crate) async fn backup(args: BackupArgs, context: &Context) -> Result<(), Failure> {
    let data_dir = context.places.data_dir(args.data_dir.as_deref())?;
    let made = backup::backup(&data_dir, &args.target, context.now()).await;
    let manifest = made.map_err(|error| match error {
        StoreError::NotFound { .. } => {
            Failure::new(Exit::Refused, format!("there is no embedded store in {}", data_dir.display()))
                .advise("name the data folder with --data-dir; a PostgreSQL store is backed up with its own tools")
        }
        StoreError::NotEmpty { folder } => {
            Failure::new(Exit::Refused, format!("{folder} is not empty")).advise("name a new folder")
        }
        error => Failure::new(Exit::Fault, with_causes(&error)),
    })?;
    let target = args.target.display().to_string();
    context.output.object(&manifest, |manifest| format!("{} are backed up in {target}", contents(manifest)))
}

pub(crate) async fn restore(args: RestoreArgs, context: &Context) -> Result<(), Failure> {
    let data_dir = context.places.data_dir(args.data_dir.as_deref())?;
    let holder = Holder::this_process(crate::hosting::host_name(), "");
    let restored = backup::restore(&args.source, &data_dir, args.force, &holder).await;
    let manifest = restored.map_err(|error| match error {
        StoreError::NotEmpty { folder } => Failure::new(Exit::Refused, format!("{folder} is not empty"))
            .advise("name a new folder with --data-dir, or replace what is there with --force"),
        StoreError::Locked { .. } => {
            Failure::new(Exit::Refused, with_causes(&error)).advise("stop that coordinator first: Ctrl-C, or SIGTERM")
        }
        StoreError::BadBackup { .. } | StoreError::NewerSchema { .. } => {
            Failure::new(Exit::Refused, with_causes(&error))
        }
        error => Failure::new(Exit::Fault, with_causes(&error)),
    })?;
    let folder = data_dir.display().to_string();
    context.output.object(&manifest, |manifest| format!("{} are restored to {folder}", contents(manifest)))
}

fn contents(manifest: &Manifest) -> String {
    let size = manifest.database.size + manifest.blobs.iter().map(|blob| blob.size).sum::<u64>();
    let count = manifest.blobs.len();
    format!("the store and {count} {} ({})", if count == 1 { "file" } else { "files" }, bytes(size))
}
