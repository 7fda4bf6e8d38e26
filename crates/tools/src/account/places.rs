//! The providers, and in which variables people keep what belongs to them.

use url::{Host, Url};

use super::{Obstacle, Place, Scheme};
use crate::http;

/// Where keys and address of a provider are looked for.
#[derive(Debug)]
pub(crate) struct Provider {
    /// What people call it.
    pub(crate) title: &'static str,
    /// The variables that hold a key, best first, and how each is sent.
    pub(crate) keys: &'static [(&'static str, Scheme)],
    /// How the key of a file is sent.
    pub(crate) scheme: Scheme,
    /// The variable that holds the address.
    pub(crate) address: &'static str,
    /// The address where nobody names another.
    pub(crate) public: &'static str,
    /// Whether the variable's address may be the host alone.
    pub(crate) is_lenient: bool,
}

const X_API_KEY: Scheme = Scheme::Header("x-api-key");
const X_GOOG_API_KEY: Scheme = Scheme::Header("x-goog-api-key");

/// The Anthropic API.
pub(crate) const ANTHROPIC: Provider = Provider {
    title: "the Anthropic API",
    keys: &[("ANTHROPIC_API_KEY", X_API_KEY), ("ANTHROPIC_AUTH_TOKEN", Scheme::Bearer)],
    scheme: X_API_KEY,
    address: "ANTHROPIC_BASE_URL",
    public: "https://api.anthropic.com",
    is_lenient: false,
};

/// The same as Claude Code sees it, which may have a token of a subscription besides.
pub(crate) const CLAUDE_CODE: Provider = Provider {
    keys: &[
        ("ANTHROPIC_API_KEY", X_API_KEY),
        ("ANTHROPIC_AUTH_TOKEN", Scheme::Bearer),
        ("CLAUDE_CODE_OAUTH_TOKEN", Scheme::Bearer),
    ],
    ..ANTHROPIC
};

/// The OpenAI API, and whatever speaks it.
pub(crate) const OPENAI: Provider = Provider {
    title: "the OpenAI API",
    keys: &[("OPENAI_API_KEY", Scheme::Bearer)],
    scheme: Scheme::Bearer,
    address: "OPENAI_BASE_URL",
    public: "https://api.openai.com/v1",
    is_lenient: false,
};

/// The same as Codex sees it, which has a variable of its own besides.
pub(crate) const CODEX: Provider =
    Provider { keys: &[("OPENAI_API_KEY", Scheme::Bearer), ("CODEX_API_KEY", Scheme::Bearer)], ..OPENAI };

/// The Gemini API.
pub(crate) const GEMINI: Provider = Provider {
    title: "the Gemini API",
    keys: &[("GEMINI_API_KEY", X_GOOG_API_KEY), ("GOOGLE_API_KEY", X_GOOG_API_KEY)],
    scheme: X_GOOG_API_KEY,
    address: "GOOGLE_GEMINI_BASE_URL",
    public: "https://generativelanguage.googleapis.com",
    is_lenient: false,
};

/// The same at Vertex AI, as Gemini CLI finds it.
pub(crate) const VERTEX: Provider = Provider {
    title: "Vertex AI",
    address: "GOOGLE_VERTEX_BASE_URL",
    public: "https://aiplatform.googleapis.com",
    ..GEMINI
};

/// An Ollama server, which wants no key by itself.
pub(crate) const OLLAMA: Provider = Provider {
    title: "Ollama",
    keys: &[],
    scheme: Scheme::Bearer,
    address: "OLLAMA_HOST",
    public: "http://127.0.0.1:11434",
    is_lenient: true,
};

impl Provider {
    /// The provider's own address.
    pub(crate) fn home(&self) -> Option<Url> {
        http::address(self.public)
    }

    /// The variable in which programs look for the key first.
    pub(super) fn variable(&self) -> &'static str {
        self.keys.first().map_or("", |(name, _)| *name)
    }

    /// Whether an address is the provider's own.
    pub(super) fn is_public(&self, base: &Url) -> bool {
        http::address(self.public).is_some_and(|public| public.origin() == base.origin())
    }

    /// Reads an address that stood in a place.
    pub(super) fn parse(&self, text: &str, place: Place) -> Result<Url, Obstacle> {
        let is_variable = matches!(place, Place::Environment(_) | Place::SettingsVariable(_));
        let url = if self.is_lenient && is_variable { ollama_host(text) } else { http::address(text) };
        url.ok_or_else(|| {
            // What looks like no address may be a key in the wrong place, and is not repeated.
            let example = if self.is_lenient { "an Ollama server" } else { "an API" };
            Obstacle::Missing(format!("{place} is not the address of {example}, such as {}", self.public))
        })
    }
}

/// An address as Ollama's own programs read it: without scheme it is http, without port 11434, and without host this
/// machine. A server that listens everywhere is reached here.
fn ollama_host(text: &str) -> Option<Url> {
    let text = text.trim().trim_matches(['"', '\'']);
    let (has_scheme, text) = match text.split_once("://") {
        Some(_) => (true, text.to_owned()),
        None if text == "ollama.com" => (true, "https://ollama.com".to_owned()),
        None => (false, format!("http://{}", bracketed(text))),
    };
    // An empty host is no address for us, but it is for them.
    let text = text.replacen("://:", "://127.0.0.1:", 1);
    let text = if text == "http://" { "http://127.0.0.1".to_owned() } else { text };
    let mut url = http::address(&text)?;
    if !has_scheme && url.port().is_none() && !text.trim_end_matches('/').ends_with(":80") {
        url.set_port(Some(11434)).ok()?;
    }
    match url.host() {
        Some(Host::Ipv4(address)) if address.is_unspecified() => url.set_host(Some("127.0.0.1")).ok()?,
        Some(Host::Ipv6(address)) if address.is_unspecified() => url.set_host(Some("[::1]")).ok()?,
        _ => {}
    }
    Some(url)
}

/// An address of IPv6 stands in brackets, or a part of it would be the port.
fn bracketed(text: &str) -> String {
    let is_bare = text.parse::<std::net::Ipv6Addr>().is_ok();
    if is_bare { format!("[{text}]") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_ollama_host_is_understood() {
        for (text, expected) in [
            ("example", "http://example:11434/"),
            ("example:1234", "http://example:1234/"),
            ("example:80", "http://example/"),
            (":1234", "http://127.0.0.1:1234/"),
            ("", "http://127.0.0.1:11434/"),
            ("0.0.0.0", "http://127.0.0.1:11434/"),
            ("0.0.0.0:8080", "http://127.0.0.1:8080/"),
            ("http://0.0.0.0:8080", "http://127.0.0.1:8080/"),
            ("::", "http://[::1]:11434/"),
            ("[::]:8080", "http://[::1]:8080/"),
            ("::1", "http://[::1]:11434/"),
            ("[::1]", "http://[::1]:11434/"),
            ("http://example", "http://example/"),
            ("https://example", "https://example/"),
            ("https://example/ollama", "https://example/ollama"),
            ("example/ollama", "http://example:11434/ollama"),
            ("\"10.0.0.7:11434\"", "http://10.0.0.7:11434/"),
            ("ollama.com", "https://ollama.com/"),
        ] {
            assert_eq!(ollama_host(text).unwrap().as_str(), expected, "{text}");
        }
        for text in ["ftp://example", "exa mple", "example:port"] {
            assert!(ollama_host(text).is_none(), "{text}");
        }
    }
}
