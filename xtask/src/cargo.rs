//! Cargo, called from within cargo; and what it tells of the workspace.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// What `cargo run` and rustup put into our environment, which nobody below us should see: build scripts that watch
/// such a variable (ring's does) would run again each time, and a tool that a worker starts would use our toolchain.
const FROM_CARGO_RUN: [&str; 4] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_NAME", "CARGO_CRATE_NAME"];

/// The workspace as cargo sees it.
#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    /// Cargo's target folder.
    pub(crate) target: PathBuf,
    pub(crate) packages: Vec<Package>,
}

/// One of our own packages.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) manifest: PathBuf,
    pub(crate) dependencies: Vec<Dependency>,
}

/// What a manifest asks for.
#[derive(Debug)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// Whether only tests and examples get it.
    pub(crate) dev: bool,
}

impl Workspace {
    /// Asks cargo, and moves to the root of the workspace.
    pub(crate) fn read() -> Result<Self> {
        if let Some(xtask) = env::var_os("CARGO_MANIFEST_DIR") {
            let root = Path::new(&xtask).parent().context("xtask lies in the workspace")?;
            env::set_current_dir(root)?;
        }
        let text = output(cargo().args(["metadata", "--no-deps", "--format-version", "1"]))?;
        Self::from_metadata(&serde_json::from_str(&text)?)
    }

    fn from_metadata(metadata: &Value) -> Result<Self> {
        let packages = metadata["packages"].as_array().context("metadata without packages")?;
        Ok(Self {
            root: path(&metadata["workspace_root"])?,
            target: path(&metadata["target_directory"])?,
            packages: packages.iter().map(Package::from_metadata).collect::<Result<_>>()?,
        })
    }

    /// Where the panel's files are put, and taken from by the server's build script.
    pub(crate) fn panel(&self) -> PathBuf {
        self.target.join("panel")
    }

    /// The one binary, as `build` leaves it.
    pub(crate) fn binary(&self) -> PathBuf {
        self.target.join("release").join(format!("garageswarm{}", env::consts::EXE_SUFFIX))
    }

    /// Cargo for a build that may contain the server.
    pub(crate) fn cargo(&self) -> Command {
        let mut command = cargo();
        command.env("GARAGESWARM_PANEL_DIR", self.panel());
        command
    }
}

impl Package {
    fn from_metadata(package: &Value) -> Result<Self> {
        let dependencies = package["dependencies"].as_array().context("a package without dependencies")?;
        Ok(Self {
            name: text(&package["name"])?,
            manifest: path(&package["manifest_path"])?,
            dependencies: dependencies
                .iter()
                .map(|dependency| Ok(Dependency { name: text(&dependency["name"])?, dev: dependency["kind"] == "dev" }))
                .collect::<Result<_>>()?,
        })
    }

    pub(crate) fn folder(&self) -> &Path {
        self.manifest.parent().unwrap_or(Path::new("."))
    }
}

/// The cargo that runs us, without what it told us of ourselves.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    forget_cargo_run(&mut command);
    command
}

/// Takes cargo's own variables out of a command's environment.
pub(crate) fn forget_cargo_run(command: &mut Command) {
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(|name| FROM_CARGO_RUN.iter().any(|prefix| name.starts_with(prefix))) {
            command.env_remove(name);
        }
    }
}

/// Runs a command whose output people see; an error names it.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start `{}`", shown(command)))?;
    if status.success() { Ok(()) } else { bail!("`{}` failed ({status})", shown(command)) }
}

/// A command that runs beside another whose output people watch: its own is shown only if it fails.
#[derive(Debug)]
pub(crate) struct Background {
    child: Child,
    shown: String,
}

impl Background {
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let shown = shown(command);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let child = command.spawn().with_context(|| format!("cannot start `{shown}`"))?;
        Ok(Self { child, shown })
    }

    /// Waits for its end.
    pub(crate) fn finish(self) -> Result<()> {
        let output = self.child.wait_with_output()?;
        if !output.status.success() {
            bail!("`{}` failed ({}):\n{}", self.shown, output.status, String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    }
}

/// Runs a command and returns what it wrote to standard output.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.with_context(|| format!("cannot start `{}`", shown(command)))?;
    if !output.status.success() {
        bail!("`{}` failed ({})", shown(command), output.status);
    }
    Ok(String::from_utf8(output.stdout)?)
}

fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_stem().unwrap_or_default().to_string_lossy();
    let args = command.get_args().map(|arg| arg.to_string_lossy());
    std::iter::once(program).chain(args).collect::<Vec<_>>().join(" ")
}

fn text(value: &Value) -> Result<String> {
    Ok(value.as_str().context("metadata: a text is missing")?.to_owned())
}

fn path(value: &Value) -> Result<PathBuf> {
    text(value).map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_cargo_tells() {
        let metadata = serde_json::json!({
            "workspace_root": "/w", "target_directory": "/t",
            "packages": [{ "name": "swarm-a", "manifest_path": "/w/crates/a/Cargo.toml", "dependencies": [
                { "name": "serde", "kind": null }, { "name": "insta", "kind": "dev" },
            ]}],
        });
        let workspace = Workspace::from_metadata(&metadata).unwrap();
        assert_eq!(workspace.panel(), Path::new("/t/panel"));
        let [package] = &workspace.packages[..] else { panic!("one package") };
        assert_eq!(package.folder(), Path::new("/w/crates/a"));
        assert_eq!(package.dependencies.iter().map(|d| d.dev).collect::<Vec<_>>(), [false, true]);
    }

    #[test]
    fn an_error_names_the_command() {
        let error = run(cargo().arg("no-such-command-of-cargo").stderr(Stdio::null())).unwrap_err();
        assert!(error.to_string().starts_with("`cargo no-such-command-of-cargo` failed"), "{error}");
    }
}
