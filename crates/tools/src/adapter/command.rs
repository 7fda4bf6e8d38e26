//! Plain commands: an argument vector, never a shell.

use std::collections::VecDeque;

use async_trait::async_trait;
use swarm_model::log::MAX_ENTRY_BYTES;
use swarm_model::task::{CostKind, TaskInput, Usage};
use swarm_model::tool::{ToolHealth, ToolInfo};
use swarm_model::worker::RefusalReason;
use swarm_model::{FailureClass, ToolName};

use super::{Adapter, Needs, OutputParser, Patience, Plan, ProcessPlan, Reach, RunRequest, Way, known_name};
use crate::environment;
use crate::event::{Failure, Final, ToolEvent, head};
use crate::framer::{Framed, Framer, Overlong, lossy};
use crate::guard::Ended;
use crate::meter::Meter;
use crate::run::{Tail, with_error_lines};
use crate::settings::ToolSettings;

/// Lines of standard error that stand in the error of a failed command.
const ERROR_LINES: usize = 8;

/// The adapter for plain commands.
#[derive(Debug)]
pub(crate) struct Command;

#[async_trait]
impl Adapter for Command {
    fn name(&self) -> ToolName {
        known_name(ToolName::COMMAND)
    }

    async fn detect(&self, settings: &ToolSettings) -> ToolInfo {
        ToolInfo {
            name: self.name(),
            version: None,
            health: ToolHealth::Ready,
            models: Vec::new(),
            max_concurrent: settings.max_concurrent,
            account: None,
        }
    }

    fn plan(&self, request: &RunRequest, settings: &ToolSettings) -> Result<Plan, RefusalReason> {
        let invalid = |detail: &str| Err(RefusalReason::InvalidInput { detail: detail.to_owned() });
        let TaskInput::Command { argv, stdin, env: added } = &request.input else {
            return invalid("it takes a command line, not a prompt");
        };
        if argv.first().is_none_or(String::is_empty) {
            return invalid("the command line is empty");
        }
        if argv.iter().chain(added.keys()).chain(added.values()).any(|text| text.contains('\0')) {
            return invalid("an argument or a variable holds a NUL");
        }
        if added.keys().any(|name| name.is_empty() || name.contains('=')) {
            return invalid("the name of a variable is empty or holds \"=\"");
        }
        let mut env = environment::scrubbed(&request.dirs);
        env.extend(settings.env.clone());
        env.extend(added.clone());
        Ok(Plan {
            tool: self.name(),
            version: None,
            model: None,
            patience: Patience::ENDLESS,
            meter: Meter::of(&request.limits, settings),
            way: Way::Process(ProcessPlan {
                argv: argv.clone(),
                env,
                stdin: stdin.clone().unwrap_or_default(),
                needs: Needs::default(),
                reach: Reach::default(),
                metered: None,
                parser: Box::new(Lines::new()),
            }),
        })
    }
}

/// Output line by line; the exit code decides.
#[derive(Debug)]
pub(crate) struct Lines {
    stdout: Framer,
    stderr: Framer,
    answer: Tail,
    /// The end of a character that the next chunk completes.
    open_char: Vec<u8>,
    errors: VecDeque<String>,
}

impl Lines {
    pub(crate) fn new() -> Self {
        Self {
            stdout: Framer::new(MAX_ENTRY_BYTES, Overlong::Cut),
            stderr: Framer::new(MAX_ENTRY_BYTES, Overlong::Cut),
            answer: Tail::default(),
            open_char: Vec::new(),
            errors: VecDeque::new(),
        }
    }

    fn keep(&mut self, chunk: &[u8]) {
        self.open_char.extend_from_slice(chunk);
        let whole = match std::str::from_utf8(&self.open_char) {
            // Only a character that is cut at the very end can still become whole.
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            Ok(_) => self.open_char.len(),
            Err(_) => self.open_char.len() - incomplete_end(&self.open_char),
        };
        self.answer.push(&lossy(&self.open_char[..whole]));
        self.open_char.drain(..whole);
    }

    fn note_error(errors: &mut VecDeque<String>, line: String, events: &mut Vec<ToolEvent>) {
        if !line.trim().is_empty() {
            errors.push_back(head(&line, 400).to_owned());
            errors.drain(..errors.len().saturating_sub(ERROR_LINES));
        }
        events.push(ToolEvent::Stderr(line));
    }
}

/// How many bytes at the end are the beginning of a character.
fn incomplete_end(bytes: &[u8]) -> usize {
    let tail = &bytes[bytes.len().saturating_sub(3)..];
    (0..tail.len())
        .find(|start| {
            std::str::from_utf8(&tail[*start..])
                .is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
        })
        .map_or(0, |start| tail.len() - start)
}

impl OutputParser for Lines {
    fn stdout(&mut self, chunk: &[u8], events: &mut Vec<ToolEvent>) {
        self.keep(chunk);
        self.stdout.push(chunk, |framed| {
            if let Framed::Line(line) = framed {
                events.push(ToolEvent::Stdout(lossy(line)));
            }
        });
    }

    fn stderr(&mut self, chunk: &[u8], events: &mut Vec<ToolEvent>) {
        let errors = &mut self.errors;
        self.stderr.push(chunk, |framed| {
            if let Framed::Line(line) = framed {
                Self::note_error(errors, lossy(line), events);
            }
        });
    }

    fn finish(&mut self, ended: Option<&Ended>, events: &mut Vec<ToolEvent>) {
        self.stdout.finish(|framed| {
            if let Framed::Line(line) = framed {
                events.push(ToolEvent::Stdout(lossy(line)));
            }
        });
        let errors = &mut self.errors;
        self.stderr.finish(|framed| {
            if let Framed::Line(line) = framed {
                Self::note_error(errors, lossy(line), events);
            }
        });
        self.answer.push(&lossy(&std::mem::take(&mut self.open_char)));
        events.push(ToolEvent::Usage(Usage { cost_kind: CostKind::None, ..Usage::default() }));
        let how = match ended.map(|ended| (ended.code, ended.signal)) {
            Some((Some(0), _)) => None,
            Some((Some(code), _)) => Some(format!("the command ended with code {code}")),
            Some((None, Some(signal))) => Some(format!("signal {signal} ended the command")),
            Some((None, None)) | None => Some("the command was killed together with its guard".to_owned()),
        };
        let failure = how.map(|how| {
            let error = with_error_lines(how, self.errors.iter().map(String::as_str));
            Failure::new(FailureClass::ProcessFailed, error)
        });
        events.push(ToolEvent::Final(Final { text: self.answer.as_str().to_owned(), failure, ..Final::default() }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(code: i32) -> Ended {
        serde_json::from_value(serde_json::json!({ "code": code, "by": "itself" })).unwrap()
    }

    fn check(chunks: &[&[u8]], code: i32) -> (Vec<ToolEvent>, Final) {
        let (mut lines, mut events) = (Lines::new(), Vec::new());
        for chunk in chunks {
            lines.stdout(chunk, &mut events);
        }
        lines.finish(Some(&ended(code)), &mut events);
        let Some(ToolEvent::Final(end)) = events.pop() else { panic!("no final event") };
        (events, end)
    }

    #[test]
    fn the_answer_is_what_was_written_also_when_characters_come_in_pieces() {
        let text = "one é\n😀 two";
        for cut in 0..text.len() {
            let (events, end) = check(&[&text.as_bytes()[..cut], &text.as_bytes()[cut..]], 0);
            assert_eq!(end.text, text, "cut at {cut}");
            assert_eq!(events[..2], [ToolEvent::Stdout("one é".into()), ToolEvent::Stdout("😀 two".into())]);
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_shown_as_such() {
        let (_, end) = check(&[b"a\xff\xfe", b"\xe2\x82", b"b\xe2"], 0);
        assert_eq!(end.text, "a\u{fffd}\u{fffd}\u{fffd}b\u{fffd}");
    }

    #[test]
    fn a_code_other_than_zero_is_a_failure_with_the_last_words() {
        let (mut lines, mut events) = (Lines::new(), Vec::new());
        lines.stdout(b"half", &mut events);
        lines.stderr(b"first\nlast", &mut events);
        lines.finish(Some(&ended(3)), &mut events);
        let Some(ToolEvent::Final(end)) = events.pop() else { panic!("no final event") };
        let failure = end.failure.unwrap();
        assert_eq!(failure.class, FailureClass::ProcessFailed);
        assert_eq!(failure.error, "the command ended with code 3: first\nlast");
        assert_eq!(end.text, "half");
    }
}
