//! Signing in: by the link in the address, or by name and password.

use leptos::prelude::*;
use leptos::task::spawn_local;
use swarm_proto::ErrorCode;

use crate::strings::{register, shell, signin as text};
use crate::web::browser;
use crate::web::components::button::{Button, Weight};
use crate::web::components::copy_line::CopyLine;
use crate::web::components::field::TextField;
use crate::web::components::front::Front;
use crate::web::components::icon::Icon;
use crate::web::components::prose::Prose;
use crate::web::session::{Auth, Why, use_sessions};

/// The page of somebody who is not signed in, or not yet.
#[component]
pub(crate) fn SignIn(
    /// Where that stands.
    auth: Auth,
) -> impl IntoView {
    let (is_shut, body) = match auth {
        Auth::Unknown | Auth::Somebody(_) => {
            (false, view! { <p class="loading" role="status">{shell::LOADING}</p> }.into_any())
        }
        Auth::ByLink => {
            let body = view! { <h1>{text::BY_LINK}</h1><p class="reason" role="status">{text::BY_LINK_BODY}</p> };
            (false, body.into_any())
        }
        Auth::Nobody(Why::SpentLink) => (true, view! { <Spent /> }.into_any()),
        Auth::Nobody(Why::Unreachable(why)) => (true, view! { <Unreachable why /> }.into_any()),
        Auth::Nobody(why @ (Why::Fresh | Why::SignedOut | Why::Ended)) => {
            (false, view! { <Password why /> }.into_any())
        }
    };
    view! { <Front is_shut>{body}</Front> }
}

#[component]
fn Password(why: Why) -> impl IntoView {
    let sessions = use_sessions();
    let (name, password) = (RwSignal::new(String::new()), RwSignal::new(String::new()));
    let (name_error, password_error) = (RwSignal::new(None::<String>), RwSignal::new(None::<String>));
    let is_sending = RwSignal::new(false);
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let missing =
            |value: RwSignal<String>, words: &str| value.with_untracked(String::is_empty).then(|| words.to_owned());
        name_error.set(missing(name, text::NAME_MISSING));
        password_error.set(missing(password, text::PASSWORD_MISSING));
        if name_error.get_untracked().is_some() || password_error.get_untracked().is_some() {
            return;
        }
        is_sending.set(true);
        spawn_local(async move {
            // No name ends in a space, but a phone likes to add one.
            let answer = sessions.login(name.get_untracked().trim().to_owned(), password.get_untracked()).await;
            is_sending.try_set(false);
            if let Err(error) = answer {
                let words = match error.code() {
                    Some(ErrorCode::WrongPassword) => text::WRONG.to_owned(),
                    _ => shell::sentence(&error.to_string()),
                };
                password_error.try_set(Some(words));
            }
        });
    };
    let note = match why {
        Why::Ended => Some(text::ENDED),
        Why::SignedOut => Some(text::SIGNED_OUT),
        Why::Fresh | Why::SpentLink | Why::Unreachable(_) => None,
    };
    let label = Signal::derive(move || if is_sending.get() { text::SUBMITTING } else { text::SUBMIT }.to_owned());
    view! {
        <h1>{text::to(&browser::host())}</h1>
        {note.map(|note| view! { <p class="reason" role="status">{note}</p> })}
        <form class="form" on:submit=submit>
            <TextField id="username" label=text::NAME value=name autocomplete="username" error=name_error focused=true />
            <TextField id="password" label=text::PASSWORD value=password secret=true autocomplete="current-password" error=password_error />
            <Button weight=Weight::Primary label submits=true off=is_sending on_press=|| {} />
        </form>
        <p><a href="/register">{register::HAS_INVITATION}</a></p>
        <p class="meta"><Prose text=text::NO_PASSWORD /></p>
    }
}

#[component]
fn Spent() -> impl IntoView {
    let with_password = RwSignal::new(false);
    view! {
        <Show when=move || !with_password.get() fallback=|| view! { <Password why=Why::Fresh /> }>
            <h1>{text::SPENT}</h1>
            <p class="reason" role="alert">{text::SPENT_BODY}</p>
            <Button weight=Weight::Primary label=text::WITH_PASSWORD.to_owned() on_press=move || with_password.set(true) />
            <hr />
            <h2>{text::FROM_MACHINE}</h2>
            <p class="reason">{text::FROM_MACHINE_BODY}</p>
            <CopyLine line=text::FROM_MACHINE_LINE.to_owned() />
        </Show>
    }
}

#[component]
fn Unreachable(why: String) -> impl IntoView {
    let sessions = use_sessions();
    view! {
        <h1>{text::to(&browser::host())}</h1>
        <p class="reason" role="alert">{shell::sentence(&why)}</p>
        <Button weight=Weight::Primary icon=Some(Icon::Retry) label=shell::TRY_AGAIN.to_owned() on_press=move || sessions.resume() />
    }
}
