//! Two machines on one cable: network namespaces that only root may make. Elsewhere this is left out, and says so.

use std::process::Command;

use nix::sys::signal::Signal;

use crate::home::{Home, PATIENCE, Running, Said, eventually, said};

/// Two namespaces with a cable between them; they go with the test.
struct Cable {
    here: String,
    there: String,
}

impl Cable {
    /// None where this machine does not allow it.
    fn lay() -> Option<Self> {
        if !nix::unistd::geteuid().is_root() {
            println!("left out: two machines on one cable (network namespaces are root's)");
            return None;
        }
        let name = |side: &str| format!("gs{}{side}", std::process::id());
        let cable = Self { here: name("a"), there: name("b") };
        let (here, there) = (cable.here.as_str(), cable.there.as_str());
        let steps = [
            format!("netns add {here}"),
            format!("netns add {there}"),
            format!("link add {here} type veth peer name {there}"),
            format!("link set {here} netns {here}"),
            format!("link set {there} netns {there}"),
            format!("-n {here} link set lo up"),
            format!("-n {there} link set lo up"),
            format!("-n {here} addr add 10.77.0.1/24 dev {here}"),
            format!("-n {there} addr add 10.77.0.2/24 dev {there}"),
            format!("-n {here} link set {here} up"),
            format!("-n {there} link set {there} up"),
        ];
        if steps.iter().all(|step| ip(step)) {
            return Some(cable);
        }
        println!("left out: two machines on one cable (this machine forbids network namespaces)");
        None
    }

    /// The same command on one side.
    fn on(side: &str, inner: &Command) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", side]).arg(inner.get_program()).args(inner.get_args());
        for (name, value) in inner.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.stdin(std::process::Stdio::null());
        command
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        for side in [&self.here, &self.there] {
            ip(&format!("netns del {side}"));
        }
    }
}

fn ip(arguments: &str) -> bool {
    Command::new("ip").args(arguments.split(' ')).output().is_ok_and(|output| output.status.success())
}

fn worker(cable: &Cable, home: &Home, args: &[&str]) -> Command {
    let data_dir = home.path("attic").display().to_string();
    Cable::on(&cable.there, &home.command(&[&["worker", "run", "--data-dir", &data_dir], args].concat()))
}

fn asked(cable: &Cable, home: &Home, args: &[&str]) -> Said {
    said(Cable::on(&cable.here, &home.command(args)))
}

#[test]
fn a_machine_joins_from_the_other_side_and_finds_its_coordinator_again_when_that_moves() {
    let Some(cable) = Cable::lay() else { return };
    let (home, far) = (Home::new(), Home::new());
    let mut up = Running::start(Cable::on(
        &cable.here,
        &home.command(&["up", "--listen", "127.0.0.1:0", "--lan", "--no-worker"]),
    ));
    up.wait_for("https://10.77.0.1:8421");
    let invited = asked(&cable, &home, &["worker", "invite", "--json"]);
    let invitation: serde_json::Value = serde_json::from_str(&invited.stdout).unwrap();

    // Plain HTTP is not there from the other side.
    let plain = said(Cable::on(
        &cable.there,
        &far.command(&["--coordinator", &up.url().replace("127.0.0.1", "10.77.0.1"), "status"]),
    ));
    assert_ne!(plain.code, Some(0), "{plain:?}");

    let link = invitation["link"].as_str().unwrap();
    let mut joined =
        Running::start(worker(&cable, &far, &["--join", link, "--yes", "--name", "attic", "--allow-tool", "command"]));
    joined.wait_for("ready attic at https://10.77.0.1:8421");
    let submit = ["task", "submit", "--tool", "command", "--worker", "attic", "--wait", "--", "echo", "over the cable"];
    let done = asked(&cable, &home, &submit);
    assert_eq!((done.code, done.stdout.as_str()), (Some(0), "over the cable\n"), "{done:?}");
    joined.signal(Signal::SIGTERM);
    assert!(joined.ended().success(), "{}", joined.stderr());

    // As a laptop that gets another address from its router.
    for step in ["addr del 10.77.0.1/24", "addr add 10.77.0.9/24"] {
        assert!(ip(&format!("-n {} {step} dev {}", cable.here, cable.here)), "{step}");
    }
    let words = invitation["words"].as_str().unwrap();
    let heard = eventually(
        || said(Cable::on(&cable.there, &far.command(&["discover", "--seconds", "2"]))),
        |heard| heard.stdout.contains("10.77.0.9"),
    );
    assert!(heard.stdout.contains(words), "{heard:?}");
    let mut again = Running::start(worker(&cable, &far, &[]));
    again.wait_for("ready attic");
    let kept = eventually(
        || std::fs::read_to_string(far.path("attic").join("identity.json")).unwrap(),
        |identity| identity.contains("https://10.77.0.9:8421"),
    );
    assert!(kept.contains(invitation["fingerprint"].as_str().unwrap()), "{PATIENCE:?} {kept}");
    again.signal(Signal::SIGTERM);
    assert!(again.ended().success(), "{}", again.stderr());
}
