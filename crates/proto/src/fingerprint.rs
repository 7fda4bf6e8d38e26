//! By what a coordinator with a certificate of its own is known: the SHA-256 of that certificate.
//!
//! Clients keep it and refuse every other certificate. People compare three words in its place. Here is only its
//! text; who computes one has the cryptography.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

const BYTES: usize = 32;
/// How many bits a word of the list stands for.
const WORD_BITS: usize = 11;

/// The SHA-256 of a certificate.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; BYTES]);

/// A text that is no fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a fingerprint is 64 hexadecimal digits, with or without colons between pairs")]
pub struct ParseFingerprintError;

impl Fingerprint {
    /// The fingerprint with these bytes.
    pub fn new(bytes: [u8; BYTES]) -> Self {
        Self(bytes)
    }

    /// Three words for its first 33 bits: few enough to read aloud, and enough against somebody who has the ten
    /// minutes of a joining code to make a certificate that looks alike.
    pub fn words(&self) -> String {
        let first = self.0.iter().take(5).fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte));
        let list = bip39::Language::English.word_list();
        let word = |n: usize| list[first >> (40 - WORD_BITS * (n + 1)) & (list.len() - 1)];
        [word(0), word(1), word(2)].join("-")
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Fingerprint {
    type Err = ParseFingerprintError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = match text.len() {
            64 => text.to_owned(),
            // As `openssl x509 -fingerprint` writes it.
            95 if text.bytes().skip(2).step_by(3).all(|byte| byte == b':') => text.replace(':', ""),
            _ => return Err(ParseFingerprintError),
        };
        if digits.len() != 2 * BYTES || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(ParseFingerprintError);
        }
        let mut bytes = [0; BYTES];
        for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| ParseFingerprintError)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| ParseFingerprintError)?;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(feature = "openapi")]
impl utoipa::PartialSchema for Fingerprint {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .description(Some("The SHA-256 of a certificate, as 64 hexadecimal digits."))
            .into()
    }
}

#[cfg(feature = "openapi")]
impl utoipa::ToSchema for Fingerprint {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_words_stand_for_the_first_33_bits() {
        let words = |start: [u8; 5]| {
            let mut bytes = [0xff; BYTES];
            bytes[..5].copy_from_slice(&start);
            Fingerprint::new(bytes).words()
        };
        assert_eq!(words([0; 5]), "abandon-abandon-abandon");
        assert_eq!(words([0xff; 5]), "zoo-zoo-zoo");
        // 00000000001 00000000010 00000000011
        assert_eq!(words([0x00, 0x20, 0x08, 0x01, 0x80]), "ability-able-about");
        assert_eq!(words([0x00, 0x20, 0x08, 0x01, 0xff]), "ability-able-about");
    }

    #[test]
    fn what_is_no_fingerprint_is_refused() {
        let good = "ab".repeat(32);
        for bad in
            [String::new(), good[1..].to_owned(), format!("{good}0"), "g".repeat(64), "ä".repeat(32), "+1".repeat(32)]
        {
            assert_eq!(bad.parse::<Fingerprint>(), Err(ParseFingerprintError), "{bad}");
        }
        let colons = ["AB"; 32].join(":");
        assert_eq!(colons.parse::<Fingerprint>().unwrap().to_string(), good);
        assert!(colons.replacen(':', "a", 1).parse::<Fingerprint>().is_err());
    }

    proptest! {
        #[test]
        fn a_fingerprint_is_read_as_it_is_written(bytes: [u8; BYTES]) {
            let fingerprint = Fingerprint::new(bytes);
            prop_assert_eq!(fingerprint.to_string().parse(), Ok(fingerprint));
        }
    }
}
