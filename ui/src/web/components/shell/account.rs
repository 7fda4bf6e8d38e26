//! Oneself: colours, password, signing out.

use leptos::prelude::*;
use leptos::task::spawn_local;
use swarm_proto::ErrorCode;
use swarm_proto::auth::ChangePassword;

use crate::strings::shell as text;
use crate::web::announce::use_voice;
use crate::web::browser::Theme;
use crate::web::components::button::{Button, Weight};
use crate::web::components::dialog::Dialog;
use crate::web::components::field::TextField;
use crate::web::live::use_live;
use crate::web::session::use_sessions;

/// The least length of a password, as the coordinator has it.
const LEAST: usize = 10;

#[component]
pub(super) fn Account(open: RwSignal<bool>) -> impl IntoView {
    view! {
        <Dialog open title=text::ACCOUNT.to_owned()>
            <Who />
            <Colours />
            <Password open />
        </Dialog>
    }
}

#[component]
fn Who() -> impl IntoView {
    let live = use_live();
    let sessions = use_sessions();
    let voice = use_voice();
    let leave = move || {
        spawn_local(async move {
            if let Err(error) = sessions.sign_out(live.client()).await {
                voice.bad(&error);
            }
        });
    };
    view! {
        <div class="account-who">
            <p>{text::SIGNED_IN_AS}" "<b>{live.user().username}</b></p>
            <Button label=text::SIGN_OUT.to_owned() on_press=leave />
        </div>
    }
}

#[component]
fn Colours() -> impl IntoView {
    let chosen = RwSignal::new(Theme::chosen());
    let choice = move |theme: Theme| {
        let words = match theme {
            Theme::System => text::THEME_SYSTEM,
            Theme::Dark => text::THEME_DARK,
            Theme::Light => text::THEME_LIGHT,
        };
        let choose = move |_| {
            theme.choose();
            chosen.set(theme);
        };
        view! {
            <label class="chip" class:on=move || chosen.get() == theme>
                <input class="unseen" type="radio" name="theme" prop:checked=move || chosen.get() == theme on:change=choose />
                {words}
            </label>
        }
    };
    view! {
        <fieldset class="account-part">
            <legend>{text::THEME}</legend>
            <div class="chips">{Theme::ALL.map(choice).collect_view()}</div>
        </fieldset>
    }
}

#[component]
fn Password(open: RwSignal<bool>) -> impl IntoView {
    let live = use_live();
    let voice = use_voice();
    let has_one = live.user().has_password;
    let (current, new) = (RwSignal::new(String::new()), RwSignal::new(String::new()));
    let (current_error, new_error) = (RwSignal::new(None::<String>), RwSignal::new(None::<String>));
    let save = move || {
        current_error.set(None);
        new_error.set(None);
        if new.get_untracked().chars().count() < LEAST {
            return new_error.set(Some(text::PASSWORD_RULE.to_owned()));
        }
        let change = ChangePassword {
            current_password: has_one.then(|| current.get_untracked()),
            new_password: new.get_untracked(),
        };
        spawn_local(async move {
            let client = live.client();
            match client.change_password(&change).await {
                Ok(()) => {
                    voice.good(text::PASSWORD_SAVED);
                    open.set(false);
                    if let Ok(user) = client.me().await {
                        live.set_user(user);
                    }
                }
                Err(error) if error.code() == Some(ErrorCode::WrongPassword) => {
                    current_error.try_set(Some(text::PASSWORD_WRONG.to_owned()));
                }
                Err(error) => {
                    new_error.try_set(Some(text::sentence(&error.to_string())));
                }
            }
        });
    };
    let heading = if has_one { text::PASSWORD_CHANGE } else { text::PASSWORD_SET };
    view! {
        <form class="account-part" on:submit=move |event| { event.prevent_default(); save(); }>
            <h3>{heading}</h3>
            <p class="meta">{text::PASSWORD_WHY}</p>
            // So that a password keeper knows whose password it is.
            <input class="unseen" type="text" autocomplete="username" tabindex="-1" aria-hidden="true" prop:value=live.user().username />
            {has_one.then(|| view! {
                <TextField id="current-password" label=text::PASSWORD_NOW value=current secret=true autocomplete="current-password" error=current_error />
            })}
            <TextField id="new-password" label=text::PASSWORD_NEW value=new secret=true autocomplete="new-password" hint=text::PASSWORD_RULE.to_owned() error=new_error />
            <footer>
                <Button weight=Weight::Primary label=text::PASSWORD_SAVE.to_owned() submits=true on_press=|| {} />
            </footer>
        </form>
    }
}
