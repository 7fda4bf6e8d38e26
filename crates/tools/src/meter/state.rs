//! The numbers behind a meter: calls that are over, calls that are being made, and what is left.

use std::collections::BTreeMap;
use std::time::Duration;

use swarm_model::task::{CostKind, Limits, ModelUse, Usage};
use tokio::time::Instant;

use super::{MAX_NAME, Question, Seen, Tokens, millis, now};
use crate::event::{RateLimit, ToolEvent, head};
use crate::prices::{price_of, priced};
use crate::run::Stop;
use crate::settings::ToolSettings;

/// Bytes of a prompt that make a token, until a call of this run told better.
const BYTES_PER_TOKEN: u64 = 4;
/// Bytes of an answer that make a token, until it is counted: fewer than most models write, so that a guess is high.
const WRITTEN_BYTES_PER_TOKEN: u64 = 3;
/// How many models a run is counted by; all further ones are one.
const MAX_MODELS: usize = 16;
/// The part of a limit at which a warning is given.
const WARNING_PERCENT: u64 = 70;

/// A call that is being made.
#[derive(Debug)]
pub(super) struct Open {
    /// The name that was asked for.
    asked: String,
    /// The name that answers.
    model: String,
    prompt_bytes: u64,
    /// Tokens of the prompt, until they are told.
    prompt_guess: u64,
    /// Tokens of a reply that cannot be broken off.
    reserved: u64,
    pub(super) started: Instant,
    pub(super) first_byte: Option<Duration>,
    pub(super) status: Option<u16>,
    tokens: Tokens,
    bytes: u64,
    pieces: u64,
    pub(super) is_whole: bool,
}

impl Open {
    fn is_refused(&self) -> bool {
        self.status.is_some_and(|status| !(200..300).contains(&status))
    }

    /// Tokens written that nobody counted yet.
    fn written_guess(&self) -> u64 {
        self.pieces.max(self.bytes.div_ceil(WRITTEN_BYTES_PER_TOKEN))
    }

    /// Everything that nobody counted yet.
    fn guess(&self) -> Tokens {
        let is_open = !self.is_refused();
        Tokens {
            input: (is_open && self.tokens.input.is_none()).then_some(self.prompt_guess),
            output: is_open.then(|| self.written_guess()),
            ..Tokens::default()
        }
    }

    /// What the call used as far as it is known, and where it was broken off, as far as it is guessed.
    fn used(&self) -> Tokens {
        if self.is_refused() {
            return Tokens { input: Some(0), output: Some(0), ..Tokens::default() };
        }
        // A call that nobody answered yet may still be refused.
        if self.is_whole || self.status.is_none() {
            return self.tokens;
        }
        let output = self.tokens.output.unwrap_or(0) + self.written_guess();
        Tokens { input: self.tokens.input.or(Some(self.prompt_guess)), output: Some(output), ..self.tokens }
    }
}

/// What a prompt came to in the last call of a model.
#[derive(Debug, Clone, Copy)]
struct Learned {
    bytes: u64,
    /// Tokens that count against a limit.
    counted: u64,
    /// The same and those that went to a cache, which are paid for alike.
    paid: u64,
}

/// Tokens and money that count against the limits.
#[derive(Debug, Clone, Copy, Default)]
struct Spent {
    tokens: u64,
    cost: u64,
}

impl Spent {
    fn plus(self, other: Self) -> Self {
        Self { tokens: self.tokens.saturating_add(other.tokens), cost: self.cost.saturating_add(other.cost) }
    }
}

/// The numbers of a run.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) open: BTreeMap<u64, Open>,
    next: u64,
    over: Vec<ModelUse>,
    spent: Spent,
    learned: BTreeMap<String, Learned>,
    /// What a tool told of itself.
    reported: Option<Usage>,
    told: Option<Usage>,
    pub(super) news: Vec<ToolEvent>,
    is_warned: bool,
    has_unknown_price: bool,
    pub(super) stop: Option<Stop>,
    pub(super) denied: Option<String>,
    pub(super) limit: Option<RateLimit>,
}

impl State {
    pub(super) fn has_calls(&self) -> bool {
        self.next > 0
    }

    pub(super) fn remark(&mut self, words: String) {
        self.news.push(ToolEvent::Notice(words));
    }

    pub(super) fn deny(&mut self, words: &str) {
        if self.denied.as_deref() != Some(words) {
            self.remark(words.to_owned());
            self.denied = Some(words.to_owned());
        }
    }

    /// How many tokens the reply of the next call may have; none where nothing bounds it.
    pub(super) fn left(
        &mut self,
        limits: &Limits,
        settings: &ToolSettings,
        question: Question<'_>,
    ) -> Result<Option<u64>, Stop> {
        let (prompt, paid) = self.prompt_guess(question);
        let (known, guess) = (self.known(settings), self.guess(settings));
        let reserved: u64 = self.open.values().map(|open| open.reserved).sum();
        let by_tokens = limits.tokens.map(|most| {
            let used = known.tokens.saturating_add(guess.tokens).saturating_add(reserved);
            (most.saturating_sub(used).saturating_sub(prompt), Stop::NoTokensLeft { most, used, prompt })
        });
        let most_cost = limits.cost_microusd.filter(|_| settings.free != Some(true));
        let price = most_cost.and_then(|_| price_of(question.model, question.prompt_bytes / BYTES_PER_TOKEN, settings));
        if most_cost.is_some() && price.is_none() && !self.has_unknown_price {
            // What costs an unknown sum cannot be bounded by one.
            self.has_unknown_price = true;
            self.remark(format!("what {} costs is not known: the limit on cost cannot be kept", question.model));
        }
        let by_cost = most_cost.zip(price).map(|(most, price)| {
            let used = known.cost.saturating_add(guess.cost);
            (price.affords(most.saturating_sub(used), paid), Stop::NoMoneyLeft { most, used })
        });
        match by_tokens.into_iter().chain(by_cost).min_by_key(|(left, _)| *left) {
            Some((0, stop)) => Err(stop),
            Some((left, _)) => Ok(Some(left)),
            None => Ok(None),
        }
    }

    /// About how many tokens of a prompt will count, and how many will be paid for: in the first call all of them, and
    /// then as many of its bytes as in the last one.
    fn prompt_guess(&self, question: Question<'_>) -> (u64, u64) {
        let all = question.prompt_bytes / BYTES_PER_TOKEN;
        let Some(learned) = self.learned.get(question.model).filter(|learned| learned.bytes > 0) else {
            return (all, all);
        };
        let share = |tokens: u64| {
            let share = u128::from(tokens) * u128::from(question.prompt_bytes) / u128::from(learned.bytes);
            u64::try_from(share).unwrap_or(u64::MAX)
        };
        (share(learned.counted), share(learned.paid))
    }

    pub(super) fn open(&mut self, question: Question<'_>, left: Option<u64>) -> u64 {
        let reserved = if question.is_streamed { None } else { question.wished.into_iter().chain(left).min() };
        self.next += 1;
        let open = Open {
            asked: question.model.to_owned(),
            // It may be whatever a tool says.
            model: head(question.model, MAX_NAME).to_owned(),
            prompt_bytes: question.prompt_bytes,
            prompt_guess: self.prompt_guess(question).0,
            reserved: reserved.filter(|_| left.is_some()).unwrap_or(0),
            started: now(),
            first_byte: None,
            status: None,
            tokens: Tokens::default(),
            bytes: 0,
            pieces: 0,
            is_whole: false,
        };
        self.open.insert(self.next, open);
        self.next
    }

    /// Tells whether the sum of the run is worth telling anew.
    pub(super) fn note(&mut self, id: u64, seen: Seen) -> bool {
        let Some(open) = self.open.get_mut(&id) else { return false };
        if let Some(model) = seen.model {
            open.model = model;
        }
        let had_input = open.tokens.input.is_some();
        if let Some(tokens) = seen.tokens {
            if tokens.output.is_some() {
                (open.bytes, open.pieces) = (0, 0);
            }
            open.tokens = tokens.or(open.tokens);
        }
        open.bytes += seen.bytes;
        open.pieces += seen.pieces;
        !had_input && open.tokens.input.is_some()
    }

    pub(super) fn close(&mut self, id: u64, settings: &ToolSettings) {
        let Some(open) = self.open.remove(&id) else { return };
        let used = open.used();
        let usage = usage_of(&used, &open.model, &open.asked, settings);
        // What was not told counts against the limits all the same.
        let guess = if open.is_refused() || open.tokens.output.is_some() || !open.is_whole {
            Tokens::default()
        } else {
            open.guess()
        };
        self.spent = self.spent.plus(spent_of(&used, &open.model, &open.asked, settings)).plus(spent_of(
            &guess,
            &open.model,
            &open.asked,
            settings,
        ));
        if let Some(input) = open.tokens.input {
            let paid = input.saturating_add(open.tokens.cache_write.unwrap_or(0));
            self.learned.insert(open.asked.clone(), Learned { bytes: open.prompt_bytes, counted: input, paid });
        }
        tracing::debug!(
            model = open.model,
            status = open.status,
            input_tokens = usage.input_tokens,
            output_tokens = usage.output_tokens,
            cost_microusd = usage.cost_microusd,
            first_byte_ms = open.first_byte.map(millis),
            duration_ms = millis(open.started.elapsed()),
            "a model was asked"
        );
        let first_byte_ms = open.first_byte.map(millis);
        let is_full = self.over.len() >= MAX_MODELS && !self.over.iter().any(|over| over.model == open.model);
        let model = if is_full { "others".to_owned() } else { open.model };
        match self.over.iter_mut().find(|over| over.model == model) {
            Some(over) => {
                over.calls += 1;
                over.usage = sum(&over.usage, &usage);
                over.first_byte_ms = over.first_byte_ms.into_iter().chain(first_byte_ms).max();
            }
            None => self.over.push(ModelUse { model, calls: 1, first_byte_ms, usage }),
        }
    }

    /// What counts for sure.
    fn known(&self, settings: &ToolSettings) -> Spent {
        if let Some(reported) = self.reported.as_ref().filter(|_| !self.has_calls()) {
            return Spent { tokens: counted(reported), cost: reported.cost_microusd.unwrap_or(0) };
        }
        let open = self.open.values().map(|open| spent_of(&open.tokens, &open.model, &open.asked, settings));
        open.fold(self.spent, Spent::plus)
    }

    /// What nobody counted yet.
    fn guess(&self, settings: &ToolSettings) -> Spent {
        let open = self.open.values().map(|open| spent_of(&open.guess(), &open.model, &open.asked, settings));
        open.fold(Spent::default(), Spent::plus)
    }

    /// What was written and nobody counted yet.
    fn written(&self, settings: &ToolSettings) -> Spent {
        let open = self.open.values().map(|open| {
            let written = Tokens { input: None, ..open.guess() };
            spent_of(&written, &open.model, &open.asked, settings)
        });
        open.fold(Spent::default(), Spent::plus)
    }

    /// Warns once, and says stop where a limit is reached.
    pub(super) fn check(&mut self, limits: &Limits, settings: &ToolSettings) {
        if limits.tokens.is_none() && limits.cost_microusd.is_none() {
            return;
        }
        let (known, guess) = (self.known(settings), self.guess(settings));
        let is_over = |known: u64, guess: u64, most: u64| {
            known > most || known.saturating_add(guess) > most.saturating_add(most / 10)
        };
        if let Some(most) = limits.tokens.filter(|most| is_over(known.tokens, guess.tokens, *most)) {
            self.stop.get_or_insert(Stop::Tokens(most));
        }
        if let Some(most) = limits.cost_microusd.filter(|most| is_over(known.cost, guess.cost, *most)) {
            self.stop.get_or_insert(Stop::Cost(most));
        }
        let used = known.plus(self.written(settings));
        if !self.is_warned
            && let Some(words) = warning(used, limits)
        {
            self.is_warned = true;
            tracing::warn!(tokens = used.tokens, cost_microusd = used.cost, "a run has used most of its budget");
            self.remark(words);
        }
    }

    pub(super) fn report(&mut self, usage: &Usage) {
        self.reported = Some(usage.clone());
    }

    /// Puts the sum among the news, where it is another than was told.
    pub(super) fn tell(&mut self, settings: &ToolSettings) {
        let usage = self.usage(settings);
        if self.told.as_ref() == Some(&usage) {
            return;
        }
        self.told = Some(usage.clone());
        // The last sum is enough.
        self.news.retain(|event| !matches!(event, ToolEvent::Usage(_)));
        self.news.push(ToolEvent::Usage(usage));
    }

    /// The sum of all calls. Its cost is known where that of each is; where it is not, the tool may have told it.
    pub(super) fn usage(&self, settings: &ToolSettings) -> Usage {
        let over = self.over.iter().map(|over| over.usage.clone());
        let open = self.open.values().filter(|open| open.tokens.input.is_some());
        let open = open.map(|open| usage_of(&open.tokens, &open.model, &open.asked, settings));
        let usage = over.chain(open).reduce(|one, other| sum(&one, &other)).unwrap_or_default();
        match &self.reported {
            Some(Usage { cost_kind: CostKind::Reported, cost_microusd, .. })
                if usage.cost_kind == CostKind::Unknown =>
            {
                Usage { cost_kind: CostKind::Reported, cost_microusd: *cost_microusd, ..usage }
            }
            _ => usage,
        }
    }

    pub(super) fn by_model(&self) -> Vec<ModelUse> {
        self.over.clone()
    }
}

/// The tokens that count against a limit, here as for the coordinator: without those from and to caches.
fn counted(usage: &Usage) -> u64 {
    usage.input_tokens.unwrap_or(0).saturating_add(usage.output_tokens.unwrap_or(0))
}

fn spent_of(tokens: &Tokens, model: &str, asked: &str, settings: &ToolSettings) -> Spent {
    let known = Tokens { input: tokens.input.or(Some(0)), output: tokens.output.or(Some(0)), ..*tokens };
    let usage = usage_of(&known, model, asked, settings);
    Spent { tokens: counted(&usage), cost: usage.cost_microusd.unwrap_or(0) }
}

fn usage_of(tokens: &Tokens, model: &str, asked: &str, settings: &ToolSettings) -> Usage {
    let usage = Usage {
        input_tokens: tokens.input,
        output_tokens: tokens.output,
        cache_read_tokens: tokens.cache_read,
        cache_write_tokens: tokens.cache_write,
        reasoning_tokens: tokens.reasoning,
        ..Usage::default()
    };
    match tokens.cost_microusd {
        Some(_) => Usage { cost_microusd: tokens.cost_microusd, cost_kind: CostKind::Reported, ..usage },
        // What nobody reads or writes costs nothing, whatever its price is.
        None if tokens.input == Some(0) && tokens.output == Some(0) && tokens.cache_write.is_none() => {
            Usage { cost_kind: CostKind::None, ..usage }
        }
        None => priced(usage, model, asked, settings),
    }
}

/// Two usages as one.
fn sum(one: &Usage, other: &Usage) -> Usage {
    let plus = |one: Option<u64>, other: Option<u64>| match (one, other) {
        (None, None) => None,
        (one, other) => Some(one.unwrap_or(0).saturating_add(other.unwrap_or(0))),
    };
    let kinds = [one.cost_kind, other.cost_kind];
    let worst = [CostKind::Unknown, CostKind::Priced, CostKind::Reported];
    let cost_kind = worst.into_iter().find(|kind| kinds.contains(kind)).unwrap_or(CostKind::None);
    let cost = plus(one.cost_microusd, other.cost_microusd).filter(|_| cost_kind != CostKind::Unknown);
    Usage {
        input_tokens: plus(one.input_tokens, other.input_tokens),
        output_tokens: plus(one.output_tokens, other.output_tokens),
        cache_read_tokens: plus(one.cache_read_tokens, other.cache_read_tokens),
        cache_write_tokens: plus(one.cache_write_tokens, other.cache_write_tokens),
        reasoning_tokens: plus(one.reasoning_tokens, other.reasoning_tokens),
        cost_microusd: cost,
        cost_kind,
    }
}

/// What to say where most of a limit is used.
fn warning(used: Spent, limits: &Limits) -> Option<String> {
    let is_near =
        |used: u64, most: u64| u128::from(used) * 100 >= u128::from(most) * u128::from(WARNING_PERCENT) && most > 0;
    if let Some(most) = limits.tokens.filter(|most| is_near(used.tokens, *most)) {
        return Some(format!("most of the budget is used: {} of {most} tokens", used.tokens));
    }
    let most = limits.cost_microusd.filter(|most| is_near(used.cost, *most))?;
    let dollars = |microusd: u64| microusd as f64 / 1e6;
    Some(format!("most of the budget is used: {:.4} of {:.4} US dollars", dollars(used.cost), dollars(most)))
}
