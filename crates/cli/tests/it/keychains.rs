//! Keychains that are there, that are not, and that never answer.

use std::io::Write as _;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::home::{Home, Running, Said};

/// How long a command may take whatever the keychain does.
const BOUND: Duration = Duration::from_secs(5);

/// A bus that takes every connection and says nothing.
fn silent_bus(path: &Path) {
    let listener = UnixListener::bind(path).unwrap();
    std::thread::spawn(move || {
        let mut connections = Vec::new();
        while let Ok((connection, _)) = listener.accept() {
            connections.push(connection);
        }
    });
}

/// A command that may use the keychain of this bus.
fn with_bus(home: &Home, bus: &Path, args: &[&str]) -> Command {
    let mut command = home.command(args);
    command.env_remove("GARAGESWARM_KEYCHAIN").env("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}", bus.display()));
    command
}

fn finished(mut command: Command, input: &str) -> (Said, Duration) {
    let began = Instant::now();
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let said = Said { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) };
    (said, began.elapsed())
}

/// Signs in and runs a worker at a coordinator, with what stands for the keychain there.
fn signs_in_and_works(bus: &Path, why: &str) {
    let home = Home::new();
    let mut up = home.up(&["--no-worker"]);
    up.wait_for("stop ");
    let link = up.stdout().split_whitespace().find(|word| word.contains("/signin#")).unwrap().to_owned();
    let elsewhere = Home::new();
    let (login, took) = finished(with_bus(&elsewhere, bus, &["login", "--link", "-"]), &link);
    assert_eq!(login.code, Some(0), "{login:?}");
    assert!(login.stderr.contains(why) && login.stderr.contains("garageswarm doctor"), "{login:?}");
    assert!(took < BOUND, "login took {took:?}");

    let key = home.json(&["key", "create", "--name", "attic"])["secret"].as_str().unwrap().to_owned();
    let mut run = with_bus(&elsewhere, bus, &["worker", "run", "--coordinator", &up.url(), "--name", "attic"]);
    run.env("GARAGESWARM_WORKER_KEY", key);
    let began = Instant::now();
    let mut worker = Running::start(run);
    worker.wait_for("ready attic");
    let took = began.elapsed();
    assert!(took < BOUND, "worker run took {took:?}");
    assert!(worker.stderr().contains("kept in a file that only you may read"), "{}", worker.stderr());
    worker.kill();
    let began = Instant::now();
    let mut again = Running::start(with_bus(&elsewhere, bus, &["worker", "run"]));
    again.wait_for("ready attic");
    assert!(began.elapsed() < BOUND, "starting again took {:?}", began.elapsed());
    let doctor = finished(with_bus(&elsewhere, bus, &["doctor"]), "").0;
    assert!(doctor.stdout.contains(why) && doctor.stdout.contains("which only you may read"), "{doctor:?}");
}

#[test]
fn a_keychain_that_never_answers_costs_a_moment() {
    let folder = tempfile::tempdir().unwrap();
    let bus = folder.path().join("bus");
    silent_bus(&bus);
    signs_in_and_works(&bus, "did not answer within two seconds");
}

#[test]
fn a_keychain_that_is_not_there_is_done_without() {
    let folder = tempfile::tempdir().unwrap();
    signs_in_and_works(&folder.path().join("nothing"), "the keychain cannot be used");
}

/// What the bus demands in front of its settings.
const BUS_CONFIG: &str = "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN\" \
    \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">";

/// A bus of its own; it ends with the test.
struct Bus(Child);

impl Bus {
    fn start(path: &Path) -> Option<Self> {
        // Without services of the system's: a question must not start a keyring that nobody has unlocked.
        let config = path.with_extension("conf");
        let listen = format!("<listen>unix:path={}</listen>", path.display());
        let policy = "<policy context=\"default\"><allow send_destination=\"*\" eavesdrop=\"true\"/>\
                      <allow eavesdrop=\"true\"/><allow own=\"*\"/></policy>";
        let text = format!("{BUS_CONFIG}<busconfig><type>session</type>{listen}{policy}</busconfig>");
        std::fs::write(&config, text).unwrap();
        let config = format!("--config-file={}", config.display());
        let child = Command::new("dbus-daemon").args(["--nofork", &config]).stdin(Stdio::null()).spawn().ok()?;
        let bus = Self(child);
        let deadline = Instant::now() + crate::home::PATIENCE;
        while !path.exists() {
            assert!(Instant::now() < deadline, "the bus does not come");
            std::thread::sleep(Duration::from_millis(10));
        }
        Some(bus)
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[test]
fn a_secret_service_that_hangs_costs_a_moment() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bus");
    let tool = Command::new("dbus-test-tool").arg("--help").stdout(Stdio::null()).stderr(Stdio::null()).status();
    let Some(_bus) = tool.ok().and_then(|_| Bus::start(&path)) else {
        println!("left out: dbus-daemon and dbus-test-tool are not both installed");
        return;
    };
    let mut hole = Command::new("dbus-test-tool");
    hole.args(["black-hole", "--session", "--name=org.freedesktop.secrets"]);
    hole.env("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}", path.display()));
    let _hole = Bus(hole.stdin(Stdio::null()).spawn().unwrap());
    signs_in_and_works(&path, "did not answer within two seconds");
}
