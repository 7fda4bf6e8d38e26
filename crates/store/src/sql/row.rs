//! Rows that a database gives, and how they become values of ours, or a complaint that names the column.

use std::str::FromStr;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde::de::IntoDeserializer as _;
use serde::de::value::{Error as NameError, StrDeserializer};
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use swarm_model::Timestamp;

use crate::error::{Cause, StoreError};

/// A row of either database.
#[derive(Debug)]
pub(crate) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl Row {
    /// Its columns, read as those of `table`, whose rows are known by `key`.
    pub(crate) fn of(&self, table: &'static str, key: &'static str) -> Fields<'_> {
        Fields { row: self, table, key }
    }
}

/// The columns of a row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields<'a> {
    row: &'a Row,
    table: &'static str,
    key: &'static str,
}

macro_rules! getters {
    ($($(#[$doc:meta])* $get:ident, $get_opt:ident: $type:ty;)+) => {
        $(
            $(#[$doc])*
            pub(crate) fn $get_opt(&self, column: &'static str) -> Result<Option<$type>, StoreError> {
                let value = match self.row {
                    // SQLite's columns have no type of their own; what matters is the value.
                    Row::Sqlite(row) => row.try_get_unchecked(column),
                    Row::Postgres(row) => row.try_get(column),
                };
                value.map_err(|error: sqlx::Error| self.corrupt(column, error))
            }

            $(#[$doc])*
            pub(crate) fn $get(&self, column: &'static str) -> Result<$type, StoreError> {
                self.$get_opt(column)?.ok_or_else(|| self.corrupt(column, "a null where none may be"))
            }
        )+
    };
}

impl Fields<'_> {
    getters! {
        /// Text.
        text, opt_text: String;
        /// A number.
        int, opt_int: i64;
        /// Yes or no.
        flag, opt_flag: bool;
        /// Bytes.
        bytes, opt_bytes: Vec<u8>;
    }

    /// A count: a number that fits the smaller type.
    pub(crate) fn count<T: TryFrom<i64>>(&self, column: &'static str) -> Result<T, StoreError> {
        let number = self.int(column)?;
        T::try_from(number).map_err(|_| self.corrupt(column, format!("{number} is out of range")))
    }

    pub(crate) fn opt_count<T: TryFrom<i64>>(&self, column: &'static str) -> Result<Option<T>, StoreError> {
        let number = self.opt_int(column)?;
        number.map(|n| T::try_from(n).map_err(|_| self.corrupt(column, format!("{n} is out of range")))).transpose()
    }

    pub(crate) fn time(&self, column: &'static str) -> Result<Timestamp, StoreError> {
        self.int(column).map(Timestamp::from_micros)
    }

    pub(crate) fn opt_time(&self, column: &'static str) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.opt_int(column)?.map(Timestamp::from_micros))
    }

    /// An id, or another value that is read from text.
    pub(crate) fn parsed<T: FromStr<Err: Into<Cause>>>(&self, column: &'static str) -> Result<T, StoreError> {
        self.text(column)?.parse().map_err(|error: T::Err| self.corrupt(column, error))
    }

    pub(crate) fn opt_parsed<T: FromStr<Err: Into<Cause>>>(
        &self,
        column: &'static str,
    ) -> Result<Option<T>, StoreError> {
        let text = self.opt_text(column)?;
        text.map(|text| text.parse().map_err(|error: T::Err| self.corrupt(column, error))).transpose()
    }

    /// A member of a closed set, by the name it has on the wire.
    pub(crate) fn name<T: for<'de> Deserialize<'de>>(&self, column: &'static str) -> Result<T, StoreError> {
        let text = self.text(column)?;
        self.read_name(column, &text)
    }

    pub(crate) fn opt_name<T: for<'de> Deserialize<'de>>(&self, column: &'static str) -> Result<Option<T>, StoreError> {
        let text = self.opt_text(column)?;
        text.map(|text| self.read_name(column, &text)).transpose()
    }

    fn read_name<T: for<'de> Deserialize<'de>>(&self, column: &'static str, text: &str) -> Result<T, StoreError> {
        let name: StrDeserializer<'_, NameError> = text.into_deserializer();
        T::deserialize(name).map_err(|error| self.corrupt(column, error))
    }

    /// A value that is kept as JSON.
    pub(crate) fn json<T: DeserializeOwned>(&self, column: &'static str) -> Result<T, StoreError> {
        serde_json::from_str(&self.text(column)?).map_err(|error| self.corrupt(column, error))
    }

    pub(crate) fn opt_json<T: DeserializeOwned>(&self, column: &'static str) -> Result<Option<T>, StoreError> {
        let text = self.opt_text(column)?;
        text.map(|text| serde_json::from_str(&text).map_err(|error| self.corrupt(column, error))).transpose()
    }

    pub(crate) fn corrupt(&self, column: &'static str, source: impl Into<Cause>) -> StoreError {
        StoreError::corrupt(self.table, column, self.row_name(), source)
    }

    fn row_name(&self) -> String {
        let text = |number: i64| number.to_string();
        let name = match self.row {
            Row::Sqlite(row) => row.try_get_unchecked::<String, _>(self.key),
            Row::Postgres(row) => {
                row.try_get::<String, _>(self.key).or_else(|_| row.try_get::<i64, _>(self.key).map(text))
            }
        };
        name.unwrap_or_else(|_| "unknown".to_owned())
    }
}
