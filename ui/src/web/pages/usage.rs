//! What was used. What is looked at stands in the page's address; sums are read anew after something happened.

use std::time::Duration;

use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_navigate, use_query_map};
use swarm_model::usage::UsageBy;
use swarm_proto::client::ToViewer;
use swarm_proto::usage::UsageReport;

use crate::strings::usage as text;
use crate::view::usage::{self, Asked, GROUPS, Measure, Span};
use crate::web::browser;
use crate::web::components::bars::Bars;
use crate::web::components::failure::{Loading, NotLoaded};
use crate::web::components::prose::Prose;
use crate::web::components::segments::Segments;
use crate::web::components::sums::Sums;
use crate::web::live::{Live, use_live};

/// How long after something happened the sums are read anew.
const PAUSE: Duration = Duration::from_secs(2);

/// The answers to one question.
#[derive(Debug, Clone, PartialEq)]
struct Told {
    asked: Asked,
    days: UsageReport,
    groups: UsageReport,
}

/// What the page knows.
#[derive(Clone, Copy)]
struct Known {
    live: Live,
    asked: Memo<Asked>,
    told: RwSignal<Option<Told>>,
    failure: RwSignal<Option<String>>,
    is_reading: RwSignal<bool>,
    /// Counts the questions: an answer that was overtaken is dropped.
    count: StoredValue<u64>,
}

impl Known {
    fn read(self) {
        let Some(n) = self.count.try_update_value(|count| {
            *count += 1;
            *count
        }) else {
            return;
        };
        let asked = self.asked.get_untracked();
        self.is_reading.set(true);
        spawn_local(async move {
            let (client, now) = (self.live.client(), browser::now());
            let (by_day, by_group) = (asked.question(UsageBy::Day, now), asked.question(asked.by, now));
            let answers = futures_util::try_join!(client.usage(&by_day), client.usage(&by_group));
            if self.count.try_get_value() != Some(n) {
                return;
            }
            match answers {
                Ok((days, groups)) => {
                    self.failure.try_set(None);
                    self.told.try_set(Some(Told { asked, days, groups }));
                }
                Err(error) => {
                    self.failure.try_set(Some(self.live.words_of(&error)));
                }
            }
            self.is_reading.try_set(false);
        });
    }

    /// Reads anew, soon, and not more often than makes sense.
    fn read_soon(self, waits: StoredValue<bool>) {
        if waits.try_get_value() == Some(false) {
            waits.set_value(true);
            set_timeout(
                move || {
                    if waits.try_set_value(false).is_none() {
                        self.read();
                    }
                },
                PAUSE,
            );
        }
    }
}

/// What was used.
#[component]
pub(crate) fn Usage() -> impl IntoView {
    let live = use_live();
    let query = use_query_map();
    let asked = Memo::new(move |_| query.with(|query| Asked::from_query(|name| query.get(name))));
    let known = Known {
        live,
        asked,
        told: RwSignal::new(None),
        failure: RwSignal::new(None),
        is_reading: RwSignal::new(false),
        count: StoredValue::new(0),
    };
    Effect::new(move || {
        asked.track();
        known.live.epoch.track();
        known.read();
    });
    let waits = StoredValue::new(false);
    live.listen(move |frames| {
        if frames.iter().any(|frame| matches!(frame, ToViewer::Event { task: Some(_), .. })) {
            known.read_soon(waits);
        }
    });
    let is_told = Memo::new(move |_| known.told.with(Option::is_some));
    let headline = move || {
        known.told.with(|told| {
            told.as_ref()
                .map_or_else(|| text::THE_SUMS.to_owned(), |told| usage::headline(&told.days.total, told.asked.span))
        })
    };
    let body = move || match (is_told.get(), known.failure.get()) {
        (false, Some(why)) => view! { <NotLoaded what=text::THE_SUMS why on_again=move || known.read() /> }.into_any(),
        (false, None) => view! { <Loading /> }.into_any(),
        (true, _) => view! { <Sections known /> }.into_any(),
    };
    let stale = move || {
        let why = known.failure.get().filter(|_| is_told.get())?;
        Some(view! { <NotLoaded what=text::THE_SUMS why on_again=move || known.read() /> })
    };
    view! {
        <div class="page usage" aria-busy=move || known.is_reading.get().to_string()>
            <div class="head">
                <h1>{headline}</h1>
                <Choices asked />
            </div>
            {stale}
            {body}
        </div>
    }
}

/// Which days.
#[component]
fn Choices(asked: Memo<Asked>) -> impl IntoView {
    let go = use_go();
    view! {
        <Segments
            label=text::SPAN
            choices=Signal::stored(Span::ALL.map(|span| (span, span.word())).to_vec())
            chosen=Signal::derive(move || asked.get().span)
            on_choose=move |span| go.with_value(|go| go(Asked { span, ..asked.get_untracked() }))
        />
    }
}

type Go = StoredValue<Box<dyn Fn(Asked)>, LocalStorage>;

/// Changes what is looked at.
fn use_go() -> Go {
    let navigate = use_navigate();
    StoredValue::new_local(Box::new(move |asked: Asked| {
        let options = NavigateOptions { replace: true, scroll: false, ..NavigateOptions::default() };
        navigate(&browser::address("/usage", &asked.to_query()), options);
    }))
}

#[component]
fn Sections(known: Known) -> impl IntoView {
    let told = Memo::new(move |_| known.told.get());
    let with = move |read: &dyn Fn(&Told) -> Vec<String>| told.with(|told| told.as_ref().map(read).unwrap_or_default());
    let remarks = move || {
        let remarks = with(&|told| usage::remarks(&told.days, told.asked.span));
        remarks.into_iter().map(|line| view! { <p class="reason">{line}</p> }).collect_view()
    };
    let has_runs = Memo::new(move |_| told.with(|told| told.as_ref().is_some_and(|told| told.days.total.runs > 0)));
    view! {
        <Show when=move || has_runs.get() fallback=move || view! { {remarks} <p class="empty">{text::NOTHING_BODY}</p> <Groups known told /> }>
            {remarks}
            <Days told />
            <Groups known told />
        </Show>
    }
}

/// The days: bars, and the same numbers below.
#[component]
fn Days(told: Memo<Option<Told>>) -> impl IntoView {
    let wished = RwSignal::new(None::<Measure>);
    let measures = Memo::new(move |_| {
        told.with(|told| told.as_ref().map(|told| usage::measures(&told.days.total)).unwrap_or_default())
    });
    let measure = Memo::new(move |_| {
        let there = measures.get();
        wished.get().filter(|wished| there.contains(wished)).or_else(|| there.first().copied()).unwrap_or(Measure::Runs)
    });
    let chart = Memo::new(move |_| {
        let measure = measure.get();
        told.with(|told| {
            told.as_ref().map(|told| usage::chart(&told.days, told.asked.span, measure)).unwrap_or_default()
        })
    });
    let table =
        Memo::new(move |_| told.with(|told| told.as_ref().map(|told| usage::table(&told.days)).unwrap_or_default()));
    let heading = move || if chart.with(|chart| chart.is_of_months) { text::BY_MONTH } else { text::BY_DAY };
    let choices = Signal::derive(move || measures.get().into_iter().map(|one| (one, one.word())).collect::<Vec<_>>());
    view! {
        <Show when=move || chart.with(|chart| !chart.bars.is_empty())>
            <section class="usage-days">
                <div class="section-head">
                    <h2>{heading}" "<span class="count">{move || chart.with(|chart| chart.remark)}</span></h2>
                    <Segments label=text::MEASURE choices chosen=measure on_choose=move |one| wished.set(Some(one)) />
                </div>
                <Bars chart />
                <details class="same-numbers">
                    <summary>{text::DAYS_TABLE}</summary>
                    <Sums table label=text::table_of(text::DAY) />
                </details>
            </section>
        </Show>
    }
}

/// The sums, told apart by what is chosen.
#[component]
fn Groups(known: Known, told: Memo<Option<Told>>) -> impl IntoView {
    let go = use_go();
    let asked = known.asked;
    let table =
        Memo::new(move |_| told.with(|told| told.as_ref().map(|told| usage::table(&told.groups)).unwrap_or_default()));
    let by = Memo::new(move |_| told.with(|told| told.as_ref().map_or(UsageBy::Tool, |told| told.asked.by)));
    let command = move || {
        let line = told.with(|told| told.as_ref().map(|told| usage::command(&told.groups, told.asked.by)))?;
        Some(view! { <p class="meta">{text::SAME_IN_TERMINAL}" "<Prose text=format!("`{line}`") /></p> })
    };
    view! {
        <section class="usage-groups">
            <div class="section-head">
                <h2>{move || text::grouped(usage::group(by.get()))}</h2>
                <Segments
                    label=text::BY
                    choices=Signal::stored(GROUPS.map(|by| (by, usage::group(by))).to_vec())
                    chosen=Signal::derive(move || asked.get().by)
                    on_choose=move |by| go.with_value(|go| go(Asked { by, ..asked.get_untracked() }))
                />
            </div>
            <Show when=move || table.with(|table| !table.rows.is_empty())>
                <Sums table label=Signal::derive(move || text::table_of(usage::group(by.get()))) />
            </Show>
            {command}
        </section>
    }
}
