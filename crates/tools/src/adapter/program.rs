//! What the adapters of command-line agents ask of the machine alike: the program, the login, the session.

use std::path::{Path, PathBuf};

use swarm_model::ToolName;
use swarm_model::task::{CostKind, Usage};
use swarm_model::tool::{self, ToolHealth, ToolInfo};
use swarm_model::worker::RefusalReason;
use url::Url;
use uuid::Uuid;

use super::ledger::Totals;
use super::{Reach, RunRequest, path_text};
use crate::account::{Account, Obstacle, Place, Provider};
use crate::detect::{NodeProgram, NotStartable, Versions, find_program, node_program};
use crate::prices::priced;
use crate::proxy::Metered;
use crate::settings::ToolSettings;
use crate::variables::Variables;

/// The variable with the token of a subscription, which only the tool knows how to use.
const SUBSCRIPTION: &str = "CLAUDE_CODE_OAUTH_TOKEN";

/// As whom a tool works.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) account: Account,
    /// With the person's own login and configuration.
    pub(super) own_login: bool,
    /// Where that is, if not in the usual place.
    pub(super) home: Option<String>,
}

impl Identity {
    /// Finds it; `home` is the variable that moves the tool's configuration.
    pub(super) fn of(
        provider: &Provider,
        home: &str,
        settings: &ToolSettings,
        variables: &Variables,
    ) -> Result<Self, Obstacle> {
        // Whoever wants their own login wants no key that lies about.
        let account = if settings.own_login == Some(true) {
            let settings = ToolSettings { kept_key: None, ..settings.clone() };
            Account::resolve(provider, &settings, &Variables::default())?
        } else {
            Account::resolve(provider, settings, variables)?
        };
        let own_login = settings.own_login.unwrap_or_else(|| account.is_unset());
        let home = if own_login { variables.get(home).map(str::to_owned) } else { None };
        Ok(Self { account, own_login, home })
    }

    /// What a sandbox must leave it: the address of its model, and the person's login where it works with that, which
    /// is lent to nobody else. `login` is where that is, `hosts` is whom it talks to.
    pub(super) fn reach(
        &self,
        request: &RunRequest,
        login: Option<PathBuf>,
        hosts: &[&str],
    ) -> Result<Reach, RefusalReason> {
        let mut endpoints = vec![self.account.base.clone()];
        if !self.own_login || !request.confinement.is_sandbox() {
            return Ok(Reach { endpoints, login: Vec::new() });
        }
        if !request.confinement.by_owner {
            let fix = format!(
                "the owner's own login stays out of other people's sandboxes: set api_key_file for {} in worker.toml",
                request.tool
            );
            return Err(RefusalReason::ToolNeedsLogin { fix });
        }
        endpoints.extend(hosts.iter().filter_map(|host| Url::parse(&format!("https://{host}")).ok()));
        Ok(Reach { endpoints, login: login.into_iter().collect() })
    }

    /// Where the person's login is: as configured, else a folder in their home.
    pub(super) fn login_place(&self, configured: Option<&String>, usual: &str) -> Option<PathBuf> {
        let place = configured.or(self.home.as_ref()).map(PathBuf::from);
        place.or_else(|| Some(std::env::home_dir()?.join(usual)))
    }

    /// Whose allowance is used.
    pub(super) fn payer(&self) -> Option<tool::Account> {
        if !self.own_login {
            return self.account.payer();
        }
        Some(tool::Account { id: tool::Account::OWN_LOGIN.to_owned(), label: "the login of that machine".to_owned() })
    }

    /// Whom a run asks through a proxy of its own: everybody who is asked with a key, or without one at an address of
    /// one's own. The person's own login is the tool's matter, and so is the token of a subscription.
    pub(super) fn metered(
        &self,
        provider: &'static Provider,
        address_variable: Option<&'static str>,
        token_variable: &'static str,
    ) -> Option<Metered> {
        let is_login = self.account.key.as_ref().is_some_and(|key| key.variable == SUBSCRIPTION);
        let account = self.account.clone();
        (!self.own_login && !is_login).then_some(Metered { provider, account, address_variable, token_variable })
    }

    /// For the machine's owner.
    pub(super) fn sentence(&self) -> String {
        if self.own_login { "your own login".to_owned() } else { self.account.sentence() }
    }

    /// The address, where it is not the provider's own.
    pub(super) fn address(&self) -> Option<String> {
        let base = self.account.base.as_str().trim_end_matches('/');
        (self.account.base_place != Place::Public).then(|| base.to_owned())
    }
}

/// What the tokens of a run cost. Of what a person's own login pays nothing is known.
#[derive(Debug)]
pub(super) struct Pricing {
    asked: String,
    settings: ToolSettings,
    is_known: bool,
}

impl Pricing {
    pub(super) fn of(identity: &Identity, asked: Option<&str>, settings: &ToolSettings) -> Self {
        Self { asked: asked.unwrap_or("").to_owned(), settings: settings.clone(), is_known: !identity.own_login }
    }

    #[cfg(test)]
    pub(super) fn unknown() -> Self {
        Self { asked: String::new(), settings: ToolSettings::default(), is_known: false }
    }

    /// The usage of the model that was asked for.
    pub(super) fn usage(&self, used: Totals) -> Usage {
        self.usage_of(used, [(self.asked.as_str(), used)])
    }

    /// The usage of several models: its cost is known where that of each is.
    pub(super) fn usage_of<'a>(&self, sum: Totals, models: impl IntoIterator<Item = (&'a str, Totals)>) -> Usage {
        if !self.is_known {
            return sum.unpriced();
        }
        let mut usage = Usage { cost_microusd: Some(0), cost_kind: CostKind::None, ..sum.usage() };
        for (model, used) in models {
            let priced = priced(used.unpriced(), model, &self.asked, &self.settings);
            usage.cost_microusd = usage.cost_microusd.zip(priced.cost_microusd).map(|(sum, cost)| sum + cost);
            if usage.cost_kind != CostKind::Unknown {
                usage.cost_kind = priced.cost_kind;
            }
        }
        usage
    }
}

/// A script of Windows' shell instead of a program: arguments in it can become commands.
pub(super) fn refuse_script(program: &Path, instead: &str) -> Obstacle {
    let program = program.display();
    Obstacle::Missing(format!("{program} is a shell script, in which arguments can become commands: {instead}"))
}

/// A tool that npm installs.
#[derive(Debug)]
pub(super) struct NpmProgram {
    pub(super) tool: &'static str,
    pub(super) command: &'static str,
    pub(super) package: &'static str,
    /// Its script for Node, within the package.
    pub(super) script: &'static str,
}

/// Where such a tool is, and how it is started.
pub(super) fn npm_program(wanted: &NpmProgram, settings: &ToolSettings) -> Result<NodeProgram, Obstacle> {
    let NpmProgram { tool, command, package, script } = wanted;
    let found = find_program(command, settings.path.as_deref())
        .ok_or_else(|| Obstacle::Missing(format!("install {tool} (npm install -g {package}), or set its path")))?;
    node_program(&found, package, script).map_err(|why| match why {
        NotStartable::ShellScript => {
            refuse_script(&found, &format!("set the path of {script} in the package {package}"))
        }
        NotStartable::NoNode => {
            Obstacle::Missing(format!("{tool} is a script for Node, which is not on PATH: install it"))
        }
    })
}

/// What is there of such a tool: none of them lists its models.
pub(super) fn found(
    name: ToolName,
    version: Option<String>,
    usable: Result<(), Obstacle>,
    settings: &ToolSettings,
) -> ToolInfo {
    let health = usable.map_or_else(ToolHealth::from, |()| ToolHealth::Ready);
    ToolInfo { name, version, health, models: Vec::new(), max_concurrent: settings.max_concurrent, account: None }
}

impl NodeProgram {
    /// Its version: as its package says, for starting some of them takes seconds, else as it says itself.
    pub(super) async fn version_by(&self, versions: &Versions) -> Option<String> {
        match &self.version {
            Some(version) => Some(version.clone()),
            None => versions.of(&self.path).await,
        }
    }

    /// The beginning of the argument vector.
    pub(super) fn words(&self) -> Result<Vec<String>, RefusalReason> {
        self.node.iter().chain([&self.path]).map(|path| path_text(path)).collect()
    }
}

/// The session to go on with: an id, so that what a task names is neither a path nor a flag.
pub(super) fn session_to_resume(request: &RunRequest, tool: &str) -> Result<Option<Uuid>, RefusalReason> {
    let Some(text) = request.session_to_resume() else { return Ok(None) };
    Uuid::try_parse(text)
        .map(Some)
        .map_err(|_| RefusalReason::InvalidInput { detail: format!("the session is not the id of a {tool} session") })
}

/// The id of a new session: one for each attempt, so that what a killed attempt left can be found again.
pub(super) fn new_session(request: &RunRequest) -> Uuid {
    Uuid::from_u128(request.task_id.as_uuid().as_u128() ^ u128::from(request.attempt))
}

/// Whether the mode is one that the tool knows.
pub(super) fn check_mode(mode: &str, known: &[&str], tool: &str) -> Result<(), Obstacle> {
    if known.contains(&mode) {
        return Ok(());
    }
    let known = known.join(", ");
    Err(Obstacle::Missing(format!("{tool} knows no permission_mode \"{mode}\": set one of {known} in worker.toml")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_cost_of_several_models_is_known_where_that_of_each_is() {
        let price = json!({ "input": 1.0, "output": 10.0 });
        let prices = serde_json::from_value(json!({ "one": price, "two": price })).unwrap();
        let settings = ToolSettings { prices, ..ToolSettings::default() };
        let pricing = Pricing { asked: "alias".to_owned(), settings: settings.clone(), is_known: true };
        let used = |n| Totals { input_tokens: n, output_tokens: n, ..Totals::default() };
        let check = |pricing: &Pricing, models: [(&str, Totals); 2], kind, cost| {
            let usage = pricing.usage_of(used(300), models);
            assert_eq!((usage.input_tokens, usage.cost_kind, usage.cost_microusd), (Some(300), kind, cost));
        };
        let models = |second| [("one", used(100)), (second, used(200))];
        check(&pricing, models("two"), CostKind::Priced, Some(3300));
        check(&pricing, models("three"), CostKind::Unknown, None);
        let free = ToolSettings { free: Some(true), ..settings };
        check(&Pricing { settings: free, ..pricing }, models("two"), CostKind::None, None);
        check(&Pricing::unknown(), models("two"), CostKind::Unknown, None);
    }
}
