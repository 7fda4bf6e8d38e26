#![cfg(target_os = "linux")]

use std::collections::BTreeMap;

use swarm_model::task::{Limits, TaskInput};
use swarm_model::time::SystemClock;
use swarm_model::{TaskId, UserId};

use super::*;
use crate::adapter::command::Lines;
use crate::adapter::{Confinement, Needs, Reach, RunDirs};

fn request(folder: &Path, confinement: Confinement) -> RunRequest {
    let dir = |name: &str| folder.join("run").join(name);
    RunRequest {
        task_id: TaskId::generate(&SystemClock),
        attempt: 1,
        user_id: UserId::generate(&SystemClock),
        description: String::new(),
        input: TaskInput::default(),
        tool: "command".parse().unwrap(),
        model: None,
        limits: Limits::default(),
        session: None,
        dirs: RunDirs { work: dir("work"), tmp: dir("tmp"), state: dir("state"), control: dir("control") },
        confinement,
    }
}

fn plan(argv: &[&Path], env: &[(&str, &str)], endpoints: &[&str]) -> ProcessPlan {
    ProcessPlan {
        argv: argv.iter().map(|word| word.to_str().unwrap().to_owned()).collect(),
        env: env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<BTreeMap<_, _>>(),
        stdin: String::new(),
        needs: Needs::default(),
        reach: Reach {
            endpoints: endpoints.iter().map(|url| url::Url::parse(url).unwrap()).collect(),
            login: Vec::new(),
        },
        parser: Box::new(Lines::new()),
    }
}

fn shows<'a>(sandbox: &'a Sandbox, at: &Path) -> Option<&'a Shows> {
    sandbox.mounts.iter().find(|mount| mount.at == at).map(|mount| &mount.shows)
}

#[test]
fn a_script_of_a_package_brings_its_packages_and_its_interpreter() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    let packages = root.join("lib/node_modules");
    let script = packages.join("@a/tool/node_modules/b/cli.js");
    std::fs::create_dir_all(script.parent().unwrap()).unwrap();
    std::fs::create_dir_all(root.join("bin")).unwrap();
    std::fs::write(&script, "#!/usr/bin/env -S no-node --flag\n").unwrap();
    let link = root.join("bin/tool");
    std::os::unix::fs::symlink(&script, &link).unwrap();
    std::fs::create_dir(root.join("other")).unwrap();
    let node = root.join("other/no-node");
    std::fs::write(&node, "").unwrap();
    std::fs::set_permissions(&node, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let path = root.join("other");
    let plan = plan(&[&link], &[("PATH", path.to_str().unwrap())], &[]);
    let sandbox = of(&plan, &request(&root, Confinement::default()));
    // The prefix of an installation with packages beside its programs is shown as a whole.
    assert_eq!(shows(&sandbox, &root), Some(&Shows::Read(root.clone())));
    assert_eq!(shows(&sandbox, &packages), Some(&Shows::Read(packages)));
    assert_eq!(shows(&sandbox, &node), Some(&Shows::Read(node.clone())));
    assert_eq!(shows(&sandbox, &path), None);
}

#[test]
fn a_home_that_cannot_be_replaced_is_elsewhere() {
    let check = |home: &str| {
        let folder = Path::new("/data");
        of(&plan(&[], &[("HOME", home)], &[]), &request(folder, Confinement::default())).home
    };
    assert_eq!(check("/home/ann"), Path::new("/home/ann"));
    assert_eq!(check("/root"), Path::new("/root"));
    for home in ["/", "/usr", "/usr/home", "/etc/x", "relative", "", "/home/../etc", "/proc/1"] {
        assert_eq!(check(home), Path::new("/data/run/tmp/home"), "{home}");
    }
}

#[test]
fn a_data_folder_among_the_systems_programs_is_hidden_and_one_elsewhere_is_not_there() {
    let hidden = vec![PathBuf::from("/opt/swarm/data"), PathBuf::from("/srv/swarm")];
    let sandbox = of(
        &plan(&[], &[], &[]),
        &request(&hidden[0], Confinement { hidden: hidden.clone(), ..Confinement::default() }),
    );
    assert_eq!(shows(&sandbox, &hidden[0]), Some(&Shows::Nothing));
    assert_eq!(shows(&sandbox, &hidden[1]), None);
    let work = hidden[0].join("run/work");
    assert_eq!(shows(&sandbox, &work), Some(&Shows::Write(work.clone())));
}

#[test]
fn a_network_that_is_cut_off_leads_to_the_tools_own_model() {
    let endpoints =
        ["http://127.0.0.1:8080/v1", "http://localhost:11434", "https://api.example.org", "http://[::1]:81"];
    let plan = plan(&[], &[], &endpoints);
    let with = |network: Option<Vec<String>>| {
        of(&plan, &request(Path::new("/data"), Confinement { network, ..Confinement::default() })).network
    };
    assert_eq!(with(None), None);
    let network = with(Some(vec!["*.pkg.dev".to_owned()])).unwrap();
    assert_eq!(network.ports, BTreeSet::from([81, 8080, 11434]));
    assert_eq!(network.hosts, ["*.pkg.dev", "api.example.org"]);
}
