//! Why a run did not succeed: a closed set, and what each member means for the next try.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Why an attempt, or the task as a whole, ended without a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// The tool is not installed on the machine.
    ToolMissing,
    /// The tool is there, but nobody has signed it in.
    NeedsLogin,
    /// The account was told to slow down until a time.
    RateLimited,
    /// The account's allowance for a window is used up.
    Quota,
    /// The credential was refused.
    Auth,
    /// The provider could not be reached, or the connection broke.
    Network,
    /// The provider answered with a fault of its own.
    Server,
    /// The conversation no longer fits the model.
    ContextOverflow,
    /// Nothing was heard from the tool for longer than the limit on silence.
    Stalled,
    /// The queue wait or the wall clock ran over its limit.
    TimedOut,
    /// The program ended with an error of its own.
    ProcessFailed,
    /// The tool said it was done and gave nothing.
    EmptyOutput,
    /// The model, the tool or the machine's owner declined to do this.
    Refused,
    /// Every model of the cascade was tried.
    ModelsExhausted,
    /// A budget would be exceeded.
    Budget,
    /// A person or a workflow ended it.
    Cancelled,
    /// The worker vanished while it held the lease.
    Lost,
}

/// Where the next try of a failed task may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Anywhere it fits.
    Anywhere,
    /// On another machine where there is one: this one cannot do it as it is.
    Elsewhere,
}

/// When the next try of a failed task may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// After the policy's back-off.
    AfterBackoff,
    /// At the reset time that the provider named, or after this span where it named none.
    AtReset(Duration),
}

/// What a failure class says about another try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Another try changes nothing.
    None,
    /// Another try may help.
    Retry {
        /// Where.
        place: Place,
        /// When.
        when: When,
        /// Whether this failure counts against `max_attempts`.
        counts: bool,
    },
}

/// When the next entry of a cascade has its turn after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextModel {
    /// Never: another model changes nothing about it.
    Never,
    /// At once: this model would fail again, or might for longer than anybody likes to wait.
    AtOnce,
    /// When the usual retries with this one came to nothing.
    AfterRetries,
    /// As the user's rule at a limit says: at once, or never.
    ByRule,
}

/// How long a rate limit without a named reset is taken to last.
const UNNAMED_RATE_LIMIT: Duration = Duration::from_secs(60);
/// How long a spent quota without a named reset is taken to last before one probe.
const UNNAMED_QUOTA: Duration = Duration::from_secs(15 * 60);

impl FailureClass {
    /// Every class, for tables and documents.
    pub const ALL: [Self; 17] = [
        Self::ToolMissing,
        Self::NeedsLogin,
        Self::RateLimited,
        Self::Quota,
        Self::Auth,
        Self::Network,
        Self::Server,
        Self::ContextOverflow,
        Self::Stalled,
        Self::TimedOut,
        Self::ProcessFailed,
        Self::EmptyOutput,
        Self::Refused,
        Self::ModelsExhausted,
        Self::Budget,
        Self::Cancelled,
        Self::Lost,
    ];

    /// Whether, where and when another try helps.
    pub fn remedy(self) -> Remedy {
        let retry = |place, when, counts| Remedy::Retry { place, when, counts };
        match self {
            Self::RateLimited => retry(Place::Anywhere, When::AtReset(UNNAMED_RATE_LIMIT), false),
            Self::Quota => retry(Place::Anywhere, When::AtReset(UNNAMED_QUOTA), false),
            Self::ToolMissing | Self::NeedsLogin | Self::Auth => retry(Place::Elsewhere, When::AfterBackoff, true),
            Self::Network | Self::Server | Self::Stalled => retry(Place::Anywhere, When::AfterBackoff, true),
            Self::ProcessFailed | Self::EmptyOutput => retry(Place::Anywhere, When::AfterBackoff, true),
            // A loss has a bound of its own (`TaskPolicy::max_losses`) and is handled where leases are.
            Self::Lost => retry(Place::Anywhere, When::AfterBackoff, false),
            Self::ContextOverflow
            | Self::TimedOut
            | Self::Refused
            | Self::ModelsExhausted
            | Self::Budget
            | Self::Cancelled => Remedy::None,
        }
    }

    /// When another model may mend it. The last entry of a cascade has nobody behind it and is tried as often as the
    /// only tool of a plain task.
    pub fn next_model(self) -> NextModel {
        match self {
            // The model's own: its provider is down, it is not there, it hangs, it is too small, it says nothing or no.
            Self::Server | Self::Stalled | Self::ContextOverflow | Self::EmptyOutput | Self::Refused => {
                NextModel::AtOnce
            }
            // Another machine may have the tool, or have it signed in: that is looked for first.
            Self::ToolMissing | Self::NeedsLogin | Self::Auth => NextModel::AfterRetries,
            // Most likely the machine's or the program's, and over in a moment; if not, another provider may be reachable
            // and another program may not break.
            Self::Network | Self::ProcessFailed => NextModel::AfterRetries,
            Self::RateLimited | Self::Quota => NextModel::ByRule,
            // Limits that the task was given, the will of a person, or the machine's fate: the same for every model.
            Self::TimedOut | Self::Budget | Self::Cancelled | Self::Lost | Self::ModelsExhausted => NextModel::Never,
        }
    }

    /// Whether another try may help.
    pub fn is_retryable(self) -> bool {
        matches!(self.remedy(), Remedy::Retry { .. })
    }

    /// Whether it is a limit of the account, which everything else that uses the account would hit too.
    pub fn is_of_account(self) -> bool {
        matches!(self, Self::RateLimited | Self::Quota)
    }

    /// The name on the wire and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ToolMissing => "tool_missing",
            Self::NeedsLogin => "needs_login",
            Self::RateLimited => "rate_limited",
            Self::Quota => "quota",
            Self::Auth => "auth",
            Self::Network => "network",
            Self::Server => "server",
            Self::ContextOverflow => "context_overflow",
            Self::Stalled => "stalled",
            Self::TimedOut => "timed_out",
            Self::ProcessFailed => "process_failed",
            Self::EmptyOutput => "empty_output",
            Self::Refused => "refused",
            Self::ModelsExhausted => "models_exhausted",
            Self::Budget => "budget",
            Self::Cancelled => "cancelled",
            Self::Lost => "lost",
        }
    }

    /// Reads a name back.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == name)
    }
}

impl std::fmt::Display for FailureClass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_in_the_store_is_the_name_on_the_wire() {
        for class in FailureClass::ALL {
            assert_eq!(serde_json::to_value(class).unwrap(), class.as_str());
            assert_eq!(FailureClass::parse(class.as_str()), Some(class));
        }
    }

    #[test]
    fn a_limit_of_the_account_costs_no_attempt() {
        for class in [FailureClass::RateLimited, FailureClass::Quota] {
            assert!(matches!(class.remedy(), Remedy::Retry { counts: false, when: When::AtReset(_), .. }));
        }
    }
}
