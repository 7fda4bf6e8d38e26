//! Supervision of one run, whatever the tool: watchdogs, limits, cancel, the outcome and the record.
//!
//! Everything of a run happens in one task and its memory is bounded: output is read only while the last
//! piece has been passed on, so that a slow reader slows the tool and never the cancel. The last final event
//! of the tool decides the outcome, unless the run was stopped before it came.

mod collect;
mod leftovers;
mod outlet;
mod process;
mod talk;

use std::time::Duration;

use swarm_model::FailureClass;
use swarm_model::task::{Limits, Outcome, RAW_TAIL_BYTES, RunRecord, TaskResult};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::collect::Collected;
pub(crate) use self::collect::{Tail, with_error_lines};
use self::leftovers::Leftovers;
use self::outlet::Outlet;
use crate::adapter::{Patience, Plan, RunRequest, Way};
use crate::event::{Failure, Final, ToolEvent};
use crate::guard::{Ended, EndedBy, GuardBinary};
use crate::meter::Meter;

/// What is kept of the text for the result: its end.
pub(crate) const RESULT_TEXT_BYTES: usize = 256 * 1024;

/// How long the receiver of events may keep a stopped run waiting before the rest is dropped.
const PATIENCE_WITH_RECEIVER: Duration = Duration::from_secs(1);

/// Carries out a plan and returns how it ended. `events` is bounded by whoever made it; dropping the returned
/// future ends the run too, without an outcome.
pub async fn supervise(
    plan: Plan,
    request: &RunRequest,
    guard: &GuardBinary,
    events: mpsc::Sender<ToolEvent>,
    cancel: CancellationToken,
) -> (Outcome, RunRecord) {
    let mut run = Run::new(plan.patience, request.limits.clone(), plan.meter);
    let mut outlet = Outlet::new(events);
    let leftovers = Leftovers::of(&request.dirs);
    let record = RunRecord {
        tool: Some(plan.tool),
        tool_version: plan.version,
        model: plan.model,
        // What only talks is kept away from nothing, and needs not to be.
        isolation: matches!(plan.way, Way::Process(_)).then_some(request.confinement.level),
        ..RunRecord::default()
    };
    let ended = match leftovers::prepare(&request.dirs).await {
        Ok(()) => match plan.way {
            Way::Process(process) => {
                Box::pin(process::drive(process, request, guard, &mut run, &mut outlet, &cancel)).await
            }
            Way::Talk(conversation) => {
                Box::pin(talk::drive(conversation, &mut run, &mut outlet, &cancel)).await;
                None
            }
        },
        Err(error) => {
            let error = format!("the folders of the run cannot be made: {error}");
            run.note(&ToolEvent::Final(Final::failed(Failure::new(FailureClass::ProcessFailed, error))));
            None
        }
    };
    leftovers.remove().await;
    run.conclude(ended.as_ref(), record)
}

/// Why a run is stopped before its tool is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Somebody asked for it.
    Cancelled,
    /// Nothing came after the start.
    NoStart(Duration),
    /// Nothing came any more.
    Silence(Duration),
    /// It ran for too long.
    WallClock(Duration),
    /// It wrote too much.
    Output(u64),
    /// It used too many tokens.
    Tokens(u64),
    /// It cost too much.
    Cost(u64),
    /// The next call would use more tokens than are left.
    NoTokensLeft { most: u64, used: u64, prompt: u64 },
    /// The next call would cost more than is left.
    NoMoneyLeft { most: u64, used: u64 },
}

impl Stop {
    /// Whether a tool that ended at the same moment by itself keeps its own outcome.
    fn yields_to_own_end(self) -> bool {
        match self {
            Self::Cancelled | Self::NoStart(_) | Self::Silence(_) | Self::WallClock(_) => true,
            Self::Output(_)
            | Self::Tokens(_)
            | Self::Cost(_)
            | Self::NoTokensLeft { .. }
            | Self::NoMoneyLeft { .. } => false,
        }
    }

    /// The failure, or none for a cancel.
    pub(crate) fn failure(self) -> Option<Failure> {
        let failure = |class, error| Some(Failure::new(class, error));
        match self {
            Self::Cancelled => None,
            Self::NoStart(after) => {
                failure(FailureClass::Stalled, format!("the tool said nothing within {} after its start", span(after)))
            }
            Self::Silence(after) => {
                failure(FailureClass::Stalled, format!("the tool said nothing for {}", span(after)))
            }
            Self::WallClock(after) => {
                failure(FailureClass::TimedOut, format!("the run took longer than {}", span(after)))
            }
            Self::Output(bytes) => failure(FailureClass::Budget, format!("the run wrote more than {bytes} bytes")),
            Self::Tokens(tokens) => failure(FailureClass::Budget, format!("the run used more than {tokens} tokens")),
            Self::Cost(cost) => {
                failure(FailureClass::Budget, format!("the run cost more than {:.2} US dollars", cost as f64 / 1e6))
            }
            Self::NoTokensLeft { most, used, prompt } => {
                let error =
                    format!("the run used {used} of its {most} tokens, and the next prompt alone has about {prompt}");
                failure(FailureClass::Budget, error)
            }
            Self::NoMoneyLeft { most, used } => {
                let (most, used) = (most as f64 / 1e6, used as f64 / 1e6);
                let error =
                    format!("the run cost {used:.4} of its {most:.4} US dollars, and the next prompt costs the rest");
                failure(FailureClass::Budget, error)
            }
        }
    }
}

fn span(span: Duration) -> String {
    if span < Duration::from_secs(10) { format!("{} ms", span.as_millis()) } else { format!("{} s", span.as_secs()) }
}

/// A run in progress.
#[derive(Debug)]
pub(crate) struct Run {
    patience: Patience,
    limits: Limits,
    started: Instant,
    heard: Instant,
    has_spoken: bool,
    output_bytes: u64,
    /// The end of what came, as it came.
    raw: Vec<u8>,
    collected: Collected,
    meter: Meter,
    last_final: Option<Final>,
    /// Why it is being stopped, and whether its final event came before that.
    stop: Option<(Stop, bool)>,
}

impl Run {
    fn new(patience: Patience, limits: Limits, meter: Meter) -> Self {
        let now = Instant::now();
        Self {
            patience,
            limits,
            started: now,
            heard: now,
            has_spoken: false,
            output_bytes: 0,
            raw: Vec::new(),
            collected: Collected::default(),
            meter,
            last_final: None,
            stop: None,
        }
    }

    /// Something came from the tool.
    fn hear(&mut self, n_bytes: u64) {
        self.heard = Instant::now();
        self.has_spoken = true;
        self.output_bytes = self.output_bytes.saturating_add(n_bytes);
        if let Some(max) = self.limits.output_bytes.filter(|max| self.output_bytes > *max) {
            self.stop(Stop::Output(max));
        }
    }

    /// Something came from a program, as it wrote it.
    fn hear_raw(&mut self, chunk: &[u8]) {
        self.hear(chunk.len() as u64);
        self.raw.extend_from_slice(&chunk[chunk.len().saturating_sub(RAW_TAIL_BYTES)..]);
        self.raw.drain(..self.raw.len().saturating_sub(RAW_TAIL_BYTES));
    }

    /// Time in which the receiver held us up is not the tool's silence.
    fn forgive_wait(&mut self) {
        self.heard = Instant::now();
    }

    /// Notes an event of the tool's, and passes it on.
    fn take(&mut self, event: ToolEvent, outlet: &mut Outlet) {
        if let ToolEvent::Usage(usage) = &event {
            self.meter.report(usage);
            // What was seen on the wire is told in its place.
            if self.meter.usage().is_some() {
                return;
            }
        }
        self.note(&event);
        outlet.push(event);
        self.hear_meter(outlet);
    }

    fn note(&mut self, event: &ToolEvent) {
        self.collected.note(event, self.started.elapsed());
        if let ToolEvent::Final(end) = event {
            self.last_final = Some(end.clone());
        }
    }

    /// Passes on what the meter tells, and ends the run where its budget is used up.
    fn hear_meter(&mut self, outlet: &mut Outlet) {
        if let Some(stop) = self.meter.stop() {
            self.stop(stop);
        }
        if outlet.is_blocked() {
            return;
        }
        for event in self.meter.news() {
            self.note(&event);
            outlet.push(event);
        }
    }

    /// Begins to stop the run; the first reason stands.
    fn stop(&mut self, stop: Stop) {
        self.stop.get_or_insert((stop, self.last_final.is_some()));
    }

    /// The next watchdog and its time. Silence does not count while the receiver holds us up.
    fn watchdog(&self, blocked: bool) -> Option<(Instant, Stop)> {
        let wall = self.limits.wall_clock_ms.map(Duration::from_millis);
        let wall = wall.map(|limit| (self.started + limit, Stop::WallClock(limit)));
        let quiet = if blocked || self.last_final.is_some() { None } else { self.quiet_limit() };
        let quiet = quiet.map(|(limit, stop)| (self.heard + limit, stop));
        [wall, quiet].into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    fn quiet_limit(&self) -> Option<(Duration, Stop)> {
        let asked = self.limits.silence_ms.map(Duration::from_millis);
        if !self.has_spoken
            && let Some(limit) = self.patience.start.into_iter().chain(asked).min()
        {
            return Some((limit, Stop::NoStart(limit)));
        }
        let own = if self.collected.has_open_call() { self.patience.silence_in_call } else { self.patience.silence };
        asked.or(own).map(|limit| (limit, Stop::Silence(limit)))
    }

    /// The outcome and the record of a run that is over.
    fn conclude(mut self, ended: Option<&Ended>, mut record: RunRecord) -> (Outcome, RunRecord) {
        let ended_itself = ended.is_some_and(|ended| ended.by == EndedBy::Itself);
        let stop = self.stop.filter(|(stop, had_final)| !(*had_final || ended_itself && stop.yields_to_own_end()));
        let mut end = self.last_final.take().unwrap_or_else(|| Final::failed(self.collected.unfinished(ended)));
        if let Some(failure) = end.failure.take() {
            end.failure = Some(self.explained(failure));
        }
        if let Some(usage) = self.meter.usage() {
            self.collected.usage = usage;
            record.models = self.meter.by_model();
        }
        let turns = end.turns;
        let result = TaskResult {
            text: if end.text.is_empty() { self.collected.text() } else { end.text },
            data: end.data,
            artifacts: Vec::new(),
            usage: self.collected.usage.clone(),
        };
        let duration = self.started.elapsed();
        self.collected.fill(&mut record);
        record.turns = turns;
        record.exit_code = ended.and_then(Ended::shell_code);
        record.raw_tail = (!self.raw.is_empty()).then(|| raw_text(&self.raw));
        record.duration_ms = Some(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX));
        let outcome = match (stop.map(|(stop, _)| stop.failure()), end.failure) {
            (Some(None), _) => Outcome::Cancelled { partial: partial(result) },
            (Some(Some(failure)), _) | (None, Some(failure)) => Outcome::Failed {
                class: failure.class,
                error: failure.error,
                resets_at: failure.resets_at,
                partial: partial(result),
            },
            (None, None) => Outcome::Completed { result },
        };
        let record = record.beside(&outcome);
        (outcome, record)
    }

    /// What the meter knows of a failure that the tool does not: a model that the task does not allow, and when a
    /// limit of the account ends.
    fn explained(&self, failure: Failure) -> Failure {
        use FailureClass as F;
        let is_clear = matches!(failure.class, F::RateLimited | F::Quota | F::Network | F::Server | F::Budget);
        if let Some(words) = self.meter.denied_model().filter(|_| !is_clear) {
            return Failure::new(FailureClass::Refused, words);
        }
        let is_limit = matches!(failure.class, FailureClass::RateLimited | FailureClass::Quota);
        match self.meter.last_limit().filter(|_| is_limit) {
            Some(limit) => Failure { resets_at: failure.resets_at.or(limit.resets_at), ..failure },
            None => failure,
        }
    }
}

/// The end of an output as text; it may begin in the middle of a character.
fn raw_text(raw: &[u8]) -> String {
    let whole = raw.iter().take(3).take_while(|byte| **byte & 0b1100_0000 == 0b1000_0000).count();
    String::from_utf8_lossy(&raw[whole..]).into_owned()
}

/// What there is of a result, if anything.
fn partial(result: TaskResult) -> Option<TaskResult> {
    (result != TaskResult::default()).then_some(result)
}
