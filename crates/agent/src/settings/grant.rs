//! Who besides the owner may use which tool of a machine, and how much of it in a day.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use swarm_model::id::ParseIdError;
use swarm_model::{ToolName, UserId};

/// Somebody besides the owner may use a tool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// Which tool.
    pub tool: ToolName,
    /// Who.
    pub user: Grantee,
    /// What that person is called; for reading only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Runs of that person at once; as many as the machine has slots where this is not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slots: Option<u32>,
    /// Runs of that person in a day of this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runs_per_day: Option<u32>,
    /// What the runs of that person may cost in a day, as far as they report it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_per_day_usd: Option<Dollars>,
}

impl Grant {
    /// A grant without bounds.
    pub fn new(tool: ToolName, user: Grantee) -> Self {
        Self { tool, user, name: None, slots: None, runs_per_day: None, cost_per_day_usd: None }
    }
}

/// Whom a grant is for. With `everyone`, the bounds hold for each person by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Grantee {
    /// Everyone to whom the coordinator opens the machine.
    Everyone,
    /// One person.
    User(UserId),
}

/// The word for [`Grantee::Everyone`].
const EVERYONE: &str = "everyone";

impl Grantee {
    /// The person; none where it is everyone.
    pub fn user_id(self) -> Option<UserId> {
        match self {
            Self::Everyone => None,
            Self::User(user) => Some(user),
        }
    }
}

impl FromStr for Grantee {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == EVERYONE { Ok(Self::Everyone) } else { text.parse().map(Self::User) }
    }
}

impl fmt::Display for Grantee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everyone => f.write_str(EVERYONE),
            Self::User(user) => user.fmt(f),
        }
    }
}

impl TryFrom<String> for Grantee {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().map_err(|_| format!("\"{text}\" is neither the id of a person nor \"{EVERYONE}\""))
    }
}

impl From<Grantee> for String {
    fn from(grantee: Grantee) -> Self {
        grantee.to_string()
    }
}

/// An amount of US dollars, kept in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Dollars {
    micros: u64,
}

/// A text or number that is no amount of money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an amount of dollars is a number from 0 to 1000000, such as 2.5")]
pub struct ParseDollarsError;

impl Dollars {
    /// This many millionths of a dollar.
    pub const fn from_micros(micros: u64) -> Self {
        Self { micros }
    }

    /// Millionths of a dollar.
    pub const fn as_micros(self) -> u64 {
        self.micros
    }
}

impl TryFrom<f64> for Dollars {
    type Error = ParseDollarsError;

    fn try_from(amount: f64) -> Result<Self, Self::Error> {
        let fits = (0.0..=1_000_000.0).contains(&amount);
        if fits { Ok(Self { micros: (amount * 1e6).round() as u64 }) } else { Err(ParseDollarsError) }
    }
}

impl From<Dollars> for f64 {
    fn from(amount: Dollars) -> Self {
        amount.micros as f64 / 1e6
    }
}

impl FromStr for Dollars {
    type Err = ParseDollarsError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse::<f64>().map_err(|_| ParseDollarsError)?.try_into()
    }
}

impl fmt::Display for Dollars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${:.2}", f64::from(*self))
    }
}
