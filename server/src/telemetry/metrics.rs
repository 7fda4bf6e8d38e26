//! Numbers for Prometheus. One recorder a process, as the facade wants it; every coordinator in it reads the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use metrics::{counter, describe_counter, describe_histogram, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use swarm_model::ToolName;
use swarm_model::change::{AttemptStatus, Changes, UpdateAttempt};
use swarm_model::task::RunRecord;

const ACTIVITY: &str = "ai_swarm_activity_duration_seconds";
const INVOCATIONS: &str = "ai_swarm_llm_invocations_total";
const TASK_EVENTS: &str = "garageswarm_events_total";
const REQUESTS: &str = "garageswarm_http_requests_total";
const REQUEST_SECONDS: &str = "garageswarm_http_request_duration_seconds";
const SIGN_INS: &str = "garageswarm_sign_ins_total";

/// Upper bounds of request times in seconds.
const REQUEST_BUCKETS: &[f64] = &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];
/// Upper bounds of run times in seconds.
const ACTIVITY_BUCKETS: &[f64] = &[0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0];
/// Model names come from workers: only so many make a series of their own.
const MAX_MODELS: usize = 200;

/// The numbers so far.
#[derive(Clone)]
pub struct MetricsHandle(PrometheusHandle);

impl std::fmt::Debug for MetricsHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MetricsHandle")
    }
}

/// The recorder could not be installed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the metrics cannot be recorded: {0}")]
pub struct MetricsError(String);

impl MetricsHandle {
    /// The numbers of this process; the first call begins to record.
    pub fn of_process() -> Result<Self, MetricsError> {
        static HANDLE: OnceLock<Result<MetricsHandle, MetricsError>> = OnceLock::new();
        HANDLE.get_or_init(|| install().map_err(MetricsError)).clone()
    }

    /// The text that Prometheus reads.
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Folds what was recorded since the last call, so that it takes no room of its own.
    pub(crate) fn fold(&self) {
        self.0.run_upkeep();
    }
}

fn install() -> Result<MetricsHandle, String> {
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Full(REQUEST_SECONDS.to_owned()), REQUEST_BUCKETS)
        .and_then(|builder| builder.set_buckets_for_metric(Matcher::Full(ACTIVITY.to_owned()), ACTIVITY_BUCKETS))
        .map_err(|error| error.to_string())?
        .build_recorder();
    let handle = MetricsHandle(recorder.handle());
    metrics::set_global_recorder(recorder).map_err(|error| error.to_string())?;
    describe_histogram!(ACTIVITY, "Seconds from start to end of a run, by role, activity, tool, model and outcome");
    describe_counter!(INVOCATIONS, "Calls of models, by role, activity, tool, model and outcome");
    describe_counter!(TASK_EVENTS, "What happened to tasks and workers, by kind");
    describe_counter!(REQUESTS, "Requests, by method, route and status");
    describe_histogram!(REQUEST_SECONDS, "Seconds from a request to its answer, by route");
    describe_counter!(SIGN_INS, "Tries to sign in, by how and by outcome");
    Ok(handle)
}

/// Counts what a commit brought.
pub(crate) fn record_changes(changes: &Changes) {
    let mut kinds: BTreeMap<&'static str, u64> = BTreeMap::new();
    for event in &changes.events {
        *kinds.entry(event.kind.as_str()).or_default() += 1;
    }
    for (kind, n) in kinds {
        counter!(TASK_EVENTS, "kind" => kind).increment(n);
    }
    for attempt in &changes.attempts {
        record_attempt(attempt);
    }
}

/// Records a run that its worker has ended. What was refused or lost has no record and took no time that is known.
fn record_attempt(attempt: &UpdateAttempt) {
    if !matches!(attempt.status, AttemptStatus::Completed | AttemptStatus::Failed | AttemptStatus::Cancelled) {
        return;
    }
    let Some(record) = attempt.record.as_deref().and_then(|text| serde_json::from_str::<RunRecord>(text).ok()) else {
        return;
    };
    let tool = record.tool.as_ref().map_or("unknown", ToolName::as_str).to_owned();
    let labels = [
        ("role", "none".to_owned()),
        ("activity", "task".to_owned()),
        ("tool", tool.clone()),
        ("model", MODELS.bounded(record.model.unwrap_or_else(|| "none".to_owned()))),
        (
            "outcome",
            attempt.failure_class.map_or(attempt.status.as_str(), swarm_model::FailureClass::as_str).to_owned(),
        ),
    ];
    if let Some(millis) = record.duration_ms {
        histogram!(ACTIVITY, &labels).record(Duration::from_millis(millis).as_secs_f64());
    }
    if tool != ToolName::COMMAND {
        counter!(INVOCATIONS, &labels).increment(u64::from(record.turns.unwrap_or(1)));
    }
}

/// Models that have a label of their own.
static MODELS: Models = Models(Mutex::new(BTreeSet::new()));

struct Models(Mutex<BTreeSet<String>>);

impl Models {
    /// The name, or `other` once there are too many names.
    fn bounded(&self, model: String) -> String {
        let mut models = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if models.contains(&model) {
            return model;
        }
        if models.len() >= MAX_MODELS || model.len() > 100 {
            return "other".to_owned();
        }
        models.insert(model.clone());
        model
    }
}

/// Counts an answered request.
pub(crate) fn count_request(method: &'static str, route: &str, status: u16, took: Duration) {
    let route = route.to_owned();
    counter!(REQUESTS, "method" => method, "route" => route.clone(), "status" => status.to_string()).increment(1);
    histogram!(REQUEST_SECONDS, "route" => route).record(took.as_secs_f64());
}

/// Counts a try to sign in.
pub(crate) fn count_sign_in(how: &'static str, outcome: &'static str) {
    counter!(SIGN_INS, "how" => how, "outcome" => outcome).increment(1);
}

#[cfg(test)]
mod tests {
    use swarm_model::TaskNumber;

    use super::*;

    fn ended(status: AttemptStatus, record: &RunRecord) -> Changes {
        let attempt = UpdateAttempt {
            number: TaskNumber(1),
            attempt: 1,
            status,
            started_at: None,
            ended_at: None,
            failure_class: None,
            error: None,
            record: Some(serde_json::to_string(record).unwrap()),
        };
        Changes { attempts: vec![attempt], ..Changes::default() }
    }

    #[test]
    fn a_run_is_timed_and_its_model_calls_are_counted() {
        let handle = MetricsHandle::of_process().unwrap();
        let record = RunRecord {
            tool: Some("demo".parse().unwrap()),
            model: Some("m-of-this-test".to_owned()),
            duration_ms: Some(1500),
            turns: Some(3),
            ..RunRecord::default()
        };
        record_changes(&ended(AttemptStatus::Completed, &record));
        let text = handle.render();
        let labels = r#"{role="none",activity="task",tool="demo",model="m-of-this-test",outcome="completed"}"#;
        assert!(text.contains(&format!("{INVOCATIONS}{labels} 3")), "{text}");
        assert!(text.contains(&format!("{ACTIVITY}_sum{labels} 1.5")), "{text}");
    }

    #[test]
    fn strangers_names_do_not_fill_the_memory() {
        // Its own: the one of the process is another test's too.
        let models = Models(Mutex::new(BTreeSet::new()));
        for n in 0..1000 {
            models.bounded(format!("made-up-{n}"));
        }
        assert_eq!(models.bounded("one-more".to_owned()), "other");
        assert_eq!(models.bounded("made-up-0".to_owned()), "made-up-0");
    }
}
