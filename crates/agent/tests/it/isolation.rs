//! How far runs are kept away from the machine that they run on, as the agent does it: real runs, and secrets of the
//! agent itself that they look for.

use swarm_agent::{AgentControl as _, ControlClient, Grant};
use swarm_model::Isolation;
use swarm_model::task::Outcome;
use swarm_model::worker::{Capabilities, RefusalReason};
use swarm_proto::worker::{Assignment, AttemptResult, ToCoordinator, ToWorker};

use crate::coordinator::*;

const ANN: &str = "018f2d3a-0000-7000-8000-0000000000a1";

fn of_ann(assignment: Assignment) -> Assignment {
    Assignment { by_owner: false, user_id: ANN.parse().unwrap(), ..assignment }
}

async fn told(session: &mut Session, is_it: impl Fn(&Capabilities) -> bool) -> Capabilities {
    within(async {
        loop {
            if let ToCoordinator::Capabilities(capabilities) = session.next().await
                && is_it(&capabilities)
            {
                return capabilities;
            }
        }
    })
    .await
}

/// The result of a task, or why it was declined.
async fn run(session: &mut Session, ledger: &mut Ledger, task: &Assignment) -> Result<AttemptResult, RefusalReason> {
    session.assign(task).await;
    loop {
        let ToCoordinator::Report(report) = session.next().await else { continue };
        if let Some(refusal) = report.refused.first() {
            return Err(refusal.reason.clone());
        }
        session.send(&ToWorker::Ack(ledger.book(&report))).await;
        if let Some(result) = report.results.iter().find(|result| result.attempt == task.attempt_ref()) {
            return Ok(result.clone());
        }
    }
}

fn text(result: &AttemptResult) -> &str {
    match &result.outcome {
        Outcome::Completed { result } => &result.text,
        other => panic!("not completed: {other:?}"),
    }
}

#[tokio::test]
async fn a_run_of_somebody_else_finds_nothing_of_the_worker() {
    let mut coordinator = Coordinator::start().await;
    let agent = TestAgent::start(config(&coordinator.url)).await;
    let (mut session, hello) = coordinator.session(&[]).await;
    assert_eq!(hello.capabilities.isolation.level, Isolation::Sandbox, "{:?}", hello.capabilities.isolation);
    assert_eq!(agent.handle.status().isolation, hello.capabilities.isolation);
    let mut ledger = Ledger::default();
    let data = agent.folder.path().canonicalize().unwrap();
    let worker = std::process::id();
    let script_text = format!(
        "exec 2>/dev/null; cd /; for file in $(find {0} -type f 2>/dev/null); do echo found $file; cat $file; done; env; ls -A ~ {0}
         cat /proc/{worker}/environ /proc/{worker}/root{0}/worker.toml /proc/1/root{0}/worker.toml; true",
        data.display()
    );
    // Its own account reads its own files: the owner's own task finds them, so that there is something to find.
    let own = run(&mut session, &mut ledger, &script(1, &script_text)).await.unwrap();
    assert_eq!(own.record.isolation, Some(Isolation::Own));
    assert!(text(&own).contains("worker.toml"), "{}", text(&own));
    let secrets: Vec<_> = std::fs::read_dir(data.join("secrets")).unwrap().map(|file| file.unwrap().path()).collect();
    let credential = std::fs::read_to_string(&secrets[0]).unwrap().trim().to_owned();
    assert!(!credential.is_empty());

    ControlClient::new(&data).grant(Grant::new("command".parse().unwrap(), ANN.parse().unwrap())).await.unwrap();
    told(&mut session, |now| !now.grants.is_empty()).await;
    let foreign = run(&mut session, &mut ledger, &of_ann(script(2, &script_text))).await.unwrap();
    assert_eq!(foreign.record.isolation, Some(Isolation::Sandbox));
    let said = format!("{foreign:?} {:?}", ledger.texts(foreign.attempt));
    for secret in [credential.as_str(), "worker.toml", "agent.lock", "identity", "CARGO"] {
        assert!(!said.contains(secret), "{secret} is in {said}");
    }
    // What it makes comes back all the same.
    let made = of_ann(script(3, "echo content > out.txt"));
    let made = run(&mut session, &mut ledger, &made).await.unwrap();
    let Outcome::Completed { result } = made.outcome else { panic!("{made:?}") };
    assert_eq!(result.artifacts[0].name, "out.txt");
    agent.stop().await.unwrap();
}

#[tokio::test]
async fn what_is_demanded_is_given_or_refused() {
    let mut coordinator = Coordinator::start().await;
    let agent = TestAgent::start(config(&coordinator.url)).await;
    let (mut session, _) = coordinator.session(&[]).await;
    let mut ledger = Ledger::default();
    let mut level = async |task: Assignment| {
        let answer = run(&mut session, &mut ledger, &task).await;
        answer.map(|result| result.record.isolation)
    };
    let demanding = |number, isolation| Assignment { isolation: Some(isolation), ..script(number, "echo x") };
    assert_eq!(level(script(1, "echo x")).await, Ok(Some(Isolation::Own)));
    assert_eq!(level(demanding(2, Isolation::None)).await, Ok(Some(Isolation::Own)));
    assert_eq!(level(demanding(3, Isolation::Sandbox)).await, Ok(Some(Isolation::Sandbox)));
    let too_low = RefusalReason::IsolationTooLow { offered: Isolation::Sandbox, demanded: Isolation::Container };
    assert_eq!(level(demanding(4, Isolation::Container)).await, Err(too_low));
    // Hosts can only be held to in a sandbox.
    let network = Assignment { network: Some(Vec::new()), ..script(5, "echo x") };
    assert_eq!(level(network).await, Ok(Some(Isolation::Sandbox)));

    // The owner wants it for their own.
    let steer = ControlClient::new(agent.folder.path());
    assert!(steer.set_preference("isolation", "none").await.is_err());
    steer.set_preference("isolation", "sandbox").await.unwrap();
    assert_eq!(level(script(6, "echo x")).await, Ok(Some(Isolation::Sandbox)));
    agent.stop().await.unwrap();
}

#[tokio::test]
async fn a_sandbox_that_shows_too_much_is_none() {
    let mut coordinator = Coordinator::start().await;
    let agent = TestAgent::start(config(&coordinator.url)).await;
    let (mut session, _) = coordinator.session(&[]).await;
    let steer = ControlClient::new(agent.folder.path());
    let shown = format!("[\"{}/trial\"]", agent.folder.path().display());
    steer.set_preference("sandbox.read", &shown).await.unwrap();
    let now = told(&mut session, |now| !now.isolation.remarks.is_empty()).await;
    assert_eq!(now.isolation.level, Isolation::Own);
    assert!(now.isolation.remarks[0].contains("it read a secret file"), "{:?}", now.isolation);
    let task = Assignment { isolation: Some(Isolation::Sandbox), ..script(1, "true") };
    let refused = run(&mut session, &mut Ledger::default(), &task).await.unwrap_err();
    assert_eq!(refused.sentence(), "the machine offers isolation own, and sandbox is demanded");
    steer.unset_preference("sandbox.read").await.unwrap();
    told(&mut session, |now| now.isolation.level == Isolation::Sandbox).await;
    agent.stop().await.unwrap();
}
