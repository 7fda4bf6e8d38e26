//! The checks themselves.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use swarm_agent::{Settings, kept_key_places};
use swarm_model::tool::ToolHealth;
use swarm_model::{Isolation, ToolName};
use swarm_server::ServerConfig;
use swarm_tools::isolation::measure;
use swarm_tools::{GuardBinary, Registry, ToolSettings, Variables};

use super::{Check, DoctorArgs};
use crate::config::{Flags, load};
use crate::context::Context;
use crate::failure::{Failure, with_causes};
use crate::kept::{KeptHost, Place};
use crate::readable::bytes;
use crate::sign_ins::SignIn;

/// How each tool is set.
type OfTools = BTreeMap<ToolName, ToolSettings>;

/// Less free space than this is worth a word.
const LITTLE_SPACE: u64 = 2_000_000_000;

/// Looks at everything, in the order in which things depend on each other.
pub(super) async fn all(args: &DoctorArgs, context: &Context) -> Result<Vec<Check>, Failure> {
    let data_dir = context.places.data_dir(args.data_dir.as_deref())?;
    let mut checks = vec![
        Check::ok(
            "version",
            format!("{} on {} {}", env!("CARGO_PKG_VERSION"), std::env::consts::OS, std::env::consts::ARCH),
        ),
        folder(&data_dir),
        settings(args, context),
        guard().await,
        keychain(context),
    ];
    checks.extend(secrets(context));
    checks.extend(coordinator(context).await);
    let (found, settings) = workers(args, context)?;
    checks.extend(found);
    let settings = settings.unwrap_or_default();
    checks.push(isolation(&data_dir, &settings).await);
    let of_tools = settings.tools.into_iter().map(|(tool, section)| (tool, section.settings)).collect();
    checks.extend(tools(&of_tools).await);
    Ok(checks)
}

fn folder(data_dir: &Path) -> Check {
    let shown = data_dir.display().to_string();
    let existing = data_dir.ancestors().find(|folder| folder.exists()).unwrap_or(data_dir);
    let free = free_space(existing);
    let room = free.map(|free| format!(", {} free", bytes(free))).unwrap_or_default();
    let is_writable = std::fs::metadata(existing).is_ok_and(|found| !found.permissions().readonly());
    if !is_writable {
        return Check::missing(
            "data folder",
            format!("{shown} cannot be written"),
            "mend its rights, or name another one with --data-dir",
        );
    }
    if free.is_some_and(|free| free < LITTLE_SPACE) {
        return Check::note("data folder", format!("{shown}{room}"), "a full disk stops tasks: free some space");
    }
    let state = if data_dir.exists() { room } else { format!(", made at the first start{room}") };
    Check::ok("data folder", format!("{shown}{state}"))
}

/// What is free on the volume that holds a folder, where the system tells.
fn free_space(folder: &Path) -> Option<u64> {
    let disks = sysinfo::Disks::new_with_refreshed_list().ok()?;
    let holding = disks.iter().filter(|disk| folder.starts_with(disk.mount_point()));
    holding.max_by_key(|disk| disk.mount_point().as_os_str().len()).map(sysinfo::Disk::available_space)
}

fn settings(args: &DoctorArgs, context: &Context) -> Check {
    let flags = Flags { data_dir: args.data_dir.clone(), ..Flags::default() };
    match load(&flags, context, ServerConfig::default()) {
        Err(failure) => Check::missing("settings", failure.what(), "mend the file or the variable that it names"),
        Ok(config) => match config.validate().as_slice() {
            [] => Check::ok("settings", "they make sense"),
            problems => {
                let all: Vec<_> = problems.iter().map(ToString::to_string).collect();
                Check::missing("settings", all.join("; "), "`garageswarm config print` shows the effective ones")
            }
        },
    }
}

/// Starts the guard with nothing to do: it must come, and say so.
async fn guard() -> Check {
    let broken = |found: String| Check::missing("guard", found, "install the program anew: every run stands under it");
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return broken(format!("the program does not know where it is: {error}")),
    };
    let mut command = tokio::process::Command::new(program);
    command.arg(swarm_tools::guard::SUBCOMMAND).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    match tokio::time::timeout(Duration::from_secs(5), command.kill_on_drop(true).status()).await {
        // Without a specification it refuses, with the code that the parser uses too.
        Ok(Ok(status)) if status.code() == Some(2) => Check::ok("guard", "runs are guarded"),
        Ok(Ok(status)) => broken(format!("it ended with {status}")),
        Ok(Err(error)) => broken(format!("it cannot be started: {error}")),
        Err(_) => broken("it did not answer".to_owned()),
    }
}

fn keychain(context: &Context) -> Check {
    match context.vault.probe() {
        Ok(()) => Check::ok("keychain", "new secrets are kept in it"),
        Err(error) => {
            let mend =
                "new secrets are kept in files that only you may read; unlock or start the keychain to change that";
            Check::note("keychain", with_causes(&error), mend)
        }
    }
}

/// Where the sign-ins of this command line are.
fn secrets(context: &Context) -> Vec<Check> {
    let sign_ins = match context.sign_ins() {
        Ok(sign_ins) => sign_ins,
        Err(failure) => return vec![Check::missing("sign-ins", failure.what(), failure.advice().unwrap_or_default())],
    };
    let place = |sign_in: &SignIn| {
        let of = format!("{} at {}", sign_in.username, sign_in.coordinator);
        match (sign_in.is_in_keychain(), sign_ins.token(sign_in)) {
            (true, Ok(Some(_))) => Check::ok("sign-in kept", format!("{of}: in the keychain")),
            (true, Ok(None)) => Check::note(
                "sign-in kept",
                format!("{of}: was in the keychain and is gone"),
                format!("garageswarm login --coordinator {}", sign_in.coordinator),
            ),
            (true, Err(failure)) => Check::note("sign-in kept", failure.what(), failure.advice().unwrap_or_default()),
            (false, _) => {
                Check::ok("sign-in kept", format!("{of}: in {}, which only you may read", sign_ins.path().display()))
            }
        }
    };
    sign_ins.all().iter().map(place).collect()
}

/// How far runs are kept away from this machine: tried as a worker does it when it starts.
async fn isolation(data_dir: &Path, settings: &Settings) -> Check {
    let title = "isolation";
    let guard = match GuardBinary::current() {
        Ok(guard) => guard,
        Err(error) => return Check::missing(title, format!("the program does not know where it is: {error}"), ""),
    };
    // Where nothing has been set up yet, nothing is.
    let temporary = std::env::temp_dir().join(format!("garageswarm-doctor-{}", std::process::id()));
    let folder = if data_dir.is_dir() { data_dir } else { &temporary };
    let proven = measure(&guard, folder, &settings.confinement(Isolation::Sandbox, folder)).await;
    // It is there only if it was needed.
    drop(std::fs::remove_dir(&temporary));
    let found = format!("runs can be kept away at level {}, as was tried", proven.level);
    match (proven.level, &proven.remarks[..]) {
        (_, []) => Check::ok(title, found),
        (Isolation::None | Isolation::Own, remarks) => Check::note(
            title,
            format!("{found}; {}", remarks.join("; ")),
            "other people's commands and coding agents are refused here until it has a sandbox: see docs/isolation.md",
        ),
        (Isolation::Sandbox | Isolation::Container, remarks) => {
            Check::ok(title, format!("{found}; {}", remarks.join("; ")))
        }
    }
}

/// The workers of this machine: whether their settings can be read, and where their credential is. Gives the
/// settings of the first one besides.
fn workers(args: &DoctorArgs, context: &Context) -> Result<(Vec<Check>, Option<Settings>), Failure> {
    let data_dir = context.places.data_dir(args.data_dir.as_deref())?;
    let known: Vec<_> = Registry::standard(&Variables::default()).names().cloned().collect();
    let (mut checks, mut first) = (Vec::new(), None);
    for name in ["worker", "local-worker"] {
        let folder = data_dir.join(name);
        let kept = KeptHost::new(folder.clone(), GuardBinary(PathBuf::new()), context.vault, context.output).looking();
        match Settings::read(&folder, &known) {
            Ok(None) => continue,
            Ok(Some(settings)) => {
                let file = folder.join("worker.toml");
                checks.push(Check::ok(format!("{name} settings"), format!("{} makes sense", file.display())));
                if first.is_none() {
                    first = Some(settings.with_kept_keys(&kept, &known));
                }
            }
            Err(error) => checks.push(Check::missing(
                format!("{name} settings"),
                with_causes(&error),
                "mend that line: the worker does not start with it",
            )),
        }
        checks.push(credential(name, &folder, context));
        for (tool, place) in kept_key_places(&kept, &known) {
            checks.push(Check::ok(format!("{name} key of {tool}"), place.to_string()));
        }
    }
    Ok((checks, first))
}

/// Where the credential of a worker is.
fn credential(name: &str, folder: &Path, context: &Context) -> Check {
    let title = format!("{name} credential");
    let rejoin = "unlock the keychain, or join anew with a key of `garageswarm key create`";
    match KeptHost::place(folder) {
        Ok(Place::Nowhere) => {
            Check::note(title, "none: it has not joined a coordinator", "`garageswarm key create` begins it")
        }
        Ok(Place::File) => {
            Check::ok(title, format!("in {}, which only you may read", folder.join("secrets").display()))
        }
        Ok(Place::Keychain(entry)) => match context.vault.get(&entry) {
            Ok(Some(_)) => Check::ok(title, "in the keychain"),
            Ok(None) => Check::missing(title, "was in the keychain and is gone", rejoin),
            Err(error) => Check::missing(title, format!("in the keychain: {}", with_causes(&error)), rejoin),
        },
        Err(error) => Check::missing(title, with_causes(&error), "mend the rights of the worker's data folder"),
    }
}

async fn coordinator(context: &Context) -> Vec<Check> {
    let client = match context.client() {
        Ok(client) => client,
        Err(failure) => return vec![Check::missing("sign-in", failure.what(), failure.advice().unwrap_or_default())],
    };
    let address = client.address().clone();
    let me = match client.me().await {
        Ok(me) => me,
        Err(error) if error.is_unreachable() => {
            return vec![Check::missing(
                "coordinator",
                error.to_string(),
                "start it with `garageswarm up`, or name another with --coordinator",
            )];
        }
        Err(error) => {
            return vec![Check::missing(
                "sign-in",
                error.to_string(),
                format!("garageswarm login --coordinator {address}"),
            )];
        }
    };
    let mut checks = vec![Check::ok("sign-in", format!("{} at {address}", me.username))];
    match client.status().await {
        Ok(status) if status.version != env!("CARGO_PKG_VERSION") => {
            let found = format!("{address} has version {}", status.version);
            checks.push(Check::note("coordinator", found, "use the same version here and there"));
        }
        Ok(status) if status.paused => {
            let found = format!("{address} hands nothing out: the swarm is paused");
            checks.push(Check::note("coordinator", found, "`garageswarm swarm resume` ends that"));
        }
        Ok(status) if status.workers.values().sum::<u64>() == 0 => {
            let found = format!("{address} answers, but no machine has joined it");
            checks.push(Check::note("coordinator", found, "`garageswarm key create` begins one"));
        }
        Ok(status) => {
            checks.push(Check::ok("coordinator", format!("{address} answers, {} slots are free", status.free_slots)));
        }
        Err(error) => checks.push(Check::missing("coordinator", error.to_string(), "look into its log")),
    }
    checks
}

async fn tools(of_tools: &OfTools) -> Vec<Check> {
    let registry = Registry::standard(&Variables::of_process());
    let found = registry.detect_all(of_tools).await;
    let checks = found.into_iter().map(|tool| {
        let name = format!("tool {}", tool.name);
        let version = tool.version.map_or_else(|| "found".to_owned(), |version| format!("version {version}"));
        let account = registry.account(&tool.name, of_tools).map(|account| format!("; {account}")).unwrap_or_default();
        match tool.health {
            ToolHealth::Ready => Check::ok(name, format!("{version}{account}")),
            ToolHealth::NotAllowed => Check::note(name, "not switched on", "switch it on in worker.toml"),
            ToolHealth::NeedsLogin { fix } => Check::note(name, format!("{version}, not signed in{account}"), fix),
            ToolHealth::Missing { fix } => Check::note(name, format!("not found{account}"), fix),
        }
    });
    checks.collect()
}
