//! A run that is a program: starts the guard, reads what the tool says, and makes sure that both end.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use bytes::BytesMut;
use swarm_model::FailureClass;
use swarm_model::id::{Entropy, SystemEntropy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::leftovers::make_private;
use super::outlet::Outlet;
use super::{PATIENCE_WITH_RECEIVER, Run, Stop};
use crate::adapter::{Needs, OutputParser, ProcessPlan, RunRequest};
use crate::environment;
use crate::event::{Failure, Final, ToolEvent};
use crate::guard::{self, Ended, GuardBinary, RUN_MARK, Spec, StartFailure, StartFailureKind};
use crate::proxy::Proxy;
use crate::sandbox;

/// Between TERM and KILL.
const GRACE: Duration = Duration::from_secs(2);
/// How long a tool may live on after its final event.
const AFTER_FINAL: Duration = Duration::from_secs(10);
/// How long the guard may take to end a tree before it is killed itself: its grace, its rounds of KILL, and some.
const GUARD_DEADLINE: Duration = Duration::from_secs(15);
/// How long a pipe may stay open after the guard: whoever holds it has escaped the guard's end.
const PIPE_DEADLINE: Duration = Duration::from_secs(2);
/// What is read at once.
const CHUNK: usize = 64 * 1024;
/// What the output's pipe holds, where that can be asked for: a program on Node loses at its end what does not fit.
#[cfg(target_os = "linux")]
const PIPE_BYTES: i32 = 1024 * 1024;

pub(super) async fn drive(
    mut plan: ProcessPlan,
    request: &RunRequest,
    guard: &GuardBinary,
    run: &mut Run,
    outlet: &mut Outlet,
    cancel: &CancellationToken,
) -> Option<Ended> {
    let status_file = request.dirs.control.join("status.json");
    let mark = format!("{}{}", request.mark_prefix(), random_word());
    let proxy = match &plan.metered {
        Some(metered) => match Proxy::start(metered, &run.meter).await {
            Ok(proxy) => Some(proxy),
            Err(error) => {
                fail(run, outlet, format!("the proxy of the run cannot listen: {error}"));
                return None;
            }
        },
        None => None,
    };
    if let Some((metered, proxy)) = plan.metered.as_ref().zip(proxy.as_ref()) {
        proxy.equip(metered, &mut plan.argv, &mut plan.env);
        // However far the run is kept away from the rest, the proxy it must reach; and nobody else for its model.
        let here = format!("http://{}:{}", std::net::Ipv4Addr::LOCALHOST, proxy.port());
        plan.reach.endpoints = Url::parse(&here).into_iter().collect();
    }
    let mut guarded = match start(&plan, request, guard, &mark, status_file.clone()).await {
        Ok(guarded) => guarded,
        Err(error) => {
            fail(run, outlet, format!("the guard of the run cannot be started: {error}"));
            return None;
        }
    };
    let mut parser = plan.parser;
    let overseen = oversee(&mut guarded, parser.as_mut(), run, outlet, cancel, &status_file, &mark);
    let ended = Box::pin(overseen).await;
    let mut last = Vec::new();
    match ended.as_ref().and_then(|ended| ended.start_failure.as_ref()) {
        Some(failure) => last.push(ToolEvent::Final(Final::failed(not_started(&plan.argv, failure)))),
        None => parser.finish(ended.as_ref(), &mut last),
    }
    for event in last {
        run.take(event, outlet);
    }
    if let Some(proxy) = proxy {
        proxy.close().await;
    }
    outlet.drain(run.stop.map(|_| PATIENCE_WITH_RECEIVER)).await;
    run.hear_meter(outlet);
    outlet.drain(run.stop.map(|_| PATIENCE_WITH_RECEIVER)).await;
    ended
}

/// A run that does not even begin.
fn fail(run: &mut Run, outlet: &mut Outlet, error: String) {
    run.take(ToolEvent::Final(Final::failed(Failure::new(FailureClass::ProcessFailed, error))), outlet);
}

/// The guard, and our ends of its pipes.
struct Guarded {
    child: Child,
    /// Held open: its end tells the guard that we are dead.
    control: ChildStdin,
}

async fn start(
    plan: &ProcessPlan,
    request: &RunRequest,
    guard: &GuardBinary,
    mark: &str,
    status_file: PathBuf,
) -> std::io::Result<Guarded> {
    let stdin_file = if plan.stdin.is_empty() {
        None
    } else {
        let path = request.dirs.control.join("stdin");
        write_private(&path, plan.stdin.as_bytes()).await?;
        Some(path)
    };
    provide(&plan.needs).await?;
    let sandbox = if request.confinement.is_sandbox() {
        make_private(&sandbox::home_of(request)).await?;
        Some(sandbox::of(plan, request))
    } else {
        None
    };
    let mut env = plan.env.clone();
    if let Some(home) = sandbox.as_ref().and_then(|sandbox| sandbox.home.to_str()) {
        env.insert("HOME".to_owned(), home.to_owned());
    }
    env.insert(RUN_MARK.to_owned(), mark.to_owned());
    let spec = Spec {
        argv: plan.argv.clone(),
        env,
        cwd: request.dirs.work.clone(),
        grace_ms: u64::try_from(GRACE.as_millis()).unwrap_or(u64::MAX),
        stdin_file,
        status_file,
        sandbox,
    };
    let mut line = serde_json::to_vec(&spec)?;
    line.push(b'\n');
    let mut command = tokio::process::Command::new(guard.path());
    command
        .arg(guard::SUBCOMMAND)
        .current_dir(&request.dirs.control)
        // What the worker was started with may hold a key: it is nothing for what runs beside the tool either.
        .env_clear()
        .envs(environment::passed(std::env::vars_os()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    // Ctrl-C in the terminal is for the worker, which then decides.
    #[cfg(unix)]
    command.process_group(0);
    let mut child = command.spawn()?;
    #[cfg(target_os = "linux")]
    widen(&child);
    let mut control = child.stdin.take().ok_or(std::io::ErrorKind::BrokenPipe)?;
    control.write_all(&line).await?;
    Ok(Guarded { child, control })
}

/// Makes the pipe of the output hold more. Where the system refuses, its usual size must do.
#[cfg(target_os = "linux")]
fn widen(child: &Child) {
    use nix::fcntl::{FcntlArg, fcntl};
    let asked = child.stdout.as_ref().map(|pipe| fcntl(pipe, FcntlArg::F_SETPIPE_SZ(PIPE_BYTES)));
    if let Some(Err(error)) = asked {
        tracing::debug!(%error, "the pipe of a tool keeps its usual size");
    }
}

async fn provide(needs: &Needs) -> std::io::Result<()> {
    for folder in &needs.folders {
        make_private(folder).await?;
    }
    for (path, content) in &needs.files {
        if tokio::fs::read(path).await.is_ok_and(|found| found == content.as_bytes()) {
            continue;
        }
        make_private(path.parent().unwrap_or(path)).await?;
        let draft = path.with_extension(random_word());
        write_private(&draft, content.as_bytes()).await?;
        tokio::fs::rename(draft, path).await?;
    }
    Ok(())
}

async fn write_private(path: &std::path::Path, content: &[u8]) -> std::io::Result<()> {
    let mut options = tokio::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    options.mode(0o600);
    let mut file = options.open(path).await?;
    file.write_all(content).await?;
    file.flush().await
}

/// Passes on what the tool says until it, its tree and its guard are gone.
async fn oversee(
    guarded: &mut Guarded,
    parser: &mut dyn OutputParser,
    run: &mut Run,
    outlet: &mut Outlet,
    cancel: &CancellationToken,
    status_file: &std::path::Path,
    mark: &str,
) -> Option<Ended> {
    let (mut stdout, mut stderr) = (guarded.child.stdout.take(), guarded.child.stderr.take());
    let (mut out_chunk, mut err_chunk) = (BytesMut::with_capacity(CHUNK), BytesMut::with_capacity(CHUNK));
    let mut events = Vec::new();
    let mut exited = None;
    // When the guard was told to end the run, and so must be gone soon.
    let mut told: Option<Instant> = None;
    let meter = run.meter.clone();
    loop {
        let blocked = outlet.is_blocked();
        if exited.is_some() && stdout.is_none() && stderr.is_none() && !blocked {
            break;
        }
        let timer = next_timer(run, blocked, told, exited.as_ref());
        tokio::select! {
            () = cancel.cancelled(), if run.stop.is_none() => run.stop(Stop::Cancelled),
            () = sleep_until(timer.map_or_else(Instant::now, |(at, _)| at)), if timer.is_some() => match timer {
                Some((_, Timer::Watchdog(stop))) => run.stop(stop),
                Some((_, Timer::AfterFinal)) => tell(guarded, &mut told).await,
                Some((_, Timer::GuardDeadline)) => {
                    tracing::warn!("the guard did not end in time and is killed");
                    // It may have ended at this moment; `wait` tells.
                    drop(guarded.child.start_kill());
                    told = None;
                }
                Some((_, Timer::PipeDeadline)) => (stdout, stderr) = (None, None),
                Some((_, Timer::ReceiverDeadline)) => break,
                None => {}
            },
            () = outlet.advance(), if blocked => run.forgive_wait(),
            () = meter.changed() => {}
            read = read(&mut stdout, &mut out_chunk), if !blocked && stdout.is_some() => {
                if read {
                    run.hear_raw(&out_chunk);
                    parser.stdout(&out_chunk, &mut events);
                } else {
                    stdout = None;
                }
                out_chunk.clear();
            }
            read = read(&mut stderr, &mut err_chunk), if !blocked && stderr.is_some() => {
                if read {
                    run.hear_raw(&err_chunk);
                    parser.stderr(&err_chunk, &mut events);
                } else {
                    stderr = None;
                }
                err_chunk.clear();
            }
            _ = guarded.child.wait(), if exited.is_none() => {
                let ended = Ended::read(status_file);
                if ended.is_none() {
                    sweep(mark).await;
                }
                exited = Some(Exited { ended, at: Instant::now() });
            }
        }
        for event in events.drain(..) {
            run.take(event, outlet);
        }
        run.hear_meter(outlet);
        if run.stop.is_some() && told.is_none() && exited.is_none() {
            tell(guarded, &mut told).await;
        }
    }
    exited.and_then(|exited| exited.ended)
}

/// The guard is gone.
struct Exited {
    ended: Option<Ended>,
    at: Instant,
}

/// What is due next.
#[derive(Debug, Clone, Copy)]
enum Timer {
    Watchdog(Stop),
    AfterFinal,
    GuardDeadline,
    PipeDeadline,
    ReceiverDeadline,
}

fn next_timer(run: &Run, blocked: bool, told: Option<Instant>, exited: Option<&Exited>) -> Option<(Instant, Timer)> {
    match (exited, told) {
        (Some(exited), _) if blocked => {
            run.stop.map(|_| (run.heard.max(exited.at) + PATIENCE_WITH_RECEIVER, Timer::ReceiverDeadline))
        }
        (Some(exited), _) => Some((run.heard.max(exited.at) + PIPE_DEADLINE, Timer::PipeDeadline)),
        (None, Some(told)) => Some((told + GUARD_DEADLINE, Timer::GuardDeadline)),
        (None, None) if run.stop.is_some() => None,
        (None, None) => {
            let watchdog = run.watchdog(blocked).map(|(at, stop)| (at, Timer::Watchdog(stop)));
            let after = run.last_final.as_ref().map(|_| (run.heard + AFTER_FINAL, Timer::AfterFinal));
            watchdog.into_iter().chain(after).min_by_key(|(at, _)| *at)
        }
    }
}

/// Tells the guard to end the run.
async fn tell(guarded: &mut Guarded, told: &mut Option<Instant>) {
    *told = Some(Instant::now());
    // A guard that is gone has nothing left to end; its exit is seen elsewhere.
    drop(guarded.control.write_all(b"cancel\n").await);
}

/// Reads a chunk; false at the end of the stream. May be dropped at any time without a loss.
async fn read(stream: &mut Option<impl tokio::io::AsyncRead + Unpin>, chunk: &mut BytesMut) -> bool {
    match stream {
        Some(stream) => {
            chunk.reserve(CHUNK);
            stream.read_buf(chunk).await.is_ok_and(|n| n > 0)
        }
        None => std::future::pending().await,
    }
}

/// Ends what a guard left that did not end by itself.
async fn sweep(mark: &str) {
    let mark = mark.to_owned();
    let swept = tokio::task::spawn_blocking(move || guard::sweep_marked(&mark)).await;
    tracing::warn!(swept = ?swept.ok().and_then(Result::ok), "the guard was killed; its processes were swept");
}

fn not_started(argv: &[String], failure: &StartFailure) -> Failure {
    let program = argv.first().map_or("", String::as_str);
    let class = match failure.kind {
        StartFailureKind::NotFound => FailureClass::ToolMissing,
        StartFailureKind::Sandbox => {
            let error = format!("the sandbox of the run cannot be made: {}", failure.message);
            return Failure::new(FailureClass::ProcessFailed, error);
        }
        StartFailureKind::Denied | StartFailureKind::Other => FailureClass::ProcessFailed,
    };
    Failure::new(class, format!("{program} cannot be started: {}", failure.message))
}

fn random_word() -> String {
    let bits = SystemEntropy.ten_bytes().iter().fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
    format!("{bits:020x}")
}
