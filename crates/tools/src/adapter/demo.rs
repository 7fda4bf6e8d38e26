//! A scripted model inside this process, so that the first run works without any key. A demonstration, and
//! says so.
//!
//! The same prompt always gets the same words. They take real time, so that a person can watch them come and
//! end things in the middle: `demo` 25 a second, `demo-slow` 4, `demo-fast` as fast as they are taken.

use std::time::Duration;

use async_trait::async_trait;
use swarm_model::ToolName;
use swarm_model::task::{CostKind, Usage};
use swarm_model::tool::{ToolHealth, ToolInfo};
use swarm_model::worker::RefusalReason;

use super::{Adapter, Conversation, EventSink, Patience, Plan, RunRequest, Way, known_name, prompt_of};
use crate::event::{Final, ToolEvent, head};
use crate::meter::Meter;
use crate::settings::ToolSettings;

const MODELS: [(&str, Duration); 3] =
    [("demo", Duration::from_millis(40)), ("demo-fast", Duration::ZERO), ("demo-slow", Duration::from_millis(250))];

/// The adapter for the demonstration.
#[derive(Debug)]
pub(crate) struct Demo;

#[async_trait]
impl Adapter for Demo {
    fn name(&self) -> ToolName {
        known_name(ToolName::DEMO)
    }

    async fn detect(&self, settings: &ToolSettings) -> ToolInfo {
        ToolInfo {
            name: self.name(),
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            health: ToolHealth::Ready,
            models: MODELS.map(|(name, _)| name.to_owned()).into(),
            max_concurrent: settings.max_concurrent,
            account: None,
        }
    }

    fn plan(&self, request: &RunRequest, settings: &ToolSettings) -> Result<Plan, RefusalReason> {
        let (prompt, _) = prompt_of(request)?;
        let wished = request.model.as_deref().or(settings.model.as_deref()).unwrap_or(MODELS[0].0);
        let (model, pause) = MODELS.into_iter().find(|(name, _)| *name == wished).ok_or_else(|| {
            RefusalReason::InvalidInput { detail: format!("the demonstration has the models {}", names()) }
        })?;
        Ok(Plan {
            tool: self.name(),
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            model: Some(model.to_owned()),
            patience: Patience::ENDLESS,
            meter: Meter::of(&request.limits, settings),
            way: Way::Talk(Box::new(Script { answer: answer(prompt), pause })),
        })
    }
}

fn names() -> String {
    MODELS.map(|(name, _)| name).join(", ")
}

/// The words, and the pause before each.
#[derive(Debug)]
struct Script {
    answer: String,
    pause: Duration,
}

#[async_trait]
impl Conversation for Script {
    async fn hold(self: Box<Self>, sink: EventSink) -> Final {
        let words: Vec<&str> = self.answer.split_inclusive(' ').collect();
        for (n, word) in words.iter().enumerate() {
            if !self.pause.is_zero() {
                tokio::time::sleep(self.pause).await;
            }
            sink.emit(ToolEvent::Text((*word).to_owned())).await;
            if n % 10 == 9 {
                sink.emit(ToolEvent::Progress((100 * n / words.len()) as u8)).await;
            }
        }
        sink.emit(ToolEvent::Usage(Usage {
            output_tokens: Some(words.len() as u64),
            cost_kind: CostKind::None,
            ..Usage::default()
        }))
        .await;
        Final { text: self.answer, turns: Some(1), ..Final::default() }
    }
}

/// What the demonstration says about a prompt.
fn answer(prompt: &str) -> String {
    let prompt = prompt.trim();
    let first_line = prompt.lines().next().unwrap_or("");
    let shown = head(first_line, 120);
    let dots = if shown.len() < prompt.len() { " ..." } else { "" };
    let n_words = prompt.split_whitespace().count();
    let words = if n_words == 1 { "1 word".to_owned() } else { format!("{n_words} words") };
    format!(
        "This is a demonstration: no AI model is at work here, and these words were written beforehand.\n\n\
         You asked: \"{shown}{dots}\" ({words}). {} \
         What you see is real nevertheless: your prompt went into the queue, a worker took it under a lease, \
         and every word travels the way that a model's words would. You can stop this task in the middle, \
         or kill the worker or the coordinator and start it again: the task goes on.\n\n\
         To get real answers, connect a real tool on this machine: install Claude Code and sign in by running \
         `claude` once, or start Ollama and pull a model with `ollama pull`. \
         `garageswarm doctor` says what was found and what is missing.",
        approach(prompt)
    )
}

/// One sentence on what a real model would do with such a prompt.
fn approach(prompt: &str) -> &'static str {
    let lower = prompt.to_lowercase();
    let has = |needles: &[&str]| needles.iter().any(|needle| lower.contains(needle));
    if has(&["fix", "bug", "error", "fehler"]) {
        "A real model would look for the cause first, then change as little as it can, and run the tests."
    } else if has(&["write", "implement", "create", "build", "add "]) {
        "A real model would sketch the parts, write them one by one into its working folder, and try them out."
    } else if has(&["summar", "explain", "describe", "translate"]) {
        "A real model would read the whole text and give it back in its own words."
    } else if prompt.ends_with('?') {
        "A real model would answer the question and say how sure it is."
    } else {
        "A real model would take this as its task and work on it step by step."
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_prompt_gets_the_same_words() {
        assert_eq!(answer("Fix the bug"), answer(" Fix the bug\n"));
        assert_ne!(answer("Fix the bug"), answer("Explain the bug?"));
    }

    #[test]
    fn it_says_that_it_is_a_demonstration_and_how_to_do_better() {
        for prompt in ["hello", "Why is the sky blue?", &"é".repeat(5000)] {
            let answer = answer(prompt);
            assert!(answer.starts_with("This is a demonstration"));
            assert!(answer.contains("Claude Code") && answer.contains("ollama pull"));
            let seconds = answer.split(' ').count() as f64 / 25.0;
            assert!((3.0..10.0).contains(&seconds), "{seconds} s");
        }
    }
}
