//! The two schemas are one, and every statement is understood by the database it is for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _, SqlSafeStr as _, SqliteConnection};

use super::postgres::{OnPostgres, server};
use super::sqlite::{OnSqlite, open_in};
use super::suite::HasTasks as _;
use super::suite::usage::{BACK_TO_VERSION_2, an_eventful_history, by_everything};
use crate::error::StoreError;
use crate::sql::{MARK, MIGRATIONS, Migration, Statement, Target, migrate, with_values};
use crate::{DatabaseUrl, Stores};

const ANOTHER: Migration = Migration {
    name: "another",
    script: Statement { sqlite: "CREATE TABLE extra (id BIGINT)", postgres: "CREATE TABLE extra (id BIGINT)" },
};

async fn raw(path: &Path) -> SqliteConnection {
    let url = format!("sqlite://{}", path.display());
    SqliteConnection::connect(&url).await.unwrap()
}

fn database(folder: &Path) -> PathBuf {
    folder.join(crate::backup::DATABASE_FILE)
}

#[tokio::test]
async fn an_older_schema_is_brought_up_to_date_and_a_newer_one_refused() {
    let backend = OnSqlite::new().await;
    let folder = backend.folder.path().to_owned();
    let keep = backend.folder.path().join("keep");
    std::fs::create_dir(&keep).unwrap();
    crate::backup::backup(&folder, &keep.join("copy"), crate::tests::story::START).await.unwrap();

    // A version that knows one step more.
    let target = Target::sqlite(&keep.join("copy").join(crate::backup::DATABASE_FILE), Duration::from_secs(1));
    let newer = [MIGRATIONS, &[ANOTHER]].concat();
    let mut connection = target.connect().await.unwrap();
    migrate(&mut connection, &newer).await.unwrap();
    migrate(&mut connection, &newer).await.unwrap();
    connection.close().await.unwrap();

    // This version meets what that one left.
    let refused =
        Stores::open(&DatabaseUrl::in_folder(&keep.join("copy")), &super::sqlite::options(&keep)).await.unwrap_err();
    let known = MIGRATIONS.len() as i64;
    assert!(
        matches!(refused, StoreError::NewerSchema { found, known: k } if found == known + 1 && k == known),
        "{refused}"
    );
    backend.close().await;
}

#[tokio::test]
async fn a_step_that_fails_leaves_the_version_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let broken = Migration {
        name: "broken",
        script: Statement { sqlite: "CREATE TABLE half (id BIGINT); CREATE TABLE half (id BIGINT)", postgres: "" },
    };
    let target = Target::sqlite(&database(folder.path()), Duration::from_secs(1));
    let mut connection = target.connect().await.unwrap();
    migrate(&mut connection, &[MIGRATIONS, &[broken]].concat()).await.unwrap_err();
    drop(connection);
    open_in(folder.path()).await.housekeeping.close().await.unwrap();
    let mut connection = raw(&database(folder.path())).await;
    let half =
        sqlx::query("SELECT 1 FROM sqlite_schema WHERE name = 'half'").fetch_optional(&mut connection).await.unwrap();
    assert!(half.is_none());
    connection.close().await.unwrap();
}

#[tokio::test]
async fn what_was_used_before_there_were_sums_is_in_them() {
    let backend = OnSqlite::new().await;
    let before = an_eventful_history(backend.tasks()).await;
    assert!(before.len() > 10, "{before:?}");
    let folder = backend.stop().await;
    let mut connection = raw(&database(folder.path())).await;
    sqlx::raw_sql(BACK_TO_VERSION_2).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();

    let stores = open_in(folder.path()).await;
    assert_eq!(by_everything(&*stores.tasks).await, before);
    stores.housekeeping.close().await.unwrap();
}

/// A table's columns as `name type null`, in the words of the common subset.
type Columns = BTreeMap<String, Vec<String>>;

fn common(kind: &str) -> String {
    match kind.to_ascii_lowercase().as_str() {
        "text" => "text",
        "integer" | "bigint" => "bigint",
        "boolean" => "boolean",
        "blob" | "bytea" => "bytes",
        other => panic!("{other} is not in the common subset"),
    }
    .to_owned()
}

async fn sqlite_columns(path: &Path) -> Columns {
    let mut connection = raw(path).await;
    let query = "SELECT m.name AS tbl, c.name AS col, c.type AS kind, c.\"notnull\" OR c.pk AS required \
        FROM sqlite_schema AS m JOIN pragma_table_info(m.name) AS c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'";
    let mut columns = Columns::new();
    for row in sqlx::query(query).fetch_all(&mut connection).await.unwrap() {
        let required: bool = row.get("required");
        let column = format!("{} {} {required}", row.get::<String, _>("col"), common(row.get("kind")));
        columns.entry(row.get("tbl")).or_default().push(column);
    }
    for columns in columns.values_mut() {
        columns.sort();
    }
    connection.close().await.unwrap();
    columns
}

async fn postgres_columns(url: &str) -> Columns {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let query = "SELECT table_name::text AS tbl, column_name::text AS col, data_type::text AS kind, is_nullable = 'NO' AS required \
        FROM information_schema.columns WHERE table_schema = current_schema()";
    let mut columns = Columns::new();
    for row in sqlx::query(query).fetch_all(&mut connection).await.unwrap() {
        let required: bool = row.get("required");
        let column = format!("{} {} {required}", row.get::<String, _>("col"), common(row.get("kind")));
        columns.entry(row.get("tbl")).or_default().push(column);
    }
    for columns in columns.values_mut() {
        columns.sort();
    }
    connection.close().await.unwrap();
    columns
}

fn plain(url: DatabaseUrl) -> String {
    match url {
        DatabaseUrl::Postgres(url) => url,
        DatabaseUrl::Sqlite(path) => panic!("{}", path.display()),
    }
}

#[tokio::test]
async fn both_databases_have_the_same_columns() {
    let Some(server) = server() else { return };
    let (sqlite, postgres) = (OnSqlite::new().await, OnPostgres::new(server).await);
    let on_sqlite = sqlite_columns(&database(sqlite.folder.path())).await;
    assert!(on_sqlite.len() > 10, "{on_sqlite:?}");
    assert_eq!(on_sqlite, postgres_columns(&plain(postgres.url())).await);
    sqlite.close().await;
    postgres.close().await;
}

/// Every statement file, with the database that its name restricts it to.
fn statements() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for group in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/sql")).unwrap() {
        for file in std::fs::read_dir(group.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            found.push((path, text));
        }
    }
    assert!(found.len() > 50, "{}", found.len());
    found
}

/// A statement of rows with two of them, as wide as the list of columns in front.
fn with_rows(text: &str) -> String {
    let Some((before, _)) = text.split_once(MARK) else { return text.to_owned() };
    let list = before.trim_end().trim_end_matches("AS (").trim_end();
    let columns = list[list.rfind('(').unwrap()..].split(',').count();
    with_values(text, 2, columns)
}

fn is_for(path: &Path, other: &str) -> bool {
    !path.to_string_lossy().ends_with(&format!(".{other}.sql"))
}

#[tokio::test]
async fn sqlite_understands_every_statement() {
    let backend = OnSqlite::new().await;
    let mut connection = raw(&database(backend.folder.path())).await;
    for (path, text) in statements().into_iter().filter(|(path, _)| is_for(path, "postgres")) {
        let prepared = connection.prepare(AssertSqlSafe(with_rows(&text)).into_sql_str()).await;
        assert!(prepared.is_ok(), "{}: {prepared:?}", path.display());
    }
    connection.close().await.unwrap();
    backend.close().await;
}

#[tokio::test]
async fn postgres_understands_every_statement() {
    let Some(server) = server() else { return };
    let backend = OnPostgres::new(server).await;
    let mut connection = PgConnection::connect(&plain(backend.url())).await.unwrap();
    // `$1 IS NULL` alone tells no type: the program names the type of each argument, and of each column of rows.
    let named = [
        "tasks/list.sql",
        "tasks/list_of_user.sql",
        "tokens/keys.sql",
        "tokens/revoke_sessions.sql",
        "workers/for_user.sql",
    ];
    for (path, text) in statements().into_iter().filter(|(path, _)| is_for(path, "sqlite")) {
        if text.contains(MARK) || named.iter().any(|name| path.ends_with(name)) {
            continue;
        }
        let prepared = connection.prepare(AssertSqlSafe(text).into_sql_str()).await;
        assert!(prepared.is_ok(), "{}: {prepared:?}", path.display());
    }
    connection.close().await.unwrap();
    backend.close().await;
}
