use swarm_model::task::{Limits, TaskInput};
use swarm_model::{TaskId, UserId};
use uuid::Uuid;

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
        tool: known_name(ToolName::GEMINI_CLI),
        model: Some("pro".to_owned()),
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
fn gemini() -> GeminiCli {
    GeminiCli::new(Variables::default())
}

fn login(settings: &ToolSettings) -> Result<(), Obstacle> {
    check_login(&gemini().identity(settings).unwrap(), settings)
}

/// A program that is there on every machine that runs this test.
fn with_key() -> ToolSettings {
    let program = std::env::current_exe().unwrap();
    let env = [("GEMINI_API_KEY".to_owned(), "t".to_owned())].into();
    let allowed_tools = vec!["run_shell_command(git)".to_owned(), "web_fetch".to_owned()];
    ToolSettings { path: Some(program), own_login: Some(false), env, allowed_tools, ..ToolSettings::default() }
}

fn process(request: &RunRequest, settings: &ToolSettings) -> ProcessPlan {
    match gemini().plan(request, settings).unwrap().way {
        Way::Process(process) => process,
        Way::Talk(_) => panic!("not a program"),
    }
}

#[test]
fn a_value_never_becomes_a_flag() {
    let plan = process(&request(None), &with_key());
    assert_eq!(plan.stdin, "-v\n\n--help\nme");
    insta::assert_snapshot!(plan.argv[1..].join("\n"), @r"
    --output-format=stream-json
    --skip-trust
    --approval-mode=auto_edit
    --model=pro
    --allowed-tools=run_shell_command(git),web_fetch
    --session-id=01900000-0000-7000-8000-000000000003
    ");
}

#[test]
fn its_home_and_settings_are_its_own_unless_the_login_is_the_persons() {
    let plan = process(&request(None), &with_key());
    assert_eq!(plan.env[HOME], "/run/state/home");
    let (path, text) = &plan.needs.files[0];
    assert_eq!(path, Path::new("/run/state/home/.gemini/settings.json"));
    let told: Value = serde_json::from_str(text).unwrap();
    assert_eq!(told["security"]["auth"]["selectedType"], "gemini-api-key");
    assert_eq!(told["general"]["maxAttempts"], 2);
    let own = process(&request(None), &ToolSettings { own_login: Some(true), ..with_key() });
    assert_ne!(own.env.get(HOME).map(String::as_str), Some("/run/state/home"));
    assert!(own.needs.files.is_empty() && own.metered.is_none());
}

#[test]
fn a_key_goes_where_the_tool_looks_for_it() {
    let env = |also: Option<&str>| {
        let vertex = also.map(|name| (name.to_owned(), "true".to_owned()));
        [("GOOGLE_API_KEY".to_owned(), "t".to_owned())].into_iter().chain(vertex).collect()
    };
    let plain = ToolSettings { env: env(None), ..with_key() };
    let metered = process(&request(None), &plain).metered.unwrap();
    assert_eq!((metered.account.key.unwrap().expose(), metered.token_variable), ("t", "GEMINI_API_KEY"));
    assert_eq!(own_settings(&plain)["security"]["auth"]["selectedType"], "gemini-api-key");
    let vertex = ToolSettings { env: env(Some("GOOGLE_GENAI_USE_VERTEXAI")), ..with_key() };
    let metered = process(&request(None), &vertex).metered.unwrap();
    assert_eq!((metered.address_variable, metered.token_variable), (Some("GOOGLE_VERTEX_BASE_URL"), "GOOGLE_API_KEY"));
    assert_eq!(metered.account.base.as_str(), "https://aiplatform.googleapis.com/");
    assert_eq!(own_settings(&vertex)["security"]["auth"]["selectedType"], "vertex-ai");
}

#[test]
fn a_session_to_go_on_with_is_an_id_and_handed_over_as_a_file() {
    let id = "01900000-0000-7000-8000-000000000001";
    assert!(process(&request(Some(id)), &with_key()).argv.contains(&format!("--resume={id}")));
    let refused = gemini().plan(&request(Some("latest")), &with_key()).unwrap_err();
    assert_eq!(refused.as_str(), "invalid_input");
    let state = tempfile::tempdir().unwrap();
    let mut kept = request(Some(id));
    kept.dirs.state = state.path().to_owned();
    let chats = state.path().join("home/.gemini/tmp/work/chats");
    std::fs::create_dir_all(&chats).unwrap();
    let file = chats.join("session-2026-11-21T17-38-01900000.jsonl");
    std::fs::write(&file, format!("{{\"sessionId\":\"{id}\"}}\n")).unwrap();
    assert!(process(&kept, &with_key()).argv.contains(&format!("--session-file={}", file.display())));
}

#[test]
fn what_it_would_cut_silently_is_refused() {
    assert!(input(&"x".repeat(MAX_PROMPT_BYTES), None).is_ok());
    assert_eq!(input(&"x".repeat(MAX_PROMPT_BYTES), Some("s")).unwrap_err().as_str(), "invalid_input");
}

#[test]
fn what_is_missing_is_refused_with_a_way_to_mend_it() {
    let plan = |settings: &ToolSettings| gemini().plan(&request(None), settings).unwrap_err();
    let absent = ToolSettings { path: Some("/no/such/gemini".into()), ..with_key() };
    assert_eq!(plan(&absent).as_str(), "tool_missing");
    let odd = ToolSettings { permission_mode: Some("acceptEdits".to_owned()), ..with_key() };
    assert_eq!(plan(&odd).as_str(), "tool_missing");
    let keyless = ToolSettings { env: BTreeMap::new(), ..with_key() };
    assert_eq!(plan(&keyless).as_str(), "tool_needs_login");
}

#[test]
fn a_login_is_a_file_or_a_key_beside_it() {
    let home = tempfile::tempdir().unwrap();
    let env = [(HOME.to_owned(), home.path().to_str().unwrap().to_owned())].into();
    let settings = ToolSettings { env, ..ToolSettings::default() };
    assert!(login(&settings).is_err());
    let folder = home.path().join(".gemini");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join(".env"), "GEMINI_API_KEY=x\n").unwrap();
    assert!(login(&settings).is_ok());
    std::fs::remove_file(folder.join(".env")).unwrap();
    std::fs::write(folder.join("oauth_creds.json"), "{}").unwrap();
    assert!(login(&settings).is_ok());
    // A home of its own has no login, whatever the person has.
    assert!(login(&ToolSettings { own_login: Some(false), ..settings }).is_err());
}

#[test]
fn no_key_shows_in_a_debug_print() {
    let (plan, settings) = (process(&request(None), &with_key()), with_key());
    assert!(!format!("{plan:?}{settings:?}").contains("\"t\""));
}
