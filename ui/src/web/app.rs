//! The panel: sign-in, or the frame with its pages.

use leptos::prelude::*;
use leptos_router::components::{Route, Router, Routes};
use leptos_router::hooks::use_navigate;
use leptos_router::path;

use super::announce::Voice;
use super::browser::{self, Theme, Ticking};
use super::components::shell::Shell;
use super::components::toasts::Toasts;
use super::pages::{Home, Missing, SignIn, Task, Tasks, Workers};
use super::session::{Auth, Sessions, SignedIn};

/// The panel.
#[component]
pub fn App() -> impl IntoView {
    Theme::chosen().apply();
    Ticking::provide();
    Voice::provide();
    let sessions = Sessions::provide();
    let page = move || match sessions.get() {
        Auth::Somebody(signed_in) => view! { <Panel signed_in /> }.into_any(),
        auth => view! { <SignIn auth /><Toasts /> }.into_any(),
    };
    view! { <Router>{page}</Router> }
}

/// The pages of somebody who is signed in.
#[component]
fn Panel(signed_in: SignedIn) -> impl IntoView {
    if browser::is_at("/signin") {
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
            </Routes>
        </Shell>
    }
}
