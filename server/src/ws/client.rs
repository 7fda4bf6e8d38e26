//! The socket of a viewer: events from a cursor on, and the logs it follows.
//!
//! The store is what is read; notices only say when to look. A viewer that was away names the last event and
//! the last log entries it knows and gets all that it missed, in order.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use futures_util::stream::SplitSink;
use futures_util::{SinkExt, StreamExt};
use swarm_model::change::EventRecord;
use swarm_model::rights::{Operation, Relation};
use swarm_model::{EventId, TaskId, TaskNumber, TaskRef, UserId, WorkerId};
use swarm_proto::ErrorCode;
use swarm_proto::client::{FromViewer, ToViewer};
use swarm_proto::tasks::Task;
use swarm_proto::workers::Worker;
use swarm_store::task::EventScope;
use tokio::sync::broadcast::error::RecvError;

use crate::api::{tasks, workers};
use crate::auth::Identity;
use crate::error::ApiError;
use crate::extract::Path;
use crate::hub::Notice;
use crate::quotas::OpenSocket;
use crate::state::AppState;
use crate::ws::READ_BUFFER;

/// Bytes of one message from a viewer.
const MAX_MESSAGE: usize = 64 * 1024;
/// Events read at once.
const PAGE: usize = 500;
/// Log entries read at once.
const LOG_PAGE: usize = 500;
/// Logs that one viewer follows at once.
const MAX_FOLLOWED: usize = 32;
/// More tasks than this in one page of events come without their details; the viewer reads its list anew.
const MAX_DETAILS: usize = 50;
/// How often the socket is probed.
const PING_EVERY: Duration = Duration::from_secs(20);

/// Opens a viewer's socket. Browsers show a ticket, programs their token.
pub(crate) async fn client_socket(
    State(state): State<AppState>,
    identity: Identity,
    Path(user_id): Path<UserId>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, ApiError> {
    identity.require(Operation::WatchEvents, Relation::None)?;
    if identity.person()?.user_id != user_id {
        return Err(ApiError::new(ErrorCode::NotFound, "events are told to the person they concern only"));
    }
    let counted = state.quotas.open_socket(user_id)?;
    let tracker = state.tracker.clone();
    let upgrade = upgrade.max_message_size(MAX_MESSAGE).max_frame_size(MAX_MESSAGE).read_buffer_size(READ_BUFFER);
    Ok(upgrade.on_upgrade(move |socket| tracker.track_future(serve(state, identity, user_id, counted, socket))))
}

/// What a viewer has asked for and where it stands.
struct Viewer {
    state: AppState,
    identity: Identity,
    user: UserId,
    sink: SplitSink<WebSocket, Message>,
    cursor: Option<EventId>,
    followed: HashMap<TaskNumber, (TaskId, u64)>,
}

/// The viewer is gone, or must read anew: the socket closes.
struct Closed;

async fn serve(state: AppState, identity: Identity, user: UserId, _counted: OpenSocket, socket: WebSocket) {
    // Listening begins before anything is read, so that nothing falls between.
    let mut notices = state.hub.listen();
    let shutdown = state.shutdown.clone();
    let revoked = identity.revoked();
    let (sink, mut stream) = socket.split();
    let mut viewer = Viewer { state, identity, user, sink, cursor: None, followed: HashMap::new() };
    let mut ping = tokio::time::interval(PING_EVERY);
    loop {
        let step = tokio::select! {
            message = stream.next() => match message {
                Some(Ok(Message::Text(text))) => viewer.hear(&text).await,
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
                Some(Ok(Message::Binary(_) | Message::Close(_)) | Err(_)) | None => Err(Closed),
            },
            notice = notices.recv() => match notice {
                Ok(notice) => viewer.notice(&notice).await,
                Err(RecvError::Lagged(_)) => viewer.catch_up().await,
                Err(RecvError::Closed) => Err(Closed),
            },
            _ = ping.tick() => viewer.send_raw(Message::Ping(bytes::Bytes::new())).await,
            () = revoked.cancelled() => Err(Closed),
            () = shutdown.cancelled() => Err(Closed),
        };
        if step.is_err() {
            break;
        }
    }
    // The viewer may be gone already.
    viewer.sink.send(Message::Close(None)).await.ok();
}

impl Viewer {
    async fn send_raw(&mut self, message: Message) -> Result<(), Closed> {
        self.sink.send(message).await.map_err(|_| Closed)
    }

    async fn send(&mut self, frame: &ToViewer) -> Result<(), Closed> {
        let text = serde_json::to_string(frame).map_err(|_| Closed)?;
        self.send_raw(Message::text(text)).await
    }

    async fn hear(&mut self, text: &str) -> Result<(), Closed> {
        match serde_json::from_str(text).map_err(|_| Closed)? {
            FromViewer::Subscribe { after } => self.subscribe(after).await,
            FromViewer::Follow { task, after } => self.follow(task, after).await,
            FromViewer::Unfollow { task } => {
                if let Ok(task) = tasks::load(&self.state, &self.identity, Operation::ReadTask, &task).await {
                    self.followed.remove(&task.head.number);
                }
                Ok(())
            }
            FromViewer::Unknown => Ok(()),
        }
    }

    async fn subscribe(&mut self, after: Option<EventId>) -> Result<(), Closed> {
        let newest = self.state.stores.tasks.counters().await.map_err(|_| Closed)?.last_event;
        let oldest = self.state.stores.tasks.oldest_event().await.map_err(|_| Closed)?;
        if let (Some(after), Some(oldest)) = (after, oldest)
            && (after.0 + 1 < oldest.0 || after > newest)
        {
            self.send(&ToViewer::Gone { task_id: None }).await?;
            self.cursor = Some(newest);
        } else {
            self.cursor = Some(after.unwrap_or(newest));
        }
        self.send(&ToViewer::Subscribed { cursor: newest }).await?;
        self.events().await
    }

    async fn follow(&mut self, named: String, after: u64) -> Result<(), Closed> {
        let refused = |detail: String| ToViewer::Refused { task: named.clone(), detail };
        if self.followed.len() >= MAX_FOLLOWED {
            let detail = format!("{MAX_FOLLOWED} logs are followed already; unfollow one first");
            return self.send(&refused(detail)).await;
        }
        match tasks::load(&self.state, &self.identity, Operation::ReadTask, &named).await {
            Ok(task) => {
                let number = task.head.number;
                self.followed.insert(number, (task.head.task_id, after));
                self.log(number).await
            }
            Err(error) => self.send(&refused(error.detail().to_owned())).await,
        }
    }

    async fn notice(&mut self, notice: &Arc<Notice>) -> Result<(), Closed> {
        if self.cursor.is_some() && !notice.events.is_empty() {
            self.events().await?;
        }
        let grown: Vec<_> = notice.logged.iter().copied().filter(|number| self.followed.contains_key(number)).collect();
        for number in grown {
            self.log(number).await?;
        }
        Ok(())
    }

    async fn catch_up(&mut self) -> Result<(), Closed> {
        self.events().await?;
        let followed: Vec<_> = self.followed.keys().copied().collect();
        for number in followed {
            self.log(number).await?;
        }
        Ok(())
    }

    /// Sends every event behind the cursor that the viewer may see.
    async fn events(&mut self) -> Result<(), Closed> {
        let Some(mut cursor) = self.cursor else { return Ok(()) };
        let stores = self.state.stores.clone();
        let all = self.identity.allows(Operation::ReadWorker, Relation::None);
        let visible = stores.workers.workers_for(self.user, all).await.map_err(|_| Closed)?;
        let scope =
            EventScope::Of { user: self.user, workers: visible.iter().map(|view| view.worker.worker_id).collect() };
        loop {
            let events = stores.tasks.events_after(cursor, &scope, PAGE).await.map_err(|_| Closed)?;
            let Some(last) = events.last().map(|event| event.id) else { break };
            let details = self.details(&events).await?;
            for event in events {
                let task =
                    event.number.and_then(|number| details.tasks.get(&number)).map(|task| Box::new(task.clone()));
                let worker = event
                    .worker_id
                    .and_then(|worker| details.workers.get(&worker))
                    .map(|worker| Box::new(worker.clone()));
                self.send(&ToViewer::Event { event, task, worker }).await?;
            }
            cursor = last;
        }
        self.cursor = Some(cursor);
        Ok(())
    }

    /// The things that these events are about, as they are now.
    async fn details(&self, events: &[EventRecord]) -> Result<Details, Closed> {
        let mut details = Details::default();
        let numbers: BTreeSet<_> =
            events.iter().filter(|event| event.user_id == Some(self.user)).filter_map(|event| event.number).collect();
        if numbers.len() <= MAX_DETAILS {
            for number in numbers {
                let task = self.state.stores.tasks.task(TaskRef::Number(number)).await.map_err(|_| Closed)?;
                details.tasks.extend(task.map(|task| (number, tasks::task_of(task))));
            }
        }
        let named: BTreeSet<_> =
            events.iter().filter(|event| event.number.is_none()).filter_map(|event| event.worker_id).collect();
        for worker in named {
            if let Ok((record, relation)) =
                workers::load(&self.state, &self.identity, Operation::ReadWorker, worker).await
            {
                let role = match relation {
                    Relation::OnWorker(role) => Some(role),
                    Relation::None | Relation::Own | Relation::SharedWorker => None,
                };
                details.workers.insert(worker, workers::to_wire(record, role, self.user, self.state.dispatcher.live()));
            }
        }
        Ok(details)
    }

    /// Sends what a followed log has beyond what the viewer knows.
    async fn log(&mut self, number: TaskNumber) -> Result<(), Closed> {
        while let Some((task_id, after)) = self.followed.get(&number).copied() {
            match tasks::log_page(&self.state, number, after, LOG_PAGE).await {
                Ok(page) if page.entries.is_empty() => break,
                Ok(page) => {
                    self.followed.insert(number, (task_id, page.next_after));
                    self.send(&ToViewer::Log { task_id, entries: page.entries }).await?;
                }
                Err(error) if error.code() == ErrorCode::Gone => {
                    self.followed.remove(&number);
                    self.send(&ToViewer::Gone { task_id: Some(task_id) }).await?;
                }
                Err(_) => return Err(Closed),
            }
        }
        Ok(())
    }
}

#[derive(Default)]
struct Details {
    tasks: HashMap<TaskNumber, Task>,
    workers: HashMap<WorkerId, Worker>,
}
