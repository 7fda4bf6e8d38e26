use super::*;

fn known() -> Vec<ToolName> {
    ["command", "demo"].map(|name| name.parse().unwrap()).to_vec()
}

fn load(text: &str) -> Result<Settings, SettingsError> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(FILE), text).unwrap();
    Settings::load_or_create(folder.path(), &known())
}

#[test]
fn the_first_start_writes_what_can_be_changed() {
    let folder = tempfile::tempdir().unwrap();
    let first = Settings::load_or_create(folder.path(), &known()).unwrap();
    let text = std::fs::read_to_string(folder.path().join(FILE)).unwrap();
    assert!(text.contains("[tools.command]\nenabled = false"), "{text}");
    assert_eq!(Settings::load_or_create(folder.path(), &known()).unwrap(), first);
}

#[test]
fn command_is_off_until_the_owner_allows_it() {
    let (command, demo) = ("command".parse().unwrap(), "demo".parse().unwrap());
    let mut settings = load("").unwrap();
    assert!(!settings.is_enabled(&command));
    assert!(settings.is_enabled(&demo));
    settings.enable(command.clone(), true);
    settings.enable(demo.clone(), false);
    assert!(settings.is_enabled(&command) && !settings.is_enabled(&demo));
}

#[test]
fn what_is_written_is_read_back() {
    let user = "018f2d3a-0000-7000-8000-000000000001".parse().unwrap();
    let mut settings = load("").unwrap();
    settings.name = Some("attic".to_owned());
    settings.labels.insert("gpu".to_owned(), "yes".to_owned());
    settings.grants.push(Grant::new("demo".parse().unwrap(), Grantee::User(user)));
    settings.tools.entry("demo".parse().unwrap()).or_default().settings.max_concurrent = Some(3);
    let folder = tempfile::tempdir().unwrap();
    settings.save(folder.path()).unwrap();
    assert_eq!(Settings::load_or_create(folder.path(), &known()).unwrap(), settings);
    assert!(settings.grant_for(&"demo".parse().unwrap(), user).is_some());
    assert!(settings.grant_for(&"command".parse().unwrap(), user).is_none());
}

#[test]
fn a_mistake_is_told_with_its_line() {
    let cases = [
        ("name = \"x\"\nslotz = 2\n", 2, "slotz"),
        ("slots = \"two\"\n", 1, "invalid type"),
        ("\n\n[tools.command]\nenabledd = true\n", 3, "enabledd"),
        ("[keep]\nhours = 1\nweeks = 2\n", 3, "weeks"),
        ("slots = 1\n\n[tools.comand]\nenabled = true\n", 3, "there is no tool \"comand\""),
        ("slots = \n", 1, ""),
        ("paused = true\nslots = 0\n", 2, "from 1 to 1024"),
        ("[[grants]]\ntool = \"demo\"\nuser = \"ann\"\n", 3, "neither the id of a person nor \"everyone\""),
        ("[[grants]]\ntool = \"dmo\"\nuser = \"everyone\"\n", 2, "there is no tool \"dmo\""),
        ("[[grants]]\ntool = \"demo\"\nuser = \"everyone\"\ncost_per_day_usd = -1\n", 4, "amount of dollars"),
    ];
    for (text, expected_line, expected) in cases {
        match load(text) {
            Err(SettingsError::Invalid { line, message, .. }) => {
                assert_eq!(line, expected_line, "{text:?}: {message}");
                assert!(message.contains(expected), "{text:?}: {message}");
            }
            other => panic!("{text:?} gave {other:?}"),
        }
    }
}
