//! What every target demands: what can be read can be written, and what was written is read as the same.
//!
//! A reader that takes something it cannot give back loses it without a word: in the store, between two versions, or
//! on the way to a worker. A panic while reading is a stranger's way to end a process.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use serde::{Serialize, de::DeserializeOwned};

/// Reads a document as a `T`, and back from what it becomes.
///
/// # Panics
/// Where the two differ.
pub fn document<T: Serialize + DeserializeOwned + PartialEq + Debug>(bytes: &[u8]) {
    let Ok(read) = serde_json::from_slice::<T>(bytes) else { return };
    let written = serde_json::to_string(&read).unwrap_or_else(|error| panic!("{read:?} cannot be written: {error}"));
    match serde_json::from_str::<T>(&written) {
        Ok(again) => assert!(read == again, "read {read:?}\nthen {again:?}\nfrom {written}"),
        Err(error) => panic!("what is written is not read: {error}\n{written}"),
    }
}

/// The same for what holds secrets and so compares with nothing: by what it becomes.
///
/// # Panics
/// Where the two differ.
pub fn secret<T: Serialize + DeserializeOwned + Debug>(bytes: &[u8]) {
    let Ok(read) = serde_json::from_slice::<T>(bytes) else { return };
    let written = serde_json::to_value(&read).unwrap_or_else(|error| panic!("{read:?} cannot be written: {error}"));
    match serde_json::from_value::<T>(written.clone()) {
        Ok(again) => assert_eq!(serde_json::to_value(again).ok(), Some(written)),
        Err(error) => panic!("what is written is not read: {error}"),
    }
}

/// Reads a text as a `T`, and back from how that is shown.
///
/// # Panics
/// Where the two are shown differently.
pub fn text<T: FromStr + Display>(text: &str)
where
    T::Err: Display,
{
    match text.parse::<T>() {
        Ok(read) => {
            let shown = read.to_string();
            match shown.parse::<T>() {
                Ok(again) => assert_eq!(shown, again.to_string()),
                Err(error) => panic!("what is shown is not read: {shown:?}: {error}"),
            }
        }
        // People see it.
        Err(error) => assert!(error.to_string().len() < 2_000, "an error as long as what was typed"),
    }
}
