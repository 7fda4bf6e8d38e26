//! How much text a document of JSON holds, without keeping any of it.
//!
//! Pictures and signed reasoning are text on the wire and little or nothing to the model, so that they weigh alike,
//! however long they are.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// What a picture or a file weighs: as much as its tokens, at four bytes each.
const BLOB: u64 = 6_000;
/// The least length of something that is no text.
const LEAST_BLOB: usize = 1_024;
/// Members that hold what no model writes or reads as text.
const NAMES: [&str; 9] =
    ["type", "role", "id", "item_id", "signature", "thoughtSignature", "encrypted_content", "finishReason", "index"];
/// Members that hold files.
const BLOBS: [&str; 4] = ["data", "file_data", "image_url", "url"];

/// Bytes of text, with the names of members or without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Weight<const NAMED: bool>(pub(super) u64);

/// What a model reads: the names in the descriptions of its tools, too.
pub(super) type Prompt = Weight<true>;
/// What a model writes.
pub(super) type Piece = Weight<false>;

impl<'de, const NAMED: bool> Deserialize<'de> for Weight<NAMED> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Scale::<NAMED>).map(Self)
    }
}

struct Scale<const NAMED: bool>;

impl<'de, const NAMED: bool> Visitor<'de> for Scale<NAMED> {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_str<E>(self, text: &str) -> Result<u64, E> {
        Ok(text.len() as u64)
    }

    fn visit_bool<E>(self, _: bool) -> Result<u64, E> {
        Ok(0)
    }

    fn visit_i64<E>(self, _: i64) -> Result<u64, E> {
        Ok(1)
    }

    fn visit_u64<E>(self, _: u64) -> Result<u64, E> {
        Ok(1)
    }

    fn visit_f64<E>(self, _: f64) -> Result<u64, E> {
        Ok(1)
    }

    fn visit_unit<E>(self) -> Result<u64, E> {
        Ok(0)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<u64, A::Error> {
        let mut sum = 0;
        while let Some(Weight::<NAMED>(weight)) = seq.next_element()? {
            sum += weight;
        }
        Ok(sum)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<u64, A::Error> {
        let mut sum = 0;
        while let Some(name) = map.next_key::<Name>()? {
            if name.is_skipped {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let Weight::<NAMED>(weight) = map.next_value()?;
            sum += if NAMED { name.length } else { 0 };
            sum += if name.is_blob && weight >= LEAST_BLOB as u64 { BLOB } else { weight };
        }
        Ok(sum)
    }
}

/// What a member's name tells of its value.
struct Name {
    length: u64,
    is_skipped: bool,
    is_blob: bool,
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Name;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_str<E>(self, name: &str) -> Result<Name, E> {
                let (is_skipped, is_blob) = (NAMES.contains(&name), BLOBS.contains(&name));
                Ok(Name { length: name.len() as u64, is_skipped, is_blob })
            }
        }
        deserializer.deserialize_str(Reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weight(document: &str) -> u64 {
        serde_json::from_str::<Piece>(document).unwrap().0
    }

    #[test]
    fn only_text_weighs() {
        assert_eq!(weight(r#"{"type":"text_delta","text":"hello"}"#), 5);
        assert_eq!(weight(r#""h\u00e9llo""#), 6);
        assert_eq!(weight(r#"{"a":[{"text":"one"},{"text":"three"}],"index":7,"b":null,"c":true,"n":-1.5}"#), 9);
        let Weight(read) = serde_json::from_str::<Prompt>(r#"{"type":"object","properties":{"path":"x"}}"#).unwrap();
        assert_eq!(read, 15);
    }

    #[test]
    fn a_picture_weighs_what_it_costs() {
        let blob = "x".repeat(1_000_000);
        let image = format!(r#"{{"source":{{"type":"base64","data":"{blob}"}}}}"#);
        assert_eq!(weight(&image), BLOB);
        assert_eq!(weight(&format!(r#"{{"signature":"{blob}"}}"#)), 0);
        assert_eq!(weight(&format!(r#"{{"text":"{blob}"}}"#)), 1_000_000);
    }
}
