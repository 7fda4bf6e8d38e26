//! A connection to one of the two databases: the only place that tells them apart.

use std::path::Path;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::query::Query;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Encode, PgConnection, PgPool, Postgres, SqlSafeStr, Sqlite,
    SqliteConnection, SqlitePool, Type,
};

use crate::holder::Holder;
use crate::sql::row::Row;
use crate::sql::rows::{Rows, with_arrays, with_values};
use crate::sql::statement::Statement;
use crate::sql::value::Value;

/// How to reach a database.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    Sqlite(SqliteConnectOptions),
    Postgres(PgConnectOptions),
}

impl Target {
    /// A file. Commits are flushed (`FULL`); checkpoints are made beside the writer (`checkpoint_after_writes`), so
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
                .statement_cache_capacity(128)
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

    /// Runs a statement for these rows, if there are any, and gives the number of rows it changed.
    pub(crate) async fn write(&mut self, statement: &Statement, rows: Rows) -> Result<u64, sqlx::Error> {
        let mut changed = 0;
        match self {
            Self::Sqlite(connection) => {
                for query in portions(statement, rows) {
                    changed += query.execute(&mut *connection).await?.rows_affected();
                }
            }
            Self::Postgres(connection) => {
                if let Some(query) = arrays(statement, rows) {
                    changed = query.execute(connection).await?.rows_affected();
                }
            }
        }
        Ok(changed)
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

    /// As `fetch`, for each of these rows.
    pub(crate) async fn fetch_for(&mut self, statement: &Statement, rows: Rows) -> Result<Vec<Row>, sqlx::Error> {
        let mut found = Vec::new();
        match self {
            Self::Sqlite(connection) => {
                for query in portions(statement, rows) {
                    found.extend(sqlite_rows(query.fetch_all(&mut *connection).await?));
                }
            }
            Self::Postgres(connection) => {
                if let Some(query) = arrays(statement, rows) {
                    found = postgres_rows(query.fetch_all(connection).await?);
                }
            }
        }
        Ok(found)
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

    /// As `fetch`, for each of these rows.
    pub(crate) async fn fetch_for(&self, statement: &Statement, rows: Rows) -> Result<Vec<Row>, sqlx::Error> {
        let mut found = Vec::new();
        match self {
            Self::Sqlite(pool) => {
                for query in portions(statement, rows) {
                    found.extend(sqlite_rows(query.fetch_all(pool).await?));
                }
            }
            Self::Postgres(pool) => {
                if let Some(query) = arrays(statement, rows) {
                    found = postgres_rows(query.fetch_all(pool).await?);
                }
            }
        }
        Ok(found)
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

/// The statement for each portion of the rows.
fn portions(
    statement: &Statement,
    rows: Rows,
) -> impl Iterator<Item = Query<'static, Sqlite, <Sqlite as sqlx::Database>::Arguments>> {
    let (text, width) = (statement.sqlite, rows.width());
    rows.portions().map(move |(n, cells)| bound::<Sqlite>(AssertSqlSafe(with_values(text, n, width)), cells))
}

/// The statement for all rows, `None` where there are none.
fn arrays(
    statement: &Statement,
    rows: Rows,
) -> Option<Query<'static, Postgres, <Postgres as sqlx::Database>::Arguments>> {
    if rows.is_empty() {
        return None;
    }
    let arrays: Vec<Array> = rows.columns().into_iter().map(Array::of).collect();
    let text = with_arrays(statement.postgres, arrays.iter().map(Array::type_name));
    let query = sqlx::query::<Postgres>(AssertSqlSafe(text));
    Some(arrays.into_iter().fold(query, |query, array| match array {
        Array::Texts(texts) => query.bind(texts),
        Array::Ints(numbers) => query.bind(numbers),
        Array::Bools(flags) => query.bind(flags),
        Array::Bytes(bytes) => query.bind(bytes),
    }))
}

/// A column of PostgreSQL.
enum Array {
    Texts(Vec<Option<String>>),
    Ints(Vec<Option<i64>>),
    Bools(Vec<Option<bool>>),
    Bytes(Vec<Option<Vec<u8>>>),
}

impl Array {
    /// All cells of a column are of one kind: that of the first.
    fn of(cells: Vec<Value>) -> Self {
        macro_rules! all {
            ($kind:path) => {
                cells.into_iter().map(|cell| if let $kind(cell) = cell { cell } else { None }).collect()
            };
        }
        match cells.first() {
            Some(Value::Int(_)) => Self::Ints(all!(Value::Int)),
            Some(Value::Bool(_)) => Self::Bools(all!(Value::Bool)),
            Some(Value::Bytes(_)) => Self::Bytes(all!(Value::Bytes)),
            Some(Value::Text(_)) | None => Self::Texts(all!(Value::Text)),
        }
    }

    fn type_name(&self) -> &'static str {
        match self {
            Self::Texts(_) => "TEXT",
            Self::Ints(_) => "BIGINT",
            Self::Bools(_) => "BOOLEAN",
            Self::Bytes(_) => "BYTEA",
        }
    }
}

fn bound<DB>(text: impl SqlSafeStr, values: Vec<Value>) -> Query<'static, DB, DB::Arguments>
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
