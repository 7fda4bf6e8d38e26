//! Changes one number in a document of JSON and leaves every other byte as it is.
//!
//! Providers keep what they read of a prompt under its bytes, so that a body that is written anew, with its members
//! in another order, would be read anew and paid for. The document was read before and is known to be well-formed.

use std::ops::Range;

/// A member's names: providers take some of them in two spellings.
pub(super) type Names<'a> = &'a [&'a str];

/// The document with `value` at a path of members; what is missing on the way is made. None where the document is no
/// object.
pub(super) fn set(document: &str, path: &[Names<'_>], value: &str) -> Option<String> {
    let (last, way) = path.split_last()?;
    let mut at = 0;
    for (depth, names) in way.iter().enumerate() {
        match member(document, at, names)? {
            Some(place) if document[place.clone()].trim_start().starts_with('{') => at = place.start,
            // Something else than an object holds no members.
            Some(place) => return Some(replace(document, place, &nested(&path[depth + 1..], value)?)),
            None => return insert(document, at, names, &nested(&path[depth + 1..], value)?),
        }
    }
    match member(document, at, last)? {
        Some(place) => Some(replace(document, place, value)),
        None => insert(document, at, last, value),
    }
}

/// An object that holds nothing but a path to a value.
fn nested(path: &[Names<'_>], value: &str) -> Option<String> {
    let mut text = value.to_owned();
    for names in path.iter().rev() {
        text = format!("{{\"{}\":{text}}}", names.first()?);
    }
    Some(text)
}

fn replace(document: &str, place: Range<usize>, value: &str) -> String {
    format!("{}{value}{}", &document[..place.start], &document[place.end..])
}

fn insert(document: &str, object: usize, names: Names<'_>, value: &str) -> Option<String> {
    let open = object + document[object..].find('{')? + 1;
    let is_empty = document[open..].trim_start().starts_with('}');
    let between = if is_empty { "" } else { "," };
    Some(format!("{}\"{}\":{value}{between}{}", &document[..open], names.first()?, &document[open..]))
}

/// The place of a member's value in the object that begins at `object`. None twice: no object, no such member.
#[expect(clippy::option_option, reason = "no object is another matter than no such member")]
fn member(document: &str, object: usize, names: Names<'_>) -> Option<Option<Range<usize>>> {
    let bytes = document.as_bytes();
    let mut at = skip_blanks(bytes, object);
    if bytes.get(at) != Some(&b'{') {
        return None;
    }
    at += 1;
    loop {
        at = skip_blanks(bytes, at);
        match bytes.get(at)? {
            b'}' => return Some(None),
            b',' => at += 1,
            _ => {
                let key = at..skip_value(bytes, at);
                let colon = skip_blanks(bytes, key.end);
                let start = skip_blanks(bytes, colon + 1);
                let place = start..skip_value(bytes, start);
                if place.is_empty() {
                    return None;
                }
                let key: String = serde_json::from_str(&document[key]).ok()?;
                if names.contains(&key.as_str()) {
                    return Some(Some(place));
                }
                at = place.end;
            }
        }
    }
}

fn skip_blanks(bytes: &[u8], at: usize) -> usize {
    at + bytes.get(at..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

/// Behind the value that begins here.
fn skip_value(bytes: &[u8], at: usize) -> usize {
    let (mut depth, mut is_text, mut is_escaped) = (0_usize, false, false);
    for (place, byte) in bytes.iter().enumerate().skip(at) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_text => is_escaped = true,
            b'"' => {
                is_text = !is_text;
                if !is_text && depth == 0 {
                    return place + 1;
                }
            }
            _ if is_text => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth == 0 => return place,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return place + 1;
                }
            }
            b',' | b':' if depth == 0 => return place,
            byte if depth == 0 && byte.is_ascii_whitespace() => return place,
            _ => {}
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: &[Names<'_>] = &[&["max_tokens"]];
    const NESTED: &[Names<'_>] = &[&["generationConfig", "generation_config"], &["maxOutputTokens"]];

    fn check(document: &str, path: &[Names<'_>], expected: &str) {
        let changed = set(document, path, "7").unwrap();
        assert_eq!(changed, expected);
        serde_json::from_str::<serde_json::Value>(&changed).unwrap();
    }

    #[test]
    fn a_number_is_changed_and_nothing_else() {
        check(
            r#"{"z": 1, "max_tokens" : 32000 , "a": [1, {"max_tokens": 2}]}"#,
            MAX,
            r#"{"z": 1, "max_tokens" : 7 , "a": [1, {"max_tokens": 2}]}"#,
        );
        check(r#"{"max_tokens":1}"#, MAX, r#"{"max_tokens":7}"#);
        check(
            r#"{"s":"\"max_tokens\":{[","max\u005ftokens":1}"#,
            MAX,
            r#"{"s":"\"max_tokens\":{[","max\u005ftokens":7}"#,
        );
        check(
            " {\n\"x\": {\"y\": \"}\"}, \"max_tokens\": null\n}",
            MAX,
            " {\n\"x\": {\"y\": \"}\"}, \"max_tokens\": 7\n}",
        );
    }

    #[test]
    fn what_is_missing_is_made() {
        check("{}", MAX, r#"{"max_tokens":7}"#);
        check(r#"{"a":1}"#, MAX, r#"{"max_tokens":7,"a":1}"#);
        check("{}", NESTED, r#"{"generationConfig":{"maxOutputTokens":7}}"#);
        check(r#"{"generationConfig":null,"b":2}"#, NESTED, r#"{"generationConfig":{"maxOutputTokens":7},"b":2}"#);
        check(r#"{"generation_config":{"t":0.5}}"#, NESTED, r#"{"generation_config":{"maxOutputTokens":7,"t":0.5}}"#);
        check(
            r#"{"b":{},"generationConfig":{"t":[],"maxOutputTokens":9}}"#,
            NESTED,
            r#"{"b":{},"generationConfig":{"t":[],"maxOutputTokens":7}}"#,
        );
    }

    #[test]
    fn what_is_no_object_is_not_changed() {
        for document in ["[1]", "7", "\"x\"", "", "null"] {
            assert_eq!(set(document, MAX, "7"), None, "{document}");
        }
    }
}
