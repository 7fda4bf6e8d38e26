//! One's password: changed, or set by somebody who came by a link.

use leptos::prelude::*;
use leptos::task::spawn_local;
use swarm_proto::ErrorCode;
use swarm_proto::auth::ChangePassword;

use super::sessions::Places;
use crate::strings::{account as text, shell};
use crate::view::password;
use crate::web::browser;
use crate::web::components::button::{Button, Weight};
use crate::web::components::field::TextField;
use crate::web::live::use_live;

const CURRENT: &str = "current-password";
const NEW: &str = "new-password";

#[component]
pub(super) fn Password(places: Places) -> impl IntoView {
    let live = use_live();
    let has_one = Memo::new(move |_| live.who.with(|who| who.has_password));
    let (current, new) = (RwSignal::new(String::new()), RwSignal::new(String::new()));
    let (current_error, new_error) = (RwSignal::new(None::<String>), RwSignal::new(None::<String>));
    let is_sending = RwSignal::new(false);
    let refuse = move |id: &'static str, words: String| {
        let error = if id == CURRENT { current_error } else { new_error };
        error.try_set(Some(words));
        browser::focus(id);
    };
    let save = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        current_error.set(None);
        new_error.set(None);
        let has_one = has_one.get_untracked();
        if has_one && current.with_untracked(String::is_empty) {
            return refuse(CURRENT, text::PASSWORD_MISSING.to_owned());
        }
        if let Some(words) = new.with_untracked(|new| password::error(new)) {
            return refuse(NEW, words);
        }
        let change = ChangePassword {
            current_password: has_one.then(|| current.get_untracked()),
            new_password: new.get_untracked(),
        };
        is_sending.set(true);
        spawn_local(async move {
            let client = live.client();
            let answer = client.change_password(&change).await;
            is_sending.try_set(false);
            match answer {
                Ok(()) => {
                    current.try_set(String::new());
                    new.try_set(String::new());
                    live.voice.good(text::PASSWORD_SAVED);
                    places.reload(live);
                    if let Ok(user) = client.me().await {
                        live.who.try_set(user);
                    }
                }
                Err(error) if error.is_unauthenticated() => live.fail(&error),
                Err(error) if error.code() == Some(ErrorCode::WrongPassword) => {
                    refuse(CURRENT, text::PASSWORD_WRONG.to_owned());
                }
                Err(error) => refuse(NEW, shell::sentence(&error.to_string())),
            }
        });
    };
    let why = move || if has_one.get() { text::PASSWORD_WHY } else { text::PASSWORD_FIRST_WHY };
    let label = move || {
        let words = match (is_sending.get(), has_one.get()) {
            (true, _) => text::PASSWORD_SAVING,
            (false, true) => text::PASSWORD_SAVE,
            (false, false) => text::PASSWORD_SET,
        };
        words.to_owned()
    };
    let hint = Signal::derive(move || new.with(|new| password::hint(new)));
    view! {
        <form class="form" on:submit=save>
            <p class="meta">{why}</p>
            // So that a password keeper knows whose password it is.
            <input class="unseen" type="text" autocomplete="username" tabindex="-1" aria-hidden="true" prop:value=move || live.who.with(|who| who.username.clone()) />
            <Show when=move || has_one.get()>
                <TextField id=CURRENT label=text::PASSWORD_NOW value=current secret=true autocomplete="current-password" error=current_error />
            </Show>
            <TextField id=NEW label=text::PASSWORD_NEW value=new secret=true autocomplete="new-password" hint error=new_error />
            <Button weight=Weight::Primary label=Signal::derive(label) online=true submits=true off=is_sending on_press=|| {} />
        </form>
    }
}
