//! Who may ask: whoever brings the token of this run, wherever clients of the providers put their keys.

use std::fmt;

use hyper::header::{AUTHORIZATION, HeaderMap};
use subtle::ConstantTimeEq;
use swarm_model::id::{Entropy, SystemEntropy};

/// The headers in which keys are brought.
const KEY_HEADERS: [&str; 3] = ["authorization", "x-api-key", "x-goog-api-key"];
/// The part of a query in which Google's clients may bring one.
const KEY_IN_QUERY: &str = "key=";

/// A new token. It looks like no provider's key.
pub(super) fn token() -> String {
    let words = (0..4).map(|_| {
        let bits = SystemEntropy.ten_bytes().iter().fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
        format!("{bits:020x}")
    });
    format!("garageswarm-run-{}", words.collect::<String>())
}

/// Knows the token.
pub(super) struct Door {
    token: String,
}

impl Door {
    pub(super) fn new(token: String) -> Self {
        Self { token }
    }

    /// Whether a request brings the token.
    pub(super) fn admits(&self, headers: &HeaderMap, query: Option<&str>) -> bool {
        let in_headers = KEY_HEADERS.iter().flat_map(|name| headers.get_all(*name)).map(|value| {
            let value = value.as_bytes();
            let is_bearer = value.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer "));
            if is_bearer { value[7..].trim_ascii() } else { value }
        });
        let in_query = query.into_iter().flat_map(|query| query.split('&'));
        let in_query = in_query.filter_map(|pair| pair.strip_prefix(KEY_IN_QUERY)).map(str::as_bytes);
        in_headers.chain(in_query).any(|brought| bool::from(brought.ct_eq(self.token.as_bytes())))
    }

    /// Takes everything out of a request's headers that is meant for this door.
    pub(super) fn strip(headers: &mut HeaderMap) {
        for name in KEY_HEADERS {
            headers.remove(name);
        }
        headers.remove(AUTHORIZATION);
    }

    /// The same of its query.
    pub(super) fn stripped(query: &str) -> Option<String> {
        let rest: Vec<_> = query.split('&').filter(|pair| !pair.starts_with(KEY_IN_QUERY)).collect();
        (!rest.is_empty()).then(|| rest.join("&"))
    }
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Door")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_token_is_long_and_new() {
        let (one, other) = (token(), token());
        assert!(one.len() > 90 && one != other);
    }

    #[test]
    fn the_token_opens_wherever_clients_put_keys_and_nothing_else_does() {
        let door = Door::new("t0ken".to_owned());
        for brought in [
            headers(&[("authorization", "Bearer t0ken")]),
            headers(&[("authorization", "bearer  t0ken")]),
            headers(&[("x-api-key", "t0ken")]),
            headers(&[("x-goog-api-key", "t0ken")]),
            headers(&[("x-api-key", "other"), ("authorization", "Bearer t0ken")]),
        ] {
            assert!(door.admits(&brought, None), "{brought:?}");
        }
        assert!(door.admits(&HeaderMap::new(), Some("alt=sse&key=t0ken")));
        for brought in [
            HeaderMap::new(),
            headers(&[("authorization", "Bearer t0ke")]),
            headers(&[("authorization", "Bearer t0kens")]),
            headers(&[("authorization", "Basic t0ken")]),
            headers(&[("x-other", "t0ken")]),
            headers(&[("x-api-key", "")]),
        ] {
            assert!(!door.admits(&brought, Some("token=t0ken")), "{brought:?}");
        }
    }

    #[test]
    fn nothing_of_the_token_goes_on() {
        let mut brought = headers(&[("authorization", "Bearer t"), ("x-api-key", "t"), ("accept", "a")]);
        Door::strip(&mut brought);
        assert_eq!(brought.len(), 1);
        assert_eq!(Door::stripped("alt=sse&key=t&x=1").as_deref(), Some("alt=sse&x=1"));
        assert_eq!(Door::stripped("key=t"), None);
    }
}
