//! Keys of the whole page. They rest while somebody writes, and while a dialog is open.

use leptos::ev;
use leptos::prelude::*;
use leptos_router::hooks::use_navigate;
use wasm_bindgen::JsCast as _;

/// What a page does on its own keys.
type Bindings = Vec<(u64, char, Callback<()>)>;

/// The keys of the page.
#[derive(Clone, Copy)]
pub(crate) struct Keys {
    bound: StoredValue<Bindings>,
    count: StoredValue<u64>,
    /// Whether G was pressed and waits for the letter of a page.
    going: StoredValue<bool>,
}

impl Keys {
    /// Listens from now on.
    pub(crate) fn provide() -> Self {
        let keys =
            Self { bound: StoredValue::new(Vec::new()), count: StoredValue::new(0), going: StoredValue::new(false) };
        provide_context(keys);
        let navigate = use_navigate();
        let listener = window_event_listener(ev::keydown, move |event| {
            if !rests(&event) {
                let key = event.key();
                let mut chars = key.chars();
                if let (Some(letter), None) = (chars.next(), chars.next())
                    && keys.press(letter.to_ascii_lowercase(), &navigate)
                {
                    event.prevent_default();
                }
            }
        });
        on_cleanup(move || listener.remove());
        keys
    }

    fn press(self, letter: char, navigate: &impl Fn(&str, leptos_router::NavigateOptions)) -> bool {
        if self.going.get_value() {
            self.going.set_value(false);
            let page = match letter {
                'h' => "/",
                't' => "/tasks",
                'w' => "/workers",
                'o' => "/tools",
                'u' => "/usage",
                'a' => "/account",
                _ => return false,
            };
            navigate(page, Default::default());
            return true;
        }
        if letter == 'g' {
            self.going.set_value(true);
            return true;
        }
        let bound = self
            .bound
            .with_value(|bound| bound.iter().rev().find(|(_, other, _)| *other == letter).map(|(.., act)| *act));
        bound.inspect(|act| act.run(())).is_some()
    }

    /// Binds a key until the caller's part of the page goes.
    pub(crate) fn bind(self, letter: char, act: impl Fn() + Send + Sync + 'static) {
        let id = self.count.try_update_value(|count| {
            *count += 1;
            *count
        });
        let Some(id) = id else { return };
        let act = Callback::new(move |()| act());
        self.bound.update_value(|bound| bound.push((id, letter, act)));
        on_cleanup(move || {
            self.bound.try_update_value(|bound| bound.retain(|(other, ..)| *other != id));
        });
    }
}

fn rests(event: &web_sys::KeyboardEvent) -> bool {
    let writes = event
        .target()
        .and_then(|target| target.dyn_into::<web_sys::Element>().ok())
        .is_some_and(|element| matches!(element.tag_name().as_str(), "INPUT" | "TEXTAREA" | "SELECT"));
    let is_asked = document().query_selector("dialog[open]").is_ok_and(|dialog| dialog.is_some());
    event.ctrl_key() || event.meta_key() || event.alt_key() || event.is_composing() || writes || is_asked
}

/// The keys of the page.
pub(crate) fn use_keys() -> Keys {
    expect_context()
}
