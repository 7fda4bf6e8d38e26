//! How far this machine keeps runs away from itself: found out by trying to get out.
//!
//! A probe runs exactly as tools do, three times: without a sandbox, where it must see everything, or its word would
//! be worth nothing; in a sandbox with the machine's network; and in one that is cut off. A level counts if the probe
//! saw nothing in it. What a machine cannot do is known so before anybody relies on it.

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use swarm_model::task::{Limits, Outcome, TaskInput};
use swarm_model::time::SystemClock;
use swarm_model::worker::ProvenIsolation;
use swarm_model::{Isolation, TaskId, ToolName, UserId};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::adapter::command::Lines;
use crate::adapter::{Confinement, Needs, Patience, Plan, ProcessPlan, Reach, RunDirs, RunRequest, Way, known_name};
use crate::environment;
use crate::guard::{self, GuardBinary, PROBE, Sight, Targets};
use crate::meter::Meter;
use crate::run::supervise;
use crate::settings::ToolSettings;

/// How long one probe may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// What the probe must get at where nothing keeps it back.
const IN_THE_OPEN: [Sight; 3] = [Sight::Work, Sight::Secret, Sight::Forbidden];

/// Finds out the highest level that this machine can prove with a sandbox as its owner has set it. `data_dir` is the
/// worker's own folder.
pub async fn measure(guard: &GuardBinary, data_dir: &Path, sandbox: &Confinement) -> ProvenIsolation {
    let own = |why: String| ProvenIsolation { level: Isolation::Own, remarks: vec![why] };
    if !cfg!(target_os = "linux") {
        return own("no sandbox is built for this system".to_owned());
    }
    let bench = match Bench::set_up(data_dir) {
        Ok(bench) => bench,
        Err(error) => return own(format!("the trial of the sandbox cannot be set up: {error}")),
    };
    match bench.measure(guard, sandbox).await {
        Ok(remarks) => ProvenIsolation { level: Isolation::Sandbox, remarks },
        Err(why) => own(format!("no sandbox: {why}")),
    }
}

/// What the probe tries to get at, for as long as it does.
struct Bench {
    folder: PathBuf,
    targets: Targets,
    /// They listen; nobody needs to accept.
    _listeners: [TcpListener; 2],
    #[cfg(unix)]
    _socket: Option<std::os::unix::net::UnixListener>,
    #[cfg(target_os = "linux")]
    _nameless: std::os::unix::net::UnixListener,
}

impl Drop for Bench {
    fn drop(&mut self) {
        // The next trial replaces what is left.
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

impl Bench {
    fn set_up(data_dir: &Path) -> io::Result<Self> {
        let folder = data_dir.join("trial");
        match std::fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        make_private(&folder)?;
        let secret = folder.join("secret");
        std::fs::write(&secret, "nobody's business\n")?;
        let listen = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let listeners = [listen()?, listen()?];
        let address = |at: usize| listeners[at].local_addr();
        let nameless_socket = format!("garageswarm-trial-{}-{}", std::process::id(), address(0)?.port());
        let targets = Targets {
            socket: folder.join("s"),
            home: std::env::home_dir().and_then(|home| Some((home.clone(), which(&home)?))),
            process: std::process::id(),
            forbidden: address(0)?,
            permitted: address(1)?,
            secret,
            nameless_socket,
        };
        Ok(Self {
            #[cfg(unix)]
            _socket: listen_on_file(&targets.socket)?,
            #[cfg(target_os = "linux")]
            _nameless: listen_without_file(&targets.nameless_socket)?,
            folder,
            targets,
            _listeners: listeners,
        })
    }

    /// Tries; gives what the sandbox leaves open, or why there is none.
    async fn measure(&self, guard: &GuardBinary, sandbox: &Confinement) -> Result<Vec<String>, String> {
        let open = self.probe(guard, Confinement::default()).await?;
        if let Some(missed) = IN_THE_OPEN.iter().find(|sight| !open.contains(sight)) {
            let missed = missed.sentence();
            return Err(format!("the trial proves nothing, for without a sandbox it is not so that {missed}"));
        }
        let with = |network: Option<Vec<String>>| Confinement { network, ..sandbox.clone() };
        let mut remarks = Vec::new();
        // With the machine's own network everything on it is in reach, and that is no fault.
        let on_network = BTreeSet::from([Sight::Forbidden, Sight::Permitted, Sight::NamelessSocket]);
        let seen = self.probe(guard, with(None)).await?;
        judge("in a sandbox", &seen, &on_network, Sight::Work)?;
        if seen.contains(&Sight::NamelessSocket) {
            remarks.push(
                "sockets without a file stay in reach of runs whose network is not limited: Linux 6.12 can bar that"
                    .to_owned(),
            );
        }
        let seen = self.probe(guard, with(Some(Vec::new()))).await?;
        judge("in a sandbox without a network", &seen, &BTreeSet::from([Sight::Permitted]), Sight::Permitted)?;
        Ok(remarks)
    }

    /// Runs the probe once.
    async fn probe(&self, guard: &GuardBinary, confinement: Confinement) -> Result<BTreeSet<Sight>, String> {
        let dir = |name: &str| self.folder.join(name);
        let dirs = RunDirs { work: dir("work"), tmp: dir("tmp"), state: dir("state"), control: dir("control") };
        let targets = serde_json::to_string(&self.targets).map_err(|error| error.to_string())?;
        let program = guard.path().to_string_lossy().into_owned();
        let limits = Limits { wall_clock_ms: u64::try_from(PATIENCE.as_millis()).ok(), ..Limits::default() };
        let plan = Plan {
            tool: known_name(ToolName::COMMAND),
            version: None,
            model: None,
            meter: Meter::of(&limits, &ToolSettings::default()),
            patience: Patience::ENDLESS,
            way: Way::Process(ProcessPlan {
                argv: vec![program, guard::SUBCOMMAND.to_owned(), PROBE.to_owned(), targets],
                env: environment::scrubbed(&dirs),
                stdin: String::new(),
                needs: Needs::default(),
                metered: None,
                reach: Reach { endpoints: url_of(self.targets.permitted).into_iter().collect(), login: Vec::new() },
                parser: Box::new(Lines::new()),
            }),
        };
        let request = RunRequest {
            task_id: TaskId::generate(&SystemClock),
            attempt: 1,
            user_id: UserId::generate(&SystemClock),
            description: "the trial of the sandbox".to_owned(),
            input: TaskInput::default(),
            tool: known_name(ToolName::COMMAND),
            model: None,
            limits,
            session: None,
            dirs,
            confinement,
        };
        // It says one line.
        let (events, mut inbox) = mpsc::channel(64);
        let listen = async { while inbox.recv().await.is_some() {} };
        let run = supervise(plan, &request, guard, events, CancellationToken::new());
        let ((outcome, _), ()) = Box::pin(async { tokio::join!(run, listen) }).await;
        match outcome {
            Outcome::Completed { result } => {
                let told = serde_json::from_str::<BTreeSet<Sight>>(&result.text);
                let mut seen = told.map_err(|_| format!("the probe is not understood: {:?}", result.text))?;
                // What it wrote counts only if it is really there.
                let mark = self.targets.mark();
                if std::fs::remove_file(mark).is_ok() {
                    seen.insert(Sight::Writes);
                }
                Ok(seen)
            }
            Outcome::Failed { error, .. } => Err(error),
            Outcome::Cancelled { .. } => Err("the probe was cancelled".to_owned()),
        }
    }
}

/// Whether a probe saw no more than it may, and at least what it needs.
fn judge(place: &str, seen: &BTreeSet<Sight>, may: &BTreeSet<Sight>, must: Sight) -> Result<(), String> {
    let is_breach = |sight: &&Sight| **sight != Sight::Work && !may.contains(sight);
    if let Some(breach) = seen.iter().find(is_breach) {
        return Err(format!("{place} {}", breach.sentence()));
    }
    if !seen.contains(&must) {
        return Err(format!("{place} it could not do what it should, so that {}", must.sentence()));
    }
    Ok(())
}

fn url_of(address: SocketAddr) -> Option<Url> {
    Url::parse(&format!("http://{address}")).ok()
}

fn make_private(folder: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Which folder it is, whatever its path.
#[cfg(unix)]
fn which(folder: &Path) -> Option<u64> {
    use std::os::unix::fs::MetadataExt as _;
    Some(std::fs::metadata(folder).ok()?.ino())
}

#[cfg(not(unix))]
fn which(_folder: &Path) -> Option<u64> {
    Some(0)
}

/// Paths of sockets are short; a data folder may not be, and then it must do without this one.
#[cfg(unix)]
fn listen_on_file(path: &Path) -> io::Result<Option<std::os::unix::net::UnixListener>> {
    match std::os::unix::net::UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(None),
        bound => bound.map(Some),
    }
}

#[cfg(target_os = "linux")]
fn listen_without_file(name: &str) -> io::Result<std::os::unix::net::UnixListener> {
    use std::os::linux::net::SocketAddrExt as _;
    let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
    std::os::unix::net::UnixListener::bind_addr(&address)
}
