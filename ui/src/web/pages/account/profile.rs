//! One's name and address, and what one cannot change oneself.

use leptos::prelude::*;
use leptos::task::spawn_local;
use swarm_proto::auth::User;

use crate::strings::{account as text, register};
use crate::view::account;
use crate::view::register::{Errors, Pass, Place, refusal};
use crate::web::browser::{self, use_moment};
use crate::web::components::button::Button;
use crate::web::components::field::{FormError, TextField, error_at};
use crate::web::live::use_live;

#[component]
pub(super) fn Profile() -> impl IntoView {
    let live = use_live();
    let moment = use_moment();
    let (name, email) = (RwSignal::new(String::new()), RwSignal::new(String::new()));
    let errors = RwSignal::new(Errors::new());
    let is_sending = RwSignal::new(false);
    // What somebody writes stays; what they have not touched follows what the coordinator says.
    Effect::new(move |before: Option<User>| {
        let who = live.who.get();
        let (old_name, old_email) = before.map(|who| (who.username, who.email.unwrap_or_default())).unwrap_or_default();
        if name.get_untracked() == old_name {
            name.set(who.username.clone());
        }
        if email.get_untracked() == old_email {
            email.set(who.email.clone().unwrap_or_default());
        }
        who
    });
    let tell = move |wrong: Errors| {
        let first = wrong.first().map(|(place, _)| *place);
        errors.try_set(wrong);
        first.inspect(|place| browser::focus(place.id()));
    };
    let change = move || live.who.with(|who| name.with(|name| email.with(|email| account::change(who, name, email))));
    let is_same = Memo::new(move |_| matches!(change(), Ok(None)));
    let save = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let change = match untrack(change) {
            Ok(Some(change)) => change,
            Ok(None) => return,
            Err(wrong) => return tell(wrong),
        };
        errors.set(Errors::new());
        is_sending.set(true);
        spawn_local(async move {
            let answer = live.client().update_profile(&change).await;
            is_sending.try_set(false);
            match answer {
                Ok(user) => {
                    // As the coordinator keeps it.
                    name.try_set(user.username.clone());
                    email.try_set(user.email.clone().unwrap_or_default());
                    live.who.try_set(user);
                    live.voice.good(text::PROFILE_SAVED);
                }
                Err(error) if error.is_unauthenticated() => live.fail(&error),
                Err(error) => tell(vec![refusal(&Pass::Nothing, error.code(), &error.to_string())]),
            }
        });
    };
    let label = move || if is_sending.get() { text::PROFILE_SAVING } else { text::PROFILE_SAVE }.to_owned();
    let facts = Memo::new(move |_| live.who.with(|who| account::facts(who, moment.get())));
    let fact = |(name, value): (&'static str, String)| view! { <div><dt>{name}</dt><dd>{value}</dd></div> };
    view! {
        <dl class="facts">{move || facts.get().map(fact).collect_view()}</dl>
        <form class="form" on:submit=save>
            <TextField
                id=Place::Name.id()
                label=register::NAME
                value=name
                autocomplete="username"
                hint=register::NAME_HINT.to_owned()
                error=error_at(errors, Place::Name)
            />
            <TextField
                id=Place::Email.id()
                label=register::EMAIL
                value=email
                autocomplete="email"
                inputmode="email"
                hint=register::EMAIL_HINT.to_owned()
                error=error_at(errors, Place::Email)
            />
            <FormError error=error_at(errors, Place::Form) />
            <Button
                label=Signal::derive(label)
                online=true
                submits=true
                off=Signal::derive(move || is_sending.get() || is_same.get())
                on_press=|| {}
            />
        </form>
    }
}
