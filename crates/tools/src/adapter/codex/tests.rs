use swarm_model::task::{Limits, TaskInput};
use swarm_model::{TaskId, UserId};

use super::*;
use crate::RunDirs;
use crate::adapter::Confinement;

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
        confinement: Confinement::default(),
    }
}

/// In a worker that was started with nothing.
fn codex() -> Codex {
    Codex::new(Variables::default())
}

fn lines(settings: &ToolSettings) -> Vec<String> {
    configuration(None, settings, &codex().identity(settings).unwrap())
}

fn login(settings: &ToolSettings) -> Result<(), Obstacle> {
    check_login(&codex().identity(settings).unwrap(), settings)
}

/// A program that is there on every machine that runs this test.
fn with_key() -> ToolSettings {
    let program = std::env::current_exe().unwrap();
    let env = [("CODEX_API_KEY".to_owned(), "t".to_owned())].into();
    ToolSettings { path: Some(program), own_login: Some(false), env, ..ToolSettings::default() }
}

fn process(request: &RunRequest, settings: &ToolSettings) -> ProcessPlan {
    match codex().plan(request, settings).unwrap().way {
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
    --config=model_providers.garageswarm={name="GarageSwarm",base_url="http://proxy.invalid",wire_api="responses",env_key="CODEX_API_KEY",request_max_retries=1,stream_max_retries=2}
    --config=developer_instructions="be \"brief\"\u007f\n"
    -
    "#);
}

#[test]
fn the_persons_own_login_keeps_its_home_model_and_provider() {
    let plan = process(&request(None), &ToolSettings { own_login: Some(true), ..with_key() });
    assert_ne!(plan.env.get(HOME).map(String::as_str), Some("/run/state/home"));
    assert!(plan.needs.folders.is_empty() && plan.metered.is_none());
    let has = |beginning: &str| plan.argv.iter().any(|word| word.starts_with(beginning));
    assert!(!has("--model") && !has("--config=features.plugins"), "{:?}", plan.argv);
    let own = process(&request(None), &with_key());
    assert_eq!(own.env[HOME], "/run/state/home");
    assert_eq!(own.needs.folders, [PathBuf::from("/run/state/home")]);
}

#[test]
fn an_address_without_a_key_gets_the_persons_login_only_if_that_is_wanted() {
    let at = |url: &str, own_login| ToolSettings { url: Some(url.to_owned()), own_login, ..ToolSettings::default() };
    let provider = |settings: &ToolSettings| lines(settings).into_iter().find(|line| line.contains("base_url"));
    let own_server = provider(&at("http://127.0.0.1:1/v1/", None)).unwrap();
    assert!(own_server.contains(ADDRESS) && !own_server.contains("auth"), "{own_server}");
    let metered = metered(&codex().identity(&at("http://127.0.0.1:1/v1/", None)).unwrap()).unwrap();
    assert!(metered.account.base.as_str() == "http://127.0.0.1:1/v1/" && metered.account.key.is_none());
    let login = provider(&at("http://127.0.0.1:1/v1", Some(true))).unwrap();
    assert!(login.contains("base_url=\"http://127.0.0.1:1/v1\"") && login.contains("requires_openai_auth"), "{login}");
    assert_eq!(provider(&ToolSettings::default()), None);
}

#[test]
fn a_key_in_the_environment_of_the_worker_is_taken_unless_the_login_is_wanted() {
    let started_with: Variables = [("OPENAI_API_KEY", "sk-1")].into_iter().collect();
    let codex = Codex::new(started_with);
    assert_eq!(
        codex.account(&ToolSettings::default()).unwrap(),
        "key: OPENAI_API_KEY in the environment; address: https://api.openai.com/v1 (the provider's own)"
    );
    let wanted = ToolSettings { own_login: Some(true), ..ToolSettings::default() };
    assert_eq!(codex.account(&wanted).as_deref(), Some("your own login"));
}

#[test]
fn an_address_that_lies_about_is_no_server_of_ones_own() {
    let codex = Codex::new([("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")].into_iter().collect());
    let check = |settings: &ToolSettings| check_login(&codex.identity(settings).unwrap(), settings);
    let Err(Obstacle::NeedsLogin(fix)) = check(&ToolSettings::default()) else { panic!("it is taken for one") };
    assert!(fix.starts_with("OPENAI_BASE_URL in the environment"), "{fix}");
    assert!(check(&ToolSettings { url: Some("http://127.0.0.1:2/v1".to_owned()), ..ToolSettings::default() }).is_ok());
}

#[test]
fn a_session_to_go_on_with_is_an_id() {
    let id = "01900000-0000-7000-8000-000000000001";
    assert_eq!(process(&request(Some(id)), &with_key()).argv[1..4], ["exec", "resume", id]);
    let refused = codex().plan(&request(Some("--last")), &with_key()).unwrap_err();
    assert_eq!(refused.as_str(), "invalid_input");
}

#[test]
fn what_is_missing_is_refused_with_a_way_to_mend_it() {
    let plan = |settings: &ToolSettings| codex().plan(&request(None), settings).unwrap_err();
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
    assert!(login(&settings).is_err());
    keep("config.toml", "model = \"x\"\n");
    assert!(login(&settings).is_err());
    keep("config.toml", "model = \"x\"\nmodel_provider = \"local\"\n");
    assert!(login(&settings).is_ok());
    keep("config.toml", "");
    keep("auth.json", "{}");
    assert!(login(&settings).is_ok());
    // A home of its own has no login, whatever the person has.
    assert!(login(&ToolSettings { own_login: Some(false), ..settings }).is_err());
}

#[test]
fn no_key_shows_in_a_debug_print() {
    let (plan, settings) = (process(&request(None), &with_key()), with_key());
    assert!(!format!("{plan:?}{settings:?}").contains("\"t\""));
}

#[test]
fn arguments_of_the_owner_stand_before_the_mark_of_standard_input() {
    let with = |word: &str| ToolSettings { args: vec![word.to_owned()], ..with_key() };
    let plan = process(&request(None), &with("--config=model_reasoning_effort=high"));
    assert_eq!(plan.argv[plan.argv.len() - 2..], ["--config=model_reasoning_effort=high", "-"]);
    let adapter = Codex::new(Variables::default());
    for word in
        ["--json", "--sandbox=danger-full-access", "--config=sandbox_mode=x", "--config=model_providers.x={}", "-"]
    {
        assert!(adapter.check(&with(word)).is_err(), "{word}");
    }
}
