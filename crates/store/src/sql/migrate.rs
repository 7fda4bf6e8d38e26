//! Brings a schema up to date: from nothing, or from an older version; a newer one is refused.
//!
//! Migrations only ever get appended, with the same numbers for both databases.

use crate::error::StoreError;
use crate::sql::connection::Connection;
use crate::sql::statement::{Statement, sql};
use crate::sql::value::args;

/// A step from one version to the next.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Migration {
    pub(crate) name: &'static str,
    pub(crate) script: Statement,
}

/// A step by its name and its file.
macro_rules! migration {
    ($name:literal, $file:literal) => {
        Migration {
            name: $name,
            script: Statement {
                sqlite: include_str!(concat!("../../migrations/sqlite/", $file, ".sql")),
                postgres: include_str!(concat!("../../migrations/postgres/", $file, ".sql")),
            },
        }
    };
}

/// Every step; the first one makes version 1.
pub(crate) const MIGRATIONS: &[Migration] = &[
    migration!("first", "0001_first"),
    migration!("share limits", "0002_share_limits"),
    migration!("usage", "0003_usage"),
    migration!("account limits", "0004_account_limits"),
    migration!("budgets", "0005_budgets"),
];

/// The version that this program knows.
pub(crate) const SCHEMA_VERSION: i64 = MIGRATIONS.len() as i64;

const CREATE_HISTORY: Statement = sql!("schema/create_history");
const VERSION: Statement = sql!("schema/version");
const ADD_VERSION: Statement = sql!("schema/add_version");
const BEGIN: Statement = Statement {
    sqlite: include_str!("../../sql/schema/begin.sqlite.sql"),
    postgres: include_str!("../../sql/schema/begin.postgres.sql"),
};
const COMMIT: Statement = sql!("schema/commit");

/// Runs the steps that are missing, each in its own transaction. A step that fails leaves the version before it.
pub(crate) async fn migrate(connection: &mut Connection, migrations: &[Migration]) -> Result<(), StoreError> {
    connection.run_script(&CREATE_HISTORY).await?;
    let found = version(connection).await?;
    let known = migrations.len() as i64;
    if found > known {
        return Err(StoreError::NewerSchema { found, known });
    }
    for (version, migration) in (1_i64..).zip(migrations).skip(found as usize) {
        connection.run_script(&BEGIN).await?;
        connection.run_script(&migration.script).await?;
        connection.execute(&ADD_VERSION, args![version, migration.name]).await?;
        connection.run_script(&COMMIT).await?;
        tracing::info!(version, name = migration.name, "schema brought up to date");
    }
    Ok(())
}

pub(crate) async fn version(connection: &mut Connection) -> Result<i64, StoreError> {
    let rows = connection.fetch(&VERSION, Vec::new()).await?;
    let version = rows.first().map(|row| row.of("schema_history", "version").opt_int("version")).transpose()?;
    Ok(version.flatten().unwrap_or(0))
}
