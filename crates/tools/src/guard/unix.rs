//! The guard on Unix: starts the tool in a session of its own, reaps whatever is reparented to it, and ends
//! the tree in three steps: TERM, grace, KILL until nobody is left.

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

#[cfg(target_os = "linux")]
use super::network;
use super::processes::Tree;
#[cfg(target_os = "linux")]
use super::sandbox::{self, Confined};
use super::{Ended, EndedBy, Order, Spec, StartFailure};

/// How long a clean exit may take to be followed by the end of everything else before anyone is told.
const SETTLE: Duration = Duration::from_millis(2);
/// The pause between two rounds of KILL.
const KILL_ROUND: Duration = Duration::from_millis(10);
/// How long KILL is repeated before what is left counts as stuck in the kernel.
const GIVE_UP: Duration = Duration::from_secs(10);

/// Where the guard stands. Every phase but the first has a time at which the next step is due.
#[derive(Debug, Clone, Copy)]
enum Phase {
    Running,
    /// The tool ended by itself; the rest gets a moment to follow.
    Settling {
        until: Instant,
    },
    /// TERM was sent.
    Asked {
        until: Instant,
    },
    /// KILL is sent in rounds.
    Killing {
        next: Instant,
        give_up: Instant,
    },
}

/// The signals that ask the guard to end the run.
fn asking_signals() -> SigSet {
    SigSet::from_iter([Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT])
}

/// Blocks the signals that ask for the end, so that only the thread that waits for them sees them. Called
/// before any thread starts: one that did not inherit the block would let them kill the guard.
pub(super) fn block_signals() -> std::io::Result<()> {
    Ok(asking_signals().thread_block()?)
}

/// A tool that runs.
#[derive(Debug)]
pub(super) enum Started {
    /// Beside us: a child of the guard.
    Plain(Pid),
    /// In a sandbox.
    #[cfg(target_os = "linux")]
    Confined(Confined),
}

/// Starts the tool. Called while this process has one thread.
pub(super) fn start(spec: &Spec) -> Result<Started, StartFailure> {
    #[cfg(target_os = "linux")]
    nix::sys::prctl::set_child_subreaper(true).map_err(|errno| StartFailure::of(&errno.into()))?;
    let stdin = open_stdin(spec).map_err(|error| StartFailure::of(&error))?;
    #[cfg(target_os = "linux")]
    if let Some(sandbox) = &spec.sandbox {
        return sandbox::start(spec, sandbox, stdin).map(Started::Confined);
    }
    #[cfg(not(target_os = "linux"))]
    if spec.sandbox.is_some() {
        return Err(StartFailure::no_sandbox());
    }
    start_plain(spec, stdin).map(Started::Plain).map_err(|error| StartFailure::of(&error))
}

pub(super) fn run(
    spec: &Spec,
    started: Started,
    orders: &mpsc::SyncSender<Order>,
    inbox: &mpsc::Receiver<Order>,
) -> Ended {
    watch_signals(orders.clone());
    match started {
        Started::Plain(first) => {
            reap(Some(first), None, orders.clone());
            oversee(spec, &Tree::of(first), inbox)
        }
        #[cfg(target_os = "linux")]
        Started::Confined(mut confined) => {
            let holder = confined.holder;
            if let Some(allowed) = spec.sandbox.as_ref().and_then(|sandbox| sandbox.network.as_ref()) {
                network::serve(confined.take_doors(), allowed);
            }
            reap(None, Some(watch_confined(confined, orders.clone())), orders.clone());
            oversee(spec, &Tree::held_by(holder), inbox)
        }
    }
}

fn open_stdin(spec: &Spec) -> std::io::Result<Stdio> {
    let Some(path) = &spec.stdin_file else { return Ok(Stdio::null()) };
    let file = std::fs::File::open(path)?;
    // The prompt does not stay on the disk for longer than it must.
    std::fs::remove_file(path)?;
    Ok(Stdio::from(file))
}

fn start_plain(spec: &Spec, stdin: Stdio) -> std::io::Result<Pid> {
    let (program, arguments) = spec
        .argv
        .split_first()
        .ok_or_else(|| std::io::Error::new(std::io::ErrorKind::NotFound, "the argument vector is empty"))?;
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(&spec.env).current_dir(&spec.cwd).stdin(stdin);
    with_own_session(&mut command);
    // The child is reaped by `reap`, together with everyone else.
    let child = command.spawn()?;
    Ok(Pid::from_raw(child.id().cast_signed()))
}

#[expect(unsafe_code, reason = "session, signal mask and parent-death signal can only be set between fork and exec")]
fn with_own_session(command: &mut Command) {
    #[cfg(target_os = "linux")]
    let guard = nix::unistd::getpid();
    // SAFETY: the closure runs in the child between fork and exec. It allocates nothing, takes no lock, and
    // calls only pthread_sigmask, setsid, prctl and getppid, which are async-signal-safe.
    unsafe {
        command.pre_exec(move || {
            // The guard's own block would pass through exec, and TERM would never reach the tool.
            SigSet::empty().thread_set_mask()?;
            nix::unistd::setsid()?;
            #[cfg(target_os = "linux")]
            {
                // Sent when the thread that forked ends: the guard's main thread, which lives as long as it.
                nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
                if nix::unistd::getppid() != guard {
                    // The guard died before the signal was set.
                    return Err(std::io::ErrorKind::BrokenPipe.into());
                }
            }
            Ok(())
        });
    }
}

/// Reaps the tool, and as a subreaper everyone who lost a parent, until no child is left. The tool of a sandbox is
/// reaped inside it: `told` ends once that was told.
fn reap(first: Option<Pid>, told: Option<JoinHandle<()>>, orders: mpsc::SyncSender<Order>) {
    std::thread::spawn(move || {
        let mut told = told;
        loop {
            let order = match waitpid(None, None) {
                Ok(WaitStatus::Exited(pid, code)) if Some(pid) == first => {
                    Order::FirstEnded { code: Some(code), signal: None }
                }
                Ok(WaitStatus::Signaled(pid, signal, _)) if Some(pid) == first => {
                    Order::FirstEnded { code: None, signal: Some(signal as i32) }
                }
                Ok(_) | Err(Errno::EINTR) => continue,
                Err(_) => Order::NoneLeft,
            };
            let last = matches!(order, Order::NoneLeft);
            // How the tool ended comes before the word that nobody is left.
            drop(last.then(|| told.take().map(JoinHandle::join)));
            if orders.send(order).is_err() || last {
                return;
            }
        }
    });
}

/// Passes on how the tool of a sandbox ended.
#[cfg(target_os = "linux")]
fn watch_confined(confined: Confined, orders: mpsc::SyncSender<Order>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        if let Some((code, signal)) = confined.wait() {
            // A guard that is on its way out needs it no more.
            drop(orders.send(Order::FirstEnded { code, signal }));
        }
    })
}

fn watch_signals(orders: mpsc::SyncSender<Order>) {
    std::thread::spawn(move || {
        while asking_signals().wait().is_ok() {
            if orders.send(Order::End(EndedBy::Signal)).is_err() {
                return;
            }
        }
    });
}

fn oversee(spec: &Spec, tree: &Tree, inbox: &mpsc::Receiver<Order>) -> Ended {
    let mut ended = Ended { code: None, signal: None, by: EndedBy::Itself, swept: 0, left: 0, start_failure: None };
    let mut phase = Phase::Running;
    let mut first_lives = true;
    loop {
        match next_order(phase, inbox) {
            Some(Order::NoneLeft) => {
                // Where nobody is reparented to the guard, the group may still have members.
                tree.signal_stragglers(Signal::SIGKILL);
                return ended;
            }
            Some(Order::FirstEnded { code, signal }) => {
                (ended.code, ended.signal, first_lives) = (code, signal, false);
                if matches!(phase, Phase::Running) {
                    phase = Phase::Settling { until: Instant::now() + SETTLE };
                }
            }
            Some(Order::End(by)) => {
                if matches!(phase, Phase::Running) {
                    ended.by = by;
                }
                if matches!(phase, Phase::Running | Phase::Settling { .. }) {
                    phase = ask(spec, tree, first_lives, &mut ended);
                }
            }
            // The time of the phase is over.
            None => match phase {
                Phase::Running => {}
                Phase::Settling { .. } => phase = ask(spec, tree, first_lives, &mut ended),
                Phase::Asked { .. } => {
                    let now = Instant::now();
                    tree.signal(Signal::SIGKILL);
                    phase = Phase::Killing { next: now + KILL_ROUND, give_up: now + GIVE_UP };
                }
                Phase::Killing { give_up, .. } => {
                    let now = Instant::now();
                    let n_living = tree.signal(Signal::SIGKILL);
                    if now >= give_up {
                        ended.left = n_living;
                        return ended;
                    }
                    phase = Phase::Killing { next: now + KILL_ROUND, give_up };
                }
            },
        }
    }
}

fn ask(spec: &Spec, tree: &Tree, first_lives: bool, ended: &mut Ended) -> Phase {
    let n_told = tree.signal(Signal::SIGTERM);
    ended.swept = n_told.saturating_sub(u32::from(first_lives));
    Phase::Asked { until: Instant::now() + Duration::from_millis(spec.grace_ms) }
}

/// The next order, or none when the phase's time is over.
fn next_order(phase: Phase, inbox: &mpsc::Receiver<Order>) -> Option<Order> {
    let due = match phase {
        // The reaping thread holds a sender for as long as a child lives, so this cannot fail.
        Phase::Running => return inbox.recv().ok(),
        Phase::Settling { until } | Phase::Asked { until } => until,
        Phase::Killing { next, .. } => next,
    };
    inbox.recv_timeout(due.saturating_duration_since(Instant::now())).ok()
}
