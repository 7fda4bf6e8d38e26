use swarm_model::task::{Limits, TaskInput};
use swarm_model::{TaskId, UserId};

use super::*;
use crate::RunDirs;

fn request(session: Option<&str>) -> RunRequest {
    let folder = PathBuf::from("/run");
    RunRequest {
        task_id: TaskId::from_uuid(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000)),
        attempt: 3,
        user_id: UserId::from_uuid(Uuid::nil()),
        description: "--help\nme".to_owned(),
        input: TaskInput::Prompt {
            system: Some("be \"brief\"\u{7f}\n".to_owned()),
            session: session.map(str::to_owned),
        },
        tool: known_name(ToolName::CODEX),
        model: None,
        limits: Limits::default(),
        session: None,
        dirs: RunDirs {
            work: folder.join("work"),
            tmp: folder.join("tmp"),
            state: folder.join("state"),
            control: folder.join("control"),
        },
    }
}

/// A program that is there on every machine that runs this test.
fn with_key() -> ToolSettings {
    let program = std::env::current_exe().unwrap();
    let env = [("CODEX_API_KEY".to_owned(), "t".to_owned())].into();
    ToolSettings { path: Some(program), own_login: Some(false), env, ..ToolSettings::default() }
}

fn process(request: &RunRequest, settings: &ToolSettings) -> ProcessPlan {
    match Codex::default().plan(request, settings).unwrap().way {
        Way::Process(process) => process,
        Way::Talk(_) => panic!("not a program"),
    }
}

#[test]
fn a_value_never_becomes_a_flag() {
    let plan = process(&request(None), &with_key());
    assert_eq!(plan.stdin, "--help\nme");
    insta::assert_snapshot!(plan.argv[1..].join("\n"), @r#"
    exec
    --json
    --skip-git-repo-check
    --model=gpt-5.5
    --config=sandbox_mode="workspace-write"
    --config=features.unbounded_connection_retries=false
    --config=check_for_update_on_startup=false
    --config=analytics.enabled=false
    --config=features.plugins=false
    --config=features.apps=false
    --config=shell_environment_policy.exclude=["CODEX_API_KEY"]
    --config=model_provider="garageswarm"
    --config=model_providers.garageswarm={name="GarageSwarm",base_url="https://api.openai.com/v1",wire_api="responses",env_key="CODEX_API_KEY",request_max_retries=1,stream_max_retries=2}
    --config=developer_instructions="be \"brief\"\u007f\n"
    -
    "#);
}

#[test]
fn the_persons_own_login_keeps_its_home_model_and_provider() {
    let plan = process(&request(None), &ToolSettings { own_login: Some(true), ..with_key() });
    assert_ne!(plan.env.get(HOME).map(String::as_str), Some("/run/state/home"));
    assert!(plan.needs.folders.is_empty());
    let has = |beginning: &str| plan.argv.iter().any(|word| word.starts_with(beginning));
    assert!(!has("--model") && !has("--config=features.plugins"), "{:?}", plan.argv);
    let own = process(&request(None), &with_key());
    assert_eq!(own.env[HOME], "/run/state/home");
    assert_eq!(own.needs.folders, [PathBuf::from("/run/state/home")]);
}

#[test]
fn an_address_without_a_key_takes_the_persons_login_along() {
    let settings = ToolSettings { url: Some("http://h/v1".to_owned()), ..ToolSettings::default() };
    let lines = configuration(None, &settings);
    assert!(
        lines.iter().any(|line| line.contains("base_url=\"http://h/v1\"") && line.contains("requires_openai_auth"))
    );
    assert!(!configuration(None, &ToolSettings::default()).iter().any(|line| line.contains("model_provider")));
}

#[test]
fn a_session_to_go_on_with_is_an_id() {
    let id = "01900000-0000-7000-8000-000000000001";
    assert_eq!(process(&request(Some(id)), &with_key()).argv[1..4], ["exec", "resume", id]);
    let refused = Codex::default().plan(&request(Some("--last")), &with_key()).unwrap_err();
    assert_eq!(refused.as_str(), "invalid_input");
}

#[test]
fn what_is_missing_is_refused_with_a_way_to_mend_it() {
    let plan = |settings: &ToolSettings| Codex::default().plan(&request(None), settings).unwrap_err();
    let absent = ToolSettings { path: Some("/no/such/codex".into()), ..with_key() };
    assert_eq!(plan(&absent).as_str(), "tool_missing");
    let odd = ToolSettings { permission_mode: Some("yolo".to_owned()), ..with_key() };
    assert_eq!(plan(&odd).as_str(), "tool_missing");
    let keyless = ToolSettings { env: BTreeMap::new(), ..with_key() };
    assert_eq!(plan(&keyless).as_str(), "tool_needs_login");
}

#[test]
fn a_login_is_a_file_or_what_only_the_tool_knows() {
    let home = tempfile::tempdir().unwrap();
    let env = [(HOME.to_owned(), home.path().to_str().unwrap().to_owned())].into();
    let settings = ToolSettings { env, ..ToolSettings::default() };
    let keep = |name: &str, text: &str| std::fs::write(home.path().join(name), text).unwrap();
    assert!(check_login(&settings).is_err());
    keep("config.toml", "model = \"x\"\n");
    assert!(check_login(&settings).is_err());
    keep("config.toml", "model = \"x\"\nmodel_provider = \"local\"\n");
    assert!(check_login(&settings).is_ok());
    keep("config.toml", "");
    keep("auth.json", "{}");
    assert!(check_login(&settings).is_ok());
    // A key and an address of the owner's are not the person's login.
    let elsewhere = ToolSettings { url: Some("http://h".to_owned()), ..settings };
    assert!(check_login(&elsewhere).is_err());
}

#[test]
fn no_key_shows_in_a_debug_print() {
    let (plan, settings) = (process(&request(None), &with_key()), with_key());
    assert!(!format!("{plan:?}{settings:?}").contains("\"t\""));
}
