//! The one SQL implementation, for SQLite and PostgreSQL.
//!
//! Statements are files in `sql/`, in the subset that both databases understand. Rows of a kind are written by one
//! statement ([`rows`]); a list travels as one JSON argument and is unpacked by `jsonb_each`: SQLite's own, and on
//! PostgreSQL a function of ours that the first migration makes. The two databases are told apart in
//! [`connection`] alone.

mod artifacts;
mod audit;
mod budgets;
mod connection;
mod database;
mod files;
mod migrate;
mod people;
mod retention;
mod row;
mod rows;
mod statement;
mod tasks;
mod tokens;
mod usage;
mod value;
mod workers;

pub(crate) use database::{Database, Settings};
pub(crate) use files::{copy_database, inspect_database};
pub(crate) use migrate::SCHEMA_VERSION;

#[cfg(test)]
pub(crate) use {
    connection::Target,
    migrate::{MIGRATIONS, Migration, migrate},
    rows::{MARK, with_values},
    statement::Statement,
};

/// Every store trait over one database.
#[derive(Debug)]
pub(crate) struct SqlStore {
    pub(crate) db: Database,
}
