//! Statements: text from a file, one for both databases or one for each.

/// A statement with the text for each database.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Statement {
    pub(crate) sqlite: &'static str,
    pub(crate) postgres: &'static str,
}

/// The statement in `sql/NAME.sql`.
macro_rules! sql {
    ($name:literal) => {
        $crate::sql::statement::Statement {
            sqlite: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/sql/", $name, ".sql")),
            postgres: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/sql/", $name, ".sql")),
        }
    };
}

pub(crate) use sql;
