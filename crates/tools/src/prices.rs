//! What tokens cost: a table with a date, `prices.toml`, and what the owner of the machine set instead.
//!
//! A cost is told only where it is known: a model that is in neither, or a run whose tokens are not all told, costs
//! an unknown sum and not nothing.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use swarm_model::task::{CostKind, Usage};

use crate::settings::ToolSettings;

/// What every model can write that is still asked.
const UNKNOWN_MAX_OUTPUT: u64 = 8_192;

/// US dollars for a million tokens, in millionths: so equal prices are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PerMillion(u64);

/// What a model costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// For tokens read.
    pub input: PerMillion,
    /// For tokens written.
    pub output: PerMillion,
    /// For tokens read from a cache; unknown where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_read: Option<PerMillion>,
    /// For tokens written to a cache; unknown where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<PerMillion>,
}

/// The prices that the owner of a machine set: for every model whose name begins so.
pub type OwnPrices = BTreeMap<String, Price>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[cfg_attr(not(test), expect(dead_code, reason = "a date for people, which a test looks at"))]
    date: String,
    model: Vec<Line>,
}

#[derive(Debug, Deserialize)]
struct Line {
    name: String,
    up_to: Option<u64>,
    max_output: Option<u64>,
    #[serde(flatten)]
    price: FlatPrice,
}

/// A price among other entries, where unknown ones cannot be refused.
#[derive(Debug, Clone, Copy, Deserialize)]
struct FlatPrice {
    input: PerMillion,
    output: PerMillion,
    cache_read: Option<PerMillion>,
    cache_write: Option<PerMillion>,
}

#[expect(clippy::expect_used, reason = "the file is part of the program, and a test reads it")]
static TABLE: LazyLock<Table> =
    LazyLock::new(|| toml::from_str(include_str!("prices.toml")).expect("the table of prices is well-formed"));

/// The usage with its cost, as far as that is known. The model that answered may have another name than the one that
/// was asked for: the owner of the machine sets prices for either, the table knows the first.
pub(crate) fn priced(usage: Usage, answered: &str, asked: &str, settings: &ToolSettings) -> Usage {
    if settings.free == Some(true) {
        return Usage { cost_microusd: None, cost_kind: CostKind::None, ..usage };
    }
    let own = || own_price(answered, settings).or_else(|| own_price(asked, settings));
    let price = own().or_else(|| listed_price(answered, prompt_tokens(&usage)));
    let cost = price.and_then(|price| price.cost(&usage));
    let cost_kind = if cost.is_some() { CostKind::Priced } else { CostKind::Unknown };
    Usage { cost_microusd: cost, cost_kind, ..usage }
}

/// Whether a model has that name: itself, with a date behind it, or as its provider writes it in addresses and tags.
pub(crate) fn is_named(name: &str, model: &str) -> bool {
    let plain = |text: &str| text.strip_prefix("models/").unwrap_or(text).trim_end_matches(":latest").to_owned();
    names(&plain(name), &plain(model))
}

/// How many tokens a reply of a model can have.
pub(crate) fn max_output(model: &str) -> u64 {
    let known = TABLE.model.iter().filter(|line| names(&line.name, model)).find_map(|line| line.max_output);
    known.unwrap_or(UNKNOWN_MAX_OUTPUT)
}

/// The price of a model for a prompt of that many tokens.
pub(crate) fn price_of(model: &str, prompt_tokens: u64, settings: &ToolSettings) -> Option<Price> {
    own_price(model, settings).or_else(|| listed_price(model, prompt_tokens))
}

fn own_price(model: &str, settings: &ToolSettings) -> Option<Price> {
    let own = settings.prices.iter().filter(|(name, _)| model.starts_with(name.as_str()));
    own.max_by_key(|(name, _)| name.len()).map(|(_, price)| *price)
}

fn listed_price(model: &str, prompt_tokens: u64) -> Option<Price> {
    let fits = |line: &&Line| names(&line.name, model) && line.up_to.is_none_or(|most| prompt_tokens <= most);
    // The narrowest line: the longest name, and of those the lowest bound.
    let narrow = |line: &&Line| (line.name.len(), std::cmp::Reverse(line.up_to.unwrap_or(u64::MAX)));
    TABLE.model.iter().filter(fits).max_by_key(narrow).map(|line| line.price.into())
}

impl Price {
    /// What a run cost, in millionths of a dollar; none where a part of it is not known.
    fn cost(&self, usage: &Usage) -> Option<u64> {
        let of = |tokens: Option<u64>, price: Option<PerMillion>| match tokens.unwrap_or(0) {
            0 => Some(0),
            tokens => Some(u128::from(tokens) * u128::from(price?.0)),
        };
        let sum = u128::from(usage.input_tokens?) * u128::from(self.input.0)
            + u128::from(usage.output_tokens?) * u128::from(self.output.0)
            + of(usage.cache_read_tokens, self.cache_read)?
            + of(usage.cache_write_tokens, self.cache_write)?;
        u64::try_from((sum + 500_000) / 1_000_000).ok()
    }

    /// How many tokens a reply may have so that it and a prompt stay within a sum.
    pub(crate) fn affords(&self, cost_microusd: u64, prompt_tokens: u64) -> u64 {
        let prompt = u128::from(prompt_tokens) * u128::from(self.input.0);
        let left = (u128::from(cost_microusd) * 1_000_000).saturating_sub(prompt);
        left.checked_div(u128::from(self.output.0)).map_or(u64::MAX, |n| u64::try_from(n).unwrap_or(u64::MAX))
    }
}

fn prompt_tokens(usage: &Usage) -> u64 {
    let counts = [usage.input_tokens, usage.cache_read_tokens, usage.cache_write_tokens];
    counts.into_iter().flatten().fold(0, u64::saturating_add)
}

/// Whether a name of the table stands for a model: itself, or with a date, a number or `latest` behind it. Never for
/// another model whose name begins alike, which has another price.
fn names(name: &str, model: &str) -> bool {
    let Some(rest) = model.strip_prefix(name) else { return false };
    let Some(rest) = rest.strip_prefix(['-', '@']) else { return rest.is_empty() };
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    rest == "latest" || rest.split('-').all(is_number) && rest.split('-').next().is_some_and(|first| first.len() >= 3)
}

impl From<FlatPrice> for Price {
    fn from(FlatPrice { input, output, cache_read, cache_write }: FlatPrice) -> Self {
        Self { input, output, cache_read, cache_write }
    }
}

impl Serialize for PerMillion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0 as f64 / 1e6)
    }
}

impl<'de> Deserialize<'de> for PerMillion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let dollars = f64::deserialize(deserializer)?;
        if (0.0..=1e6).contains(&dollars) {
            Ok(Self((dollars * 1e6).round() as u64))
        } else {
            Err(serde::de::Error::custom("a price is US dollars for a million tokens, such as 1.25"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(input: u64, output: u64, cache_read: u64, cache_write: u64) -> Usage {
        Usage {
            input_tokens: Some(input),
            output_tokens: Some(output),
            cache_read_tokens: Some(cache_read),
            cache_write_tokens: Some(cache_write),
            ..Usage::default()
        }
    }

    fn cost(model: &str, usage: Usage) -> (Option<u64>, CostKind) {
        let priced = priced(usage, model, model, &ToolSettings::default());
        (priced.cost_microusd, priced.cost_kind)
    }

    #[test]
    fn the_table_is_well_formed() {
        assert_eq!(TABLE.date.len(), "2026-11-21".len());
        for line in &TABLE.model {
            let price = Price::from(line.price);
            assert!(price.output > price.input && price.cache_read.is_none_or(|read| read < price.input), "{line:?}");
            assert!(price_of(&line.name, 0, &ToolSettings::default()).is_some(), "{line:?}");
        }
    }

    #[test]
    fn every_kind_of_token_has_its_price() {
        let priced = (CostKind::Priced, usage(1_000_000, 1_000_000, 1_000_000, 1_000_000));
        assert_eq!(cost("claude-sonnet-5", priced.1), (Some(2_000_000 + 10_000_000 + 200_000 + 2_500_000), priced.0));
        assert_eq!(cost("gpt-5.4-mini", usage(100, 10, 20, 0)), (Some(75 + 45 + 2), CostKind::Priced));
        assert_eq!(cost("gpt-5.4-mini", usage(1, 0, 0, 0)), (Some(1), CostKind::Priced));
        assert_eq!(cost("gpt-5.4-mini", usage(100, 10, 20, 5)), (None, CostKind::Unknown));
    }

    #[test]
    fn a_long_prompt_has_another_price() {
        assert_eq!(cost("gemini-2.5-pro", usage(200_000, 0, 0, 0)).0, Some(250_000));
        assert_eq!(cost("gemini-2.5-pro", usage(200_001, 0, 0, 0)).0, Some(500_003));
        assert_eq!(cost("gemini-2.5-pro", usage(100_000, 0, 100_001, 0)).0, Some(250_000 + 25_000));
        assert_eq!(cost("gpt-5.4", usage(300_000, 0, 0, 0)).1, CostKind::Unknown);
    }

    #[test]
    fn what_is_not_told_is_unknown_and_not_nothing() {
        for absent in [Usage { input_tokens: Some(3), ..Usage::default() }, Usage::default()] {
            assert_eq!(cost("gpt-5", absent), (None, CostKind::Unknown));
        }
        assert_eq!(cost("gpt-17", usage(1, 1, 0, 0)), (None, CostKind::Unknown));
    }

    #[test]
    fn a_name_stands_for_its_dates_and_for_no_other_model() {
        for (name, model) in [
            ("claude-sonnet-4-5", "claude-sonnet-4-5-20250929"),
            ("claude-sonnet-4-5", "claude-sonnet-4-5@20250929"),
            ("gpt-5", "gpt-5-2025-08-07"),
            ("gemini-2.5-pro", "gemini-2.5-pro-001"),
            ("gpt-5", "gpt-5"),
            ("claude-haiku-4-5", "claude-haiku-4-5-latest"),
        ] {
            assert!(names(name, model), "{model}");
        }
        for (name, model) in [
            ("gpt-5", "gpt-5.4"),
            ("gpt-5", "gpt-5-mini"),
            ("claude-opus-5", "claude-opus-5-5"),
            ("gemini-2.5-flash", "gemini-2.5-flash-preview-09-2025"),
            ("o3", "o3-pro"),
            ("gpt-5", "openai/gpt-5"),
            ("gpt-5", "gpt-5-"),
        ] {
            assert!(!names(name, model), "{model}");
        }
    }

    #[test]
    fn the_owners_prices_come_first_and_a_model_of_ones_own_is_free() {
        let settings: ToolSettings =
            toml::from_str("[prices]\n\"\" = { input = 1, output = 2 }\n\"gpt-5\" = { input = 0.5, output = 3 }\n")
                .unwrap();
        let cost = |answered, asked| priced(usage(1_000_000, 0, 0, 0), answered, asked, &settings).cost_microusd;
        assert_eq!([cost("gpt-5.4-mini", "x"), cost("qwen", "x")], [Some(500_000), Some(1_000_000)]);
        let written = toml::to_string(&settings).unwrap();
        assert_eq!(toml::from_str::<ToolSettings>(&written).unwrap(), settings);
        let free = ToolSettings { free: Some(true), ..settings };
        assert_eq!(priced(usage(1, 1, 0, 0), "gpt-5", "gpt-5", &free).cost_kind, CostKind::None);
        assert!(toml::from_str::<ToolSettings>("[prices]\nx = { input = -1, output = 2 }").is_err());
    }

    #[test]
    fn a_sum_affords_so_many_tokens() {
        let price = price_of("claude-sonnet-5", 0, &ToolSettings::default()).unwrap();
        assert_eq!(price.affords(1_000_000, 0), 100_000);
        assert_eq!(price.affords(1_000_000, 250_000), 50_000);
        assert_eq!(price.affords(1_000_000, 600_000), 0);
        assert_eq!((max_output("claude-opus-4-1-20250805"), max_output("somebody's")), (32_000, 8_192));
    }
}
