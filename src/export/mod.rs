//! Prometheus and HTTP: what is known at the moment, for machines.
//!
//! One thread reads [`Status`](crate::status::Status) and answers all who ask; it never makes the judge or an observer
//! wait. `/metrics` is written once for a picture and lent to all who scrape; the API judges only the streams of the page
//! that is asked for. Nobody can hold memory or the thread for long: requests, answers and connections have limits.

mod answer;
mod api;
mod connection;
mod connections;
mod counters;
mod metrics;
mod query;
mod routes;
mod server;
mod timed;
mod web;

pub use metrics::metrics_reference;
pub use server::{ServeError, Server, ServerOptions, Stop};
pub use web::{WebConfigError, check_web_config};

/// Method and path of every route that is served.
#[must_use]
pub fn routes() -> Vec<(String, &'static str)> {
    routes::ROUTES.iter().map(|route| (route.method.to_string(), route.path)).collect()
}
