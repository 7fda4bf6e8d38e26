//! Errors: a closed set of codes, and the body that carries one (RFC 9457).
//!
//! People read `detail`, programs branch on `code`. Each code has its page in `docs/errors/`.

use serde::{Deserialize, Serialize};

macro_rules! error_codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $status:literal, $title:literal;)+) => {
        /// What went wrong, for programs. Stable; new ones may be added.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        pub enum ErrorCode {
            $($(#[$doc])* #[serde(rename = $text)] $name,)+
        }

        impl ErrorCode {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The code on the wire.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }

            /// The HTTP status it comes with.
            pub fn status(self) -> u16 {
                match self { $(Self::$name => $status,)+ }
            }

            /// A short summary that is the same every time.
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)+ }
            }
        }
    };
}

error_codes! {
    /// The request is not well-formed.
    InvalidRequest = "invalid_request", 400, "The request is not understood";
    /// No credential, or one that is not valid any more.
    Unauthenticated = "unauthenticated", 401, "Sign in first";
    /// Name and password do not match.
    WrongPassword = "wrong_password", 401, "Name and password do not match";
    /// The link, code, key or ticket was used, has expired or was revoked.
    SpentCredential = "spent_credential", 401, "This link or key is no longer valid";
    /// Signed in, but not allowed to do this.
    Forbidden = "forbidden", 403, "Not allowed";
    /// The request came from a page or by a name that this coordinator does not know.
    ForeignOrigin = "foreign_origin", 403, "The request came from a foreign page";
    /// There is no such thing, or none that the asker may know of.
    NotFound = "not_found", 404, "Not found";
    /// The resource does not have this method.
    MethodNotAllowed = "method_not_allowed", 405, "This resource does not have that method";
    /// The state of the thing does not allow this.
    Conflict = "conflict", 409, "The state does not allow this";
    /// It was changed by somebody else in the meantime.
    VersionConflict = "version_conflict", 409, "It was changed in the meantime";
    /// The name is taken.
    NameTaken = "name_taken", 409, "The name is taken";
    /// The attempt is not the one that holds the lease.
    StaleLease = "stale_lease", 409, "This attempt no longer holds the lease";
    /// The log or the events from that number on are no longer kept.
    Gone = "gone", 410, "No longer kept";
    /// The body is larger than allowed.
    TooLarge = "too_large", 413, "Too large";
    /// The version of the worker protocol is not spoken here.
    UnsupportedProtocol = "unsupported_protocol", 426, "Another version of the worker protocol is needed";
    /// Too many requests, or too many tasks waiting.
    TooManyRequests = "too_many_requests", 429, "Too many requests";
    /// A fault of the coordinator itself.
    Internal = "internal", 500, "The coordinator failed";
    /// The database is locked, down or slow; nothing was changed.
    StoreUnavailable = "store_unavailable", 503, "The database does not answer";
    /// The coordinator is stopping or starting.
    Unavailable = "unavailable", 503, "The coordinator is not ready";
    /// The disk of the coordinator is full; nothing was changed.
    DiskFull = "disk_full", 507, "The coordinator's disk is full";
}

impl std::fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The body of every error: `application/problem+json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// Where the code is explained.
    #[serde(rename = "type")]
    pub type_uri: String,
    /// A short summary that is the same every time.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong this time, and what to do.
    pub detail: String,
    /// For programs.
    pub code: ErrorCode,
    /// Finds the request in the coordinator's log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

impl Problem {
    /// The body for `code` with what is wrong this time.
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self {
            type_uri: format!("/docs/errors/{code}"),
            title: code.title().to_owned(),
            status: code.status(),
            detail: detail.into(),
            code,
            request_id: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_written_as_it_says() {
        for code in ErrorCode::ALL {
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
        }
    }

    #[test]
    fn codes_and_their_statuses() {
        let table: Vec<_> = ErrorCode::ALL.iter().map(|code| format!("{} {code}", code.status())).collect();
        insta::assert_snapshot!(table.join("\n"));
    }

    /// A code exists if and only if its explanation does.
    #[test]
    fn every_code_has_its_page() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors");
        let mut pages: Vec<_> = std::fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
            .collect();
        let mut codes: Vec<_> = ErrorCode::ALL.iter().map(|code| code.as_str().to_owned()).collect();
        pages.sort();
        codes.sort();
        assert_eq!(codes, pages);
    }
}
