//! The table of routes: what is asked, and what answers it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use hyper::header::{ACCEPT, ACCEPT_ENCODING, ALLOW, CONTENT_ENCODING, HeaderName, HeaderValue, VARY};
use hyper::{HeaderMap, Method, StatusCode};
use serde::Serialize;

use super::answer::{Answer, JSON, Problem};
use super::counters::count;
use super::query::{Query, decoded};
use super::server::Shared;
use super::{api, metrics};

/// One route.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) method: Method,
    /// In braces stands what is any text without a slash.
    pub(super) path: &'static str,
    answer: Answering,
}

/// What answers.
#[derive(Debug, Clone, Copy)]
enum Answering {
    /// At once.
    Now(fn(&Asked<'_>) -> Result<Answer, Problem>),
    /// Elsewhere, as it may take its time.
    Reload,
}

/// A request, as those who answer it see it.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    pub(super) shared: &'a Shared,
    pub(super) headers: &'a HeaderMap,
    pub(super) query: &'a str,
    /// What stood where the route has braces.
    pub(super) name: String,
}

const fn get(path: &'static str, answer: fn(&Asked<'_>) -> Result<Answer, Problem>) -> Route {
    Route { method: Method::GET, path, answer: Answering::Now(answer) }
}

/// All routes.
pub(super) const ROUTES: &[Route] = &[
    get("/", |_| Ok(landing())),
    get("/metrics", |asked| Ok(figures(asked))),
    get("/api/v1/streams", |asked| api::streams(&asked.shared.status, asked.query)),
    get("/api/v1/streams/{id}", |asked| api::stream(&asked.shared.status, &asked.name, asked.query)),
    get("/api/v1/paths", |asked| api::paths(&asked.shared.status, &asked.shared.paths, asked.query)),
    get("/api/v1/findings", |asked| api::findings(&asked.shared.status, asked.query)),
    get("/api/v1/points", |asked| api::points(&asked.shared.status, asked.query)),
    get("/api/v1/openapi.json", |_| Ok(Answer::new(JSON, api::OPENAPI))),
    get("/-/healthy", |asked| state((asked.shared.is_healthy)(), "healthy")),
    get("/-/ready", |asked| state(asked.shared.status.is_ready.load(Ordering::Acquire), "ready")),
    Route { method: Method::POST, path: "/-/reload", answer: Answering::Reload },
];

/// A state that is as it should be.
#[derive(Serialize)]
struct State {
    state: &'static str,
}

fn state(is_so: bool, name: &'static str) -> Result<Answer, Problem> {
    if is_so {
        return Ok(Answer::json(&State { state: name }));
    }
    Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, format!("not {name}")))
}

fn figures(asked: &Asked<'_>) -> Answer {
    let shared = asked.shared;
    let header = |name: HeaderName| {
        let all: Vec<&str> = asked.headers.get_all(name).iter().filter_map(|v| v.to_str().ok()).collect();
        all.join(",")
    };
    count(&shared.counters.scrapes);
    let format = metrics::format(&header(ACCEPT));
    let is_compressed = metrics::takes_gzip(&header(ACCEPT_ENCODING));
    let body = shared.metrics.body(&shared.status, &shared.counters, format, is_compressed);
    let answer = Answer::new(format.content_type(), body)
        .with(VARY, HeaderValue::from_static("accept, accept-encoding"));
    if is_compressed { answer.with(CONTENT_ENCODING, HeaderValue::from_static("gzip")) } else { answer }
}

fn landing() -> Answer {
    let link = |route: &Route| format!("<li><a href=\"{0}\">{0}</a></li>\n", route.path);
    let is_linked =
        |route: &&Route| route.method == Method::GET && route.path != "/" && !route.path.contains('{');
    let links: String = ROUTES.iter().filter(is_linked).map(link).collect();
    let version = env!("CARGO_PKG_VERSION");
    let page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>Hopmark</title></head>\n<body>\n\
         <h1>Hopmark {version}</h1>\n<p>At which hop does a media stream lose its priority marking?</p>\n\
         <ul>\n{links}</ul>\n</body>\n</html>\n"
    );
    Answer::new("text/html; charset=utf-8", page)
}

/// The name in the braces of a route, if this is a path of it; empty where it has none.
fn fits(route: &str, path: &str) -> Option<String> {
    let Some((before, behind)) = route.split_once('{') else {
        return (route == path).then(String::new);
    };
    let after = behind.split_once('}').map_or("", |(_, after)| after);
    let name = path.strip_prefix(before)?.strip_suffix(after)?;
    decoded(name).filter(|text| !text.is_empty() && !name.contains('/'))
}

/// What answers a path: the route's own path, so that there are few of them.
pub(super) fn handler(path: &str) -> &'static str {
    ROUTES.iter().find(|route| fits(route.path, path).is_some()).map_or("none", |route| route.path)
}

/// Answers a request.
pub(super) async fn answer(
    shared: &Arc<Shared>,
    method: &Method,
    path: &str,
    query: &str,
    headers: &HeaderMap,
) -> Answer {
    let Some((route, name)) = ROUTES.iter().find_map(|route| Some((route, fits(route.path, path)?))) else {
        return Problem::new(StatusCode::NOT_FOUND, format!("nothing is at {path}; see /")).into();
    };
    let is_read = route.method == Method::GET && method == Method::HEAD;
    if *method != route.method && !is_read {
        let allowed = if route.method == Method::GET { "GET, HEAD" } else { "POST" };
        let message = format!("{path} takes {allowed} only");
        return Answer::from(Problem::new(StatusCode::METHOD_NOT_ALLOWED, message))
            .with(ALLOW, HeaderValue::from_static(allowed));
    }
    match route.answer {
        Answering::Now(answer) => answer(&Asked { shared, headers, query, name }).into(),
        Answering::Reload => reload(shared, query).await.into(),
    }
}

/// Reads the configuration anew, beside the thread that serves.
async fn reload(shared: &Arc<Shared>, query: &str) -> Result<Answer, Problem> {
    Query::read(query, &[])?;
    let failed = |message: String| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, message);
    // One at a time: those who wait are cut off in time, and have started nothing.
    let permit = Arc::clone(&shared.reloading).acquire_owned().await;
    let permit = permit.map_err(|closed| failed(closed.to_string()))?;
    let own = Arc::clone(shared);
    let reloaded = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        (own.reload)()
    });
    match reloaded.await {
        Ok(Ok(())) => Ok(Answer::json(&State { state: "reloaded" })),
        Ok(Err(problem)) => Err(failed(problem)),
        Err(broken) => Err(failed(format!("reading the configuration broke: {broken}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_find_their_routes() {
        for (path, expected) in [
            ("/", "/"),
            ("/metrics", "/metrics"),
            ("/metrics/", "none"),
            ("/api/v1/streams", "/api/v1/streams"),
            ("/api/v1/streams/0011", "/api/v1/streams/{id}"),
            ("/api/v1/streams/", "none"),
            ("/api/v1/streams/a/b", "none"),
            ("/api/v1/streams/%zz", "none"),
            ("//", "none"),
        ] {
            assert_eq!(handler(path), expected, "{path}");
        }
        assert_eq!(fits("/api/v1/streams/{id}", "/api/v1/streams/a%20b").as_deref(), Some("a b"));
    }
}
