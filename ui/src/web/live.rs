//! What is live: one socket that tells what happens, and the swarm as it is by that.
//!
//! The socket comes back by itself and goes on behind the last event it told. What it brings is taken in a few times a
//! second however fast it comes, so that a busy swarm does not freeze the page. Counts and machines are read anew
//! after something happened, and only then.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use futures_channel::mpsc;
use futures_util::StreamExt as _;
use futures_util::future::{self, Either};
use gloo_timers::future::sleep;
use leptos::prelude::*;
use leptos::task::spawn_local;
use swarm_client::{Client, ClientError, SocketReceiver, SocketSender};
use swarm_model::EventId;
use swarm_model::rights::InstanceRole;
use swarm_proto::auth::User;
use swarm_proto::client::{FromViewer, ToViewer};
use swarm_proto::tasks::ListTasks;

use super::announce::{Voice, use_voice};
use super::browser;
use super::follow::Follows;
use super::session::{Sessions, SignedIn, use_sessions};
use crate::strings::shell;
use crate::view::connection::{self, Line};
use crate::view::news::{News, news};
use crate::view::swarm::Swarm;

/// How long frames gather before they are taken in.
const GATHER: Duration = Duration::from_millis(40);
/// The pause between two readings of counts and machines.
const RECOUNT: Duration = Duration::from_secs(2);
/// How soon after something happened the first reading comes.
const RECOUNT_SOON: Duration = Duration::from_millis(250);

type Listener = Rc<dyn Fn(&[ToViewer])>;

/// The line to the coordinator and what came over it.
#[derive(Clone, Copy)]
pub(crate) struct Live {
    /// The swarm as far as it is known.
    pub(crate) swarm: RwSignal<Swarm>,
    /// The state of the line.
    pub(crate) line: RwSignal<Line>,
    /// Counts how often everything had to be read anew.
    pub(crate) epoch: RwSignal<u32>,
    /// Why the first answers did not come.
    pub(crate) failure: RwSignal<Option<String>>,
    /// Who is signed in.
    pub(crate) who: RwSignal<User>,
    client: StoredValue<Client>,
    sessions: Sessions,
    pub(crate) voice: Voice,
    inner: StoredValue<Rc<Inner>, LocalStorage>,
}

#[derive(Default)]
pub(super) struct Inner {
    is_over: Cell<bool>,
    cursor: Cell<Option<EventId>>,
    pub(super) out: RefCell<Option<mpsc::UnboundedSender<FromViewer>>>,
    gathered: RefCell<Vec<ToViewer>>,
    listeners: RefCell<Vec<(u64, Listener)>>,
    n_listeners: Cell<u64>,
    pub(super) follows: RefCell<Follows>,
    recounts: Cell<bool>,
    must_recount: Cell<bool>,
}

impl Live {
    /// Opens the line for somebody who is signed in.
    pub(crate) fn provide(signed_in: SignedIn) -> Self {
        let live = Self {
            swarm: RwSignal::new(Swarm::default()),
            line: RwSignal::new(Line::Opening),
            epoch: RwSignal::new(0),
            failure: RwSignal::new(None),
            who: RwSignal::new(signed_in.user),
            client: StoredValue::new(signed_in.client),
            sessions: use_sessions(),
            voice: use_voice(),
            inner: StoredValue::new_local(Rc::default()),
        };
        provide_context(live);
        live.at_end(|inner| {
            inner.is_over.set(true);
            inner.out.take();
        });
        spawn_local(live.keep_open());
        live
    }

    /// The signed-in client.
    pub(crate) fn client(self) -> Client {
        self.client.get_value()
    }

    /// Who is signed in, at this moment.
    pub(crate) fn user(self) -> User {
        self.who.get_untracked()
    }

    /// Whether the viewer may steer the whole swarm.
    pub(crate) fn is_admin(self) -> bool {
        self.user().role == InstanceRole::Admin
    }

    /// Pauses or resumes the whole swarm.
    pub(crate) fn steer_swarm(self, pause: bool) {
        spawn_local(async move {
            let client = self.client();
            let done = if pause { client.pause_swarm().await } else { client.resume_swarm().await };
            match done {
                Ok(()) => self.recount_now().await,
                Err(error) => self.fail(&error),
            }
        });
    }

    /// Says that something did not go; a session that has ended leads to signing in.
    pub(crate) fn fail(self, error: &ClientError) {
        if error.is_unauthenticated() {
            self.sessions.ended();
        } else {
            self.voice.bad(error);
        }
    }

    /// The words of an error that stands in the page's place; a session that has ended leads to signing in.
    pub(crate) fn words_of(self, error: &ClientError) -> String {
        if error.is_unauthenticated() {
            self.sessions.ended();
        }
        error.to_string()
    }

    pub(super) fn inner(self) -> Option<Rc<Inner>> {
        self.inner.try_get_value().filter(|inner| !inner.is_over.get())
    }

    async fn keep_open(self) {
        let mut tries = 0;
        while let Some(inner) = self.inner() {
            let ended = self.converse(&inner).await;
            if inner.is_over.get() {
                return;
            }
            inner.out.take();
            if matches!(&ended, Err(error) if error.is_unauthenticated()) {
                self.sessions.ended();
                return;
            }
            let since = match self.line.get_untracked() {
                Line::Broken { since, .. } => since,
                Line::Opening | Line::Live => browser::now(),
            };
            tries = if self.line.get_untracked() == Line::Live { 1 } else { tries + 1 };
            let pause = connection::pause_before(tries, browser::chance());
            if let (1, Err(error)) = (tries, &ended)
                && !self.swarm.with_untracked(Swarm::is_loaded)
            {
                self.failure.set(Some(error.to_string()));
            }
            if self.line.get_untracked() == Line::Live {
                self.voice.tell(News { words: shell::LINE_BROKE.to_owned(), is_urgent: true });
            }
            self.line.set(Line::Broken { since, next_try: tries, at: browser::now() + pause });
            sleep(pause).await;
        }
    }

    /// One life of the socket.
    async fn converse(self, inner: &Rc<Inner>) -> Result<(), ClientError> {
        let socket = self.client().watch(self.user().user_id).await?;
        let (mut sender, receiver) = socket.split();
        let (out, queued) = mpsc::unbounded();
        sender.send(&FromViewer::Subscribe { after: inner.cursor.get() }).await?;
        let follows = inner.follows.borrow().again();
        for frame in follows {
            sender.send(&frame).await?;
        }
        inner.out.replace(Some(out));
        let sending = Box::pin(send_all(sender, queued));
        let receiving = Box::pin(self.receive_all(Rc::clone(inner), receiver));
        match future::select(sending, receiving).await {
            Either::Left((ended, _)) | Either::Right((ended, _)) => ended,
        }
    }

    async fn receive_all(self, inner: Rc<Inner>, mut receiver: SocketReceiver<ToViewer>) -> Result<(), ClientError> {
        loop {
            let frame = receiver.next().await?;
            if inner.is_over.get() {
                return Ok(());
            }
            if let ToViewer::Subscribed { .. } = frame {
                if self.line.get_untracked().is_stale() {
                    self.voice.tell(News { words: shell::LINE_IS_BACK.to_owned(), is_urgent: true });
                }
                self.line.set(Line::Live);
                self.failure.set(None);
                if inner.cursor.get().is_none() || !self.swarm.with_untracked(Swarm::is_loaded) {
                    spawn_local(self.load());
                } else {
                    self.recount();
                }
            }
            let was_empty = inner.gathered.borrow().is_empty();
            inner.gathered.borrow_mut().push(frame);
            if was_empty {
                set_timeout(move || self.take_in(), GATHER);
            }
        }
    }

    /// Takes in what has gathered.
    fn take_in(self) {
        let Some(inner) = self.inner() else { return };
        let frames = inner.gathered.take();
        let mut is_gone = false;
        let mut has_events = false;
        for frame in &frames {
            match frame {
                // One that goes on knows its place already; the newest event is not told yet.
                ToViewer::Subscribed { cursor } => inner.cursor.set(inner.cursor.get().or(Some(*cursor))),
                ToViewer::Event { event, .. } => {
                    has_events = true;
                    inner.cursor.set(inner.cursor.get().max(Some(event.id)));
                }
                ToViewer::Gone { task_id: None } => is_gone = true,
                ToViewer::Log { .. } | ToViewer::Gone { .. } | ToViewer::Refused { .. } | ToViewer::Unknown => {}
            }
        }
        if has_events {
            self.swarm.update(|swarm| frames.iter().for_each(|frame| swarm.hear(frame)));
            self.recount();
        }
        frames.iter().filter_map(news).for_each(|news| self.voice.tell(news));
        let followers = inner.follows.borrow_mut().hear(&frames);
        for (follower, news) in followers {
            follower(news);
        }
        let listeners: Vec<_> = inner.listeners.borrow().iter().map(|(_, listener)| Rc::clone(listener)).collect();
        for listener in listeners {
            listener(&frames);
        }
        if is_gone {
            self.epoch.update(|epoch| *epoch += 1);
            spawn_local(self.load());
        }
    }

    /// Reads what the pages begin with.
    async fn load(self) {
        let Some(client) = self.client.try_get_value() else { return };
        let unfinished = ListTasks {
            status: Some("queued,assigned,running,waiting".to_owned()),
            limit: Some(200),
            ..ListTasks::default()
        };
        let failed = ListTasks { status: Some("failed".to_owned()), limit: Some(8), ..ListTasks::default() };
        let latest = ListTasks { limit: Some(12), ..ListTasks::default() };
        let answers = future::try_join5(
            client.workers(),
            client.status(),
            client.tasks(&unfinished),
            client.tasks(&failed),
            client.tasks(&latest),
        );
        match answers.await {
            Ok((workers, status, unfinished, failed, latest)) => {
                self.failure.try_set(None);
                self.swarm.try_update(|swarm| {
                    swarm.forget_unfinished();
                    swarm.learn_workers(workers.items);
                    swarm.status = Some(status);
                    swarm.learn(unfinished.items.into_iter().chain(failed.items).chain(latest.items));
                });
            }
            Err(error) => {
                self.failure.try_set(Some(self.words_of(&error)));
            }
        }
    }

    /// Reads everything anew.
    pub(crate) fn reload(self) {
        self.failure.set(None);
        spawn_local(self.load());
    }

    /// Reads counts and machines anew, soon, and not more often than makes sense.
    pub(crate) fn recount(self) {
        let Some(inner) = self.inner() else { return };
        inner.must_recount.set(true);
        if inner.recounts.replace(true) {
            return;
        }
        // What happens while it is read or rests leads to one more reading: the last event counts too.
        spawn_local(async move {
            while inner.must_recount.get() && !inner.is_over.get() {
                sleep(RECOUNT_SOON).await;
                inner.must_recount.set(false);
                self.recount_now().await;
                sleep(RECOUNT).await;
            }
            inner.recounts.set(false);
        });
    }

    /// Reads counts and machines anew.
    pub(crate) async fn recount_now(self) {
        let Some(client) = self.client.try_get_value() else { return };
        // An answer that does not come is no harm: the line says whether the coordinator is there.
        if let Ok((workers, status)) = future::try_join(client.workers(), client.status()).await {
            self.swarm.try_update(|swarm| {
                swarm.learn_workers(workers.items);
                swarm.status = Some(status);
            });
        }
    }

    /// Listens to every frame until the caller's part of the page goes.
    pub(crate) fn listen(self, listener: impl Fn(&[ToViewer]) + 'static) {
        let Some(inner) = self.inner() else { return };
        let id = inner.n_listeners.get() + 1;
        inner.n_listeners.set(id);
        inner.listeners.borrow_mut().push((id, Rc::new(listener)));
        self.at_end(move |inner| inner.listeners.borrow_mut().retain(|(other, _)| *other != id));
    }

    /// Does something to the inner part when the caller's part of the page goes.
    pub(super) fn at_end(self, act: impl FnOnce(&Inner) + 'static) {
        let act = StoredValue::new_local(Some(act));
        on_cleanup(move || {
            let act = act.try_update_value(Option::take).flatten();
            if let (Some(act), Some(inner)) = (act, self.inner()) {
                act(&inner);
            }
        });
    }
}

async fn send_all(
    mut sender: SocketSender<FromViewer>,
    mut queued: mpsc::UnboundedReceiver<FromViewer>,
) -> Result<(), ClientError> {
    while let Some(frame) = queued.next().await {
        sender.send(&frame).await?;
    }
    sender.close().await
}

/// The line of the page.
pub(crate) fn use_live() -> Live {
    expect_context()
}
