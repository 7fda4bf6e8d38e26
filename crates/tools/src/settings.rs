//! What the owner of a machine sets for one tool: a section of `worker.toml`.
//!
//! Secrets are named by file, never written here. Whether the tool is allowed, and for whom, is the agent's
//! matter.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::account::KeptKey;
use crate::http;
use crate::prices::OwnPrices;

/// Settings of one tool on one machine.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ToolSettings {
    /// The program; otherwise it is looked for on PATH.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// Address of the tool's server, or of the provider's API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// A file that holds the key for the provider's API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_key_file: Option<PathBuf>,
    /// Whether the person's own login and configuration are used; none means: where no key and no address is found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub own_login: Option<bool>,
    /// The model for tasks that name none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// What the tool may do without asking, in the tool's own words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permission_mode: Option<String>,
    /// What the tool may use beyond its permission mode, in the tool's own words (`Bash(git diff:*)`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allowed_tools: Vec<String>,
    /// Arguments that the tool's program is given beside our own, each one as `--name` or `--name=value`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Variables added to the scrubbed environment.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Whether a key may go unencrypted to an address beyond this machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub insecure_http: Option<bool>,
    /// Whether what it answers costs nothing, as with a model of one's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub free: Option<bool>,
    /// What models cost whose names begin so, in US dollars for a million tokens, in place of the table of this build.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub prices: OwnPrices,
    /// Runs of this tool at once; none means as many as there are slots.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_concurrent: Option<u32>,
    /// The key that the worker keeps for the tool. It never stands in a file of settings, and is told to nobody.
    #[serde(skip)]
    pub kept_key: Option<KeptKey>,
}

impl ToolSettings {
    /// What can be set, as it is written.
    pub const KEYS: [&str; 13] = [
        "path",
        "url",
        "api_key_file",
        "own_login",
        "model",
        "permission_mode",
        "allowed_tools",
        "args",
        "env",
        "insecure_http",
        "free",
        "prices",
        "max_concurrent",
    ];
    /// What of that holds several texts.
    pub const LISTS: [&str; 2] = ["allowed_tools", "args"];

    /// Takes out the values of variables: they may be keys.
    pub fn hide_variables(&mut self) {
        self.env.values_mut().for_each(|value| "(hidden)".clone_into(value));
    }
}

impl fmt::Debug for ToolSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values of the environment may be keys, and an address may hold a password.
        f.debug_struct("ToolSettings")
            .field("path", &self.path)
            .field("url", &self.url.as_deref().and_then(http::address).as_ref().map(http::shown))
            .field("own_login", &self.own_login)
            .field("model", &self.model)
            .field("env", &self.env.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_set_is_named() {
        let refused = toml::from_str::<ToolSettings>("nonsense = 1").unwrap_err().to_string();
        let named: Vec<_> = refused.split('`').skip(3).step_by(2).collect();
        assert_eq!(named, ToolSettings::KEYS, "{refused}");
        for list in ToolSettings::LISTS {
            assert!(toml::from_str::<ToolSettings>(&format!("{list} = [\"a\"]")).is_ok(), "{list}");
        }
    }

    #[test]
    fn a_kept_key_is_never_written_nor_shown() {
        let kept_key = Some(KeptKey::from_secret("{\"address\":\"https://x.example/\",\"key\":\"sk-secret\"}"));
        let settings = ToolSettings { kept_key, ..ToolSettings::default() };
        let written = toml::to_string(&settings).unwrap();
        assert!(!written.contains("sk-secret") && !format!("{settings:?}").contains("sk-secret"), "{written}");
        assert!(!format!("{:?}", settings.kept_key).contains("sk-secret"));
    }
}
