//! HTTP: which request is JSON-RPC and which a URI call, and the headers of the answers.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method as HttpMethod, Request, Response, StatusCode};

use super::Limits;
use super::args::{Args, query_pairs};
use super::door::Pass;
use super::envelope::{self, Body, Call, Id};
use super::methods::{self, Cache, Methods};
use super::{submit, ws};
use crate::{Backend, RpcError, types};

const SERVER_TIME: HeaderName = HeaderName::from_static("x-server-time");
const NO_SNIFF: HeaderName = HeaderName::from_static("x-content-type-options");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const PLAIN: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const DAY: HeaderValue = HeaderValue::from_static("public, max-age=86400");

/// Bytes of the answers to a batch after which no further long one is begun: two of the largest
/// pages.
const BATCH_BYTES_MAX: usize = 2 * crate::PAGE_BYTES_MAX;

pub(super) type Answer = Response<Full<Bytes>>;

/// Answers requests: a backend, limits, and further methods. For use in an HTTP server of one's
/// own; [`super::serve`] brings one.
#[derive(Clone)]
pub struct Service {
    pub(super) backend: Arc<dyn Backend>,
    limits: Limits,
    methods: Methods,
    pub(super) clients: ws::Clients,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { limits, methods, .. } = self;
        f.debug_struct("Service").field("limits", limits).field("methods", methods).finish()
    }
}

/// What came of a call.
struct Outcome {
    /// The whole answer.
    json: Vec<u8>,
    /// Over POST an answer may be cached even if it is an error of the method.
    is_cacheable: bool,
    /// The error that it is, if it is one.
    refused: Option<RpcError>,
}

impl Service {
    /// A service that answers the table's methods from `backend` and the further `methods`.
    pub fn new(backend: Arc<dyn Backend>, limits: Limits, methods: Methods) -> Self {
        Self { backend, limits, methods, clients: ws::Clients::default() }
    }

    /// The limits it was made with.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Answers one request; WebSockets are only on servers of [`super::serve`].
    pub async fn handle<B>(&self, request: Request<B>) -> Answer
    where
        B: hyper::body::Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>,
    {
        self.handle_on(request, None).await
    }

    pub(super) async fn handle_on<B>(
        &self,
        mut request: Request<B>,
        connection: Option<&Pass>,
    ) -> Answer
    where
        B: hyper::body::Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>,
    {
        if request.uri().path() == "/websocket" {
            if !self.is_welcome(request.headers()) {
                return plain(StatusCode::FORBIDDEN, "403 forbidden: foreign origin\n");
            }
            let upgrade = request.extensions_mut().remove();
            return ws::answer(self, request.headers(), upgrade, connection);
        }
        let (parts, body) = request.into_parts();
        let is_preflight = parts.method == HttpMethod::OPTIONS
            && parts.headers.contains_key(header::ORIGIN)
            && parts.headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        let mut answer = if is_preflight && !self.limits.cors_origins.is_empty() {
            status_only(StatusCode::NO_CONTENT)
        } else {
            let most = Duration::from_secs(self.limits.body_timeout_s);
            let body = Limited::new(body, self.limits.body_bytes_max).collect();
            match tokio::time::timeout(most, body).await {
                Ok(Ok(body)) => self.route(&parts, &body.to_bytes()).await,
                Ok(Err(_)) => return too_large(),
                Err(_) => return too_slow(),
            }
        };
        if let Some(time) = server_time() {
            answer.headers_mut().insert(SERVER_TIME, time);
        }
        if !self.limits.cors_origins.is_empty() {
            self.add_cors(&parts.headers, is_preflight, answer.headers_mut());
        }
        answer
    }

    async fn route(&self, parts: &hyper::http::request::Parts, body: &[u8]) -> Answer {
        match parts.uri.path() {
            "/" if body.is_empty() => self.index(&parts.headers),
            "/" => self.post(body).await,
            path => self.uri(&path[1..], parts, body).await,
        }
    }

    async fn post(&self, body: &[u8]) -> Answer {
        let text: Cow<'_, str> = String::from_utf8_lossy(body);
        let calls = match Body::read(&text) {
            Ok(Body::One(call)) => {
                return match self.answer(&call).await {
                    Some(one) => json_answer(StatusCode::OK, one.json, one.is_cacheable),
                    None => status_only(StatusCode::OK),
                };
            }
            Ok(Body::Batch(calls)) => calls,
            Err(error) => {
                let json = envelope::error_answer(&Id::None, &error);
                return json_answer(StatusCode::INTERNAL_SERVER_ERROR, json, false);
            }
        };
        if let Err(error) = self.check_batch(calls.len()) {
            return json_answer(StatusCode::OK, envelope::error_answer(&Id::None, &error), false);
        }
        let answers = self.answer_all(&calls).await;
        let is_cacheable = answers.iter().all(|one| one.is_cacheable);
        match &answers[..] {
            [] => status_only(StatusCode::OK),
            [_] => {
                let json = answers.into_iter().flat_map(|one| one.json).collect();
                json_answer(StatusCode::OK, json, is_cacheable)
            }
            _ => {
                let mut json = vec![b'['];
                for (at, one) in answers.iter().enumerate() {
                    if at > 0 {
                        json.push(b',');
                    }
                    json.extend_from_slice(&one.json);
                }
                json.push(b']');
                json_answer(StatusCode::OK, json, is_cacheable)
            }
        }
    }

    /// The answers to a batch, in its order.
    async fn answer_all(&self, calls: &[Call<'_>]) -> Vec<Outcome> {
        let is_long =
            |call: &Call<'_>| methods::find(&call.method).is_some_and(|spec| spec.method.is_long());
        // Transactions in a row are handed over together: the mempool is woken once.
        let rows = calls.chunk_by(|a, b| a.method == submit::NAME && b.method == submit::NAME);
        // At once: calls of a batch that wait for the application wait together.
        let short = rows.map(|row| async move {
            match row {
                [call] if is_long(call) => vec![None],
                [call] => vec![self.answer(call).await],
                _ => self.submit_row(row).await,
            }
        });
        let mut answers: Vec<Option<Outcome>> =
            futures::future::join_all(short).await.into_iter().flatten().collect();
        let mut bytes: usize = answers.iter().flatten().map(|one| one.json.len()).sum();
        // One after another: a batch holds no more than one page beyond its bound.
        for (call, answer) in calls.iter().zip(&mut answers) {
            if !is_long(call) || call.id == Id::None {
                continue;
            }
            let one = if bytes > BATCH_BYTES_MAX {
                let why = format!("the answers to this batch are longer than {BATCH_BYTES_MAX}");
                Some(failed(&call.id, RpcError::internal(why + " bytes: ask for less"), false))
            } else {
                self.answer(call).await
            };
            bytes += one.as_ref().map_or(0, |one| one.json.len());
            *answer = one;
        }
        answers.into_iter().flatten().collect()
    }

    /// The answers to transactions that follow one another.
    async fn submit_row(&self, row: &[Call<'_>]) -> Vec<Option<Outcome>> {
        let told = submit::row(&*self.backend, row).await;
        let answer = |(call, told): (&Call<'_>, Option<Result<types::BroadcastTx, RpcError>>)| {
            let mut json = opened(&call.id);
            let done = told?.and_then(|told| methods::put(&mut json, &told));
            Some(closed(&call.id, json, done, false))
        };
        row.iter().zip(told).map(answer).collect()
    }

    fn check_batch(&self, len: usize) -> Result<(), RpcError> {
        let max = self.limits.batch_max;
        match len {
            0 => Err(RpcError::invalid_request("the batch is empty")),
            _ if max > 0 && len > max => Err(RpcError::invalid_request(format!(
                "batch request exceeds maximum ({max}) allowed number of requests"
            ))),
            _ => Ok(()),
        }
    }

    /// The answer to a request over a WebSocket; none to a notification.
    pub(super) async fn answer_ws(&self, call: &Call<'_>) -> Option<Vec<u8>> {
        let recode = |error: RpcError| envelope::error_answer(&call.id, &error.over_websocket());
        let answer = self.answer(call).await?;
        Some(match answer.refused {
            Some(error) => recode(error),
            None => answer.json,
        })
    }

    /// The answer to a request of JSON-RPC; none to a notification.
    async fn answer(&self, call: &Call<'_>) -> Option<Outcome> {
        if call.id == Id::None {
            return None;
        }
        let Some(target) = self.target(&call.method) else {
            let error = RpcError::method_not_found();
            let json = envelope::error_answer(&call.id, &error);
            return Some(Outcome { json, is_cacheable: false, refused: Some(error) });
        };
        Some(match Args::from_json(target.params(), call.params) {
            Ok(args) => self.run(&call.id, &target, &args).await,
            Err(error) => failed(&call.id, error, false),
        })
    }

    fn target(&self, name: &str) -> Option<Target<'_>> {
        match methods::find(name) {
            Some(spec) if spec.method.is_unsafe() && !self.limits.is_unsafe => None,
            Some(spec) => Some(Target::Table(spec)),
            None => self.methods.extras.get(name).map(Target::Extra),
        }
    }

    async fn run(&self, id: &Id<'_>, target: &Target<'_>, args: &Args<'_>) -> Outcome {
        let mut json = opened(id);
        let (done, cache) = match target {
            Target::Table(spec) => {
                (methods::call(self, spec.method, args, &mut json).await, spec.cache)
            }
            Target::Extra(extra) => {
                let result = (extra.handler)(args).await;
                (result.map(|bytes| json.extend_from_slice(&bytes)), Cache::Never)
            }
        };
        let is_cacheable = match cache {
            Cache::Never => false,
            Cache::Always => true,
            Cache::WithHeight => args.is_given(0),
        };
        closed(id, json, done, is_cacheable)
    }

    /// A call by path: `/METHOD?name=value`, or a form in the body.
    async fn uri(&self, name: &str, parts: &hyper::http::request::Parts, body: &[u8]) -> Answer {
        if ws::METHODS.iter().any(|(known, _)| *known == name) {
            let json = envelope::error_answer(&envelope::URI_ID, &RpcError::method_not_found());
            return json_answer(StatusCode::NOT_FOUND, json, false);
        }
        let Some(target) = self.target(name) else { return not_found() };
        let content_type = parts.headers.get(header::CONTENT_TYPE);
        let is_form = content_type
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.starts_with("application/x-www-form-urlencoded"));
        let form = if is_form { String::from_utf8_lossy(body) } else { Cow::Borrowed("") };
        let mut pairs = query_pairs(&form);
        pairs.extend(query_pairs(parts.uri.query().unwrap_or("")));
        let args = Args::from_uri(target.params(), &pairs);
        let done = self.run(&envelope::URI_ID, &target, &args).await;
        match done.refused.map(|error| error.code) {
            None => json_answer(StatusCode::OK, done.json, done.is_cacheable),
            Some(RpcError::METHOD_NOT_FOUND) => {
                json_answer(StatusCode::NOT_FOUND, done.json, false)
            }
            Some(RpcError::INVALID_REQUEST) => {
                json_answer(StatusCode::BAD_REQUEST, done.json, false)
            }
            Some(_) => json_answer(StatusCode::INTERNAL_SERVER_ERROR, done.json, false),
        }
    }

    /// The page at `/`: a link for every method.
    fn index(&self, headers: &HeaderMap) -> Answer {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("");
        let is_plain = |c: char| c.is_ascii_alphanumeric() || ".:-[]_".contains(c);
        let host = if host.chars().all(is_plain) { host } else { "" };
        let served = methods::TABLE.iter().filter(|spec| self.target(spec.name).is_some());
        let mut names: Vec<(&str, &[&str])> = served.map(|spec| (spec.name, spec.params)).collect();
        names.extend(ws::METHODS);
        names.extend(self.methods.extras.iter().map(|(name, extra)| (*name, extra.params)));
        names.sort_unstable();
        let mut page = String::from(
            "<html><body><br>Available endpoints:<br><br>Endpoints that require arguments:<br>",
        );
        for (name, params) in names {
            let params: Vec<String> = params.iter().map(|param| format!("{param}=_")).collect();
            let link = format!("//{host}/{name}?{}", params.join("&"));
            page.push_str(&format!("<a href=\"{link}\">{link}</a></br>"));
        }
        page.push_str("</body></html>");
        let mut answer = Response::new(Full::from(page));
        answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
        answer
    }

    /// Whether a page of this origin may call from a browser.
    fn is_allowed(&self, origin: &HeaderValue) -> bool {
        let is_it = |allowed: &String| allowed == "*" || allowed.as_bytes() == origin.as_bytes();
        self.limits.cors_origins.iter().any(is_it)
    }

    /// Whether a WebSocket may be opened: browsers let any page try, and say which it is.
    fn is_welcome(&self, headers: &HeaderMap) -> bool {
        let Some(origin) = headers.get(header::ORIGIN) else { return true };
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let page = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
        let is_ours = |((_, page), host): ((&str, &str), &str)| page.eq_ignore_ascii_case(host);
        page.zip(host).is_some_and(is_ours) || self.is_allowed(origin)
    }

    fn add_cors(&self, asked: &HeaderMap, is_preflight: bool, answer: &mut HeaderMap) {
        let vary = if is_preflight {
            "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
        } else {
            "Origin"
        };
        answer.insert(header::VARY, HeaderValue::from_static(vary));
        let Some(origin) = asked.get(header::ORIGIN) else { return };
        if !self.is_allowed(origin) {
            return;
        }
        if is_preflight {
            let Some(method) = asked.get(header::ACCESS_CONTROL_REQUEST_METHOD) else { return };
            if !["GET", "POST", "HEAD"].iter().any(|allowed| method == allowed) {
                return;
            }
            if let Some(wanted) = asked.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
                if !are_plain_headers(wanted) {
                    return;
                }
                answer.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
            }
            answer.insert(header::ACCESS_CONTROL_ALLOW_METHODS, method.clone());
        }
        answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    }
}

/// Whether every header of a preflight's list is one that scripts may set.
fn are_plain_headers(list: &HeaderValue) -> bool {
    let allowed = ["origin", "accept", "content-type", "x-requested-with", "x-server-time"];
    list.to_str().is_ok_and(|list| {
        list.split(',')
            .all(|name| allowed.iter().any(|allowed| name.trim().eq_ignore_ascii_case(allowed)))
    })
}

/// Where a method is found.
enum Target<'a> {
    Table(&'static methods::Spec),
    Extra(&'a methods::Extra),
}

impl Target<'_> {
    fn params(&self) -> &'static [&'static str] {
        match self {
            Self::Table(spec) => spec.params,
            Self::Extra(extra) => extra.params,
        }
    }
}

/// The beginning of an answer, up to its result.
fn opened(id: &Id<'_>) -> Vec<u8> {
    let mut json = Vec::with_capacity(256);
    envelope::begin(id, &mut json);
    json.extend_from_slice(b",\"result\":");
    json
}

/// The answer that began with `json`, if it has its result.
fn closed(
    id: &Id<'_>,
    mut json: Vec<u8>,
    done: Result<(), RpcError>,
    is_cacheable: bool,
) -> Outcome {
    match done {
        Ok(()) => {
            json.push(b'}');
            Outcome { json, is_cacheable, refused: None }
        }
        Err(error) => failed(id, error, is_cacheable),
    }
}

fn failed(id: &Id<'_>, error: RpcError, is_cacheable: bool) -> Outcome {
    Outcome {
        json: envelope::error_answer(id, &error),
        is_cacheable: is_cacheable && error.code != RpcError::INVALID_PARAMS,
        refused: Some(error),
    }
}

fn server_time() -> Option<HeaderValue> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    Some(HeaderValue::from(now.as_secs()))
}

fn json_answer(status: StatusCode, json: Vec<u8>, is_cacheable: bool) -> Answer {
    let mut answer = Response::new(Full::from(json));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, JSON);
    if is_cacheable {
        answer.headers_mut().insert(header::CACHE_CONTROL, DAY);
    }
    answer
}

fn status_only(status: StatusCode) -> Answer {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = status;
    answer
}

/// The rest of the body may never come: the connection ends.
fn too_slow() -> Answer {
    let mut answer = plain(StatusCode::REQUEST_TIMEOUT, "408 the request's body is too slow\n");
    answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    answer
}

/// CometBFT closes the connection here, and so sends no time.
fn too_large() -> Answer {
    let error =
        RpcError::invalid_request("error reading request body: http: request body too large");
    let json = envelope::error_answer(&Id::None, &error);
    let mut answer = json_answer(StatusCode::BAD_REQUEST, json, false);
    answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    answer
}

fn not_found() -> Answer {
    plain(StatusCode::NOT_FOUND, "404 page not found\n")
}

fn plain(status: StatusCode, text: &'static str) -> Answer {
    let mut answer = Response::new(Full::from(text));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, PLAIN);
    answer.headers_mut().insert(NO_SNIFF, HeaderValue::from_static("nosniff"));
    answer
}
