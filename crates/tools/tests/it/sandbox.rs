//! Runs in a sandbox: what they cannot get at, what they still can do, and that nobody is left of them.
//!
//! Everything that must fail in the sandbox is done outside of it too, where it must work: a secret that nobody could
//! have found proves nothing.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use swarm_model::task::Outcome;
use swarm_model::{FailureClass, Isolation};
use swarm_tools::isolation::measure;
use swarm_tools::{Confinement, GuardBinary};

use crate::harness::{Bench, Done, eventually, n_sleeping, probe};

const CANARY: &str = "canary-5f2c81d0";

fn sandboxed(mut bench: Bench, network: Option<&[&str]>) -> Bench {
    let network = network.map(|hosts| hosts.iter().map(|host| (*host).to_owned()).collect());
    bench.request.confinement = Confinement { level: Isolation::Sandbox, network, ..Confinement::default() };
    bench
}

fn shell(script: &str, network: Option<&[&str]>) -> Bench {
    sandboxed(Bench::shell(script), network)
}

async fn said(script: &str, network: Option<&[&str]>) -> String {
    shell(script, network).run().await.result().text.trim().to_owned()
}

fn all_of(done: &Done) -> String {
    format!("{:?} {:?}", done.events, done.outcome)
}

#[tokio::test]
async fn the_machine_proves_its_level() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox =
        Confinement { level: Isolation::Sandbox, hidden: vec![folder.path().to_owned()], ..Confinement::default() };
    let proven = measure(&GuardBinary(probe()), folder.path(), &sandbox).await;
    assert_eq!((proven.level, proven.remarks), (Isolation::Sandbox, Vec::new()));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "something is left of the trial");
    let leaking = Confinement { read: vec![folder.path().join("trial")], ..sandbox.clone() };
    let proven = measure(&GuardBinary(probe()), folder.path(), &leaking).await;
    let why = "no sandbox: in a sandbox it read a secret file of the worker".to_owned();
    assert_eq!((proven.level, proven.remarks), (Isolation::Own, vec![why]));
    let nobody = measure(&GuardBinary("/nowhere".into()), folder.path(), &sandbox).await;
    assert_eq!(nobody.level, Isolation::Own);
    assert!(nobody.remarks[0].contains("guard"), "{nobody:?}");
}

/// Everything that a run might try to find a secret of the person or of the worker.
#[tokio::test]
async fn no_secret_is_found() {
    let place = tempfile::tempdir().unwrap();
    let worker = std::process::id();
    let planted = [
        "person/.ssh/id_ed25519",
        "person/.claude/.credentials.json",
        "data/worker.toml",
        "data/secrets/worker",
        "data/runs/other/work/note",
    ];
    for name in planted {
        let file = place.path().join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, CANARY).unwrap();
    }
    let root = place.path().display();
    let script = format!(
        "cat {root}/person/.ssh/id_ed25519; cat ~/.ssh/id_ed25519; cat ~/.claude/.credentials.json
         cat {root}/data/worker.toml {root}/data/secrets/worker {root}/data/runs/*/work/note
         ln -s {root}/data/worker.toml link; cat link; ln -s {root} dir; cat dir/data/worker.toml
         cat /proc/1/root{root}/data/worker.toml /proc/{worker}/root{root}/data/worker.toml
         (cd /proc/1/root && cat .{root}/data/worker.toml); (cd /proc/1/cwd && cat .{root}/data/worker.toml)
         cat /proc/$PPID/root{root}/data/worker.toml; tr '\\0' '\\n' < /proc/{worker}/environ
         grep -r {CANARY} /proc/*/environ /tmp /var/tmp /run /mnt /srv /home 2>&1 | grep -v '^grep'
         sh -c 'setsid sh -c \"cat {root}/data/worker.toml\"'
         find / -xdev -name id_ed25519 -exec cat {{}} +; cat .././../data/worker.toml ../secret
         unshare -rm sh -c 'cat {root}/data/worker.toml; ls /old'
         mount -o remount,rw /usr; mknod disk b 254 0; cat /dev/vda | head -c 10; cat /dev/mem; ls ~; true"
    );
    for (level, finds) in [(Isolation::Own, true), (Isolation::Sandbox, false)] {
        let mut bench = sandboxed(Bench::shell(&script.replace("-xdev", "-xdev -path \"/tmp/*\"")), None);
        bench.request.confinement.level = level;
        bench.settings.env.insert("HOME".to_owned(), format!("{root}/person"));
        std::fs::write(bench.folder.path().join("secret"), CANARY).unwrap();
        let done = bench.run().await;
        assert_eq!(done.record.isolation, Some(level));
        assert_eq!(all_of(&done).contains(CANARY), finds, "{level}: {}", all_of(&done));
    }
}

#[tokio::test]
async fn nothing_but_its_own_is_written() {
    let outside = tempfile::tempdir().unwrap();
    let outside = outside.path().display();
    let script = format!(
        "for place in /usr /usr/local /etc / /opt /proc/sys/kernel /dev {outside}; do
             echo x > $place/written-by-a-run && echo wrote $place
         done
         echo x > /usr/bin/env && echo wrote env
         echo x > here && echo x > ~/there && echo x > /tmp/there && echo x > $TMPDIR/there && echo own"
    );
    assert_eq!(said(&script, None).await, "own");
}

#[tokio::test]
async fn it_is_nobody_and_alone() {
    let said = said(
        "id -un; id -u; grep -c . /etc/passwd; ls /proc | grep -c '^[0-9]'; grep -E '^(CapEff|CapBnd|NoNewPrivs)' /proc/self/status | tr -d '\\t'
         kill -0 1 && echo kills; hostname > /dev/null; test -r /etc/shadow && echo shadow; ls -A ~; wc -c < /dev/null",
        None,
    )
    .await;
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines[0], "run");
    assert_ne!(lines[1], "0");
    assert_eq!(lines[2], "3");
    assert!(lines[3].parse::<u32>().unwrap() < 8, "{said}");
    assert_eq!(lines[4..7], ["CapEff:0000000000000000", "CapBnd:0000000000000000", "NoNewPrivs:1"]);
    assert!(!said.contains("shadow"), "{said}");
}

#[tokio::test]
async fn it_ends_as_it_ends_outside() {
    let check = async |argv: &[&str]| {
        let done = sandboxed(Bench::command(argv), None).run().await;
        (done.record.exit_code, done.failure().0)
    };
    assert_eq!(check(&["sh", "-c", "exit 3"]).await, (Some(3), FailureClass::ProcessFailed));
    assert_eq!(check(&["sh", "-c", "kill -9 $$"]).await, (Some(137), FailureClass::ProcessFailed));
    assert_eq!(check(&["no-such-program-anywhere"]).await, (Some(127), FailureClass::ToolMissing));
    assert_eq!(check(&["/etc/passwd"]).await, (Some(126), FailureClass::ProcessFailed));
    // A group that ends itself is its own, and nobody else's.
    assert_eq!(check(&["sh", "-c", "kill 0"]).await, (Some(143), FailureClass::ProcessFailed));
}

#[tokio::test]
async fn its_own_things_are_there() {
    let script = "echo input | cat; python3 -c 'print(6 * 7)' 2>/dev/null || echo 42; date +%Z; echo a > /dev/shm/x; cat /dev/shm/x
                  head -c 3 /dev/urandom | wc -c; test -t 0 || echo no terminal; readlink /proc/self/cwd; mktemp | grep -c tmp";
    let bench = shell(script, None);
    let work = bench.work().display().to_string();
    let done = bench.run().await;
    let said = &done.result().text;
    for wanted in ["input\n42\n", "\na\n3\n", "no terminal\n", &work] {
        assert!(said.contains(wanted), "{wanted} is not in {said}");
    }
}

#[tokio::test]
async fn more_is_shown_where_the_owner_says_so() {
    let place = tempfile::tempdir().unwrap();
    for name in ["read", "write"] {
        std::fs::create_dir(place.path().join(name)).unwrap();
        std::fs::write(place.path().join(name).join("file"), name).unwrap();
    }
    let root = place.path().display();
    let mut bench =
        shell(&format!("cd {root}; cat read/file write/file; echo x > write/new; echo x > read/new; ls"), None);
    bench.request.confinement.read = vec![place.path().join("read")];
    bench.request.confinement.write = vec![place.path().join("write")];
    let done = bench.run().await;
    assert_eq!(done.result().text, "readwriteread\nwrite\n");
    assert!(place.path().join("write/new").exists() && !place.path().join("read/new").exists());
}

#[tokio::test]
async fn a_cancel_and_a_clean_end_leave_nobody() {
    let mark = format!("{:07}8", std::process::id());
    let tree = format!("setsid sh -c 'trap : TERM; sleep 1000.{mark} & wait; wait' & sleep 1001.{mark} &");
    let bench = shell(&format!("{tree} wait"), None);
    let going = bench.start();
    eventually("both run", || n_sleeping(&mark) == 2).await;
    let asked = Instant::now();
    going.cancel.cancel();
    assert!(matches!(going.finish().await.outcome, Outcome::Cancelled { .. }));
    assert!(asked.elapsed() < Duration::from_secs(4), "{:?}", asked.elapsed());
    assert_eq!(n_sleeping(&mark), 0);
    let done =
        shell(&format!("{tree} while [ $(pgrep -c sleep) -lt 2 ]; do sleep 0.01; done; echo done; exit 4"), None);
    assert_eq!(done.run().await.record.exit_code, Some(4));
    assert_eq!(n_sleeping(&mark), 0);
}

#[tokio::test]
async fn a_killed_guard_takes_the_whole_sandbox_along() {
    let mark = format!("{:07}9", std::process::id());
    let bench = shell(&format!("setsid sleep 1000.{mark} & sleep 1001.{mark}"), None);
    let going = bench.start();
    eventually("both run", || n_sleeping(&mark) == 2).await;
    // The guard of this run is the one process of ours whose working folder is the run's control folder.
    let control = bench.request.dirs.control.canonicalize().unwrap();
    let is_guard = |pid: &i32| std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == control);
    let numbers = std::fs::read_dir("/proc").unwrap().flatten();
    let guard = numbers.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).find(is_guard).unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(guard), nix::sys::signal::Signal::SIGKILL).unwrap();
    assert_eq!(going.finish().await.failure().0, FailureClass::ProcessFailed);
    assert_eq!(n_sleeping(&mark), 0);
}

/// Answers every connection with a line.
fn serve(answer: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let mut asked = [0; 1024];
            drop(client.read(&mut asked));
            let length = answer.len();
            drop(write!(client, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{answer}"));
        }
    });
    port
}

#[tokio::test]
async fn a_network_that_is_cut_off_leads_nowhere() {
    let port = serve("reached");
    let ask = format!(
        "for host in 127.0.0.1 localhost 10.0.0.1 169.254.169.254 example.org; do
             curl -s -m 5 http://$host:{port}/; curl -s -m 5 --noproxy '*' http://$host:{port}/; curl -s -m 5 https://$host:{port}/
         done; ls /sys/class/net 2>/dev/null; cat /proc/net/dev | grep -c :; true"
    );
    let open = said(&ask, None).await;
    assert!(open.contains("reached"), "{open}");
    let done = shell(&ask, Some(&[])).run().await;
    let all = all_of(&done);
    assert!(!all.contains("reached"), "{all}");
    // The only device is its own loopback.
    assert!(done.result().text.ends_with("1\n"), "{all}");
    for host in ["10.0.0.1", "169.254.169.254", "example.org"] {
        assert_eq!(
            all.matches(&format!("{host} is not among the hosts that the task may reach: refused")).count(),
            1,
            "{all}"
        );
    }
}

#[tokio::test]
async fn hosts_that_are_named_are_reached() {
    let port = serve("reached");
    let ask = format!(
        "curl -s -m 5 http://localhost:{port}/; curl -s -p -m 5 http://localhost:{port}/; curl -s -m 5 http://127.0.0.1:{port}/; true"
    );
    let done = shell(&ask, Some(&["localhost"])).run().await;
    assert_eq!(done.lines().concat().matches("reached").count(), 2, "{}", all_of(&done));
}

/// A sandbox costs little beside what a tool costs.
#[tokio::test]
async fn it_starts_quickly() {
    let mut spans = Vec::new();
    for network in [None, Some(&[][..])] {
        let started = Instant::now();
        assert_eq!(said("echo x", network).await, "x");
        spans.push(started.elapsed());
    }
    assert!(spans.iter().all(|span| *span < Duration::from_secs(5)), "{spans:?}");
}

#[tokio::test]
async fn links_in_its_own_folder_lead_nowhere_else() {
    let place = tempfile::tempdir().unwrap();
    let secret = place.path().join("secret");
    std::fs::write(&secret, CANARY).unwrap();
    // What an earlier attempt left where the next one's places are made.
    let bench = shell(&format!("cat {}; cat link; true", secret.display()), None);
    std::fs::create_dir_all(bench.work()).unwrap();
    std::os::unix::fs::symlink(&secret, bench.work().join("link")).unwrap();
    let done = bench.run().await;
    assert!(!all_of(&done).contains(CANARY));
    assert!(Path::new(&secret).metadata().unwrap().permissions().mode() & 0o400 != 0);
}
