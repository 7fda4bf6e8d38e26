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
        input: TaskInput::Prompt { system: Some("-v".to_owned()), session: session.map(str::to_owned) },
        tool: known_name(ToolName::CLAUDE_CODE),
        model: Some("opus".to_owned()),
        limits: Limits { cost_microusd: Some(1_500_000), ..Limits::default() },
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

/// A program that is there on every machine that runs this test.
fn with_key() -> ToolSettings {
    let program = std::env::current_exe().unwrap();
    let env = [("ANTHROPIC_AUTH_TOKEN".to_owned(), "t".to_owned())].into();
    ToolSettings { path: Some(program), own_login: Some(false), env, ..ToolSettings::default() }
}

fn process(request: &RunRequest, settings: &ToolSettings) -> ProcessPlan {
    match ClaudeCode::new(Variables::default()).plan(request, settings).unwrap().way {
        Way::Process(process) => process,
        Way::Talk(_) => panic!("not a program"),
    }
}

#[test]
fn a_value_never_becomes_a_flag() {
    let plan = process(&request(None), &with_key());
    assert_eq!(plan.stdin, "--help\nme");
    insta::assert_snapshot!(plan.argv[1..].join("\n"), @r"
    -p
    --output-format=stream-json
    --verbose
    --include-partial-messages
    --model=opus
    --permission-mode=acceptEdits
    --session-id=01900000-0000-7000-8000-000000000003
    --setting-sources=
    --strict-mcp-config
    --append-system-prompt=-v
    --max-budget-usd=1.500000
    ");
}

#[test]
fn its_configuration_is_a_folder_of_its_own_unless_the_login_is() {
    let plan = process(&request(None), &with_key());
    assert_eq!(plan.env[CONFIG_DIR], "/run/state/config");
    assert_eq!(plan.env["CLAUDE_CODE_MAX_RETRIES"], "2");
    assert!(!plan.env.contains_key("ANTHROPIC_BASE_URL"));
    let own = process(&request(None), &ToolSettings { own_login: Some(true), ..with_key() });
    assert_ne!(own.env.get(CONFIG_DIR).map(String::as_str), Some("/run/state/config"));
    assert!(!own.argv.iter().any(|word| word.starts_with("--setting-sources")));
    assert!(own.metered.is_none() && plan.metered.is_some());
}

#[test]
fn a_session_to_go_on_with_is_an_id() {
    let id = "01900000-0000-7000-8000-000000000001";
    assert!(process(&request(Some(id)), &with_key()).argv.contains(&format!("--resume={id}")));
    let refused = ClaudeCode::new(Variables::default()).plan(&request(Some("../../etc")), &with_key()).unwrap_err();
    assert_eq!(refused.as_str(), "invalid_input");
}

#[test]
fn what_is_missing_is_refused_with_a_way_to_mend_it() {
    let plan =
        |settings: &ToolSettings| ClaudeCode::new(Variables::default()).plan(&request(None), settings).unwrap_err();
    let absent = ToolSettings { path: Some("/no/such/claude".into()), ..with_key() };
    assert_eq!(plan(&absent).as_str(), "tool_missing");
    let keyless = ToolSettings { env: BTreeMap::new(), ..with_key() };
    assert_eq!(plan(&keyless).as_str(), "tool_needs_login");
}

#[test]
fn a_key_of_the_environment_is_its_credential() {
    let process = |settings: &ToolSettings, of: &[(&str, &str)]| {
        let tool = ClaudeCode::new(of.iter().copied().collect());
        match tool.plan(&request(None), settings).unwrap().way {
            Way::Process(process) => process,
            Way::Talk(_) => panic!("not a program"),
        }
    };
    let plan = |settings: &ToolSettings, of: &[(&str, &str)]| process(settings, of).env;
    let unset = ToolSettings { path: with_key().path, ..ToolSettings::default() };
    let asked = process(&unset, &[("ANTHROPIC_API_KEY", "k"), ("ANTHROPIC_BASE_URL", "https://gate.example/x/")]);
    let metered = asked.metered.unwrap();
    assert_eq!(metered.account.base.as_str(), "https://gate.example/x/");
    assert_eq!((metered.account.key.unwrap().expose(), metered.token_variable), ("k", "ANTHROPIC_API_KEY"));
    let named = |name: &&str| asked.env.contains_key(*name);
    assert!(!["ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"].iter().any(named), "{:?}", asked.env.keys());
    assert_eq!(asked.env[CONFIG_DIR], "/run/state/config");
    // The token of a subscription is a login, which only the tool knows how to use.
    assert!(process(&unset, &[("CLAUDE_CODE_OAUTH_TOKEN", "t")]).metered.is_none());
    let token = plan(&unset, &[("CLAUDE_CODE_OAUTH_TOKEN", "t")]);
    assert!(token["CLAUDE_CODE_OAUTH_TOKEN"] == "t" && !token.contains_key("ANTHROPIC_API_KEY"), "{:?}", token.keys());

    // What the settings hold is whole, and one's own login is nobody else's key.
    let set = plan(&with_key(), &[("ANTHROPIC_API_KEY", "k"), ("ANTHROPIC_BASE_URL", "https://gate.example")]);
    assert!(!set.contains_key("ANTHROPIC_API_KEY") && !set.contains_key("ANTHROPIC_BASE_URL"), "{:?}", set.keys());
    let own = ToolSettings { own_login: Some(true), ..unset };
    let tool = ClaudeCode::new([("ANTHROPIC_API_KEY", "k")].into_iter().collect());
    assert!(tool.identity(&own).unwrap().account.key.is_none());
    let elsewhere = ToolSettings { url: Some("https://other.example".to_owned()), ..own };
    let elsewhere = ToolSettings { own_login: None, ..elsewhere };
    assert_eq!(tool.plan(&request(None), &elsewhere).unwrap_err().as_str(), "tool_needs_login");
}

#[test]
fn no_key_shows_in_a_debug_print() {
    let (plan, settings) = (process(&request(None), &with_key()), with_key());
    assert!(!format!("{plan:?}{settings:?}").contains("\"t\""));
}

#[test]
fn arguments_of_the_owner_come_last_and_none_of_ours_is_among_them() {
    let with =
        |args: &[&str]| ToolSettings { args: args.iter().map(|word| (*word).to_owned()).collect(), ..with_key() };
    let plan = process(&request(None), &with(&["--max-turns=3", "--add-dir=/srv"]));
    assert_eq!(plan.argv[plan.argv.len() - 2..], ["--max-turns=3", "--add-dir=/srv"]);
    let adapter = ClaudeCode::new(Variables::default());
    for word in
        ["--output-format=text", "--permission-mode=bypassPermissions", "--settings={}", "--resume", "-p", "hello"]
    {
        assert!(adapter.check(&with(&[word])).is_err(), "{word}");
        let refused = adapter.plan(&request(None), &with(&[word]));
        assert!(matches!(refused, Err(RefusalReason::ToolMissing { .. })), "{word}: {refused:?}");
    }
}
