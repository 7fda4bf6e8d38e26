//! What most tasks leave as it is: who does it in turn, on which repository, how far it is kept away and how much it
//! may use. Everything that is written down is sent, or said to be wrong.

use swarm_model::task::{Limits, Repository, Requirements};
use swarm_model::{AtLimit, Isolation, ModelChoice, Role, ToolName};
use swarm_proto::tasks::CreateTask;

use super::{Choice, Wrong};
use crate::strings::tasks as text;

/// The most that a task may cost, in millionths of a dollar, as on the command line.
const MOST_MICROUSD: u64 = 1_000_000_000_000;

/// What a run may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Network {
    /// Everything.
    #[default]
    All,
    /// The hosts that are named.
    Some,
    /// Nothing.
    None,
}

impl Network {
    const ALL: [Self; 3] = [Self::All, Self::Some, Self::None];

    /// The value of the choice.
    pub fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Some => "some",
            Self::None => "none",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::All => text::NETWORK_ALL,
            Self::Some => text::NETWORK_SOME,
            Self::None => text::NETWORK_NONE,
        }
    }

    /// Reads the value back.
    pub fn parse(name: &str) -> Self {
        Self::ALL.into_iter().find(|network| network.name() == name).unwrap_or_default()
    }
}

/// What is in that part of the form, as it is written there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct More {
    /// A role by its name; empty means none.
    pub role: String,
    /// Tools with their models, one a line.
    pub list: String,
    /// The repository to work on.
    pub repository: String,
    /// What to begin from.
    pub base: String,
    /// What happens at a limit of an account; empty means the person's own rule.
    pub at_limit: String,
    /// A level by its name; empty means as the machine does it.
    pub isolation: String,
    /// What the run may reach.
    pub network: Network,
    /// The hosts, where only some may be reached.
    pub hosts: String,
    /// Tokens.
    pub tokens: String,
    /// US dollars.
    pub cost: String,
    /// The models that may be asked, one a line.
    pub models: String,
}

impl More {
    /// Whether nothing of it was touched.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The wishes, and whatever is wrong beside them.
    pub(super) fn read(&self, tool: Option<&ToolName>, model: Option<&str>, wrong: &mut Vec<Wrong>) -> CreateTask {
        let is_command = tool.is_some_and(|tool| tool.as_str() == ToolName::COMMAND);
        let is_named = tool.is_some() || model.is_some();
        let role = keep(self.role(is_command, is_named), wrong).flatten();
        let cascade = keep(self.cascade(is_command, is_named), wrong).unwrap_or_default();
        let repository = keep(self.repository(), wrong).flatten();
        let network = keep(self.hosts(), wrong).flatten();
        let tokens = keep(self.tokens(), wrong).flatten();
        let cost_microusd = keep(self.cost(), wrong).flatten();
        let models = keep(self.models(is_command, model), wrong).unwrap_or_default();
        let isolation = self.isolation.parse::<Isolation>().ok();
        let limits = Limits { tokens, cost_microusd, models, ..Limits::default() };
        CreateTask {
            role,
            cascade,
            at_limit: self.at_limit.parse().ok(),
            repository,
            network,
            requirements: isolation.map(|level| Requirements { isolation: Some(level), ..Requirements::default() }),
            limits: Some(limits).filter(|limits| *limits != Limits::default()),
            ..CreateTask::default()
        }
    }

    fn role(&self, is_command: bool, is_named: bool) -> Result<Option<Role>, Wrong> {
        let Ok(role) = self.role.parse() else { return Ok(None) };
        match (is_command, is_named) {
            (true, _) => Err(Wrong::at("role", text::ROLE_AND_COMMAND)),
            (false, true) => Err(Wrong::at("role", text::ROLE_AND_TOOL)),
            (false, false) => Ok(Some(role)),
        }
    }

    fn cascade(&self, is_command: bool, is_named: bool) -> Result<Vec<ModelChoice>, Wrong> {
        let wrong = |words: String| Err(Wrong::at("list", words));
        let mut choices: Vec<ModelChoice> = Vec::new();
        for (n, line) in (1..).zip(self.list.lines()).filter(|(_, line)| !line.trim().is_empty()) {
            match line.trim().parse::<ModelChoice>() {
                Ok(choice) if choice.tool.as_str() == ToolName::COMMAND => {
                    return wrong(text::LIST_HAS_COMMAND.to_owned());
                }
                Ok(choice) => choices.push(choice),
                Err(_) => return wrong(text::no_choice(n, &line.trim().chars().take(40).collect::<String>())),
            }
        }
        if choices.is_empty() {
            Ok(choices)
        } else if is_command {
            wrong(text::LIST_AND_COMMAND.to_owned())
        } else if is_named {
            wrong(text::LIST_AND_TOOL.to_owned())
        } else if !self.role.is_empty() {
            wrong(text::LIST_AND_ROLE.to_owned())
        } else {
            Ok(choices)
        }
    }

    fn repository(&self) -> Result<Option<Repository>, Wrong> {
        let (url, base) = (self.repository.trim(), self.base.trim());
        if url.is_empty() && !base.is_empty() {
            return Err(Wrong::at("base", text::NO_BASE));
        }
        if url.chars().any(char::is_control) {
            return Err(Wrong::at("repository", text::NOT_A_REPOSITORY));
        }
        let base = Some(base.to_owned()).filter(|base| !base.is_empty());
        Ok(Some(Repository { url: url.to_owned(), base }).filter(|repository| !repository.url.is_empty()))
    }

    fn hosts(&self) -> Result<Option<Vec<String>>, Wrong> {
        let hosts: Vec<_> =
            self.hosts.split(|c: char| c.is_whitespace() || c == ',').filter(|host| !host.is_empty()).collect();
        match self.network {
            Network::All => Ok(None),
            Network::None => Ok(Some(Vec::new())),
            Network::Some if hosts.is_empty() => Err(Wrong::at("hosts", text::NO_HOSTS)),
            Network::Some => match hosts.iter().find(|host| !is_host(host)) {
                Some(host) => Err(Wrong::at("hosts", text::no_host(&host.chars().take(60).collect::<String>()))),
                None => Ok(Some(hosts.into_iter().map(str::to_owned).collect())),
            },
        }
    }

    fn tokens(&self) -> Result<Option<u64>, Wrong> {
        let told = self.tokens.trim().to_lowercase();
        if told.is_empty() {
            return Ok(None);
        }
        let (digits, times) = match (told.strip_suffix('k'), told.strip_suffix('m')) {
            (Some(digits), _) => (digits, 1_000),
            (_, Some(digits)) => (digits, 1_000_000),
            (None, None) => (told.as_str(), 1),
        };
        let digits: String = digits.chars().filter(|c| !matches!(c, ',' | '_' | ' ')).collect();
        let n = digits.parse::<u64>().ok().and_then(|n| n.checked_mul(times)).filter(|n| *n > 0);
        n.map_or_else(|| Err(Wrong::at("tokens", text::NO_TOKENS)), |n| Ok(Some(n)))
    }

    fn cost(&self) -> Result<Option<u64>, Wrong> {
        let told = self.cost.trim().trim_start_matches('$').trim();
        if told.is_empty() && self.cost.trim().is_empty() {
            return Ok(None);
        }
        // `inf`, `1e9` and the like are numbers to Rust, and none to people.
        let is_plain = told.chars().all(|c| c.is_ascii_digit() || c == '.');
        let micros = told.parse::<f64>().ok().filter(|_| is_plain).map(|dollars| (dollars * 1e6).round() as u64);
        let micros = micros.filter(|micros| (1..=MOST_MICROUSD).contains(micros));
        micros.map_or_else(|| Err(Wrong::at("cost", text::NO_DOLLARS)), |micros| Ok(Some(micros)))
    }

    fn models(&self, is_command: bool, model: Option<&str>) -> Result<Vec<String>, Wrong> {
        let models: Vec<_> =
            self.models.lines().map(str::trim).filter(|model| !model.is_empty()).map(str::to_owned).collect();
        if !models.is_empty() && is_command {
            return Err(Wrong::at("allowed-models", text::MODELS_AND_COMMAND));
        }
        if !models.is_empty() && model.is_some_and(|model| !models.iter().any(|allowed| allowed == model)) {
            return Err(Wrong::at("allowed-models", text::MODEL_NOT_ALLOWED));
        }
        Ok(models)
    }
}

fn keep<T>(read: Result<T, Wrong>, wrong: &mut Vec<Wrong>) -> Option<T> {
    read.map_err(|one| wrong.push(one)).ok()
}

/// Whether a text is a name, a name with `*.` before it, or an address.
fn is_host(host: &str) -> bool {
    let name = host.strip_prefix("*.").unwrap_or(host);
    let is_address = name.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>().is_ok();
    let is_part = |part: &str| {
        !part.is_empty() && part.len() <= 63 && part.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'))
    };
    let is_name = name.len() <= 253 && name.trim_end_matches('.').split('.').all(is_part);
    is_name || (is_address && name.len() == host.len())
}

/// The roles to choose from.
pub fn roles() -> Vec<Choice> {
    let none = (String::new(), text::NO_ROLE.to_owned());
    std::iter::once(none).chain(Role::ALL.map(|role| (role.to_string(), text::role(role.as_str())))).collect()
}

/// The levels of isolation to ask for.
pub fn isolations() -> Vec<Choice> {
    let levels = [(Isolation::Own, text::ISOLATION_OWN), (Isolation::Sandbox, text::ISOLATION_SANDBOX)];
    let any = (String::new(), text::ISOLATION_ANY.to_owned());
    std::iter::once(any).chain(levels.map(|(level, words)| (level.to_string(), words.to_owned()))).collect()
}

/// What may happen at a limit of an account.
pub fn rules_at_limit() -> Vec<Choice> {
    let own = (String::new(), text::AT_LIMIT_OWN.to_owned());
    let rules = [(AtLimit::Wait, text::AT_LIMIT_WAIT), (AtLimit::Next, text::AT_LIMIT_NEXT)];
    std::iter::once(own).chain(rules.map(|(rule, words)| (rule.as_str().to_owned(), words.to_owned()))).collect()
}

/// What a run may reach, to choose from.
pub fn networks() -> Vec<Choice> {
    Network::ALL.map(|network| (network.name().to_owned(), network.word().to_owned())).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::submit::Draft;

    fn task(draft: Draft) -> Result<CreateTask, Vec<(&'static str, String)>> {
        let draft = Draft { prompt: "x".to_owned(), ..draft };
        draft.task("k".to_owned()).map_err(|wrong| wrong.into_iter().map(|one| (one.at, one.words)).collect())
    }

    fn with(more: More) -> Result<CreateTask, Vec<(&'static str, String)>> {
        task(Draft { more, ..Draft::default() })
    }

    fn text(words: &str) -> String {
        words.to_owned()
    }

    #[test]
    fn everything_that_is_written_down_is_sent() {
        let sent = with(More { role: text("coder"), ..More::default() }).unwrap();
        assert_eq!(sent.role, Some(Role::Coder));
        let sent = with(More {
            role: String::new(),
            list: text("codex\n\n ollama:qwen3:8b \n"),
            repository: text(" https://example.org/x.git "),
            base: text("main"),
            at_limit: text("next"),
            isolation: text("sandbox"),
            network: Network::Some,
            hosts: text("example.org, *.crates.io\n192.168.1.20 [::1]"),
            tokens: text("200k"),
            cost: text("$2.50"),
            models: text("gpt-5.5\nqwen3:8b"),
        })
        .unwrap();
        let list: Vec<_> = sent.cascade.iter().map(ToString::to_string).collect();
        assert_eq!(list, ["codex", "ollama:qwen3:8b"]);
        let repository = Repository { url: text("https://example.org/x.git"), base: Some(text("main")) };
        assert_eq!(sent.repository, Some(repository));
        assert_eq!(sent.at_limit, Some(AtLimit::Next));
        assert_eq!(sent.requirements.unwrap().isolation, Some(Isolation::Sandbox));
        assert_eq!(sent.network.unwrap(), ["example.org", "*.crates.io", "192.168.1.20", "[::1]"]);
        let limits = sent.limits.unwrap();
        assert_eq!((limits.tokens, limits.cost_microusd), (Some(200_000), Some(2_500_000)));
        assert_eq!(limits.models, ["gpt-5.5", "qwen3:8b"]);
    }

    #[test]
    fn what_is_left_out_is_not_sent() {
        let sent = with(More::default()).unwrap();
        let bare = CreateTask { description: text("x"), idempotency_key: Some(text("k")), ..CreateTask::default() };
        assert_eq!(CreateTask { priority: None, ..sent }, bare);
        assert_eq!(with(More { network: Network::None, ..More::default() }).unwrap().network, Some(Vec::new()));
        assert!(More::default().is_empty());
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_its_field() {
        let wrong = with(More {
            list: text("codex\nNo Tool"),
            base: text("main"),
            network: Network::Some,
            hosts: text("https://example.org/x"),
            tokens: text("many"),
            cost: text("-1"),
            ..More::default()
        });
        let wrong = wrong.unwrap_err();
        assert_eq!(wrong.iter().map(|(at, _)| *at).collect::<Vec<_>>(), ["list", "base", "hosts", "tokens", "cost"]);
        assert!(wrong[0].1.contains("Line 2, \"No Tool\""), "{wrong:?}");
        assert!(wrong[2].1.contains("\"https://example.org/x\" is no host"), "{wrong:?}");
        for tokens in ["0", "1.5", "-3", "99999999999999999999"] {
            assert!(with(More { tokens: text(tokens), ..More::default() }).is_err(), "{tokens}");
        }
        for cost in ["0", "inf", "1e3", "1000001", "$"] {
            assert!(with(More { cost: text(cost), ..More::default() }).is_err(), "{cost}");
        }
        for host in ["a:443", "*", "*.*.org", "a..b", "*.1.2.3.4:5", "exa mple:1"] {
            assert!(with(More { network: Network::Some, hosts: text(host), ..More::default() }).is_err(), "{host}");
        }
        let none = with(More { network: Network::Some, ..More::default() });
        assert_eq!(none.unwrap_err()[0].0, "hosts");
    }

    #[test]
    fn what_contradicts_itself_is_told() {
        let at = |tool: &str, model: &str, more: More| {
            let draft = Draft { tool: text(tool), model: text(model), more, ..Draft::default() };
            task(draft).err().map(|wrong| wrong[0].0)
        };
        let role = || More { role: text("planner"), ..More::default() };
        let list = || More { list: text("codex"), ..More::default() };
        let models = || More { models: text("a\nb"), ..More::default() };
        assert_eq!(at("codex", "", role()), Some("role"));
        assert_eq!(at("command", "", role()), Some("role"));
        assert_eq!(at("", "m", list()), Some("list"));
        assert_eq!(at("command", "", list()), Some("list"));
        assert_eq!(at("", "", More { list: text("command"), ..More::default() }), Some("list"));
        assert_eq!(at("codex", "c", models()), Some("allowed-models"));
        assert_eq!(at("command", "", models()), Some("allowed-models"));
        assert_eq!(at("", "", More { role: text("coder"), ..list() }), Some("list"));
        assert_eq!((at("codex", "b", models()), at("", "", role()), at("", "", list())), (None, None, None));
    }
}
