//! One connection: TLS if asked for, then requests, each within its time.

use std::convert::Infallible;
use std::sync::Arc;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::answer::{Answer, Problem};
use super::connections::Place;
use super::counters::count;
use super::routes::{answer, handler};
use super::server::{ANSWERS_KIB, Shared};
use super::timed::Timed;

/// Octets that the head of a request may have.
const MAX_HEAD: usize = 16 << 10;

/// Serves one connection to its end.
pub(super) async fn serve(
    stream: TcpStream,
    shared: Arc<Shared>,
    place: Place,
    stopped: watch::Receiver<bool>,
) {
    let _ = stream.set_nodelay(true);
    let stream = Timed::new(stream, shared.timeout);
    let Some(tls) = shared.web.rules().tls() else {
        return requests(stream, shared, place, stopped).await;
    };
    match tokio::time::timeout(shared.timeout, tls.accept(stream)).await {
        Ok(Ok(stream)) => requests(stream, shared, place, stopped).await,
        Ok(Err(_)) | Err(_) => count(&shared.counters.tls_failed),
    }
}

async fn requests(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    shared: Arc<Shared>,
    place: Place,
    mut stopped: watch::Receiver<bool>,
) {
    let timeout = shared.timeout;
    let respond = service_fn(|request| {
        place.asked();
        respond(Arc::clone(&shared), request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(timeout)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), respond);
    let mut connection = std::pin::pin!(connection);
    // What goes wrong is the peer's: it went, or was too slow.
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stopped.wait_for(|is_stopped| *is_stopped) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

async fn respond(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path();
    let handler = handler(path);
    let rules = shared.web.rules();
    let answered = async {
        if !shared.web.admits(&rules, request.headers()).await {
            return refusal();
        }
        let query = request.uri().query().unwrap_or_default();
        answer(&shared, request.method(), path, query, request.headers()).await
    };
    let answer = tokio::time::timeout(shared.timeout, answered).await.unwrap_or_else(|_| {
        Problem::new(StatusCode::GATEWAY_TIMEOUT, "the answer took too long; try again later").into()
    });
    let answer = if handler == "/metrics" { answer } else { lent(answer, &shared) };
    shared.counters.answered(handler, answer.status.as_u16());
    let mut response = Response::new(Full::new(answer.body));
    *response.status_mut() = answer.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    for (name, value) in answer.headers {
        headers.insert(name, value);
    }
    rules.add_headers(headers);
    Ok(response)
}

fn refusal() -> Answer {
    let problem = Problem::new(StatusCode::UNAUTHORIZED, "give the name and the password of a user");
    Answer::from(problem)
        .with(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"hopmark\", charset=\"UTF-8\""))
}

/// Octets that hold their part of the room for answers until the last of them is sent.
struct Lent {
    octets: Bytes,
    _room: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.octets
    }
}

/// The answer, if there is room to keep it until it is taken: many slow readers of long lists would fill the memory.
fn lent(answer: Answer, shared: &Shared) -> Answer {
    let kib = u32::try_from(answer.body.len() >> 10).unwrap_or(u32::MAX).min(ANSWERS_KIB);
    if kib == 0 {
        return answer;
    }
    match Arc::clone(&shared.room).try_acquire_many_owned(kib) {
        Ok(room) => Answer { body: Bytes::from_owner(Lent { octets: answer.body, _room: room }), ..answer },
        Err(_) => Answer::from(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too many answers are waiting to be taken; try again later, or ask for shorter pages",
        ))
        .with(RETRY_AFTER, HeaderValue::from_static("1")),
    }
}
