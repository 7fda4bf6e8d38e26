//! Where the database is, chosen by the scheme of a URL.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// `sqlite:PATH` or `postgres://...`. Its `Debug` and `Display` show no password.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A file on this machine.
    Sqlite(PathBuf),
    /// A PostgreSQL server, as its drivers write it.
    Postgres(String),
}

/// A text that names no database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a database is sqlite:PATH or postgres://USER@HOST/NAME")]
pub struct ParseDatabaseUrlError;

impl DatabaseUrl {
    /// The embedded database in a data folder.
    pub fn in_folder(data_dir: &Path) -> Self {
        Self::Sqlite(data_dir.join(crate::backup::DATABASE_FILE))
    }
}

impl FromStr for DatabaseUrl {
    type Err = ParseDatabaseUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(rest) = text.strip_prefix("sqlite:") {
            let path = rest.strip_prefix("//").unwrap_or(rest);
            // An in-memory database would lose acknowledged work, and its readers would see another one.
            return if path.is_empty() || path == ":memory:" {
                Err(ParseDatabaseUrlError)
            } else {
                Ok(Self::Sqlite(path.into()))
            };
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self::Postgres(text.to_owned()));
        }
        Err(ParseDatabaseUrlError)
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(url) => {
                let (scheme, rest) = url.split_once("://").unwrap_or(("postgres", ""));
                let address = rest.split(['?', '#']).next().unwrap_or_default();
                let (authority, name) = address.split_once('/').unwrap_or((address, ""));
                match authority.rsplit_once('@') {
                    Some((login, host)) => {
                        let user = login.split(':').next().unwrap_or_default();
                        write!(f, "{scheme}://{user}@{host}/{name}")
                    }
                    None => write!(f, "{scheme}://{authority}/{name}"),
                }
            }
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_chooses() {
        for (text, path) in
            [("sqlite:swarm.db", "swarm.db"), ("sqlite:///var/x.db", "/var/x.db"), ("sqlite:/var/x.db", "/var/x.db")]
        {
            assert_eq!(text.parse(), Ok(DatabaseUrl::Sqlite(path.into())), "{text}");
        }
        for bad in ["", "swarm.db", "sqlite:", "sqlite::memory:", "mysql://x"] {
            assert_eq!(bad.parse::<DatabaseUrl>(), Err(ParseDatabaseUrlError), "{bad}");
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        for (text, shown) in [
            ("postgres://ann:s3cret@db.example/swarm?password=s3cret", "postgres://ann@db.example/swarm"),
            ("postgres://ann:s3@cret@db/swarm", "postgres://ann@db/swarm"),
            ("postgresql://db/swarm", "postgresql://db/swarm"),
        ] {
            let url: DatabaseUrl = text.parse().unwrap();
            assert_eq!(format!("{url:?}"), shown);
        }
    }
}
