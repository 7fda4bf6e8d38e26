//! What frames every page: the pages on the left or below, search and workers above, and banners.

mod nav;
mod top;

use leptos::prelude::*;

use super::button::{Button, Weight};
use super::colours::ColoursDialog;
use super::dialog::Dialog;
use super::new_task::{NewTask, NewTaskOpen};
use super::toasts::Toasts;
use crate::strings::shell as text;
use crate::view::connection;
use crate::web::browser::{self, use_moment};
use crate::web::keys::Keys;
use crate::web::live::{Live, use_live};
use crate::web::session::SignedIn;
use nav::{Nav, Tabs};
use top::Top;

/// The frame of every page of somebody who is signed in.
#[component]
pub(crate) fn Shell(
    /// Who is signed in.
    signed_in: SignedIn,
    /// The page.
    children: Children,
) -> impl IntoView {
    let live = Live::provide(signed_in);
    let keys = Keys::provide();
    let new_task = RwSignal::new(false);
    let colours = RwSignal::new(false);
    let shows_keys = RwSignal::new(false);
    provide_context(NewTaskOpen(new_task));
    keys.bind('n', move || new_task.set(true));
    keys.bind('?', move || shows_keys.set(true));
    let page = children();
    view! {
        <a class="skip" href="#page">{text::SKIP}</a>
        <div class="shell" class:stale=move || live.line.get().is_stale()>
            <Nav />
            <Top colours />
            <div class="banners"><Banners /></div>
            <main id="page" tabindex="-1">{page}</main>
            <Tabs />
        </div>
        <NewTask open=new_task />
        <ColoursDialog open=colours />
        <KeyList open=shows_keys />
        <Toasts />
    }
}

/// What stands over every page while it holds.
#[component]
fn Banners() -> impl IntoView {
    let live = use_live();
    let moment = use_moment();
    let broken = move || connection::banner(live.line.get(), &browser::host(), moment.get());
    let is_paused = Memo::new(move |_| live.swarm.with(crate::view::swarm::Swarm::is_paused));
    view! {
        {move || broken().map(|words| view! { <div class="banner">{words}</div> })}
        <Show when=move || is_paused.get()>
            <div class="banner" role="status">
                <span>{text::PAUSED_BANNER}</span>
                <Show when=move || live.is_admin()>
                    <Button small=true online=true label=text::RESUME.to_owned() on_press=move || live.steer_swarm(false) />
                </Show>
            </div>
        </Show>
    }
}

#[component]
fn KeyList(open: RwSignal<bool>) -> impl IntoView {
    let row = |(keys, act): (&'static str, &'static str)| {
        let caps = keys.split(' ').map(|key| view! { <kbd>{key}</kbd> }).collect_view();
        view! { <div><dt>{caps}</dt><dd>{act}</dd></div> }
    };
    view! {
        <Dialog open title=text::KEYS.to_owned()>
            <dl class="key-list">{text::KEYS_LIST.into_iter().map(row).collect_view()}</dl>
            <p class="meta">{text::KEYS_HINT}</p>
            <footer>
                <Button weight=Weight::Secondary label=text::CLOSE.to_owned() focused=true on_press=move || open.set(false) />
            </footer>
        </Dialog>
    }
}
