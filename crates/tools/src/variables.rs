//! The variables in which people keep keys and addresses of providers, as far as tools take them for defaults.
//!
//! They are handed in and never read where they are needed: a test has none, and no tool finds a key that its
//! worker was not started with. What a run may see of the environment is `environment.rs`, and is none of these.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// The environment that a worker was started with. Shows no value.
#[derive(Clone, Default)]
pub struct Variables(Arc<BTreeMap<String, String>>);

impl Variables {
    /// The beginnings of the names that mean something to a tool: whoever starts a worker that must not know them
    /// takes these out of its environment.
    pub const PREFIXES: [&'static str; 7] =
        ["ANTHROPIC_", "CLAUDE_", "CODEX_", "GEMINI_", "GOOGLE_", "OLLAMA_", "OPENAI_"];

    /// The environment of this process.
    pub fn of_process() -> Self {
        let readable =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        readable.collect()
    }

    /// The value of a variable, without the blanks around it. An empty one is not set.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Variables {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(variables: I) -> Self {
        let means_something = |name: &String| Self::PREFIXES.iter().any(|prefix| name.starts_with(prefix));
        let named = variables.into_iter().map(|(name, value)| (name.into(), value.into()));
        Self(Arc::new(named.filter(|(name, _)| means_something(name)).collect()))
    }
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_variable_is_not_set_and_no_value_shows() {
        let variables: Variables =
            [("OPENAI_API_KEY", " sk-1\n"), ("OPENAI_BASE_URL", "  "), ("PATH", "/bin")].into_iter().collect();
        assert_eq!(variables.get("OPENAI_API_KEY"), Some("sk-1"));
        assert_eq!(variables.get("OPENAI_BASE_URL"), None);
        assert_eq!(variables.get("PATH"), None);
        assert_eq!(format!("{variables:?}"), r#"{"OPENAI_API_KEY", "OPENAI_BASE_URL"}"#);
    }
}
