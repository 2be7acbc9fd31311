//! What a request has to pass before it is looked at: so many in a second, a host that is this machine, and for changes the token.
//!
//! Each refusal is logged once for each source and status; how many sources are remembered is bounded, and the memory begins anew each hour.

use crate::refusal::{IsRefusal, Refusal};
use crate::routes::State;
use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Requests in a second, in the long run; and at once.
const RATE: f64 = 200.0;
const BURST: f64 = 400.0;
/// For all of a request but an answer without end.
const PATIENCE: Duration = Duration::from_secs(10);
/// Sources and reasons that are remembered.
const REMEMBERED: usize = 1024;
const FORGOTTEN_AFTER: Duration = Duration::from_secs(3600);

/// Who asks: an address, or a user.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    Ip(IpAddr),
    User(Option<u32>),
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Source::Ip(ip) => write!(f, "{ip}"),
            Source::User(Some(uid)) => write!(f, "uid {uid}"),
            Source::User(None) => write!(f, "an unknown user"),
        }
    }
}

/// What was refused to whom.
#[derive(Debug)]
pub(crate) struct Refusals(Mutex<(Instant, HashSet<(Source, u16)>)>);

impl Default for Refusals {
    fn default() -> Refusals {
        Refusals(Mutex::new((Instant::now(), HashSet::new())))
    }
}

impl Refusals {
    /// Logs it, if it is news.
    pub(crate) fn note(&self, source: &Source, status: StatusCode, what: &str) {
        if self.is_news(source, status.as_u16(), Instant::now()) {
            tracing::warn!("HTTP: refused {source}: {} {what}; said once an hour", status.as_u16());
        }
    }

    fn is_news(&self, source: &Source, status: u16, now: Instant) -> bool {
        let mut all = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if now.duration_since(all.0) > FORGOTTEN_AFTER {
            *all = (now, HashSet::new());
        }
        all.1.len() < REMEMBERED && all.1.insert((source.clone(), status))
    }
}

/// A bucket that fills by [`RATE`].
#[derive(Debug)]
pub(crate) struct Bucket(Mutex<(Instant, f64)>);

impl Default for Bucket {
    fn default() -> Bucket {
        Bucket(Mutex::new((Instant::now(), BURST)))
    }
}

impl Bucket {
    fn take(&self, now: Instant) -> bool {
        let mut all = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let filled = (all.1 + now.duration_since(all.0).as_secs_f64() * RATE).min(BURST);
        let is_in = filled >= 1.0;
        *all = (now, if is_in { filled - 1.0 } else { filled });
        is_in
    }
}

/// Passes a request on, or refuses it.
pub(crate) async fn check(
    axum::extract::State(state): axum::extract::State<State>,
    request: Request,
    next: Next,
) -> Response {
    let source = request.extensions().get::<Source>().cloned().unwrap_or(Source::User(None));
    let method = request.method().clone();
    // Not what stands in it: that is the stranger's text.
    let what = format!("{} {}", name_of(&method), place_of(request.uri().path()));
    let mut response = match admit(&state, &request) {
        Err(refusal) => refusal.into_response(),
        Ok(()) => match tokio::time::timeout(PATIENCE, next.run(request)).await {
            Ok(response) => response,
            Err(_) => Refusal::new(StatusCode::REQUEST_TIMEOUT, "the request took too long").into_response(),
        },
    };
    let status = response.status();
    if status.is_client_error() {
        state.refusals().note(&source, status, &what);
        if response.extensions().get::<IsRefusal>().is_none() {
            response = Refusal::new(status, plain(status)).into_response();
        }
    }
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-store"),
        ("cross-origin-resource-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
    ] {
        response.headers_mut().insert(name, axum::http::HeaderValue::from_static(value));
    }
    // The page has one of its own.
    response
        .headers_mut()
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(axum::http::HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
    response
}

/// What axum refuses by itself, in our words.
fn plain(status: StatusCode) -> &'static str {
    match status {
        StatusCode::NOT_FOUND => "there is nothing at this path; /v1/openapi.json says what there is",
        StatusCode::METHOD_NOT_ALLOWED => "this method is not allowed here; /v1/openapi.json says which is",
        StatusCode::PAYLOAD_TOO_LARGE => "the body is larger than 4096 bytes",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "the body must be JSON, with content-type: application/json",
        _ => "the request is not valid; /v1/openapi.json says what is",
    }
}

fn name_of(method: &Method) -> &str {
    let known = [Method::GET, Method::HEAD, Method::PUT, Method::POST, Method::DELETE, Method::OPTIONS];
    if known.contains(method) { method.as_str() } else { "a request" }
}

fn place_of(path: &str) -> String {
    path.chars().filter(|c| c.is_ascii_graphic()).take(64).collect()
}

fn admit(state: &State, request: &Request) -> Result<(), Refusal> {
    if !state.bucket().take(Instant::now()) {
        let why = format!("more than {RATE} requests in a second");
        return Err(Refusal::new(StatusCode::TOO_MANY_REQUESTS, why));
    }
    if state.is_tcp() && !is_this_machine(request) {
        let why = "the host of the request is neither localhost nor an address, so it may come from a page of somebody else's";
        return Err(Refusal::new(StatusCode::MISDIRECTED_REQUEST, why));
    }
    if request.method() == Method::GET || request.method() == Method::HEAD {
        return Ok(());
    }
    let said = bearer(request.headers());
    let Some(said) = said else {
        let why = "changes need the token: `Authorization: Bearer TOKEN`, or of xcli XSCHED_HTTP_TOKEN=FILE; it stands in the server's token file, \
             which the server's log names";
        return Err(Refusal::new(StatusCode::UNAUTHORIZED, why));
    };
    if state.token().is(said) {
        Ok(())
    } else {
        Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "this is not the token; it stands in the server's token file, which the server's log names",
        ))
    }
}

fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let said = all.next()?.as_bytes();
    // Two of them are none.
    if all.next().is_some() {
        return None;
    }
    let (scheme, token) = said.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then_some(token.trim_ascii())
}

/// An address, or `localhost`; exactly one of them.
fn is_this_machine(request: &Request) -> bool {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next().and_then(|host| host.to_str().ok()), hosts.next()) else {
        return false;
    };
    // A whole address in place of a path says where to more than the header does.
    let target = request.uri().authority().map(axum::http::uri::Authority::as_str);
    names_this_machine(host) && target.is_none_or(names_this_machine)
}

fn names_this_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_host(hosts: &[&str]) -> bool {
        let mut request = axum::http::Request::builder().uri("/");
        for host in hosts {
            request = request.header("host", *host);
        }
        is_this_machine(&request.body(axum::body::Body::empty()).unwrap())
    }

    #[test]
    fn hosts_that_are_names_of_others_are_not_this_machine() {
        for host in ["localhost", "LOCALHOST:80", "127.0.0.1:50000", "[::1]:1", "10.0.0.1"] {
            assert!(with_host(&[host]), "{host}");
        }
        for host in ["example.org", "localhost.example.org:80", "", "127.0.0.1.example.org"] {
            assert!(!with_host(&[host]), "{host}");
        }
        assert!(!with_host(&[]) && !with_host(&["localhost", "localhost"]));
    }

    #[test]
    fn a_whole_address_in_place_of_a_path_is_looked_at_as_the_host_is() {
        let is_ours = |target: &str| {
            let request = axum::http::Request::builder().uri(target).header("host", "localhost");
            is_this_machine(&request.body(axum::body::Body::empty()).unwrap())
        };
        assert!(is_ours("http://127.0.0.1:50000/v1/server") && is_ours("/v1/server"));
        assert!(!is_ours("http://example.org/v1/server") && !is_ours("http://localhost@example.org/"));
    }

    #[test]
    fn each_source_is_news_once_for_each_status_and_not_for_ever_many() {
        let (refusals, now) = (Refusals::default(), Instant::now());
        let source = |n: u32| Source::User(Some(n));
        assert!(refusals.is_news(&source(1), 401, now) && !refusals.is_news(&source(1), 401, now));
        assert!(refusals.is_news(&source(1), 404, now) && refusals.is_news(&source(2), 401, now));
        let news = (10..5000).filter(|n| refusals.is_news(&source(*n), 401, now)).count();
        assert_eq!(news, REMEMBERED - 3);
        assert!(refusals.is_news(&source(1), 401, now + FORGOTTEN_AFTER * 2));
    }

    #[test]
    fn a_burst_passes_and_what_comes_beyond_it_passes_at_its_rate() {
        let (bucket, now) = (Bucket::default(), Instant::now());
        assert_eq!((0..1000).filter(|_| bucket.take(now)).count(), BURST as usize);
        let later = now + Duration::from_millis(500);
        let count = (0..1000).filter(|_| bucket.take(later)).count();
        assert!((99..=101).contains(&count), "{count}");
    }

    #[test]
    fn one_bearer_is_taken_and_two_or_another_scheme_are_not() {
        let mut headers = HeaderMap::new();
        assert_eq!(bearer(&headers), None);
        headers.append("authorization", "bearer  abc ".parse().unwrap());
        assert_eq!(bearer(&headers), Some(&b"abc"[..]));
        headers.append("authorization", "Bearer abc".parse().unwrap());
        assert_eq!(bearer(&headers), None);
        let basic = HeaderMap::from_iter([(header::AUTHORIZATION, "Basic YWJj".parse().unwrap())]);
        assert_eq!(bearer(&basic), None);
    }
}
