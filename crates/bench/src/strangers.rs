//! What people who are not let in cost those who are: a check of a right, and a flood of sign-ins.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use swarm_model::rights::InstanceRole;
use swarm_model::time::SystemClock;
use swarm_model::{UserId, WorkerId};
use swarm_server::ServerConfig;
use swarm_server::setup::bootstrap_first_user;
use swarm_store::people::NewUser;
use swarm_store::{AuditEntry, DatabaseUrl, Holder, OpenOptions, Stores};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::claims::claims;
use crate::coordinator::Running;
use crate::sample::Row;
use crate::worker;

const CHECKS: u32 = 20_000;
const SIGN_INS_A_SECOND: u64 = 200;
const ROUNDS: usize = 4;

pub(crate) async fn measure() -> Result<Vec<Row>> {
    Ok(vec![rights_check().await?, flood().await?])
}

/// The time of a whole request that is denied, in process: routing, who asks, how they stand to the worker, the table,
/// and the answer. The check alone is less.
async fn rights_check() -> Result<Row> {
    let folder = tempfile::tempdir()?;
    let holder = Holder::this_process("bench", "in process".to_owned());
    let url = DatabaseUrl::in_folder(folder.path());
    let stores = Stores::open(&url, &OpenOptions::new(holder, folder.path().join("blobs"))).await?;
    let clock = Arc::new(SystemClock);
    let mut config = ServerConfig::default();
    config.storage.data_dir = folder.path().to_owned();
    bootstrap_first_user(&stores, &*clock, "bench").await?;
    let coordinator = swarm_server::Coordinator::start(config, stores, clock).await?;
    let state = coordinator.state();
    let user_id = state.new_id(UserId::new);
    let member = NewUser {
        user_id,
        username: "member".to_owned(),
        email: None,
        password_hash: None,
        role: InstanceRole::Member,
    };
    let audit = AuditEntry {
        at: state.now(),
        actor: "bench".to_owned(),
        action: "user_created".to_owned(),
        subject: format!("user:{user_id}"),
        detail: None,
        from_address: None,
    };
    state.stores.people.create_user(&member, None, &audit).await?;
    let token = state.issue_cli_token(user_id).await?;
    let path = format!("/api/v1/workers/{}/runs", state.new_id(WorkerId::new));
    let router = coordinator.router();
    let ask = || {
        http::Request::get(path.as_str())
            .header("host", "localhost:8420")
            .header("authorization", format!("Bearer {token}"))
            .body(String::new())
    };
    let mut started = Instant::now();
    for n in 0..CHECKS + 100 {
        if n == 100 {
            started = Instant::now();
        }
        let answer = router.clone().oneshot(ask()?).await?;
        ensure!(answer.status() == http::StatusCode::NOT_FOUND, "{}", answer.status());
    }
    let mean = started.elapsed() / CHECKS;
    coordinator.stop().await?;
    Ok(Row {
        name: "a request that is denied, whole, in process".to_owned(),
        value: format!("{:.1} us", mean.as_secs_f64() * 1e6),
        floor: String::new(),
        aim: "the check of a right < 20 us".to_owned(),
        is_met: mean < Duration::from_micros(20),
    })
}

/// Claims while strangers from ever new addresses try passwords.
async fn flood() -> Result<Row> {
    let running = Running::start(None).await?;
    let machine = worker::enrol(running.coordinator(), running.key(), "claims", 1).await?;
    claims(&running, &machine, 10).await?;
    let (mut quiet, mut flooded) = (0.0, 0.0);
    let sent = Arc::new(AtomicU64::new(0));
    let mut seconds = 0.0;
    for _ in 0..ROUNDS {
        quiet += claims(&running, &machine, 10).await?;
        let stop = CancellationToken::new();
        let strangers =
            tokio::spawn(knock(running.coordinator().address().to_string(), stop.clone(), Arc::clone(&sent)));
        let started = Instant::now();
        flooded += claims(&running, &machine, 10).await?;
        seconds += started.elapsed().as_secs_f64();
        stop.cancel();
        strangers.await??;
    }
    let rate = sent.load(Ordering::Relaxed) as f64 / seconds;
    Ok(Row {
        name: format!("claims alone, and with {rate:.0} sign-ins a second by strangers"),
        value: format!("{:.0}/s and {:.0}/s", quiet / ROUNDS as f64, flooded / ROUNDS as f64),
        floor: String::new(),
        aim: "a tenth less at the most".to_owned(),
        is_met: flooded > quiet * 0.9,
    })
}

/// Tries passwords, each from another address, until it is told to stop.
async fn knock(address: String, stop: CancellationToken, sent: Arc<AtomicU64>) -> Result<()> {
    let client = reqwest::Client::new();
    let mut ticks = interval(Duration::from_micros(1_000_000 / SIGN_INS_A_SECOND));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut tries = tokio::task::JoinSet::new();
    while !stop.is_cancelled() {
        ticks.tick().await;
        let n = sent.fetch_add(1, Ordering::Relaxed);
        let from = format!("198.{}.{}.{}", 18 + (n >> 16 & 1), n >> 8 & 255, n & 255);
        let body = serde_json::json!({ "username": format!("user-{n}"), "password": "guess after guess" });
        let request = client.post(format!("{address}/api/v1/auth/login")).header("x-forwarded-for", from).json(&body);
        tries.spawn(async move { request.send().await.map(drop) });
        while tries.try_join_next().is_some() {}
    }
    tries.shutdown().await;
    Ok(())
}
