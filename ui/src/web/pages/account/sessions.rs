//! Where one is signed in, and how to end that.

use leptos::prelude::*;
use leptos::task::spawn_local;
use swarm_model::TokenId;
use swarm_proto::ErrorCode;
use swarm_proto::auth::OpenSession;

use crate::strings::account as text;
use crate::view::account;
use crate::web::browser::use_moment;
use crate::web::components::button::{Button, Weight};
use crate::web::components::dialog::Ask;
use crate::web::components::failure::{Loading, NotLoaded};
use crate::web::live::{Live, use_live};

/// The sessions as they were read.
#[derive(Clone, Copy)]
pub(super) struct Places {
    /// In the order of the list; nothing before the first answer.
    pub(super) list: RwSignal<Option<Vec<OpenSession>>>,
    failure: RwSignal<Option<String>>,
}

impl Places {
    /// Reads them.
    pub(super) fn read(live: Live) -> Self {
        let places = Self { list: RwSignal::new(None), failure: RwSignal::new(None) };
        places.reload(live);
        places
    }

    /// Reads them anew. What is shown stays until the answer is here.
    pub(super) fn reload(self, live: Live) {
        spawn_local(async move {
            match live.client().sessions().await {
                Ok(sessions) => {
                    self.failure.try_set(None);
                    self.list.try_set(Some(account::in_order(sessions)));
                }
                Err(error) => {
                    self.failure.try_set(Some(live.words_of(&error)));
                }
            }
        });
    }

    /// Ends one of them, called so.
    fn end(self, live: Live, id: TokenId, device: String) {
        spawn_local(async move {
            match live.client().end_session(id).await {
                Ok(()) => live.voice.good(text::ended(&device)),
                // It has ended by itself in the meantime.
                Err(error) if error.code() == Some(ErrorCode::NotFound) => {}
                Err(error) => return live.fail(&error),
            }
            self.reload(live);
        });
    }

    fn end_others(self, live: Live) {
        spawn_local(async move {
            match live.client().end_other_sessions().await {
                Ok(()) => live.voice.good(text::OTHERS_ENDED),
                Err(error) => return live.fail(&error),
            }
            self.reload(live);
        });
    }
}

#[component]
pub(super) fn SessionList(places: Places) -> impl IntoView {
    let live = use_live();
    let asks = RwSignal::new(false);
    let ids = Memo::new(move |_| {
        places.list.with(|list| list.iter().flatten().map(|session| session.session_id).collect::<Vec<_>>())
    });
    let n_others = Memo::new(move |_| places.list.with(|list| list.as_deref().map_or(0, account::n_others)));
    let is_known = Memo::new(move |_| places.list.with(Option::is_some));
    let body = move || match (is_known.get(), places.failure.get()) {
        (false, Some(why)) => {
            view! { <NotLoaded what=text::SESSIONS_WHAT why on_again=move || places.reload(live) /> }.into_any()
        }
        (false, None) => view! { <Loading /> }.into_any(),
        (true, _) => view! {
            <ul class="sessions">
                <For each=move || ids.get() key=|id| *id children=move |id| view! { <SessionRow id places /> } />
            </ul>
            <Show when=move || { n_others.get() > 1 }>
                <Button
                    weight=Weight::Danger
                    online=true
                    label=Signal::derive(move || text::end_others(n_others.get()))
                    on_press=move || asks.set(true)
                />
            </Show>
        }
        .into_any(),
    };
    view! {
        {body}
        <Ask
            open=asks
            title=Signal::derive(move || text::end_others_ask(n_others.get()))
            body=text::END_OTHERS_BODY.to_owned()
            act=Signal::derive(move || text::end_others(n_others.get()))
            on_confirm=move || places.end_others(live)
        />
    }
}

#[component]
fn SessionRow(id: TokenId, places: Places) -> impl IntoView {
    let live = use_live();
    let moment = use_moment();
    let session =
        Memo::new(move |_| places.list.with(|list| list.as_deref().and_then(|list| account::find(list, id)).cloned()));
    let device = Memo::new(move |_| session.with(|session| session.as_ref().map(account::device).unwrap_or_default()));
    let times = Memo::new(move |_| {
        session.with(|session| session.as_ref().map(|session| account::times(session, moment.get())))
    });
    let is_current = Memo::new(move |_| session.with(|session| session.as_ref().is_some_and(|s| s.is_current)));
    let full_name = move || session.with(|session| session.as_ref().map(|session| session.name.clone()));
    view! {
        <li>
            <div>
                <p><b title=full_name>{move || device.get()}</b>" "
                    <Show when=move || is_current.get()><span class="tag">{text::THIS_ONE}</span></Show>
                </p>
                <p class="meta">{move || times.get()}</p>
            </div>
            <Show when=move || !is_current.get()>
                <Button
                    small=true
                    online=true
                    label=text::END.to_owned()
                    called=Some(text::end_of(&device.get_untracked()))
                    on_press=move || places.end(live, id, device.get_untracked())
                />
            </Show>
        </li>
    }
}
