//! What the tool keeps of a session: `.gemini/tmp/<folder>/chats/session-<time>-<id>.jsonl` in its home.
//!
//! The stream repeats what was said before a broken connection, without a mark. The session holds what was meant.

use std::path::{Path, PathBuf};

use serde_json::Value;
use uuid::Uuid;

/// Sessions beyond this are not read: the stream must do.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// The last words of the model in a session, and which model they are of.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct LastWords {
    pub(super) text: String,
    pub(super) model: Option<String>,
}

/// The file of a session. One that was handed over stands there twice, once as a stub.
pub(super) fn file(home: &Path, id: Uuid) -> Option<PathBuf> {
    let id = id.to_string();
    let ending = format!("-{}.jsonl", id.split('-').next()?);
    let folders = std::fs::read_dir(home.join(".gemini").join("tmp")).ok()?.flatten();
    let chats =
        folders.flat_map(|folder| std::fs::read_dir(folder.path().join("chats")).into_iter().flatten().flatten());
    let named = chats.filter(|chat| chat.file_name().to_string_lossy().ends_with(&ending));
    let sized = named.filter_map(|chat| Some((chat.metadata().ok()?.len(), chat.path())));
    // Eight digits of an id may be those of another.
    let (_, path) = sized.filter(|(_, path)| is_of(path, &id)).max()?;
    Some(path)
}

fn is_of(path: &Path, id: &str) -> bool {
    objects(path).any(|line| line["sessionId"] == id)
}

/// The last words of the model, if the session can be read.
pub(super) fn last_words(home: &Path, id: Uuid) -> Option<LastWords> {
    let mut last = None;
    for line in objects(&file(home, id)?).filter(|line| line["type"] == "gemini") {
        let text = text_of(&line["content"]);
        if !text.is_empty() {
            last = Some(LastWords { text, model: line["model"].as_str().map(str::to_owned) });
        }
    }
    last
}

fn objects(path: &Path) -> impl Iterator<Item = Value> {
    let fits = std::fs::metadata(path).is_ok_and(|file| file.len() <= MAX_BYTES);
    let content = if fits { std::fs::read_to_string(path).unwrap_or_default() } else { String::new() };
    let lines: Vec<Value> = content.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    lines.into_iter()
}

/// The text of a message, which is a string or a list of parts.
fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        parts => parts.as_array().into_iter().flatten().filter_map(|part| part["text"].as_str()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01900000-0000-7000-8000-000000000001";

    fn keep(home: &Path, folder: &str, name: &str, lines: &[&str]) {
        let chats = home.join(".gemini/tmp").join(folder).join("chats");
        std::fs::create_dir_all(&chats).unwrap();
        std::fs::write(chats.join(name), lines.join("\n")).unwrap();
    }

    #[test]
    fn the_last_words_are_those_of_the_fullest_file_of_that_session() {
        let home = tempfile::tempdir().unwrap();
        let id = Uuid::try_parse(ID).unwrap();
        assert_eq!(last_words(home.path(), id), None);
        let head = format!("{{\"sessionId\":\"{ID}\"}}");
        keep(home.path(), "work", "session-1-01900000.jsonl", &[&head]);
        keep(
            home.path(),
            "work",
            "session-2-01900000.jsonl",
            &["{\"sessionId\":\"01900000-another\"}", &"{}\n".repeat(999)],
        );
        let said = [
            head.as_str(),
            "{\"type\":\"gemini\",\"content\":\"first\",\"model\":\"a\"}",
            "torn {",
            "{\"type\":\"gemini\",\"content\":[{\"text\":\"sec\"},{\"text\":\"ond\"}],\"model\":\"b\"}",
            "{\"type\":\"gemini\",\"content\":\"\",\"toolCalls\":[]}",
            "{\"$set\":{\"lastUpdated\":1}}",
        ];
        keep(home.path(), "work-1", "session-3-01900000.jsonl", &said);
        let expected = LastWords { text: "second".to_owned(), model: Some("b".to_owned()) };
        assert_eq!(last_words(home.path(), id), Some(expected));
    }
}
