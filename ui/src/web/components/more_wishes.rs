//! The folded part of the form that submits a task: what most tasks leave as it is.

use leptos::html;
use leptos::prelude::*;

use super::field::{Lines, Select, TextField};
use crate::strings::tasks as text;
use crate::view::submit::{self, More, Network, Wrong};

/// The folded part.
#[component]
pub(crate) fn MoreWishes(
    /// What is in it.
    more: RwSignal<More>,
    /// What is wrong with the form.
    wrong: RwSignal<Vec<Wrong>>,
) -> impl IntoView {
    let node = NodeRef::<html::Details>::new();
    // Where something is wrong it is seen.
    Effect::new(move || {
        let is_here = wrong.with(|wrong| wrong.iter().any(|one| !matches!(one.at, "prompt" | "tool" | "form")));
        if let Some(node) = node.get().filter(|_| is_here) {
            node.set_open(true);
        }
    });
    let begins_open = more.with_untracked(|more| !more.is_empty());
    let field = move |read: fn(&mut More) -> &mut String| slice(more, read);
    let error = move |at: &'static str| error_at(wrong, at);
    let names_hosts = Memo::new(move |_| more.with(|more| more.network == Network::Some));
    view! {
        <details class="more" node_ref=node open=begins_open>
            <summary>{text::MORE}</summary>
            <div class="more-wishes">
            <div class="form-pair">
                <Select id="role" label=text::ROLE value=Signal::derive(move || more.with(|more| more.role.clone())) choices=Signal::stored(submit::roles())
                    error=error("role") on_choose=move |chosen| more.update(|more| more.role = chosen) />
                <Select id="isolation" label=text::ISOLATION value=Signal::derive(move || more.with(|more| more.isolation.clone())) choices=Signal::stored(submit::isolations())
                    on_choose=move |chosen| more.update(|more| more.isolation = chosen) />
            </div>
            <Select id="at-limit" label=text::AT_LIMIT value=Signal::derive(move || more.with(|more| more.at_limit.clone())) choices=Signal::stored(submit::rules_at_limit())
                on_choose=move |chosen| more.update(|more| more.at_limit = chosen) />
            <Lines id="list" label=text::LIST_OF_TOOLS value=field(|more| &mut more.list) hint=text::LIST_HINT error=error("list") />
            <div class="form-pair">
                <TextField id="repository" label=text::REPOSITORY value=field(|more| &mut more.repository) hint=text::REPOSITORY_HINT error=error("repository") />
                <TextField id="base" label=text::BASE value=field(|more| &mut more.base) hint=text::BASE_HINT error=error("base") />
            </div>
            <div class="form-pair">
                <TextField id="tokens" label=text::TOKEN_BUDGET value=field(|more| &mut more.tokens) inputmode="numeric" hint=text::TOKEN_HINT error=error("tokens") />
                <TextField id="cost" label=text::COST_BUDGET value=field(|more| &mut more.cost) inputmode="decimal" hint=text::COST_HINT error=error("cost") />
            </div>
            <Lines id="allowed-models" label=text::MODELS value=field(|more| &mut more.models) hint=text::MODELS_HINT error=error("allowed-models") />
            <div class="form-pair">
                <Select id="network" label=text::NETWORK value=Signal::derive(move || more.with(|more| more.network.name().to_owned())) choices=Signal::stored(submit::networks())
                    on_choose=move |chosen| more.update(|more| more.network = Network::parse(&chosen)) />
                <Show when=move || names_hosts.get()>
                    <Lines id="hosts" label=text::HOSTS value=field(|more| &mut more.hosts) hint=text::HOSTS_HINT error=error("hosts") />
                </Show>
            </div>
            </div>
        </details>
    }
}

/// One text of the form.
fn slice(more: RwSignal<More>, read: fn(&mut More) -> &mut String) -> RwSignal<String> {
    let value = RwSignal::new(more.try_update_untracked(|more| read(more).clone()).unwrap_or_default());
    Effect::new(move || {
        let text = value.get();
        let is_new = more.try_update_untracked(|more| *read(more) != text) == Some(true);
        if is_new {
            more.update(|more| *read(more) = text);
        }
    });
    value
}

/// What is wrong at one field.
pub(crate) fn error_at(wrong: RwSignal<Vec<Wrong>>, at: &'static str) -> Signal<Option<String>> {
    Signal::derive(move || wrong.with(|wrong| wrong.iter().find(|one| one.at == at).map(|one| one.words.clone())))
}
