//! The API answers what its `OpenAPI` document says, and nothing else.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot be set up has failed")]
#![allow(clippy::disallowed_methods, reason = "how long an answer takes is what is tested")]

mod common;

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use common::served::{Served, name_of, options};
use hopmark::status::Status;
use serde_json::{Value, json};

fn document() -> Value {
    serde_json::from_str(include_str!("../docs/openapi.json")).unwrap()
}

/// What breaks a schema, with the place of it. The part of JSON Schema that the document uses, and no other.
fn breaches(document: &Value, schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document.pointer(reference.strip_prefix('#').unwrap()).unwrap();
        return breaches(document, target, value, place, found);
    }
    let known = ["type", "properties", "required", "items", "enum", "additionalProperties", "description"];
    let unknown: Vec<_> =
        schema.as_object().unwrap().keys().filter(|key| !known.contains(&key.as_str())).collect();
    assert!(unknown.is_empty(), "{place}: the validator does not know {unknown:?}");
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        many => many.as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect(),
    };
    let is_of = |kind: &&str| match *kind {
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        "null" => value.is_null(),
        other => panic!("{place}: no type {other}"),
    };
    if !types.iter().any(is_of) {
        found.push(format!("{place}: {value} is not of {types:?}"));
        return;
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        found.push(format!("{place}: {value} is none of {allowed:?}"));
    }
    for (at, item) in value.as_array().into_iter().flatten().enumerate() {
        breaches(document, &schema["items"], item, &format!("{place}/{at}"), found);
    }
    let Some(object) = value.as_object() else { return };
    for key in schema["required"].as_array().into_iter().flatten() {
        if !object.contains_key(key.as_str().unwrap()) {
            found.push(format!("{place}: {key} is missing"));
        }
    }
    for (key, item) in object {
        let place = format!("{place}/{key}");
        match (&schema["properties"][key], &schema["additionalProperties"]) {
            (Value::Null, Value::Bool(false)) => found.push(format!("{place}: is not in the document")),
            (Value::Null, Value::Null) => {}
            (Value::Null, others) => breaches(document, others, item, &place, found),
            (known, _) => breaches(document, known, item, &place, found),
        }
    }
}

/// Asks, and holds the answer against the document.
fn checked(served: &Served, method: &str, path: &str, route: &str, status: u16) -> Value {
    let document = document();
    let answer = served.ask(method, path, &[]);
    assert_eq!(answer.status, status, "{path}: {answer:?}");
    let operation = &document["paths"][route][method.to_lowercase()];
    let content = &operation["responses"][status.to_string()]["content"];
    let kind = answer.header("content-type").unwrap().split(';').next().unwrap();
    let schema = &content[kind]["schema"];
    assert!(schema.is_object(), "{path}: {status} as {kind} is not in the document");
    let value =
        if kind == "application/json" { answer.json() } else { Value::String(answer.text().to_owned()) };
    let mut found = Vec::new();
    breaches(&document, schema, &value, path, &mut found);
    assert!(found.is_empty(), "{}", found.join("\n"));
    value
}

#[test]
fn every_route_is_in_the_document_and_answers_as_it_says() {
    let served = Served::demo();
    let document = document();
    let mut documented = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys() {
            documented.insert((method.to_uppercase(), path.clone()));
        }
    }
    let served_routes: BTreeSet<(String, String)> =
        hopmark::export::routes().into_iter().map(|(method, path)| (method, path.to_owned())).collect();
    assert_eq!(documented, served_routes);
    for (method, route) in documented {
        let path = route.replace("{id}", &name_of(0).to_string());
        checked(&served, &method, &path, &route, 200);
    }
    assert_eq!(served.get("/api/v1/openapi.json").json(), document);
}

#[test]
fn the_validator_finds_what_is_wrong() {
    let document = json!({"components": {"schemas": {"A": {
        "type": "object", "additionalProperties": false, "required": ["a"],
        "properties": {"a": {"type": ["integer", "null"]}, "b": {"type": "array", "items": {"enum": ["x"], "type": "string"}}}
    }}}});
    for (value, breaks) in [
        (json!({"a": 1, "b": ["x"]}), 0),
        (json!({"a": null}), 0),
        (json!({"a": "1"}), 1),
        (json!({"b": ["x", "y", 3]}), 3),
        (json!({"a": 1, "c": 1}), 1),
        (json!([]), 1),
    ] {
        let mut found = Vec::new();
        breaches(&document, &json!({"$ref": "#/components/schemas/A"}), &value, "", &mut found);
        assert_eq!(found.len(), breaks, "{value}: {found:?}");
    }
}

#[test]
fn parameters_are_those_of_the_document() {
    let served = Served::demo();
    let document = document();
    for (route, operations) in document["paths"].as_object().unwrap() {
        let parameters = operations["get"]["parameters"].as_array().cloned().unwrap_or_default();
        let named: BTreeSet<&str> =
            parameters.iter().filter(|p| p["in"] == "query").map(|p| p["name"].as_str().unwrap()).collect();
        if !operations["get"]["responses"]["400"].is_object() {
            assert!(named.is_empty(), "{route}");
            continue;
        }
        let path = format!("{}?no-such=1", route.replace("{id}", &name_of(0).to_string()));
        let problem = checked(&served, "GET", &path, route, 400);
        let message = problem["message"].as_str().unwrap();
        let known = message.split("known are: ").nth(1).unwrap();
        let known: BTreeSet<&str> = known.split(", ").filter(|name| !name.is_empty()).collect();
        assert_eq!(known, named, "{route}");
    }
}

fn ids(page: &Value) -> Vec<String> {
    let streams = page["streams"].as_array().unwrap();
    streams.iter().map(|stream| stream["id"].as_str().unwrap().to_owned()).collect()
}

/// Whether a stream is to be found.
type Is<'a> = &'a dyn Fn(&Value) -> bool;

#[test]
fn streams_are_found_by_what_they_are() {
    let served = Served::demo();
    let all = checked(&served, "GET", "/api/v1/streams", "/api/v1/streams", 200);
    let all = all["streams"].as_array().unwrap();
    assert!(all.len() > 6, "{} streams", all.len());
    let address = |stream: &Value, text: &str| {
        ["source", "destination"].iter().any(|end| stream[end].as_str().unwrap().starts_with(text))
    };
    let is: [(&str, Is<'_>); 8] = [
        ("class=audio", &|s| s["class"] == "audio"),
        ("direction=reverse", &|s| s["direction"] == "reverse"),
        ("address=10.20.1.64/26", &|s| address(s, "10.20.1.77:")),
        ("address=52.114.88.40", &|s| address(s, "52.114.88.40:")),
        ("address=2001:db8::/32", &|_| false),
        ("state=over", &|s| s["state"] == "over"),
        ("verdict=bleached", &|s| {
            s["hops"]
                .as_array()
                .unwrap()
                .iter()
                .any(|h| h["marking"] == "remarked" && h["dscp"]["0"].is_u64())
        }),
        ("class=audio&direction=forward", &|s| s["class"] == "audio" && s["direction"] == "forward"),
    ];
    for (query, is) in is {
        let found = checked(&served, "GET", &format!("/api/v1/streams?{query}"), "/api/v1/streams", 200);
        let expected: Vec<String> =
            all.iter().filter(|s| is(s)).map(|s| s["id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(ids(&found), expected, "{query}");
        assert_eq!(found["total"], expected.len(), "{query}");
        assert!(expected.len() < all.len(), "{query} leaves none out");
        assert_eq!(expected.is_empty(), query.contains("2001"), "{query}");
    }
    for wrong in [
        "class=vidio",
        "point=nowhere",
        "verdict=bad",
        "address=10.",
        "direction=up",
        "state=1",
        "sort=size",
        "per_page=1001",
    ] {
        let problem = checked(&served, "GET", &format!("/api/v1/streams?{wrong}"), "/api/v1/streams", 400);
        assert!(problem["message"].as_str().unwrap().contains("it may be "), "{problem}");
    }
}

#[test]
fn streams_are_found_by_where_they_were_seen() {
    let served = Served::demo();
    let mut picture = common::served::picture(common::served::demo_outcome());
    let edge = picture.outcome.points.iter().position(|name| name == "edge").unwrap();
    for stream in picture.streams.iter_mut().step_by(3) {
        stream.points &= !(1 << edge);
    }
    let expected: Vec<String> =
        picture.streams.iter().filter(|s| s.points >> edge & 1 == 1).map(|s| s.id.to_string()).collect();
    assert!(!expected.is_empty() && expected.len() < picture.streams.len());
    served.status.publish(picture);
    let found = checked(&served, "GET", "/api/v1/streams?point=edge&sort=id", "/api/v1/streams", 200);
    assert_eq!(ids(&found), expected);
}

#[test]
fn streams_are_sorted_and_paged() {
    let served = Served::demo();
    let get =
        |query: &str| checked(&served, "GET", &format!("/api/v1/streams?{query}"), "/api/v1/streams", 200);
    let all = get("sort=-packets");
    let packets: Vec<u64> = all["streams"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["hops"].as_array().unwrap().iter().map(|h| h["packets"].as_u64().unwrap()).max().unwrap())
        .collect();
    assert!(packets.windows(2).all(|pair| pair[0] >= pair[1]), "{packets:?}");
    for sort in ["first", "-last", "loss", "-loss", "jitter", "-jitter", "-verdict", "id", "-packets"] {
        let whole = ids(&get(&format!("sort={sort}")));
        let pages = get(&format!("sort={sort}&per_page=3"))["pages"].as_u64().unwrap();
        let paged: Vec<String> =
            (1..=pages).flat_map(|page| ids(&get(&format!("sort={sort}&per_page=3&page={page}")))).collect();
        assert_eq!(whole, paged, "{sort}");
        assert!(ids(&get(&format!("sort={sort}&per_page=3&page={}", pages + 1))).is_empty());
    }
    let lossiest = get("sort=-loss&per_page=1");
    assert!(lossiest["streams"][0]["quality"]["loss_ratio"].as_f64().unwrap() > 0.01);
}

#[test]
fn one_stream_has_its_findings_and_its_way_back() {
    let served = Served::demo();
    let bleached = checked(&served, "GET", "/api/v1/findings?kind=bleached", "/api/v1/findings", 200);
    let finding = &bleached["findings"][0];
    assert_eq!((finding["from"].as_u64(), finding["to"].as_u64()), (Some(46), Some(0)));
    assert_eq!(finding["points"], json!(["edge", "access"]));
    assert_eq!(finding["between"], true);
    let id = finding["stream"].as_str().unwrap();
    let path = format!("/api/v1/streams/{id}");
    let whole = checked(&served, "GET", &path, "/api/v1/streams/{id}", 200);
    assert_eq!(whole["stream"]["id"], id);
    assert!(whole["findings"].as_array().unwrap().contains(finding));
    assert!(!whole["stun"].as_array().unwrap().is_empty());
    let back = whole["stream"]["reverse_of"].as_str().unwrap();
    let back = checked(&served, "GET", &format!("/api/v1/streams/{back}"), "/api/v1/streams/{id}", 200);
    assert_eq!(back["stream"]["reverse_of"], id);
    for unknown in ["0123456789abcdef", "nothing", "%2e"] {
        checked(&served, "GET", &format!("/api/v1/streams/{unknown}"), "/api/v1/streams/{id}", 404);
    }
}

#[test]
fn findings_come_newest_first_and_by_what_they_are() {
    let served = Served::demo();
    let get =
        |query: &str| checked(&served, "GET", &format!("/api/v1/findings?{query}"), "/api/v1/findings", 200);
    let all = get("");
    let all = all["findings"].as_array().unwrap();
    assert_eq!(all.len(), served.status.findings.len());
    assert!(all.windows(2).all(|pair| pair[0]["opened"].as_str() >= pair[1]["opened"].as_str()));
    let stream = all.iter().find_map(|finding| finding["stream"].as_str()).unwrap();
    for (query, key, value) in [
        ("open=true".to_owned(), "open", json!(true)),
        ("open=false".to_owned(), "open", json!(false)),
        ("severity=error".to_owned(), "severity", json!("error")),
        (format!("stream={stream}"), "stream", json!(stream)),
    ] {
        let found = get(&query);
        let expected: Vec<&Value> = all.iter().filter(|finding| finding[key] == value).collect();
        assert_eq!(found["findings"].as_array().unwrap().iter().collect::<Vec<_>>(), expected, "{query}");
        assert!(!expected.is_empty() && expected.len() < all.len(), "{query}");
    }
    let page = get("per_page=2&page=2");
    assert_eq!(page["findings"].as_array().unwrap()[..], all[2..4]);
    checked(&served, "GET", "/api/v1/findings?kind=gone", "/api/v1/findings", 400);
}

#[test]
fn paths_add_up_their_streams() {
    let served = Served::demo();
    let paths = checked(&served, "GET", "/api/v1/paths", "/api/v1/paths", 200);
    let paths = paths["paths"].as_array().unwrap();
    let streams: u64 = paths.iter().map(|path| path["streams"].as_u64().unwrap()).sum();
    assert_eq!(streams, served.status.picture().streams.len() as u64);
    let bad = paths.iter().find(|p| p["worst"] == "bleached").unwrap();
    assert_eq!(bad["hops"], json!(["edge", "access"]));
    assert_eq!((&bad["direction"], &bad["class"]), (&json!("reverse"), &json!("audio")));
    assert!(bad["segments"][0]["remarked"]["46>0"].as_u64().unwrap() > 100);
    assert!(bad["lost"].as_u64().unwrap() > 0);
    // Asked again it is the same, and a new picture is not answered with the old one.
    assert_eq!(served.get("/api/v1/paths").json()["paths"].as_array().unwrap(), paths);
    served.status.publish(hopmark::status::Picture::default());
    assert_eq!(served.get("/api/v1/paths").json(), json!({"at": null, "paths": []}));
}

#[test]
fn points_say_what_they_hear_and_miss() {
    let served = Served::demo();
    let points = checked(&served, "GET", "/api/v1/points", "/api/v1/points", 200);
    let names: Vec<&str> =
        points["points"].as_array().unwrap().iter().map(|p| p["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["access", "edge"]);
    assert_eq!(points["points"][0]["dropped"], json!({"ring": 3, "interface": 0}));
    assert_eq!(points["points"][0]["suspect_intervals"], json!({"drop-count": 2}));
    assert!(points["points"][0]["last_packet"].as_str().unwrap().starts_with("2026-03-02T09:00:"));
}

#[test]
fn states_are_told_by_status() {
    let served = Served::new(&options(), Status::default());
    checked(&served, "GET", "/-/ready", "/-/ready", 503);
    served.status.publish(hopmark::status::Picture::default());
    checked(&served, "GET", "/-/ready", "/-/ready", 200);
    checked(&served, "GET", "/-/healthy", "/-/healthy", 200);
    served.is_healthy.store(false, Ordering::SeqCst);
    checked(&served, "GET", "/-/healthy", "/-/healthy", 503);
}

#[test]
fn a_reload_is_posted_and_says_what_is_wrong() {
    let served = Served::demo();
    let refused = served.get("/-/reload");
    assert_eq!((refused.status, refused.header("allow")), (405, Some("POST")));
    assert_eq!(served.reloads.load(Ordering::SeqCst), 0);
    checked(&served, "POST", "/-/reload", "/-/reload", 200);
    checked(&served, "POST", "/-/reload", "/-/reload", 200);
    let problem = checked(&served, "POST", "/-/reload", "/-/reload", 500);
    assert_eq!(problem["message"], "hopmark.toml: line 3: no such key");
    // A body is not read, however long it is said to be.
    let long = served.ask("POST", "/-/reload", &[("Content-Length", "1000000000000")]);
    assert_eq!(long.status, 200);
    assert_eq!(served.reloads.load(Ordering::SeqCst), 4);
}

#[test]
fn what_is_not_served_is_refused() {
    let served = Served::demo();
    for (method, path, status) in [
        ("GET", "/nothing", 404),
        ("GET", "/api/v1/streams/a/b", 404),
        ("GET", "/../etc/passwd", 404),
        ("POST", "/metrics", 405),
        ("DELETE", "/api/v1/findings", 405),
        ("PUT", "/-/reload", 405),
    ] {
        let answer = served.ask(method, path, &[]);
        assert_eq!(answer.status, status, "{method} {path}");
        let told = answer.json();
        assert!(told["error"].is_string() && told["message"].is_string(), "{told}");
    }
    let head = served.ask("HEAD", "/api/v1/points", &[]);
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert!(head.header("content-length").unwrap().parse::<usize>().unwrap() > 100);
}

#[test]
fn heads_that_are_too_long_or_too_slow_are_cut_off() {
    let served = Served::new(
        &hopmark::export::ServerOptions { request_timeout: Duration::from_millis(300), ..options() },
        Status::default(),
    );
    let long = "x".repeat(20_000);
    let mut stream = served.connect();
    let _ = stream.write_all(format!("GET / HTTP/1.1\r\nHost: test\r\nX-Long: {long}\r\n\r\n").as_bytes());
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 431");
    let mut stream = served.connect();
    stream.write_all(b"GET / HTTP/1.1\r\nHost:").unwrap();
    let before = Instant::now();
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
    assert!(before.elapsed() < Duration::from_secs(5), "the connection was closed");
    assert!(!rest.starts_with(b"HTTP/1.1 200"));
}

#[test]
fn several_requests_go_over_one_connection() {
    let served = Served::demo();
    let mut stream = served.connect();
    for _ in 0..3 {
        stream.write_all(b"GET /-/healthy HTTP/1.1\r\nHost: test\r\n\r\n").unwrap();
        let mut octets = Vec::new();
        let mut octet = [0];
        while !octets.ends_with(b"{\"state\":\"healthy\"}") {
            stream.read_exact(&mut octet).unwrap();
            octets.push(octet[0]);
        }
        assert!(octets.starts_with(b"HTTP/1.1 200 OK"));
    }
}

#[test]
fn a_server_ends_within_a_second_and_an_address_is_taken_once() {
    let mut served = Served::demo();
    let mut idle = served.connect();
    let taken = hopmark::export::ServerOptions { address: served.address, ..options() };
    let status = std::sync::Arc::new(Status::default());
    let problem = hopmark::export::Server::bind(&taken, status, || Ok(()), || true).unwrap_err();
    assert!(problem.to_string().starts_with(&format!("cannot listen on {}: ", served.address)), "{problem}");
    assert_eq!(served.get("/").status, 200);
    let before = Instant::now();
    served.end();
    assert!(before.elapsed() < Duration::from_secs(1), "{:?}", before.elapsed());
    assert_eq!(idle.read(&mut [0]).unwrap_or(0), 0);
}
