//! Registering: with an invitation or the set-up token in the address, or with an invitation that is pasted.

use leptos::prelude::*;
use leptos::task::spawn_local;
use swarm_client::ClientError;
use swarm_proto::ErrorCode;

use crate::strings::{register as text, shell, signin};
use crate::view::password;
use crate::view::register::{Draft, Errors, Pass, Place, refusal};
use crate::web::announce::use_voice;
use crate::web::browser;
use crate::web::components::button::{Button, Weight};
use crate::web::components::field::{FormError, TextField, error_at};
use crate::web::components::front::Front;
use crate::web::components::prose::Prose;
use crate::web::live::use_live;
use crate::web::session::{Sessions, use_sessions};

/// How far somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// There is no account yet.
    New,
    /// The answer was lost: there may be one.
    Unsure,
    /// The account is made, and signing in is what is left.
    Made,
}

/// The page of somebody who has no account here.
#[component]
pub(crate) fn Register() -> impl IntoView {
    let sessions = use_sessions();
    let in_hand = RwSignal::new(None::<Pass>);
    let errors = RwSignal::new(Errors::new());
    let take = move |given: &str| match Pass::read(given) {
        Ok(Pass::Nothing) => {}
        Ok(pass) => {
            errors.set(Errors::new());
            in_hand.set(Some(pass));
        }
        Err(error) => errors.set(vec![(Place::Invitation, error.to_string())]),
    };
    take(&sessions.given());
    // A link that is opened on this very page changes nothing but what stands behind `#`.
    let listener = window_event_listener(leptos::ev::hashchange, move |_| {
        if let Some(given) = browser::take_fragment() {
            take(&given);
        }
    });
    on_cleanup(move || listener.remove());

    let heading = move || match in_hand.get() {
        Some(Pass::SetUp(_)) => text::OWNER.to_owned(),
        _ => text::join(&browser::host()),
    };
    let reason = move || {
        let words = match in_hand.get() {
            Some(Pass::SetUp(_)) => text::OWNER_BODY,
            Some(Pass::Invitation(_)) => text::INVITED_BODY,
            Some(Pass::Nothing) | None => text::NO_PASS_BODY,
        };
        view! { <Prose text=words /> }
    };
    view! {
        <Front>
            <h1>{heading}</h1>
            <p class="reason">{reason}</p>
            <Form in_hand errors />
            <p><a href="/signin">{text::HAS_ACCOUNT}</a></p>
        </Front>
    }
}

#[component]
fn Form(in_hand: RwSignal<Option<Pass>>, errors: RwSignal<Errors>) -> impl IntoView {
    let sessions = use_sessions();
    let field = || RwSignal::new(String::new());
    let (invitation, name, password, email) = (field(), field(), field(), field());
    let stage = RwSignal::new(Stage::New);
    let is_sending = RwSignal::new(false);
    let tell = move |wrong: Errors| {
        let first = wrong.first().map(|(place, _)| *place);
        errors.try_set(wrong);
        if let Some(place) = first {
            // The field may have come with its error.
            request_animation_frame(move || browser::focus(place.id()));
        }
    };
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        if is_sending.get_untracked() {
            return;
        }
        let draft =
            Draft { name: name.get_untracked(), password: password.get_untracked(), email: email.get_untracked() };
        let pass = in_hand.get_untracked().map_or_else(|| Pass::read(&invitation.get_untracked()), Ok);
        let (pass, register) = match (pass, draft) {
            (Ok(pass), draft) => match draft.register(&pass) {
                Ok(register) => (pass, register),
                Err(wrong) => return tell(wrong),
            },
            (Err(error), draft) => {
                let mut wrong = vec![(Place::Invitation, error.to_string())];
                wrong.extend(draft.register(&Pass::Nothing).err().unwrap_or_default());
                return tell(wrong);
            }
        };
        errors.set(Errors::new());
        is_sending.set(true);
        spawn_local(async move {
            let wrong = come_in(sessions, stage, &pass, register).await;
            is_sending.try_set(false);
            if let Some(wrong) = wrong {
                if wrong.0 == Place::Invitation {
                    in_hand.try_set(None);
                    invitation.try_set(String::new());
                }
                tell(vec![wrong]);
            }
        });
    };
    let label = move || {
        let is_owner = in_hand.with(|pass| pass.as_ref().is_some_and(Pass::is_setup));
        let words = match (stage.get(), is_sending.get()) {
            (Stage::Made, true) => text::SIGNING_IN,
            (Stage::Made, false) => text::SIGN_IN,
            (Stage::New | Stage::Unsure, true) => text::SUBMITTING,
            (Stage::New | Stage::Unsure, false) if is_owner => text::SUBMIT_OWNER,
            (Stage::New | Stage::Unsure, false) => text::SUBMIT,
        };
        words.to_owned()
    };
    let asks_for_it = Memo::new(move |_| in_hand.with(Option::is_none) && stage.get() != Stage::Made);
    let starts_with_name = in_hand.with_untracked(Option::is_some);
    let hint = Signal::derive(move || password.with(|password| password::hint(password)));
    view! {
        <form class="form" on:submit=submit>
            <Show when=move || asks_for_it.get()>
                <TextField
                    id=Place::Invitation.id()
                    label=text::INVITATION
                    value=invitation
                    hint=text::INVITATION_HINT.to_owned()
                    error=error_at(errors, Place::Invitation)
                    focused=!starts_with_name
                />
            </Show>
            <TextField
                id=Place::Name.id()
                label=text::NAME
                value=name
                autocomplete="username"
                hint=text::NAME_HINT.to_owned()
                error=error_at(errors, Place::Name)
                focused=starts_with_name
            />
            <TextField
                id=Place::Password.id()
                label=text::PASSWORD
                value=password
                secret=true
                autocomplete="new-password"
                hint
                error=error_at(errors, Place::Password)
            />
            <TextField
                id=Place::Email.id()
                label=text::EMAIL
                value=email
                autocomplete="email"
                inputmode="email"
                hint=text::EMAIL_HINT.to_owned()
                error=error_at(errors, Place::Email)
            />
            <FormError error=error_at(errors, Place::Form) />
            <Button weight=Weight::Primary label=Signal::derive(label) submits=true off=is_sending on_press=|| {} />
        </form>
    }
}

/// Makes the account unless it is made, and signs in. What is wrong stands in its place.
async fn come_in(
    sessions: Sessions,
    stage: RwSignal<Stage>,
    pass: &Pass,
    register: swarm_proto::auth::Register,
) -> Option<(Place, String)> {
    let login = || sessions.login(register.username.clone(), register.password.clone());
    let before = stage.get_untracked();
    if before != Stage::Made {
        match sessions.register(&register).await {
            Ok(()) => {
                stage.try_set(Stage::Made);
            }
            Err(error) => {
                let may_be_made = matches!(error, ClientError::Broken { .. } | ClientError::Timeout { .. });
                if may_be_made {
                    stage.try_set(Stage::Unsure);
                }
                let is_spent = matches!(error.code(), Some(ErrorCode::SpentCredential | ErrorCode::NameTaken));
                // Perhaps it was we who spent it, and only the answer was lost.
                if before == Stage::Unsure && is_spent && login().await.is_ok() {
                    return None;
                }
                return Some(refusal(pass, error.code(), &error.to_string()));
            }
        }
    }
    let error = login().await.err()?;
    let why = match error.code() {
        Some(ErrorCode::WrongPassword) => signin::WRONG.to_owned(),
        _ => shell::sentence(&error.to_string()),
    };
    Some((Place::Form, text::made_but(&why)))
}

/// Somebody who is signed in opens an invitation.
#[component]
pub(crate) fn Already() -> impl IntoView {
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
        <div class="page">
            <h1>{text::ALREADY}</h1>
            <p class="reason">{move || live.who.with(|who| text::already(&who.username))}</p>
            <p class="page-acts">
                <a class="button secondary" href="/">{text::ALREADY_LEAVE}</a>
                <Button weight=Weight::Quiet label=text::ALREADY_ACT.to_owned() on_press=leave />
            </p>
        </div>
    }
}
