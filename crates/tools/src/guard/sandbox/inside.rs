//! The life of the two processes between the guard and the tool.

use std::io;
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl::{set_dumpable, set_pdeathsig};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, getegid, geteuid, getppid, setsid};

use super::super::{Sandbox, Spec, StartFailure, StartFailureKind};
use super::{Word, forked, network, rights, root};

/// The account as which a tool works whose worker is root: sandboxes that tools bring themselves refuse to be root.
const ORDINARY: u32 = 1000;

/// Moves into the namespaces, and lives there for as long as the init does.
pub(super) fn hold(spec: &Spec, sandbox: &Sandbox, stdin: Stdio, words: UnixStream) -> ! {
    let entered = enter(sandbox);
    let doors = entered.as_ref().map_or(&[][..], |doors| doors);
    // A guard that does not hear this is dead, and then nothing starts.
    let told = network::send_doors(&words, doors);
    match entered.and_then(|doors| told.map(|()| doors)) {
        Err(error) => {
            Word::Failed(failure(&error)).say(&words);
            end()
        }
        Ok(doors) => match forked() {
            Ok(None) => begin(spec, sandbox, &doors, stdin, &words),
            Ok(Some(init)) => {
                drop((words, doors, stdin));
                while waitpid(init, None) == Err(Errno::EINTR) {}
                end()
            }
            Err(error) => {
                Word::Failed(failure(&error)).say(&words);
                end()
            }
        },
    }
}

/// Leaves the guard's session and its namespaces; gives the doors of a cut-off network.
fn enter(sandbox: &Sandbox) -> io::Result<Vec<TcpListener>> {
    let guard = getppid();
    setsid()?;
    let (user, group) = (geteuid().as_raw(), getegid().as_raw());
    let mut spaces = CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID;
    spaces |= CloneFlags::CLONE_NEWIPC | CloneFlags::CLONE_NEWUTS;
    if sandbox.network.is_some() {
        spaces |= CloneFlags::CLONE_NEWNET;
    }
    unshare(spaces).map_err(|errno| step("the system gives an ordinary account no namespaces", errno))?;
    // Without it the account's groups could be given up, and with them what they are denied.
    std::fs::write("/proc/self/setgroups", "deny")?;
    std::fs::write("/proc/self/uid_map", format!("{} {user} 1", as_ordinary(user)))?;
    std::fs::write("/proc/self/gid_map", format!("{} {group} 1", as_ordinary(group)))?;
    die_with(guard)?;
    sandbox.network.as_ref().map_or_else(|| Ok(Vec::new()), network::open_doors)
}

/// The init: makes the sandbox, starts the tool and reaps until nobody is left.
fn begin(spec: &Spec, sandbox: &Sandbox, doors: &[TcpListener], stdin: Stdio, words: &UnixStream) -> ! {
    // The holder is in no namespace of processes that this one could see: its parent has no number.
    let tool = die_with(Pid::from_raw(0))
        .and_then(|()| root::make(sandbox))
        .and_then(|()| rights::give_up())
        // What it holds of the guard is no business of its children.
        .and_then(|()| Ok(set_dumpable(false)?))
        .and_then(|()| sandbox.network.as_ref().map_or_else(|| Ok(Vec::new()), |net| network::variables(net, doors)))
        .map_err(|error| failure(&error))
        .and_then(|variables| spawn(spec, variables, stdin));
    let tool = match tool {
        Ok(tool) => tool,
        Err(failure) => {
            Word::Failed(failure).say(words);
            end()
        }
    };
    Word::Started.say(words);
    loop {
        match waitpid(None, None) {
            Ok(WaitStatus::Exited(pid, code)) if pid == tool => {
                Word::Ended { code: Some(code), signal: None }.say(words);
            }
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == tool => {
                Word::Ended { code: None, signal: Some(signal as i32) }.say(words);
            }
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => end(),
        }
    }
}

#[expect(unsafe_code, reason = "session and signal mask of the tool can only be set between fork and exec")]
fn spawn(spec: &Spec, more: Vec<(&'static str, String)>, stdin: Stdio) -> Result<Pid, StartFailure> {
    let (program, arguments) = spec.argv.split_first().ok_or_else(|| StartFailure {
        kind: StartFailureKind::NotFound,
        message: "the argument vector is empty".to_owned(),
    })?;
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(&spec.env).envs(more).current_dir(&spec.cwd).stdin(stdin);
    // SAFETY: the closure allocates nothing, takes no lock, and calls only pthread_sigmask and setsid, which are
    // async-signal-safe.
    unsafe {
        command.pre_exec(|| {
            // What is blocked here would pass through exec, and TERM would never reach the tool.
            SigSet::empty().thread_set_mask()?;
            // A tool that signals its whole group means its own.
            setsid()?;
            Ok(())
        });
    }
    let child = command.spawn().map_err(|error| StartFailure::of(&error))?;
    // It is reaped together with everyone else.
    Ok(Pid::from_raw(child.id().cast_signed()))
}

/// Has the kernel end this process with its parent, which is still there.
fn die_with(parent: Pid) -> io::Result<()> {
    set_pdeathsig(Signal::SIGKILL)?;
    if getppid() == parent { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
}

/// The number of an account inside: its own, unless it is root's.
pub(super) fn as_ordinary(id: u32) -> u32 {
    if id == 0 { ORDINARY } else { id }
}

/// A failed system call, with what it was for.
pub(super) fn step(what: &str, errno: Errno) -> io::Error {
    io::Error::new(io::Error::from(errno).kind(), format!("{what} ({})", errno.desc()))
}

fn failure(error: &io::Error) -> StartFailure {
    StartFailure { kind: StartFailureKind::Sandbox, message: error.to_string() }
}

/// Ends this copy of the guard without what belongs to the end of the guard itself.
#[expect(unsafe_code, reason = "a copy must not run what the guard does at its end")]
fn end() -> ! {
    // SAFETY: it ends the process and touches nothing of it.
    unsafe { nix::libc::_exit(0) }
}
