//! A connection to one of the two databases: the only place that tells them apart.

use std::path::Path;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::query::Query;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{
    ConnectOptions as _, Connection as _, Encode, PgConnection, PgPool, Postgres, Sqlite, SqliteConnection, SqlitePool,
    Type,
};

use crate::holder::Holder;
use crate::sql::row::Row;
use crate::sql::statement::Statement;
use crate::sql::value::Value;

/// How to reach a database.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    Sqlite(SqliteConnectOptions),
    Postgres(PgConnectOptions),
}

impl Target {
    /// A file. Commits are flushed (`FULL`); checkpoints are made beside the writer by [`Readers::checkpoint`], so
    /// that a commit does not wait for one unless 64 MiB have gathered.
    pub(crate) fn sqlite(path: &Path, busy_timeout: Duration) -> Self {
        Self::Sqlite(
            SqliteConnectOptions::new()
                .filename(path)
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
                .foreign_keys(true)
                .busy_timeout(busy_timeout)
                .pragma("wal_autocheckpoint", "16384")
                .pragma("journal_size_limit", "67108864")
                .pragma("cache_size", "-8192")
                .pragma("temp_store", "MEMORY")
                .statement_cache_capacity(64)
                .command_buffer_size(8)
                .disable_statement_logging(),
        )
    }

    /// A server. The session says who it is, so that a second coordinator can tell whom it met.
    pub(crate) fn postgres(url: &str, holder: &Holder, lock_timeout: Duration) -> Result<Self, sqlx::Error> {
        let options: PgConnectOptions = url.parse()?;
        Ok(Self::Postgres(
            options
                .application_name(&session_name(holder))
                .options([("lock_timeout", format!("{}ms", lock_timeout.as_millis()))])
                .statement_cache_capacity(128)
                .disable_statement_logging(),
        ))
    }

    pub(crate) async fn connect(&self) -> Result<Connection, sqlx::Error> {
        Ok(match self {
            Self::Sqlite(options) => Connection::Sqlite(SqliteConnection::connect_with(options).await?),
            Self::Postgres(options) => Connection::Postgres(PgConnection::connect_with(options).await?),
        })
    }

    /// The connections that read, opened when they are needed.
    pub(crate) fn readers(&self, count: u32) -> Readers {
        let idle = Duration::from_mins(1);
        match self {
            Self::Sqlite(options) => Readers::Sqlite(
                SqlitePoolOptions::new()
                    .max_connections(count)
                    .idle_timeout(idle)
                    .max_lifetime(None)
                    .test_before_acquire(false)
                    .connect_lazy_with(options.clone().pragma("query_only", "ON").pragma("cache_size", "-2048")),
            ),
            Self::Postgres(options) => Readers::Postgres(
                PgPoolOptions::new().max_connections(count).idle_timeout(idle).connect_lazy_with(options.clone()),
            ),
        }
    }
}

/// What PostgreSQL shows of a session: 63 bytes at most.
fn session_name(holder: &Holder) -> String {
    let name = format!("garageswarm {} {} {}", holder.pid, holder.host, holder.address);
    let end = (0..=name.len().min(63)).rev().find(|end| name.is_char_boundary(*end)).unwrap_or(0);
    name[..end].trim_end().to_owned()
}

/// Reads what [`session_name`] wrote.
pub(crate) fn holder_of_session(name: &str) -> Option<Holder> {
    let mut words = name.strip_prefix("garageswarm ")?.splitn(3, ' ');
    Some(Holder {
        pid: words.next()?.parse().ok()?,
        host: words.next()?.to_owned(),
        address: words.next().unwrap_or_default().to_owned(),
    })
}

/// The connection that writes.
#[derive(Debug)]
pub(crate) enum Connection {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Connection {
    /// Runs a statement and gives the number of rows it changed.
    pub(crate) async fn execute(&mut self, statement: &Statement, values: Vec<Value>) -> Result<u64, sqlx::Error> {
        Ok(match self {
            Self::Sqlite(connection) => {
                bound::<Sqlite>(statement.sqlite, values).execute(connection).await?.rows_affected()
            }
            Self::Postgres(connection) => {
                bound::<Postgres>(statement.postgres, values).execute(connection).await?.rows_affected()
            }
        })
    }

    /// Runs a statement and gives its rows.
    pub(crate) async fn fetch(&mut self, statement: &Statement, values: Vec<Value>) -> Result<Vec<Row>, sqlx::Error> {
        Ok(match self {
            Self::Sqlite(connection) => {
                sqlite_rows(bound::<Sqlite>(statement.sqlite, values).fetch_all(connection).await?)
            }
            Self::Postgres(connection) => {
                postgres_rows(bound::<Postgres>(statement.postgres, values).fetch_all(connection).await?)
            }
        })
    }

    /// Runs a text without arguments, also of several statements.
    pub(crate) async fn run_script(&mut self, script: &Statement) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(connection) => sqlx::raw_sql(script.sqlite).execute(connection).await.map(|_| ()),
            Self::Postgres(connection) => sqlx::raw_sql(script.postgres).execute(connection).await.map(|_| ()),
        }
    }

    pub(crate) async fn close(self) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(connection) => connection.close().await,
            Self::Postgres(connection) => connection.close().await,
        }
    }
}

/// The connections that read.
#[derive(Debug)]
pub(crate) enum Readers {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl Readers {
    pub(crate) async fn fetch(&self, statement: &Statement, values: Vec<Value>) -> Result<Vec<Row>, sqlx::Error> {
        Ok(match self {
            Self::Sqlite(pool) => sqlite_rows(bound::<Sqlite>(statement.sqlite, values).fetch_all(pool).await?),
            Self::Postgres(pool) => postgres_rows(bound::<Postgres>(statement.postgres, values).fetch_all(pool).await?),
        })
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(pool) => pool.close().await,
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

fn sqlite_rows(rows: Vec<sqlx::sqlite::SqliteRow>) -> Vec<Row> {
    rows.into_iter().map(Row::Sqlite).collect()
}

fn postgres_rows(rows: Vec<sqlx::postgres::PgRow>) -> Vec<Row> {
    rows.into_iter().map(Row::Postgres).collect()
}

fn bound<DB>(text: &'static str, values: Vec<Value>) -> Query<'static, DB, DB::Arguments>
where
    DB: sqlx::Database,
    Option<String>: for<'t> Encode<'t, DB> + Type<DB>,
    Option<i64>: for<'t> Encode<'t, DB> + Type<DB>,
    Option<bool>: for<'t> Encode<'t, DB> + Type<DB>,
    Option<Vec<u8>>: for<'t> Encode<'t, DB> + Type<DB>,
{
    values.into_iter().fold(sqlx::query::<DB>(text), |query, value| match value {
        Value::Text(text) => query.bind(text),
        Value::Int(number) => query.bind(number),
        Value::Bool(flag) => query.bind(flag),
        Value::Bytes(bytes) => query.bind(bytes),
    })
}
