//! One request on its way to the provider, and the answer on its way back.
//!
//! A question is read whole, because whom it asks and how long its answer may be stand in it; an answer passes as it
//! comes. Where the provider cannot be reached, or breaks off, the connection to the tool breaks too: that is what
//! the tool would have seen without us, and what it knows how to tell.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http_body_util::{BodyExt, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{
    ACCEPT_ENCODING, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST, HeaderMap, HeaderName,
    HeaderValue, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use hyper::{Method, Request, Response, StatusCode, Uri};
use reqwest::Client;
use swarm_model::time::{Clock, SystemClock};
use url::Url;

use super::door::Door;
use super::refuse::{Body, Broken, Framing, ending, refusal};
use super::watch::Watch;
use super::wire::{Asked, Kind, Wire};
use crate::account::{Account, Provider};
use crate::http;
use crate::meter::{Call, Meter, Question};
use crate::refusal::{Asked as Whom, MAX_BODY, Told};

/// The longest question.
const MAX_QUESTION: usize = 64 * 1024 * 1024;
/// How long a refusal may take to come whole.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(10);
/// What belongs to one connection and not to the next.
const HOP_BY_HOP: [HeaderName; 8] = [
    CONNECTION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-authorization"),
    HeaderName::from_static("proxy-connection"),
];
const OPENAI_HOST: &str = "api.openai.com";

/// Passes requests on.
#[derive(Debug)]
pub(super) struct Forward {
    account: Account,
    provider: &'static Provider,
    meter: Meter,
    client: Client,
    door: Door,
}

/// What goes out.
struct Outgoing {
    method: Method,
    url: Url,
    headers: HeaderMap,
}

impl Forward {
    pub(super) fn new(account: Account, provider: &'static Provider, meter: Meter, client: Client, door: Door) -> Self {
        Self { account, provider, meter, client, door }
    }

    pub(super) async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, Broken> {
        let (head, body) = request.into_parts();
        let url = self.target(&head.uri);
        let Some(below) = self.below(&url) else {
            return Ok(refusal(None, StatusCode::NOT_FOUND, "there is nothing at this address"));
        };
        let kind = Kind::of(&head.method, below);
        let wire = if let Kind::Question(wire) = kind { Some(wire) } else { None };
        if !self.door.admits(&head.headers, head.uri.query()) {
            return Ok(refusal(wire, StatusCode::UNAUTHORIZED, "this is not the token of the run"));
        }
        let outgoing = self.outgoing(&head.method, url.clone(), head.headers);
        let Ok(body) = Limited::new(body, MAX_QUESTION).collect().await else {
            return Ok(refusal(wire, StatusCode::PAYLOAD_TOO_LARGE, "the request is too long"));
        };
        let body = body.to_bytes();
        match kind {
            Kind::Question(wire) => self.ask(wire, below, outgoing, body).await,
            Kind::Free => self.pass(outgoing, body).await,
            Kind::Other => {
                let words = format!("{below} is not passed on: only what can be counted is");
                Ok(refusal(None, StatusCode::NOT_FOUND, &words))
            }
        }
    }

    /// Where a request goes, without what was meant for us. No path leads out of it any more.
    fn target(&self, uri: &Uri) -> Url {
        let mut url = self.account.base.clone();
        url.set_path(uri.path());
        url.set_query(uri.query().and_then(Door::stripped).as_deref());
        url
    }

    /// The part of a path behind the provider's address; none for what is beside it.
    fn below<'a>(&self, url: &'a Url) -> Option<&'a str> {
        let below = url.path().strip_prefix(self.account.base.path().trim_end_matches('/'))?;
        (below.is_empty() || below.starts_with('/')).then_some(below)
    }

    fn outgoing(&self, method: &Method, url: Url, mut headers: HeaderMap) -> Outgoing {
        Door::strip(&mut headers);
        strip_hop_by_hop(&mut headers);
        for name in [HOST, CONTENT_LENGTH, EXPECT] {
            headers.remove(name);
        }
        // We read along.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        headers.extend(self.account.header().map(|(name, value)| (Some(name), value)));
        Outgoing { method: method.clone(), url, headers }
    }

    async fn send(&self, outgoing: &Outgoing, body: Bytes) -> Result<reqwest::Response, Broken> {
        let Outgoing { method, url, headers } = outgoing;
        let request = self.client.request(method.clone(), url.clone()).headers(headers.clone()).body(body);
        request.send().await.map_err(|error| {
            let (base, words) = (http::shown(&self.account.base), http::broken(&error));
            self.meter.remark(format!("nobody answers at {base}: {words}"));
            Broken(Some(error.without_url()))
        })
    }

    /// Passes on what costs nothing.
    async fn pass(&self, outgoing: Outgoing, body: Bytes) -> Result<Response<Body>, Broken> {
        let response = self.send(&outgoing, body).await?;
        let (head, body) = taken_apart(response);
        let body = body.map(|chunk| chunk.map(Frame::data).map_err(|error| Broken(Some(error.without_url()))));
        Ok(head.map(|()| BodyExt::boxed_unsync(StreamBody::new(body))))
    }

    async fn ask(&self, wire: Wire, below: &str, outgoing: Outgoing, body: Bytes) -> Result<Response<Body>, Broken> {
        let refused = |status, words: &str| Ok(refusal(Some(wire), status, words));
        let text = std::str::from_utf8(&body).ok().filter(|_| !outgoing.headers.contains_key(CONTENT_ENCODING));
        let asked = text.and_then(|text| Some((text, Asked::read(wire, below, text).ok()?)));
        let Some((text, asked)) = asked else {
            let words = "the question cannot be read, and so cannot be counted";
            return refused(StatusCode::BAD_REQUEST, words);
        };
        let question = Question {
            model: &asked.model,
            prompt_bytes: asked.prompt_bytes,
            is_streamed: asked.is_streamed,
            wished: asked.wished(),
        };
        let others = asked.others.iter().try_for_each(|model| self.meter.allow(model));
        let call = match others.and_then(|()| self.meter.ask(question)) {
            Ok(call) => call,
            Err(denied) => return refused(StatusCode::BAD_REQUEST, &denied.failure().error),
        };
        let is_openai = self.account.base.host_str() == Some(OPENAI_HOST);
        let bounded = asked.bounded(text, call.left(), call.bound(), is_openai);
        let plain = bounded.as_deref().unwrap_or(text);
        let told = asked.with_usage(plain);
        let sent = match (&told, &bounded) {
            (Some(changed), _) | (None, Some(changed)) => Bytes::from(changed.clone()),
            (None, None) => body.clone(),
        };
        let mut response = self.send(&outgoing, sent).await.inspect_err(|_| call.unreached())?;
        if told.is_some() && matches!(response.status().as_u16(), 400 | 422) {
            // Some servers know no such wish, and the tool never uttered it.
            drop(response);
            let plain = Bytes::from(plain.to_owned());
            response = self.send(&outgoing, plain).await.inspect_err(|_| call.unreached())?;
        }
        call.answered(response.status().as_u16());
        if response.status().is_success() {
            return Ok(self.watched(response, call, &asked));
        }
        self.refused(response, call).await
    }

    /// An answer that is watched while it passes.
    fn watched(&self, response: reqwest::Response, call: Call, asked: &Asked) -> Response<Body> {
        let framing = Framing::of(response.headers().get(CONTENT_TYPE));
        let is_packed = response.headers().get(CONTENT_ENCODING).is_some_and(|packed| packed.as_bytes() == b"gzip");
        let watch = Watch::new(call, asked, self.account.base.clone(), framing, is_packed);
        let wire = asked.wire;
        let (head, body) = taken_apart(response);
        let left = head.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let passing = Passing { body: Box::pin(body), watch: Some(watch), left, wire, framing, is_packed };
        let frames = stream::unfold(passing, |mut passing| async move {
            let next = passing.next().await?;
            Some((next.map(Frame::data), passing))
        });
        head.map(|()| BodyExt::boxed_unsync(StreamBody::new(frames)))
    }

    /// A refusal, which may say when a limit of the account ends. Refusals are short, and passed on whole.
    async fn refused(&self, response: reqwest::Response, call: Call) -> Result<Response<Body>, Broken> {
        let (status, headers) = (response.status(), response.headers().clone());
        let (head, body) = taken_apart(response);
        let whole = async {
            let (mut kept, mut body) = (Vec::new(), Box::pin(body));
            while let Some(chunk) = body.next().await {
                kept.extend_from_slice(&chunk.map_err(|error| Broken(Some(error.without_url())))?);
                if kept.len() > MAX_BODY {
                    break;
                }
            }
            Ok::<_, Broken>((kept, body))
        };
        let (kept, rest) = tokio::time::timeout(REFUSAL_TIMEOUT, whole).await.unwrap_or(Err(Broken(None)))?;
        call.finish();
        let told = Told::by_reply(&self.account, status, &headers, &kept);
        let whom = Whom {
            who: self.account.who(self.provider),
            account: &self.account,
            model: None,
            unknown_model: swarm_model::FailureClass::Refused,
        };
        if let (_, Some(limit)) = told.failure(&whom, SystemClock.now()) {
            self.meter.limited(limit);
        }
        let first = stream::once(async { Ok(Bytes::from(kept)) });
        let body = first.chain(rest);
        let body =
            body.map(|chunk| chunk.map(Frame::data).map_err(|error: reqwest::Error| Broken(Some(error.without_url()))));
        Ok(head.map(|()| BodyExt::boxed_unsync(StreamBody::new(body))))
    }
}

/// An answer that passes.
struct Passing<S> {
    body: S,
    watch: Option<Watch>,
    /// Bytes that are still to come, where that was said: nobody asks for more than these.
    left: Option<u64>,
    wire: Wire,
    framing: Framing,
    is_packed: bool,
}

impl<S: Stream<Item = reqwest::Result<Bytes>> + Unpin> Passing<S> {
    async fn next(&mut self) -> Option<Result<Bytes, Broken>> {
        // Without its watch it is over.
        let watch = self.watch.as_mut()?;
        match self.body.next().await {
            Some(Ok(chunk)) => match watch.chunk(&chunk) {
                Ok(()) => {
                    self.left = self.left.map(|left| left.saturating_sub(chunk.len() as u64));
                    if self.left == Some(0) {
                        self.finish();
                    }
                    Some(Ok(chunk))
                }
                Err(denied) => {
                    self.watch = None;
                    // Among packed bytes there is no place for words.
                    let framing = if self.is_packed { Framing::Whole } else { self.framing };
                    let words = ending(self.wire, framing, &denied.failure().error);
                    Some(if words.is_empty() { Err(Broken(None)) } else { Ok(words) })
                }
            },
            Some(Err(error)) => {
                self.watch = None;
                Some(Err(Broken(Some(error.without_url()))))
            }
            None => {
                self.finish();
                None
            }
        }
    }
}

impl<S> Passing<S> {
    fn finish(&mut self) {
        if let Some(watch) = self.watch.take() {
            watch.finish();
        }
    }
}

fn taken_apart(response: reqwest::Response) -> (Response<()>, impl Stream<Item = reqwest::Result<Bytes>> + Send) {
    let mut head = Response::new(());
    *head.status_mut() = response.status();
    *head.headers_mut() = response.headers().clone();
    strip_hop_by_hop(head.headers_mut());
    (head, response.bytes_stream())
}

/// Takes out what belongs to this connection, also what `Connection` itself names.
fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.into_iter().chain(HOP_BY_HOP) {
        headers.remove(name);
    }
}
