//! What the page says beside itself: toasts, and one polite voice for those who do not see it.

use std::time::Duration;

use leptos::prelude::*;

use crate::view::news::{self, News};

/// How often the voice speaks at most, but for what is urgent.
const BREATH: Duration = Duration::from_secs(5);
/// How long a toast stays.
const TOAST: Duration = Duration::from_secs(6);

/// A toast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Toast {
    pub(crate) id: u64,
    pub(crate) words: String,
    pub(crate) is_bad: bool,
    /// Where its words lead.
    pub(crate) href: Option<String>,
}

/// Toasts and the voice.
#[derive(Clone, Copy)]
pub(crate) struct Voice {
    pub(crate) toasts: RwSignal<Vec<Toast>>,
    pub(crate) spoken: RwSignal<String>,
    waiting: StoredValue<Vec<String>>,
    is_waiting: StoredValue<bool>,
    count: StoredValue<u64>,
    /// The toast under the pointer or focus, which stays.
    pub(crate) kept: RwSignal<Option<u64>>,
}

impl Voice {
    pub(crate) fn provide() -> Self {
        let voice = Self {
            toasts: RwSignal::new(Vec::new()),
            spoken: RwSignal::new(String::new()),
            waiting: StoredValue::new(Vec::new()),
            is_waiting: StoredValue::new(false),
            count: StoredValue::new(0),
            kept: RwSignal::new(None),
        };
        provide_context(voice);
        voice
    }

    /// Says that something went well.
    pub(crate) fn good(self, words: impl Into<String>) {
        self.toast(words.into(), false, None);
    }

    /// Says that something went well, and where it leads.
    pub(crate) fn good_at(self, words: impl Into<String>, href: String) {
        self.toast(words.into(), false, Some(href));
    }

    /// Says that something did not go.
    pub(crate) fn bad(self, error: &impl std::fmt::Display) {
        self.toast(crate::strings::shell::sentence(&error.to_string()), true, None);
    }

    fn toast(self, words: String, is_bad: bool, href: Option<String>) {
        let id = self.count.try_update_value(|count| {
            *count += 1;
            *count
        });
        let Some(id) = id else { return };
        self.toasts.update(|toasts| toasts.push(Toast { id, words, is_bad, href }));
        self.leave_later(id);
    }

    fn leave_later(self, id: u64) {
        set_timeout(
            move || {
                if self.kept.try_get_untracked().flatten() == Some(id) {
                    self.leave_later(id);
                } else {
                    self.drop_toast(id);
                }
            },
            TOAST,
        );
    }

    /// Takes a toast away.
    pub(crate) fn drop_toast(self, id: u64) {
        self.toasts.try_update(|toasts| toasts.retain(|toast| toast.id != id));
    }

    /// Says news: at once where it is urgent, else with what comes in the same breath.
    pub(crate) fn tell(self, news: News) {
        self.waiting.update_value(|waiting| waiting.push(news.words));
        if news.is_urgent {
            self.speak();
        } else if !self.is_waiting.get_value() {
            self.is_waiting.set_value(true);
            set_timeout(
                move || {
                    self.is_waiting.try_set_value(false);
                    self.speak();
                },
                BREATH,
            );
        }
    }

    fn speak(self) {
        let Some(waiting) = self.waiting.try_update_value(std::mem::take) else { return };
        if !waiting.is_empty() {
            self.spoken.try_set(news::together(&waiting));
        }
    }
}

/// The voice of the page.
pub(crate) fn use_voice() -> Voice {
    expect_context()
}
