//! The panel: sign-in, or the frame with its pages.

use leptos::prelude::*;
use leptos_router::components::{Route, Router, Routes};
use leptos_router::hooks::{use_location, use_navigate};
use leptos_router::path;

use super::announce::Voice;
use super::browser::{self, Theme, Ticking};
use super::components::shell::Shell;
use super::components::toasts::Toasts;
use super::pages::{Account, Already, Home, Missing, Register, SignIn, Task, Tasks, Tools, Usage, Workers};
use super::session::{Auth, Sessions, SignedIn, Why, use_sessions};

/// The panel.
#[component]
pub fn App() -> impl IntoView {
    Theme::chosen().apply();
    Ticking::provide();
    Voice::provide();
    let sessions = Sessions::provide();
    let page = move || match sessions.get() {
        Auth::Somebody(signed_in) => view! { <Panel signed_in /> }.into_any(),
        auth => view! { <Entrance auth /><Toasts /> }.into_any(),
    };
    view! { <Router>{page}</Router> }
}

/// The pages of somebody who is not signed in.
#[component]
fn Entrance(auth: Auth) -> impl IntoView {
    let path = use_location().pathname;
    let registers = Memo::new(move |_| path.get().trim_end_matches('/') == "/register");
    let is_nobody = matches!(&auth, Auth::Nobody(why) if !matches!(why, Why::Unreachable(_)));
    move || {
        if is_nobody && registers.get() {
            view! { <Register /> }.into_any()
        } else {
            view! { <SignIn auth=auth.clone() /> }.into_any()
        }
    }
}

/// The pages of somebody who is signed in.
#[component]
fn Panel(signed_in: SignedIn) -> impl IntoView {
    let holds_invitation = use_sessions().holds_invitation();
    if browser::is_at("/signin") || (browser::is_at("/register") && !holds_invitation) {
        let go = leptos_router::NavigateOptions { replace: true, ..Default::default() };
        use_navigate()("/", go);
    }
    view! {
        <Shell signed_in>
            <Routes fallback=Missing>
                <Route path=path!("/") view=Home />
                <Route path=path!("/tasks") view=Tasks />
                <Route path=path!("/tasks/:id") view=Task />
                <Route path=path!("/workers") view=Workers />
                <Route path=path!("/tools") view=Tools />
                <Route path=path!("/usage") view=Usage />
                <Route path=path!("/account") view=Account />
                <Route path=path!("/register") view=Already />
            </Routes>
        </Shell>
    }
}
