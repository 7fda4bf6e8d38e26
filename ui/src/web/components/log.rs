//! The log of a task: only a window of its rows is in the page. It follows the end until somebody scrolls up.

mod foot;

use std::ops::Range;

use leptos::ev;
use leptos::html;
use leptos::prelude::*;
use swarm_model::TaskId;
use wasm_bindgen::JsCast as _;

use super::icon::{Draw, Icon};
use super::prose::Prose;
use foot::Foot;

use crate::strings::log as text;
use crate::view::log::ansi::Style;
use crate::view::log::{Bounds, Find, Hit, Kind, LogView, Piece, Row};
use crate::view::words;
use crate::web::browser::use_moment;
use crate::web::follow::LogNews;
use crate::web::keys::use_keys;
use crate::web::live::use_live;

/// The height of a row, as in the style sheet.
const ROW: f64 = 20.0;
/// Rows drawn above and below what is seen, so that a quick wheel shows no gap.
const MARGIN: usize = 20;

/// What the parts of the log share.
#[derive(Clone, Copy)]
struct Page {
    log: StoredValue<LogView, LocalStorage>,
    /// Counts changes of `log`.
    changes: RwSignal<u64>,
    find: RwSignal<Option<Find>>,
    wanted: RwSignal<String>,
    is_finding: RwSignal<bool>,
    follows: RwSignal<bool>,
    wraps: RwSignal<bool>,
    top: RwSignal<f64>,
    height: RwSignal<f64>,
    trouble: RwSignal<Option<String>>,
    node: NodeRef<html::Div>,
    probe: NodeRef<html::Div>,
    letters: NodeRef<html::Span>,
}

impl Page {
    fn new(after: u64) -> Self {
        Self {
            log: StoredValue::new_local(LogView::new(Bounds::PAGE, after)),
            changes: RwSignal::new(0),
            find: RwSignal::new(None),
            wanted: RwSignal::new(String::new()),
            is_finding: RwSignal::new(false),
            follows: RwSignal::new(true),
            wraps: RwSignal::new(true),
            top: RwSignal::new(0.0),
            height: RwSignal::new(600.0),
            trouble: RwSignal::new(None),
            node: NodeRef::new(),
            probe: NodeRef::new(),
            letters: NodeRef::new(),
        }
    }

    fn change<T>(self, act: impl FnOnce(&mut LogView) -> T) -> Option<T> {
        let answer = self.log.try_update_value(act);
        self.changes.try_update(|changes| *changes += 1);
        answer
    }

    /// A value of the log that is computed anew when it changes.
    fn read<T: Clone + PartialEq + Send + Sync + 'static>(
        self,
        read: impl Fn(&LogView) -> T + Send + Sync + 'static,
    ) -> Memo<T> {
        Memo::new(move |_| {
            self.changes.track();
            self.log.with_value(|log| read(log))
        })
    }

    /// Does something once the page is drawn, if it is still there.
    fn when_drawn(self, act: impl FnOnce() + 'static) {
        request_animation_frame(move || {
            if !self.changes.is_disposed() {
                act();
            }
        });
    }

    fn hear(self, news: LogNews) {
        match news {
            LogNews::Entries(entries) => {
                let left = self.change(|log| log.extend(entries)).unwrap_or_default();
                if left > 0
                    && !self.follows.get_untracked()
                    && let Some(node) = self.node.get_untracked()
                {
                    node.set_scroll_top(node.scroll_top() - (left as f64 * ROW) as i32);
                }
                if self.is_finding.get_untracked() {
                    self.look_again();
                }
            }
            LogNews::Gone => {
                self.trouble.try_set(Some(text::GONE.to_owned()));
            }
            LogNews::Refused(detail) => {
                self.trouble.try_set(Some(detail));
            }
        }
    }

    /// Measures how much room there is.
    fn measure(self) {
        if let Some(node) = self.node.get_untracked() {
            self.height.try_set(f64::from(node.client_height()));
        }
        let (Some(probe), Some(letters)) = (self.probe.get_untracked(), self.letters.get_untracked()) else { return };
        let room = probe.get_bounding_client_rect().width();
        let letter = letters.get_bounding_client_rect().width() / LETTERS.len() as f64;
        if room > 0.0 && letter > 0.0 {
            let columns = ((room / letter) as usize).max(8);
            let columns = self.wraps.get_untracked().then_some(columns);
            self.change(|log| log.set_columns(columns));
        }
        if self.follows.get_untracked() {
            self.when_drawn(move || self.to_end());
        }
    }

    fn window(self) -> Range<usize> {
        let first = (self.top.get() / ROW) as usize;
        let seen = (self.height.get() / ROW) as usize + 1;
        first.saturating_sub(MARGIN)..first + seen + MARGIN
    }

    fn scrolled(self) {
        let Some(node) = self.node.get_untracked() else { return };
        let (top, before) = (f64::from(node.scroll_top()), self.top.get_untracked());
        let is_at_end = node.scroll_top() + node.client_height() >= node.scroll_height() - 4;
        self.top.set(top);
        if is_at_end {
            self.follows.set(true);
        } else if top < before - 1.0 {
            // Only a person scrolls up; the log itself grows downwards.
            self.follows.set(false);
        }
    }

    fn to_end(self) {
        if let Some(node) = self.node.get_untracked() {
            node.set_scroll_top(node.scroll_height());
        }
    }

    fn look(self, wanted: &str) {
        let find = self.log.with_value(|log| log.find(wanted));
        self.find.set(Some(find));
        self.go_to_place();
    }

    fn look_again(self) {
        let Some(mut grown) = self.log.try_with_value(|log| log.find(&self.wanted.get_untracked())) else { return };
        if let Some(before) = self.find.get_untracked() {
            grown.stay_at(&before);
        }
        self.find.set(Some(grown));
    }

    fn step(self, forward: bool) {
        self.find.update(|find| {
            if let Some(find) = find {
                find.step(forward);
            }
        });
        self.go_to_place();
    }

    fn go_to_place(self) {
        let Some(line) = self.find.with_untracked(|find| find.as_ref().and_then(Find::line)) else { return };
        let Some(row) = self.change(|log| log.reveal(line)).flatten() else { return };
        self.follows.set(false);
        self.when_drawn(move || {
            if let Some(node) = self.node.get_untracked() {
                let middle = row as f64 * ROW - self.height.get_untracked() / 2.0;
                node.set_scroll_top(middle.max(0.0) as i32);
            }
        });
    }

    fn end_finding(self) {
        self.is_finding.set(false);
        self.find.set(None);
        self.wanted.set(String::new());
        if let Some(node) = self.node.get_untracked() {
            node.focus().unwrap_or_default();
        }
    }
}

/// Letters to measure the face by.
const LETTERS: &str =
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789";

/// The log of one task, from an entry on.
#[component]
pub(crate) fn Log(
    /// Whose log.
    task_id: TaskId,
    /// Entries up to this number are not asked for.
    after: u64,
    /// Whether the task has not ended.
    #[prop(into)]
    is_live: Signal<bool>,
    /// Whether it runs now.
    #[prop(into)]
    is_lit: Signal<bool>,
    /// Whether the log is in sight; measured anew when it comes.
    #[prop(into)]
    is_shown: Signal<bool>,
) -> impl IntoView {
    let page = Page::new(after);
    use_live().follow(task_id, after, move |news| page.hear(news));

    let keys = use_keys();
    keys.bind('f', move || {
        page.follows.update(|follows| *follows = !*follows);
    });
    keys.bind('e', move || {
        page.change(|log| log.open_all(!log.is_open_all()));
    });
    let resized = window_event_listener(ev::resize, move |_| page.measure());
    on_cleanup(move || resized.remove());
    Effect::new(move || {
        let (_, _) = (page.wraps.get(), page.node.get());
        if is_shown.get() {
            page.when_drawn(move || page.measure());
        }
    });

    let total = page.read(LogView::total_rows);
    Effect::new(move || {
        total.track();
        if page.follows.get() && is_shown.get() {
            page.when_drawn(move || page.to_end());
        }
    });
    let missing = page.read(LogView::missing_before);
    let rows = Memo::new(move |_| {
        page.changes.track();
        let window = page.window();
        page.log.with_value(|log| page.find.with(|find| log.rows(window, find.as_ref())))
    });
    let first = move || page.window().start.min(total.get());
    let zone = use_moment();
    let zone = Memo::new(move |_| zone.get().zone_minutes);

    view! {
        <div class="log-box" class:lit=move || is_lit.get()>
            <div
                node_ref=page.node
                class="log"
                class:nowrap=move || !page.wraps.get()
                role="log"
                aria-label=text::LABEL
                aria-live="off"
                tabindex="0"
                on:scroll=move |_| page.scrolled()
            >
                {move || (missing.get() > 0).then(|| view! { <p class="log-note"><Prose text=text::missing_before(missing.get()) /></p> })}
                {move || page.trouble.get().map(|trouble| view! { <p class="log-note bad">{trouble}</p> })}
                {move || (total.get() == 0).then(|| view! {
                    <p class="log-note">{if is_live.get() { text::EMPTY } else { text::EMPTY_ENDED }}</p>
                })}
                <div class="row probe" aria-hidden="true">
                    <span class="seq"></span><span class="at"></span>
                    <div class="said" node_ref=page.probe><span node_ref=page.letters>{LETTERS}</span></div>
                </div>
                <div class="log-space" style:height=move || format!("{}px", total.get() as f64 * ROW)>
                    <div class="log-window" style:transform=move || format!("translateY({}px)", first() as f64 * ROW)>
                        {move || {
                            let zone = zone.get();
                            rows.get().into_iter().map(|row| line(page, row, zone)).collect_view()
                        }}
                    </div>
                </div>
            </div>
            <Foot page is_live is_lit />
        </div>
    }
}

fn line(page: Page, row: Row, zone_minutes: i32) -> impl IntoView {
    let class = format!("row {}", class_of(row.kind));
    let pieces = row.pieces.into_iter().map(piece).collect_view();
    let said = match row.call {
        Some((id, is_open)) => {
            let icon = if is_open { Icon::Down } else { Icon::Right };
            let toggle = move |_| {
                page.change(|log| log.toggle_call(&id));
            };
            view! {
                <button class="said call" type="button" aria-expanded=is_open.to_string() on:click=toggle>
                    <Draw icon />
                    <span class="words">{pieces}</span>
                    <span class="aside">{row.aside}</span>
                </button>
            }
            .into_any()
        }
        None => view! { <div class="said">{pieces}</div> }.into_any(),
    };
    view! {
        <div class=class>
            <span class="seq">{row.seq.map(|seq| seq.to_string())}</span>
            <span class="at">{row.at.map(|at| words::time_of_day(at, zone_minutes))}</span>
            {said}
        </div>
    }
}

fn class_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Output => "output",
        Kind::Error => "error",
        Kind::Answer => "answer",
        Kind::Thinking => "thinking",
        Kind::Call => "call-line",
        Kind::CallResult => "result",
        Kind::CallError => "result bad",
        Kind::Remark => "remark",
        Kind::Attempt => "attempt",
    }
}

/// A piece of text with its look. The text is set as text, so nothing in it is ever markup.
pub(crate) fn piece(piece: Piece) -> AnyView {
    let class = class_of_piece(piece.style, piece.hit);
    match piece.hit {
        Hit::No if class.is_empty() => piece.text.into_any(),
        Hit::No => view! { <span class=class>{piece.text}</span> }.into_any(),
        Hit::Other | Hit::Current => view! { <mark class=class>{piece.text}</mark> }.into_any(),
    }
}

fn class_of_piece(style: Style, hit: Hit) -> String {
    let colour = style.colour.map(|colour| format!("c{colour}"));
    let names = [
        colour.as_deref(),
        style.bold.then_some("b"),
        style.faint.then_some("faint"),
        style.underline.then_some("u"),
        (hit == Hit::Current).then_some("current"),
    ];
    names.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// How many letters of a fixed-width face fit into an element.
pub(crate) fn letters_in(element: &web_sys::Element, letter: f64) -> usize {
    let width = element.unchecked_ref::<web_sys::HtmlElement>().client_width();
    ((f64::from(width) / letter) as usize).max(16)
}
