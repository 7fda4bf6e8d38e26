//! One change of `worker.toml`: the entry that is meant changes, and everything else stays as its owner wrote it,
//! comments and all.
//!
//! Nothing is written that the worker could not start with: the changed text is read like the file at the start
//! first.

use std::path::Path;

use swarm_model::ToolName;
use toml_edit::{ArrayOfTables, DocumentMut, Item, Key, Table, TableLike, Value, value};

use super::{FILE, Grant, Grantee, Settings, SettingsError};
use crate::durable;

/// What is to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Edit {
    /// An entry, by its dotted key. The text is taken for what fits there.
    Set { key: String, value: String },
    /// An entry goes back to what counts where nothing is set.
    Unset { key: String },
    /// The owner pauses or resumes the machine.
    Pause(bool),
    /// A tool is granted, in place of an earlier grant of it to the same.
    Grant(Grant),
    /// A grant ends; every grant of that person where no tool is named.
    Ungrant { user: Grantee, tool: Option<ToolName> },
    /// All of these, or none. What is not set need not be taken away.
    Together(Vec<Edit>),
}

/// A change that was not made. The file is as it was.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// The key has no meaning.
    #[error("\"{key}\" cannot name a setting: write it as `slots`, `keep.hours` or `tools.command.enabled`")]
    Key {
        /// The key.
        key: String,
    },
    /// Grants have commands of their own.
    #[error("grants are changed with `garageswarm worker grant` and `garageswarm worker ungrant`")]
    GrantsByKey,
    /// There is nothing to take away.
    #[error("{key} is not set")]
    NotSet {
        /// The key.
        key: String,
    },
    /// There is no such grant.
    #[error("nothing of this kind is granted to {user}")]
    NotGranted {
        /// Whom the grant would be for.
        user: Grantee,
    },
    /// The worker could not start with it.
    #[error("{message}; nothing was changed")]
    Invalid {
        /// What is wrong, and what would be right.
        message: String,
    },
    /// The file cannot be read, or not be written, or was wrong before.
    #[error(transparent)]
    Settings(#[from] SettingsError),
}

/// Makes the change in the file where `fits` has nothing against it, and gives what counts before and after. Blocks.
pub(super) fn write(
    data_dir: &Path,
    known: &[ToolName],
    edit: &Edit,
    fits: impl FnOnce(&Settings, &Settings) -> Result<(), String>,
) -> Result<(Settings, Settings), EditError> {
    let path = data_dir.join(FILE);
    let text = std::fs::read_to_string(&path).map_err(|source| SettingsError::File { path: path.clone(), source })?;
    let before = Settings::parse(&text, &path, known)?;
    let (text, after) = changed(&text, &path, &before, known, edit)?;
    fits(&before, &after).map_err(|message| EditError::Invalid { message })?;
    durable::replace(&path, text.as_bytes()).map_err(|source| SettingsError::File { path, source })?;
    Ok((before, after))
}

fn changed(
    text: &str,
    path: &Path,
    before: &Settings,
    known: &[ToolName],
    edit: &Edit,
) -> Result<(String, Settings), EditError> {
    let read = |text: String| match Settings::parse(&text, path, known) {
        Ok(settings) => Ok((text, settings)),
        Err(SettingsError::Invalid { message, .. }) => Err(EditError::Invalid { message }),
        Err(other) => Err(other.into()),
    };
    let document = document(text)?;
    match edit {
        Edit::Set { key, value: word } => {
            let keys = keys(key)?;
            let as_text = Value::from(word.as_str());
            let as_it_reads = word.parse::<Value>().unwrap_or_else(|_| as_text.clone());
            let with = |value: Value| {
                let mut document = document.clone();
                set(document.as_table_mut(), key, &keys, value)?;
                read(document.to_string())
            };
            // `name 12` means the text; what is wrong is told of the value as it reads.
            with(as_it_reads).or_else(|error| with(as_text).map_err(|_| error))
        }
        Edit::Unset { key } => {
            let mut document = document;
            unset(document.as_table_mut(), key, &keys(key)?)?;
            read(document.to_string())
        }
        Edit::Pause(paused) => {
            let mut document = document;
            set(document.as_table_mut(), "paused", &[Key::new("paused")], Value::from(*paused))?;
            read(document.to_string())
        }
        Edit::Grant(grant) => {
            let mut document = document;
            let mut grants = grants(&mut document, before);
            let known = grants.iter().position(|table| is_of(table, grant.user, Some(&grant.tool)));
            match known.and_then(|index| grants.get_mut(index)) {
                Some(table) => fill(table, grant),
                None => {
                    let mut table = Table::new();
                    fill(&mut table, grant);
                    grants.push(table);
                }
            }
            document.insert("grants", Item::ArrayOfTables(grants));
            read(document.to_string())
        }
        Edit::Ungrant { user, tool } => {
            let mut document = document;
            let mut grants = grants(&mut document, before);
            let n_before = grants.len();
            grants.retain(|table| !is_of(table, *user, tool.as_ref()));
            if grants.len() == n_before {
                return Err(EditError::NotGranted { user: *user });
            }
            if !grants.is_empty() {
                document.insert("grants", Item::ArrayOfTables(grants));
            }
            read(document.to_string())
        }
        Edit::Together(edits) => {
            let mut made = (text.to_owned(), before.clone());
            for edit in edits {
                match changed(&made.0, path, &made.1, known, edit) {
                    Ok(changed) => made = changed,
                    Err(EditError::NotSet { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(made)
        }
    }
}

/// A list that holds one text, as it is written.
pub(crate) fn list_of(text: &str) -> String {
    format!("[{}]", Value::from(text))
}

/// Brings what a start changed into the text of the settings: name, slots and tools that are switched on.
pub(crate) fn keep_changes(data_dir: &Path, before: &Settings, after: &Settings) -> Result<(), EditError> {
    let path = data_dir.join(FILE);
    let text = std::fs::read_to_string(&path).map_err(|source| SettingsError::File { path: path.clone(), source })?;
    let mut document = document(&text)?;
    let mut put = |names: &[&str], value: Value| {
        let keys: Vec<_> = names.iter().map(|name| Key::new(*name)).collect();
        set(document.as_table_mut(), &names.join("."), &keys, value)
    };
    if let Some(name) = after.name.as_ref().filter(|_| after.name != before.name) {
        put(&["name"], Value::from(name))?;
    }
    if let Some(slots) = after.slots.filter(|_| after.slots != before.slots) {
        put(&["slots"], Value::from(i64::from(slots)))?;
    }
    for (tool, section) in &after.tools {
        if let Some(enabled) = section.enabled.filter(|_| before.tools.get(tool) != Some(section)) {
            put(&["tools", tool.as_str(), "enabled"], Value::from(enabled))?;
        }
    }
    let text = document.to_string();
    Ok(durable::replace(&path, text.as_bytes()).map_err(|source| SettingsError::File { path, source })?)
}

fn document(text: &str) -> Result<DocumentMut, EditError> {
    text.parse().map_err(|error: toml_edit::TomlError| EditError::Invalid { message: error.message().to_owned() })
}

fn keys(text: &str) -> Result<Vec<Key>, EditError> {
    let keys = Key::parse(text).map_err(|_| EditError::Key { key: text.to_owned() })?;
    if keys.first().is_some_and(|key| key.get() == "grants") { Err(EditError::GrantsByKey) } else { Ok(keys) }
}

fn set(root: &mut Table, named: &str, keys: &[Key], mut value: Value) -> Result<(), EditError> {
    let Some((last, sections)) = keys.split_last() else { return Err(EditError::Key { key: named.to_owned() }) };
    let mut section: &mut dyn TableLike = root;
    for key in sections {
        let made = || {
            let mut table = Table::new();
            table.set_implicit(true);
            Item::Table(table)
        };
        let is_value = || EditError::Invalid { message: format!("{} is a value and has no entries", key.get()) };
        section = section.entry_format(key).or_insert_with(made).as_table_like_mut().ok_or_else(is_value)?;
    }
    match section.get_mut(last.get()) {
        Some(Item::Value(old)) => {
            *value.decor_mut() = old.decor().clone();
            *old = value;
        }
        _ => {
            section.insert(last.get(), Item::Value(value));
        }
    }
    Ok(())
}

fn unset(root: &mut Table, named: &str, keys: &[Key]) -> Result<(), EditError> {
    let not_set = || EditError::NotSet { key: named.to_owned() };
    let (last, sections) = keys.split_last().ok_or_else(not_set)?;
    let mut section: &mut dyn TableLike = root;
    for key in sections {
        section = section.get_mut(key.get()).and_then(Item::as_table_like_mut).ok_or_else(not_set)?;
    }
    section.remove(last.get()).map(drop).ok_or_else(not_set)
}

/// Takes the grants out of the document, however they are written there.
fn grants(document: &mut DocumentMut, before: &Settings) -> ArrayOfTables {
    let written = document.remove("grants").filter(|_| !before.grants.is_empty());
    written.and_then(|item| item.into_array_of_tables().ok()).unwrap_or_default()
}

/// Whether an entry of `grants` is for this person, and for this tool where one is named.
fn is_of(table: &Table, user: Grantee, tool: Option<&ToolName>) -> bool {
    let text = |key| table.get(key).and_then(Item::as_str);
    let for_user = text("user").and_then(|text| text.parse::<Grantee>().ok()) == Some(user);
    for_user && tool.is_none_or(|tool| text("tool") == Some(tool.as_str()))
}

fn fill(table: &mut Table, grant: &Grant) {
    let Grant { tool, user, name, slots, runs_per_day, cost_per_day_usd } = grant;
    table.insert("tool", value(tool.as_str()));
    table.insert("user", value(user.to_string()));
    let bounds = [
        ("name", name.as_ref().map(|name| value(name.as_str()))),
        ("slots", slots.map(|slots| value(i64::from(slots)))),
        ("runs_per_day", runs_per_day.map(|runs| value(i64::from(runs)))),
        ("cost_per_day_usd", cost_per_day_usd.map(|cost| value(f64::from(cost)))),
    ];
    for (key, bound) in bounds {
        match bound {
            Some(bound) => table.insert(key, bound),
            None => table.remove(key),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str =
        "# mine\nslots = 2 # two are enough\n\n[keep]\n# a day\nhours = 24\n\n[tools.command]\nenabled = false\n";

    fn known() -> Vec<ToolName> {
        ["command", "demo"].map(|name| name.parse().unwrap()).to_vec()
    }

    fn apply(text: &str, edit: Edit) -> Result<(String, Settings), String> {
        let path = Path::new("worker.toml");
        let before = Settings::parse(text, path, &known()).unwrap();
        changed(text, path, &before, &known(), &edit).map_err(|error| error.to_string())
    }

    fn set_to(key: &str, value: &str) -> Result<(String, Settings), String> {
        apply(BEFORE, Edit::Set { key: key.to_owned(), value: value.to_owned() })
    }

    #[test]
    fn a_change_leaves_everything_else_as_it_was_written() {
        let (text, settings) = set_to("slots", "4").unwrap();
        assert_eq!(text, BEFORE.replace("slots = 2", "slots = 4"));
        assert_eq!(settings.slots, Some(4));
        let (text, _) = set_to("tools.command.enabled", "true").unwrap();
        assert_eq!(text, BEFORE.replace("false", "true"));
        let (text, settings) = set_to("labels.room", "attic").unwrap();
        assert!(text.starts_with(BEFORE) && settings.labels["room"] == "attic", "{text}");
        let (_, settings) = set_to("labels.floor", "2").unwrap();
        assert_eq!(settings.labels["floor"], "2", "a number where text is meant");
        let (_, settings) = set_to("tools.demo.env.\"A.B\"", "c").unwrap();
        assert_eq!(settings.tools[&"demo".parse().unwrap()].settings.env["A.B"], "c");
    }

    #[test]
    fn what_the_worker_could_not_start_with_is_refused() {
        let cases = [
            ("slotz", "4", "unknown field `slotz`, expected one of `name`, `slots`"),
            ("slots", "many", "invalid type: string \"many\""),
            ("slots", "0", "slots is a number from 1 to 1024"),
            ("max_disk_mb", "0", "max_disk_mb is at least 1"),
            ("keep", "4", "invalid type: integer `4`"),
            ("keep.weeks", "4", "unknown field `weeks`, expected one of `hours`, `failed_hours`"),
            ("slots.x", "4", "slots is a value"),
            ("tools.comand.enabled", "true", "there is no tool \"comand\"; there are command, demo"),
            ("tools.command.enabled", "yes", "expected a boolean"),
            ("tools.command.enabledd", "true", "unknown field `enabledd`"),
            ("a b", "4", "cannot name a setting"),
            ("grants", "[]", "garageswarm worker grant"),
        ];
        for (key, value, expected) in cases {
            let refused = set_to(key, value).unwrap_err();
            assert!(refused.contains(expected), "{key} {value}: {refused}");
        }
    }

    #[test]
    fn an_entry_goes_back_to_its_default() {
        let unset = |key: &str| apply(BEFORE, Edit::Unset { key: key.to_owned() });
        let (text, settings) = unset("slots").unwrap();
        assert!(!text.contains("slots") && text.contains("# a day") && settings.slots.is_none(), "{text}");
        assert_eq!(unset("keep.failed_hours").unwrap_err(), "keep.failed_hours is not set");
    }

    #[test]
    fn grants_come_change_and_go() {
        let user = Grantee::User("018f2d3a-0000-7000-8000-000000000001".parse().unwrap());
        let mut grant = Grant::new("demo".parse().unwrap(), user);
        grant.cost_per_day_usd = Some("2.5".parse().unwrap());
        let (text, settings) = apply(BEFORE, Edit::Grant(grant.clone())).unwrap();
        assert_eq!(settings.grants, [grant.clone()]);
        assert!(text.starts_with(BEFORE), "{text}");
        grant.cost_per_day_usd = None;
        grant.slots = Some(1);
        let commented = text.replace("tool = \"demo\"", "tool = \"demo\" # for the homework");
        let (text, settings) = apply(&commented, Edit::Grant(grant.clone())).unwrap();
        assert_eq!(settings.grants, [grant.clone()]);
        let (text, settings) = apply(&text, Edit::Grant(Grant::new(grant.tool.clone(), Grantee::Everyone))).unwrap();
        assert_eq!(settings.grants.len(), 2, "{text}");
        let (text, settings) = apply(&text, Edit::Ungrant { user, tool: None }).unwrap();
        assert_eq!(settings.grants.len(), 1, "{text}");
        let other = Edit::Ungrant { user: Grantee::Everyone, tool: Some("command".parse().unwrap()) };
        assert!(apply(&text, other).unwrap_err().contains("nothing of this kind"));
        let inline = "grants = [{ tool = \"demo\", user = \"everyone\" }]\n";
        let (text, settings) = apply(inline, Edit::Grant(grant)).unwrap();
        assert_eq!(settings.grants.len(), 2, "{text}");
    }

    #[test]
    fn changes_that_belong_together_are_made_together_or_not_at_all() {
        let set = |key: &str, value: &str| Edit::Set { key: key.to_owned(), value: value.to_owned() };
        let unset = |key: &str| Edit::Unset { key: key.to_owned() };
        let edits = vec![
            set("tools.demo.model", "small"),
            unset("tools.demo.url"),
            set("tools.demo.args", &list_of("--a=\"b\"")),
        ];
        let (_, settings) = apply(BEFORE, Edit::Together(edits)).unwrap();
        let demo = &settings.tools[&"demo".parse().unwrap()].settings;
        assert_eq!((demo.model.as_deref(), demo.args.as_slice()), (Some("small"), &["--a=\"b\"".to_owned()][..]));
        let broken = vec![set("tools.demo.model", "small"), set("tools.demo.max_concurrent", "many")];
        assert!(apply(BEFORE, Edit::Together(broken)).is_err());
    }
}
