//! What a run in a sandbox sees of its machine: the list that the guard is given.
//!
//! Seen are the system's own programs and libraries, the tool with what it is made of, the run's own folders, and
//! what the tool keeps between runs. The home that the tool finds is a folder of the run's own. Nothing of the
//! person's home and of the worker's data folder is in the list, also where these lie below a folder that is.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use crate::adapter::{ProcessPlan, RunRequest};
use crate::detect::interpreters;
use crate::guard::{Mount, Network, Sandbox, Shows};

/// The system's own trees. Those that are links there are links here.
const TREES: [&str; 12] = [
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/opt",
    "/nix",
    "/gnu/store",
    "/snap",
    "/run/current-system",
];

/// What programs read of the system's configuration. Whole folders would bring keys along where the worker is root.
const CONFIGURATION: [&str; 44] = [
    "alternatives",
    "bash.bashrc",
    "ca-certificates",
    "ca-certificates.conf",
    "crypto-policies",
    "debian_version",
    "environment",
    "fonts",
    "gai.conf",
    "host.conf",
    "hostname",
    "hosts",
    "inputrc",
    "java",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "locale.alias",
    "locale.conf",
    "localtime",
    "login.defs",
    "lsb-release",
    "magic",
    "magic.mime",
    "manpath.config",
    "mime.types",
    "networks",
    "nsswitch.conf",
    "os-release",
    "pki/ca-trust",
    "pki/tls/cert.pem",
    "pki/tls/certs",
    "profile",
    "protocols",
    "python3",
    "resolv.conf",
    "rpc",
    "services",
    "shells",
    "ssl/cert.pem",
    "ssl/certs",
    "ssl/openssl.cnf",
    "terminfo",
    "timezone",
];

/// Variables of a tool that name files it reads.
const NAMING: [&str; 3] = ["SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS"];

/// The folder within a run's temporary one that a tool takes for its home.
const HOME: &str = "home";

/// Where the home of a sandboxed run is, for whoever makes its folders.
pub(crate) fn home_of(request: &RunRequest) -> PathBuf {
    request.dirs.tmp.join(HOME)
}

/// What a run sees.
pub(crate) fn of(plan: &ProcessPlan, request: &RunRequest) -> Sandbox {
    let (dirs, confinement) = (&request.dirs, &request.confinement);
    let mut list = List::default();
    for tree in TREES {
        list.show(Path::new(tree));
    }
    for name in CONFIGURATION {
        list.show(&Path::new("/etc").join(name));
    }
    let is_below_shown = |path: &PathBuf| {
        is_below_tree(path) || confinement.read.iter().chain(&confinement.write).any(|shown| path.starts_with(shown))
    };
    for hidden in confinement.hidden.iter().filter(|hidden| is_below_shown(hidden)) {
        list.put(hidden.clone(), Shows::Nothing);
    }
    let person = plan.env.get("HOME").map(PathBuf::from).filter(|home| may_be_home(home));
    let home = person.unwrap_or_else(|| home_of(request));
    list.put(home.clone(), Shows::Write(home_of(request)));
    for place in ["/tmp", "/var/tmp"] {
        list.put(PathBuf::from(place), Shows::Write(dirs.tmp.clone()));
    }
    for program in programs(plan) {
        list.show_program(&program);
    }
    let named = NAMING.iter().filter_map(|name| plan.env.get(*name)).map(PathBuf::from);
    for path in named.chain(confinement.read.iter().cloned()) {
        list.show(&path);
    }
    let written = [&dirs.work, &dirs.tmp, &dirs.state].into_iter().chain(&confinement.write).chain(&plan.reach.login);
    for path in written {
        list.put(path.clone(), Shows::Write(real(path)));
    }
    let network = confinement.network.as_ref().map(|hosts| network(hosts, plan));
    Sandbox { home, mounts: list.mounts, network }
}

/// The hosts that the task names, and the tool's own model: without that it could do nothing at all.
fn network(hosts: &[String], plan: &ProcessPlan) -> Network {
    let mut network = Network { ports: BTreeSet::new(), hosts: hosts.to_vec() };
    for url in &plan.reach.endpoints {
        match (url.host(), url.port_or_known_default()) {
            (Some(url::Host::Ipv4(address)), Some(port)) if address.is_loopback() => drop(network.ports.insert(port)),
            (Some(url::Host::Ipv6(address)), Some(port)) if address.is_loopback() => drop(network.ports.insert(port)),
            (Some(url::Host::Domain("localhost")), Some(port)) => drop(network.ports.insert(port)),
            (Some(host), _) => network.hosts.push(host.to_string()),
            (None, _) => {}
        }
    }
    network
}

/// The files and folders of a sandbox; what comes later stands in place of what was in the same spot.
#[derive(Debug, Default)]
struct List {
    mounts: Vec<Mount>,
}

impl List {
    fn put(&mut self, at: PathBuf, shows: Shows) {
        // Two spellings of a path would be two places.
        let at: PathBuf = at.components().filter(|component| *component != Component::CurDir).collect();
        self.mounts.retain(|mount| mount.at != at);
        self.mounts.push(Mount { at, shows });
    }

    /// Shows something of the machine in its own place, to be read. A link stays one where its target is shown too.
    fn show(&mut self, path: &Path) {
        let Ok(found) = path.symlink_metadata() else { return };
        let shows = if found.is_symlink() {
            match (std::fs::read_link(path), path.canonicalize()) {
                (Ok(target), Ok(real)) if is_below_tree(&real) => Shows::Link(target),
                (_, Ok(real)) => Shows::Read(real),
                // A link to nowhere shows nothing.
                (_, Err(_)) => return,
            }
        } else {
            Shows::Read(path.to_owned())
        };
        self.put(path.to_owned(), shows);
    }

    /// Shows a program with what it is made of.
    fn show_program(&mut self, program: &Path) {
        let Ok(real) = program.canonicalize() else { return };
        for path in [program, &real] {
            if is_below_tree(path) {
                continue;
            }
            match package_root(path) {
                Some(root) => self.show(&root),
                // A script of a package finds its files by where its link leads to.
                None if path != real => self.put(path.to_owned(), Shows::Link(real.clone())),
                None => self.show(path),
            }
        }
    }
}

/// The programs of a run: what is started, scripts that are handed over to an interpreter, and those interpreters.
fn programs(plan: &ProcessPlan) -> Vec<PathBuf> {
    let path = plan.env.get("PATH").map_or("", String::as_str);
    let find = |name: &str| which::which_in(name, Some(path), "/").ok();
    let first = plan.argv.first().and_then(|word| find(word));
    let second = plan.argv.get(1).map(PathBuf::from).filter(|word| word.is_absolute() && word.is_file());
    let mut found: Vec<PathBuf> = first.into_iter().chain(second).collect();
    for program in found.clone() {
        found.extend(interpreters(&program).iter().filter_map(|name| find(name)));
    }
    found
}

/// The folder of packages that a file belongs to: they need each other. Of an installation with a prefix of its own
/// (as version managers of Node make them) it is the folder of the programs that a file is found in.
fn package_root(file: &Path) -> Option<PathBuf> {
    let packages = |folder: &&Path| folder.file_name().is_some_and(|name| name == "node_modules");
    // The outermost one: packages have some within.
    let of_package = file.ancestors().filter(packages).last().map(Path::to_owned);
    let beside = || {
        let folder = file.parent()?;
        let prefix = folder.parent()?;
        (folder.ends_with("bin") && prefix.join("lib/node_modules").is_dir()).then(|| prefix.to_owned())
    };
    of_package.or_else(beside)
}

fn is_below_tree(path: &Path) -> bool {
    TREES.iter().any(|tree| path.starts_with(tree))
}

/// Whether a folder of the run's own can stand in the place of this home.
fn may_be_home(home: &Path) -> bool {
    let plain = home.components().all(|component| matches!(component, Component::RootDir | Component::Normal(_)));
    let is_free = |taken: &str| !Path::new(taken).starts_with(home) && (taken == "/" || !home.starts_with(taken));
    plain && home.is_absolute() && ["/etc", "/proc", "/dev"].iter().chain(&TREES).all(|taken| is_free(taken))
}

/// A path with its links followed, where it is there.
fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests;
