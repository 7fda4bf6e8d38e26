//! The only errors that leave this crate.
//!
//! They say what the caller can do: correct the request, decide again on fresh rows, free the disk, wait,
//! or look at a damaged row. No type of the database driver shows through; the cause is kept as a source.

use crate::holder::Holder;

/// A cause of any type.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why storage did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such thing.
    #[error("no such {entity}")]
    NotFound {
        /// What was looked for.
        entity: &'static str,
    },
    /// The request does not fit what is stored; nothing was written.
    #[error(transparent)]
    Conflict(#[from] Conflict),
    /// A stored value cannot be what it is.
    #[error("{table}.{column} of row {row} cannot be read")]
    Corrupt {
        /// Where.
        table: &'static str,
        /// In which column.
        column: &'static str,
        /// In which row.
        row: String,
        /// What is wrong with it.
        #[source]
        source: Cause,
    },
    /// The database or the disk does not do its part; nothing was written.
    #[error("the store is unavailable: {kind}")]
    Unavailable {
        /// In which way.
        kind: Outage,
        /// What it said.
        #[source]
        source: Cause,
    },
    /// A value could not be put into the form in which it is stored.
    #[error("the value cannot be stored")]
    Encode(#[source] Cause),
    /// A newer version of the program wrote this database.
    #[error("the database has schema {found}, and this version knows schemas up to {known}")]
    NewerSchema {
        /// What the database has.
        found: i64,
        /// What this version knows.
        known: i64,
    },
    /// Another coordinator owns this database.
    #[error("the database belongs to {holder}")]
    Locked {
        /// Who has it.
        holder: Holder,
    },
    /// A content is larger than allowed.
    #[error("the content is larger than {limit} bytes")]
    TooLarge {
        /// The most bytes allowed.
        limit: u64,
    },
    /// A content is not the one that was announced.
    #[error("the content has hash {found}, not {expected}")]
    WrongContent {
        /// What was announced.
        expected: String,
        /// What came.
        found: String,
    },
    /// A folder that must be empty is not.
    #[error("{folder} is not empty")]
    NotEmpty {
        /// Which.
        folder: String,
    },
    /// A backup that cannot be restored.
    #[error("this is not a whole backup: {reason}")]
    BadBackup {
        /// What is missing or wrong.
        reason: String,
    },
}

/// How a request does not fit what is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Conflict {
    /// The row has changed since the decision was made.
    #[error("the row has changed in the meantime")]
    StaleVersion,
    /// The user already has a task with this idempotency key.
    #[error("this idempotency key has a task")]
    IdempotencyKey,
    /// Something with this id, number or name is already there.
    #[error("it is already there")]
    Exists,
    /// The task has not ended.
    #[error("the task has not ended")]
    NotEnded,
    /// The name belongs to somebody else.
    #[error("this username is taken")]
    UsernameTaken,
    /// The address belongs to somebody else.
    #[error("this e-mail address is taken")]
    EmailTaken,
    /// The instance has its first user.
    #[error("the instance has an owner")]
    Owned,
    /// Without this person nobody could manage the instance.
    #[error("the last admin must stay")]
    LastAdmin,
    /// The key is revoked, expired or used up.
    #[error("the key cannot be used")]
    KeySpent,
    /// The invitation is revoked, expired or used up.
    #[error("the invitation cannot be used")]
    InvitationSpent,
    /// The link is used or expired.
    #[error("the link cannot be used")]
    LinkSpent,
    /// The worker belongs to another person.
    #[error("the worker belongs to another person")]
    OthersWorker,
}

/// In which way the store is unavailable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outage {
    /// No space left: the person must free some.
    Full,
    /// Somebody else holds a lock for too long: it may pass.
    Busy,
    /// The server cannot be reached or ended the connection: it may pass.
    Offline,
    /// Anything else: a fault of the disk, the file or the statement.
    Fault,
}

impl std::fmt::Display for Outage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Full => "the disk is full",
            Self::Busy => "the database is locked",
            Self::Offline => "the database cannot be reached",
            Self::Fault => "the database failed",
        })
    }
}

impl StoreError {
    pub(crate) fn not_found(entity: &'static str) -> Self {
        Self::NotFound { entity }
    }

    pub(crate) fn corrupt(
        table: &'static str,
        column: &'static str,
        row: impl ToString,
        source: impl Into<Cause>,
    ) -> Self {
        Self::Corrupt { table, column, row: row.to_string(), source: source.into() }
    }
}

impl From<std::io::Error> for StoreError {
    fn from(error: std::io::Error) -> Self {
        let kind = match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Outage::Full,
            _ => Outage::Fault,
        };
        Self::Unavailable { kind, source: Box::new(error) }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        Self::Unavailable { kind: outage(&error), source: Box::new(error) }
    }
}

fn outage(error: &sqlx::Error) -> Outage {
    match error {
        sqlx::Error::Database(database) => database.code().map_or(Outage::Fault, |code| outage_of_code(&code)),
        sqlx::Error::PoolTimedOut => Outage::Busy,
        sqlx::Error::Io(io) if io.kind() == std::io::ErrorKind::StorageFull => Outage::Full,
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => {
            Outage::Offline
        }
        _ => Outage::Fault,
    }
}

/// SQLite's codes are numbers of up to four digits whose low byte is the primary one; PostgreSQL's have five characters.
fn outage_of_code(code: &str) -> Outage {
    match code {
        "53100" => Outage::Full,
        "55P03" | "40001" | "40P01" | "57014" => Outage::Busy,
        "57P01" | "57P02" | "57P03" | "53300" => Outage::Offline,
        _ if code.len() == 5 => {
            if code.starts_with("08") {
                Outage::Offline
            } else {
                Outage::Fault
            }
        }
        _ => match code.parse::<i32>().map(|extended| extended & 0xff) {
            Ok(13) => Outage::Full,
            Ok(5 | 6) => Outage::Busy,
            _ => Outage::Fault,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_both_databases_tell_what_to_do() {
        for (code, kind) in [
            ("13", Outage::Full),
            ("53100", Outage::Full),
            ("5", Outage::Busy),
            ("517", Outage::Busy),
            ("55P03", Outage::Busy),
            ("08006", Outage::Offline),
            ("57P01", Outage::Offline),
            ("1", Outage::Fault),
            ("42601", Outage::Fault),
        ] {
            assert_eq!(outage_of_code(code), kind, "{code}");
        }
    }
}
