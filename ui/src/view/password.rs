//! What a new password must be, said while it is typed and when it is refused.

use crate::strings::account as text;

/// The least length, as the coordinator has it.
const LEAST: usize = 10;
/// The most bytes, as the coordinator has it.
const MOST_BYTES: usize = 1024;

fn lacking(password: &str) -> u64 {
    LEAST.saturating_sub(password.chars().count()) as u64
}

/// What stands below the field while somebody types.
pub fn hint(password: &str) -> String {
    match lacking(password) {
        _ if password.is_empty() => text::PASSWORD_RULE.to_owned(),
        0 => text::PASSWORD_FITS.to_owned(),
        n => text::password_lacks(n),
    }
}

/// Why it cannot be one.
pub fn error(password: &str) -> Option<String> {
    match lacking(password) {
        _ if password.is_empty() => Some(text::PASSWORD_EMPTY.to_owned()),
        0 => (password.len() > MOST_BYTES).then(|| text::PASSWORD_LONG.to_owned()),
        n => Some(text::password_short(n)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_counts_characters_and_not_bytes() {
        assert_eq!(error("ünïcödé s"), Some("Too short: 1 character more, of any kind.".to_owned()));
        assert_eq!(error("ünïcödé sñ"), None);
        assert_eq!(hint("ünïc"), "At least 10 characters: six more.");
        assert_eq!(hint("correct horse"), "Long enough.");
    }

    #[test]
    fn nothing_and_endless_ones_are_told_apart() {
        assert_eq!(error(""), Some(text::PASSWORD_EMPTY.to_owned()));
        assert_eq!(hint(""), text::PASSWORD_RULE);
        assert_eq!(error(&"x".repeat(MOST_BYTES)), None);
        assert_eq!(error(&"x".repeat(MOST_BYTES + 1)), Some(text::PASSWORD_LONG.to_owned()));
    }
}
