//! What the owner of a machine sets for one tool: a section of `worker.toml`.
//!
//! Secrets are named by file, never written here. Whether the tool is allowed, and for whom, is the agent's
//! matter.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

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
