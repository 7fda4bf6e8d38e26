//! What the browser gives: time, storage, the clipboard, files. What it may refuse is answered with nothing.

use leptos::prelude::*;
use swarm_model::Timestamp;
use wasm_bindgen::{JsCast as _, JsValue};

use crate::view::words::Moment;

/// The current instant.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_micros((js_sys::Date::now() * 1000.0) as i64)
}

/// Now, with the viewer's offset from UTC.
pub(crate) fn moment() -> Moment {
    let behind_utc = js_sys::Date::new_0().get_timezone_offset();
    Moment { now: now(), zone_minutes: -(behind_utc as i32) }
}

/// A moment that goes on by itself while the page is looked at.
#[derive(Clone, Copy)]
pub(crate) struct Ticking(RwSignal<Moment>);

impl Ticking {
    /// Starts, and gives it to everything below.
    pub(crate) fn provide() {
        let ticking = Self(RwSignal::new(moment()));
        let tick = move || {
            if is_looked_at() {
                ticking.0.set(moment());
            }
        };
        if let Ok(handle) = set_interval_with_handle(tick, std::time::Duration::from_secs(1)) {
            on_cleanup(move || handle.clear());
        }
        provide_context(ticking);
    }

    /// The moment; whoever reads it is told when it changes.
    pub(crate) fn get(self) -> Moment {
        self.0.get()
    }
}

/// The moment of the page.
pub(crate) fn use_moment() -> Ticking {
    expect_context()
}

/// Whether the page is in front.
pub(crate) fn is_looked_at() -> bool {
    document().visibility_state() != web_sys::VisibilityState::Hidden
}

/// Scheme, host and port of the page: the coordinator's address.
pub(crate) fn origin() -> String {
    location().origin().unwrap_or_default()
}

/// Host and port, as people name the coordinator.
pub(crate) fn host() -> String {
    location().host().unwrap_or_default()
}

/// The part of the address behind `#`, which is taken out of it.
pub(crate) fn take_fragment() -> Option<String> {
    let fragment = location().hash().ok()?;
    let fragment = fragment.strip_prefix('#').filter(|fragment| !fragment.is_empty())?.to_owned();
    let path = location().pathname().unwrap_or_default();
    let history = window().history().ok()?;
    history.replace_state_with_url(&JsValue::NULL, "", Some(&path)).ok()?;
    Some(fragment)
}

/// Gives the focus to the field with this id.
pub(crate) fn focus(id: &str) {
    let found = document().get_element_by_id(id).and_then(|field| field.dyn_into::<web_sys::HtmlElement>().ok());
    if let Some(field) = found {
        field.focus().unwrap_or_default();
    }
}

/// A text that the browser keeps for this page.
pub(crate) fn stored(name: &str) -> Option<String> {
    window().local_storage().ok()??.get_item(name).ok()?
}

/// Keeps a text, where the browser lets us.
pub(crate) fn store(name: &str, value: &str) {
    if let Ok(Some(storage)) = window().local_storage() {
        storage.set_item(name, value).unwrap_or_default();
    }
}

/// A text that no other submission has.
pub(crate) fn random_key() -> String {
    let part = || (js_sys::Math::random() * f64::from(u32::MAX)) as u32;
    format!("panel-{:08x}{:08x}{:08x}", part(), part(), part())
}

/// A number between 0 and 1 by chance.
pub(crate) fn chance() -> f64 {
    js_sys::Math::random()
}

/// Puts a text on the clipboard; whether the browser let us.
pub(crate) async fn copy(text: &str) -> bool {
    // A page that came over plain HTTP from another machine has no clipboard.
    let has_clipboard =
        js_sys::Reflect::get(&window().navigator(), &"clipboard".into()).is_ok_and(|value| !value.is_undefined());
    if !has_clipboard {
        return false;
    }
    let written = window().navigator().clipboard().write_text(text);
    wasm_bindgen_futures::JsFuture::from(written).await.is_ok()
}

/// Hands bytes to the person as a file.
pub(crate) fn save(name: &str, bytes: &[u8]) -> Result<(), JsValue> {
    let parts = js_sys::Array::of1(&js_sys::Uint8Array::from(bytes));
    let blob = web_sys::Blob::new_with_u8_array_sequence(&parts)?;
    let url = web_sys::Url::create_object_url_with_blob(&blob)?;
    let link: web_sys::HtmlAnchorElement = document().create_element("a")?.unchecked_into();
    link.set_href(&url);
    link.set_download(name.rsplit('/').next().unwrap_or(name));
    link.click();
    // The browser has taken the address by now, but not yet read all of it.
    set_timeout(move || web_sys::Url::revoke_object_url(&url).unwrap_or_default(), std::time::Duration::from_secs(60));
    Ok(())
}

/// Which colours the page has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Theme {
    System,
    Dark,
    Light,
}

const THEME: &str = "theme";

impl Theme {
    pub(crate) const ALL: [Self; 3] = [Self::System, Self::Dark, Self::Light];

    /// The one that was chosen.
    pub(crate) fn chosen() -> Self {
        match stored(THEME).as_deref() {
            Some("dark") => Self::Dark,
            Some("light") => Self::Light,
            _ => Self::System,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Dark => "dark",
            Self::Light => "light",
        }
    }

    /// Colours the page, and stays.
    pub(crate) fn choose(self) {
        store(THEME, self.name());
        self.apply();
    }

    /// Colours the page.
    pub(crate) fn apply(self) {
        if let Some(root) = document().document_element() {
            root.set_attribute("data-theme", self.name()).unwrap_or_default();
        }
    }
}

/// Whether the page's address has this path.
pub(crate) fn is_at(path: &str) -> bool {
    location().pathname().is_ok_and(|here| here.trim_end_matches('/') == path)
}

/// An address within the panel with what is looked for there.
pub(crate) fn address(path: &str, query: &[(&str, String)]) -> String {
    let pairs: Vec<_> =
        query.iter().map(|(name, value)| format!("{name}={}", js_sys::encode_uri_component(value))).collect();
    if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
}
