//! Database files that this process does not own: copied while their owner writes, and looked into.

use std::path::Path;
use std::time::Duration;

use crate::error::StoreError;
use crate::sql::connection::{Connection, Target};
use crate::sql::migrate;
use crate::sql::statement::{Statement, sql};
use crate::sql::value::args;

const VACUUM_INTO: Statement = sql!("schema/vacuum_into.sqlite");
const INTEGRITY: Statement = sql!("schema/integrity.sqlite");
const ALL_HASHES: Statement = sql!("artifacts/all_hashes");

/// What a database file holds.
#[derive(Debug)]
pub(crate) struct Inspected {
    pub(crate) schema_version: i64,
    /// The contents that its artifacts name.
    pub(crate) hashes: Vec<String>,
}

/// Writes a whole copy as of one moment.
pub(crate) async fn copy_database(from: &Path, to: &Path) -> Result<(), StoreError> {
    let mut connection = connect(from).await?;
    connection.execute(&VACUUM_INTO, args![to.to_string_lossy().into_owned()]).await?;
    Ok(connection.close().await?)
}

/// Checks a file that nobody owns, and says what it holds.
pub(crate) async fn inspect_database(path: &Path) -> Result<Inspected, StoreError> {
    let mut connection = connect(path).await?;
    let rows = connection.fetch(&INTEGRITY, Vec::new()).await?;
    let verdict = rows.first().map(|row| row.of("database", "integrity_check").text("integrity_check")).transpose()?;
    if verdict.as_deref() != Some("ok") {
        return Err(StoreError::BadBackup {
            reason: format!("the database is damaged: {}", verdict.unwrap_or_default()),
        });
    }
    let schema_version = migrate::version(&mut connection).await?;
    if schema_version > migrate::SCHEMA_VERSION {
        return Err(StoreError::NewerSchema { found: schema_version, known: migrate::SCHEMA_VERSION });
    }
    let rows = connection.fetch(&ALL_HASHES, Vec::new()).await?;
    let hashes = rows.iter().map(|row| row.of("artifacts", "hash").text("hash")).collect::<Result<_, _>>()?;
    connection.close().await?;
    Ok(Inspected { schema_version, hashes })
}

async fn connect(path: &Path) -> Result<Connection, StoreError> {
    Ok(Target::sqlite(path, Duration::from_secs(30)).connect().await?)
}
