//! Who may depend on whom.

use crate::cargo::Package;

/// Our own packages and which of our own each may use; tests may use any. A package that stands here with `ANY` is a
/// program or serves tests, and nobody but such may use it.
const LAYERS: [(&str, &[&str]); 16] = [
    ("swarm-model", &[]),
    ("swarm-proto", &["swarm-model"]),
    ("swarm-client", &["swarm-model", "swarm-proto"]),
    ("swarm-engine", &["swarm-model"]),
    ("swarm-store", &["swarm-model"]),
    ("swarm-tools", &["swarm-model"]),
    ("swarm-agent", &["swarm-model", "swarm-proto", "swarm-client", "swarm-tools"]),
    ("swarm-mcp", &["swarm-model", "swarm-proto"]),
    ("swarm-server", &["swarm-model", "swarm-proto", "swarm-engine", "swarm-store", "swarm-mcp"]),
    ("swarm-ui", &["swarm-model", "swarm-proto", "swarm-client"]),
    ("garageswarm-app", &["swarm-model", "swarm-proto", "swarm-client", "swarm-agent", "swarm-mobile"]),
    ("swarm-mobile", &["swarm-model"]),
    ("garageswarm", ANY),
    ("swarm-bench", ANY),
    ("swarm-testkit", ANY),
    ("xtask", &[]),
];

const ANY: &[&str] = &["*"];

/// Packages of others that belong to one place: their beginning, and who may ask for them.
const AT_HOME: [(&str, &[&str]); 4] = [
    // The test kit's model server is one, too.
    ("axum", &["swarm-server", "swarm-testkit"]),
    ("sqlx", &["swarm-store"]),
    ("tauri", &["garageswarm-app", "swarm-mobile"]),
    ("anyhow", &["garageswarm", "garageswarm-app", "swarm-bench", "swarm-testkit", "xtask", "xtask-bindgen"]),
];

/// What must never be compiled into a package, not even by way of another.
#[derive(Debug)]
pub(super) struct Pure {
    pub(super) package: &'static str,
    pub(super) targets: &'static [Target],
    without: &'static [&'static str],
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target {
    Host,
    Wasm,
}

pub(super) const PURE: [Pure; 4] = [
    Pure { package: "swarm-model", targets: &[Target::Host, Target::Wasm], without: &["tokio", "sqlx", "reqwest"] },
    Pure { package: "swarm-proto", targets: &[Target::Host, Target::Wasm], without: &["tokio", "sqlx", "reqwest"] },
    Pure { package: "swarm-engine", targets: &[Target::Host], without: &["tokio", "sqlx", "reqwest"] },
    Pure { package: "swarm-ui", targets: &[Target::Wasm], without: &["tokio", "sqlx", "hyper", "rustls"] },
];

/// TLS that would need a library of the system.
const NEVER: [&str; 3] = ["openssl", "openssl-sys", "native-tls"];

/// Checks what the manifests ask for.
pub(super) fn declared(packages: &[Package]) -> Vec<String> {
    let mut found = Vec::new();
    let ours = |name: &str| packages.iter().any(|package| package.name == name);
    for package in packages {
        // The program that wraps the panel's wasm is xtask's other half.
        let layer = package.name.strip_suffix("-bindgen").unwrap_or(&package.name);
        let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == layer) else {
            found.push(format!("{} has no place among the layers (xtask/src/tidy/layers.rs)", package.name));
            continue;
        };
        for dependency in package.dependencies.iter().filter(|dependency| !dependency.dev) {
            let name = dependency.name.as_str();
            if ours(name) && *allowed != ANY && !allowed.contains(&name) {
                found.push(format!("{} must not depend on {name}", package.name));
            }
            for (other, homes) in AT_HOME {
                if is_or_extends(name, other) && !homes.contains(&package.name.as_str()) {
                    found.push(format!("{name} belongs to {}, not to {}", homes.join(", "), package.name));
                }
            }
        }
    }
    found
}

/// Checks what gets compiled into a package.
pub(super) fn compiled(pure: &Pure, target: &Target, tree: &[String]) -> Vec<String> {
    let mut names: Vec<&String> =
        tree.iter().filter(|name| pure.without.iter().any(|other| is_or_extends(name, other))).collect();
    names.sort_unstable();
    names.dedup();
    names.into_iter().map(|name| format!("{} ({target:?}) compiles {name}", pure.package)).collect()
}

/// Checks what is locked, on whatever platform it would be used.
pub(super) fn locked(lock: &str) -> Vec<String> {
    let names = lock.lines().filter_map(|line| line.strip_prefix("name = ")).map(|name| name.trim_matches('"'));
    let never = names.filter(|name| NEVER.contains(name)).map(|name| format!("{name} is in Cargo.lock: use rustls"));
    let git = lock.lines().filter(|line| line.starts_with("source = \"git+")).map(|line| format!("from git: {line}"));
    never.chain(git).collect()
}

/// `sqlx` and `sqlx-core`, not `sqlxmq`.
fn is_or_extends(name: &str, other: &str) -> bool {
    name.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cargo::Dependency;

    fn package(name: &str, dependencies: &[(&str, bool)]) -> Package {
        let dependencies = dependencies.iter().map(|&(name, dev)| Dependency { name: name.to_owned(), dev }).collect();
        Package { name: name.to_owned(), manifest: "Cargo.toml".into(), dependencies }
    }

    #[test]
    fn server_and_agent_do_not_know_each_other() {
        let agent = package("swarm-agent", &[("swarm-client", false), ("swarm-server", true)]);
        let server = package("swarm-server", &[("swarm-agent", false), ("axum", false)]);
        let client = package("swarm-client", &[]);
        assert_eq!(declared(&[agent, server, client]), ["swarm-server must not depend on swarm-agent"]);
    }

    #[test]
    fn sql_and_http_stay_at_home() {
        let found =
            declared(&[package("swarm-server", &[("sqlx", false)]), package("swarm-agent", &[("axum", false)])]);
        assert_eq!(found.len(), 2, "{found:?}");
    }

    #[test]
    fn a_package_without_a_place_is_told() {
        assert_eq!(declared(&[package("swarm-utils", &[])]).len(), 1);
    }

    #[test]
    fn what_comes_by_way_of_another_is_seen() {
        let tree = ["swarm-model", "sqlx-core", "tokio", "tokio", "tokiox"].map(str::to_owned);
        assert_eq!(
            compiled(&PURE[0], &Target::Host, &tree),
            ["swarm-model (Host) compiles sqlx-core", "swarm-model (Host) compiles tokio"]
        );
    }

    #[test]
    fn openssl_and_git_sources_are_refused() {
        let lock = "[[package]]\nname = \"openssl-sys\"\n[[package]]\nname = \"openssl-probe\"\n\
            name = \"x\"\nsource = \"git+https://example.com/x\"\n";
        assert_eq!(locked(lock).len(), 2);
    }
}
