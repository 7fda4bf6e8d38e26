//! Oneself: profile, password, colours, and where one is signed in.

mod password;
mod profile;
mod sessions;

use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::strings::{account as text, shell};
use crate::view::account;
use crate::web::announce::use_voice;
use crate::web::components::button::Button;
use crate::web::components::colours::Colours;
use crate::web::live::use_live;
use crate::web::session::use_sessions;
use password::Password;
use profile::Profile;
use sessions::{Places, SessionList};

/// The page about oneself.
#[component]
pub(crate) fn Account() -> impl IntoView {
    let live = use_live();
    let sessions = use_sessions();
    let voice = use_voice();
    let places = Places::read(live);
    // Somebody else may have changed it since one signed in: an admin, or oneself elsewhere.
    spawn_local(async move {
        if let Ok(user) = live.client().me().await {
            live.who.try_set(user);
        }
    });
    let leave = move || {
        spawn_local(async move {
            if let Err(error) = sessions.sign_out(live.client()).await {
                voice.bad(&error);
            }
        });
    };
    let headline =
        move || live.who.with(|who| places.list.with(|sessions| account::headline(who, sessions.as_deref())));
    view! {
        <div class="page account">
            <div class="head">
                <h1>{headline}</h1>
                <Button label=shell::SIGN_OUT.to_owned() on_press=leave />
            </div>
            <Part title=text::PROFILE><Profile /></Part>
            <Part title=text::PASSWORD><Password places /></Part>
            <Part title=text::SESSIONS><SessionList places /></Part>
            <Part title=shell::THEME><Colours /></Part>
        </div>
    }
}

#[component]
fn Part(title: &'static str, children: Children) -> impl IntoView {
    view! { <section aria-label=title><h2>{title}</h2><div>{children()}</div></section> }
}
