//! What a request is answered with.

use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::{HeaderName, HeaderValue};
use serde::Serialize;

/// An answer before it is sent.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) content_type: &'static str,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) body: Bytes,
}

/// Why there is no better answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    pub(super) message: String,
}

/// A problem as JSON.
#[derive(Serialize)]
struct Told<'a> {
    error: &'static str,
    message: &'a str,
}

pub(super) const JSON: &str = "application/json";

impl Answer {
    pub(super) fn new(content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self { status: StatusCode::OK, content_type, headers: Vec::new(), body: body.into() }
    }

    /// A value as JSON.
    pub(super) fn json(value: &impl Serialize) -> Self {
        Self::long_json(value, 0)
    }

    /// A value as JSON that will take so many octets, about.
    pub(super) fn long_json(value: &impl Serialize, octets: usize) -> Self {
        let mut body = Vec::with_capacity(octets);
        match serde_json::to_writer(&mut body, value) {
            Ok(()) => Self::new(JSON, body),
            Err(error) => {
                Problem::new(StatusCode::INTERNAL_SERVER_ERROR, format!("cannot be written: {error}")).into()
            }
        }
    }

    pub(super) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }
}

impl Problem {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    /// A request that asks for what cannot be.
    pub(super) fn wrong(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// The status as a word that programs may compare.
    fn word(&self) -> &'static str {
        match self.status {
            StatusCode::BAD_REQUEST => "bad-request",
            StatusCode::UNAUTHORIZED => "unauthorized",
            StatusCode::NOT_FOUND => "not-found",
            StatusCode::METHOD_NOT_ALLOWED => "method-not-allowed",
            StatusCode::SERVICE_UNAVAILABLE => "unavailable",
            StatusCode::GATEWAY_TIMEOUT => "time-out",
            _ => "failed",
        }
    }
}

impl From<Problem> for Answer {
    fn from(problem: Problem) -> Self {
        let told = Told { error: problem.word(), message: &problem.message };
        // Two texts are always written.
        let body = serde_json::to_vec(&told).unwrap_or_default();
        Self { status: problem.status, ..Self::new(JSON, body) }
    }
}

impl From<Result<Self, Problem>> for Answer {
    fn from(result: Result<Self, Problem>) -> Self {
        result.unwrap_or_else(Self::from)
    }
}
