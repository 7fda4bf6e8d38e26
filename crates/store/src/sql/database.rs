//! One database: a connection that writes, and readers beside it.
//!
//! Every write is a transaction on the one writer, which on PostgreSQL is also the session that holds the
//! advisory lock: a coordinator that lost the lock has lost its writer with it. A transaction that is dropped
//! without a commit (an error, a caller that went away) is rolled back before the next one begins.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard, Notify};
use tokio::task::JoinHandle;

use crate::error::StoreError;
use crate::holder::{DatabaseLock, Holder};
use crate::sql::connection::{Connection, Readers, Target, holder_of_session};
use crate::sql::migrate;
use crate::sql::row::Row;
use crate::sql::rows::Rows;
use crate::sql::statement::{Statement, sql};
use crate::sql::value::Value;
use crate::url::DatabaseUrl;

const BEGIN: Statement = Statement {
    sqlite: include_str!("../../sql/schema/begin.sqlite.sql"),
    postgres: include_str!("../../sql/schema/begin.postgres.sql"),
};
const COMMIT: Statement = sql!("schema/commit");
const ROLLBACK: Statement = sql!("schema/rollback");
const TAKE_LOCK: Statement = sql!("schema/take_lock.postgres");
const LOCK_HOLDER: Statement = sql!("schema/lock_holder.postgres");
const CHECKPOINT: Statement = sql!("schema/checkpoint.sqlite");

/// How long commits gather before a checkpoint carries them from the log into the database file.
const CHECKPOINT_PAUSE: Duration = Duration::from_secs(1);

/// What differs between installations.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) holder: Holder,
    pub(crate) busy_timeout: Duration,
    pub(crate) readers: u32,
}

/// A database that this process owns.
#[derive(Debug)]
pub(crate) struct Database {
    target: Target,
    writer: Mutex<Writer>,
    readers: Arc<Readers>,
    written: Arc<Notify>,
    checkpoints: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Writer {
    connection: Option<Connection>,
    /// Whether a transaction may be open on the connection.
    in_transaction: bool,
    closed: bool,
    /// What makes an embedded database this process's own; on PostgreSQL the session does.
    lock: Option<DatabaseLock>,
}

impl Database {
    /// Opens a database, takes its lock and brings its schema up to date.
    pub(crate) async fn open(url: &DatabaseUrl, settings: &Settings) -> Result<Self, StoreError> {
        let (target, lock) = match url {
            DatabaseUrl::Sqlite(path) => {
                let lock = DatabaseLock::take(path, &settings.holder)?;
                (Target::sqlite(path, settings.busy_timeout), Some(lock))
            }
            DatabaseUrl::Postgres(url) => (Target::postgres(url, &settings.holder, settings.busy_timeout)?, None),
        };
        let mut connection = connect(&target).await?;
        migrate::migrate(&mut connection, migrate::MIGRATIONS).await?;

        let readers = Arc::new(target.readers(settings.readers));
        let written = Arc::new(Notify::new());
        let checkpoints = match target {
            Target::Sqlite(_) => {
                Some(tokio::spawn(checkpoint_after_writes(Arc::clone(&readers), Arc::clone(&written))))
            }
            Target::Postgres(_) => None,
        };
        let writer = Mutex::new(Writer { connection: Some(connection), in_transaction: false, closed: false, lock });
        Ok(Self { target, writer, readers, written, checkpoints })
    }

    /// Reads what is committed, beside the writer.
    pub(crate) async fn read(&self, statement: &Statement, values: Vec<Value>) -> Result<Vec<Row>, StoreError> {
        Ok(self.readers.fetch(statement, values).await?)
    }

    /// As `read`, for each of these rows.
    pub(crate) async fn read_for(&self, statement: &Statement, rows: Rows) -> Result<Vec<Row>, StoreError> {
        Ok(self.readers.fetch_for(statement, rows).await?)
    }

    /// Begins a transaction, once those before it have ended.
    pub(crate) async fn begin(&self) -> Result<Transaction<'_>, StoreError> {
        let mut writer = self.writer.lock().await;
        if writer.closed {
            return Err(sqlx::Error::PoolClosed.into());
        }
        if writer.in_transaction {
            // SQLite may have rolled back by itself, and then says that there is nothing to roll back; a
            // connection that is gone shows in `begin`.
            if let Some(connection) = &mut writer.connection
                && let Err(error) = connection.run_script(&ROLLBACK).await
            {
                tracing::debug!(%error, "nothing to roll back");
            }
            writer.in_transaction = false;
        }
        // The connection stays where it is: a caller that goes away meanwhile must not take it along.
        writer.in_transaction = true;
        let begun = match &mut writer.connection {
            Some(connection) => Some(connection.run_script(&BEGIN).await),
            None => None,
        };
        match begun {
            Some(Ok(())) => return Ok(Transaction { writer, written: &self.written }),
            Some(Err(error)) if is_lost(&error) => {
                tracing::warn!(%error, "lost the connection to the database");
                writer.connection = None;
            }
            Some(Err(error)) => return Err(error.into()),
            None => {}
        }
        let connection = writer.connection.insert(connect(&self.target).await?);
        connection.run_script(&BEGIN).await?;
        Ok(Transaction { writer, written: &self.written })
    }

    /// Waits for the last transaction and lets go of the database.
    pub(crate) async fn close(&self) -> Result<(), StoreError> {
        let mut writer = self.writer.lock().await;
        writer.closed = true;
        if let Some(checkpoints) = &self.checkpoints {
            checkpoints.abort();
        }
        self.readers.close().await;
        if let Some(connection) = writer.connection.take() {
            connection.close().await?;
        }
        writer.lock = None;
        Ok(())
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Some(checkpoints) = &self.checkpoints {
            checkpoints.abort();
        }
    }
}

/// Connects, and on PostgreSQL takes the lock that goes with the session.
async fn connect(target: &Target) -> Result<Connection, StoreError> {
    let mut connection = target.connect().await?;
    if let Target::Postgres(_) = target {
        let rows = connection.fetch(&TAKE_LOCK, Vec::new()).await?;
        let taken = rows.first().map(|row| row.of("pg_locks", "taken").flag("taken")).transpose()?;
        if taken != Some(true) {
            let rows = connection.fetch(&LOCK_HOLDER, Vec::new()).await?;
            let session =
                rows.first().map(|row| row.of("pg_stat_activity", "session").opt_text("session")).transpose()?;
            return Err(StoreError::Locked {
                holder: session.flatten().and_then(|name| holder_of_session(&name)).unwrap_or_default(),
            });
        }
    }
    Ok(connection)
}

fn is_lost(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(database) => {
            database.code().is_some_and(|code| matches!(&*code, "57P01" | "57P02" | "57P03"))
        }
        _ => false,
    }
}

/// Carries commits into the database file, beside the writer and not at the cost of a commit.
async fn checkpoint_after_writes(readers: Arc<Readers>, written: Arc<Notify>) {
    loop {
        written.notified().await;
        tokio::time::sleep(CHECKPOINT_PAUSE).await;
        if let Err(error) = readers.fetch(&CHECKPOINT, Vec::new()).await {
            // The log grows, and the writer makes the checkpoint itself once it is large.
            tracing::debug!(%error, "no checkpoint this time");
        }
    }
}

/// A transaction on the writer. Without [`Transaction::commit`] nothing of it stays.
#[derive(Debug)]
pub(crate) struct Transaction<'a> {
    writer: MutexGuard<'a, Writer>,
    written: &'a Notify,
}

impl Transaction<'_> {
    /// Runs a statement and gives the number of rows it changed.
    pub(crate) async fn execute(&mut self, statement: &Statement, values: Vec<Value>) -> Result<u64, StoreError> {
        Ok(self.connection()?.execute(statement, values).await?)
    }

    /// As `execute`, with the database's own error: where a broken constraint has a meaning.
    pub(crate) async fn try_execute(&mut self, statement: &Statement, values: Vec<Value>) -> Result<u64, sqlx::Error> {
        match self.connection() {
            Ok(connection) => connection.execute(statement, values).await,
            Err(_) => Err(sqlx::Error::PoolClosed),
        }
    }

    /// Runs a statement for these rows and gives the number of rows it changed.
    pub(crate) async fn write(&mut self, statement: &Statement, rows: Rows) -> Result<u64, StoreError> {
        Ok(self.try_write(statement, rows).await?)
    }

    /// As `write`, with the database's own error: where a broken constraint has a meaning.
    pub(crate) async fn try_write(&mut self, statement: &Statement, rows: Rows) -> Result<u64, sqlx::Error> {
        match self.connection() {
            Ok(connection) => connection.write(statement, rows).await,
            Err(_) => Err(sqlx::Error::PoolClosed),
        }
    }

    /// Runs a statement and gives its rows.
    pub(crate) async fn fetch(&mut self, statement: &Statement, values: Vec<Value>) -> Result<Vec<Row>, StoreError> {
        Ok(self.connection()?.fetch(statement, values).await?)
    }

    /// As `fetch`, for each of these rows.
    pub(crate) async fn fetch_for(&mut self, statement: &Statement, rows: Rows) -> Result<Vec<Row>, StoreError> {
        Ok(self.connection()?.fetch_for(statement, rows).await?)
    }

    /// Makes it last. After an error nothing of it stays, unless the connection broke while the answer was
    /// under way: then only a look at the rows can tell.
    pub(crate) async fn commit(mut self) -> Result<(), StoreError> {
        self.connection()?.run_script(&COMMIT).await?;
        self.writer.in_transaction = false;
        self.written.notify_one();
        Ok(())
    }

    fn connection(&mut self) -> Result<&mut Connection, StoreError> {
        self.writer.connection.as_mut().ok_or_else(|| sqlx::Error::PoolClosed.into())
    }
}

/// Which constraint a statement broke, as far as the database tells: SQLite names columns, PostgreSQL the
/// constraint.
pub(crate) fn broken_constraint(error: &sqlx::Error) -> Option<String> {
    let database = error.as_database_error()?;
    database.is_unique_violation().then(|| database.constraint().unwrap_or_else(|| database.message()).to_owned())
}
