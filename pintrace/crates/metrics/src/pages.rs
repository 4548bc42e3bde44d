//! The answer to each request.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use hyper::{Method, Response, StatusCode};

use pintrace_model::snapshot::Snapshot;

use super::exposition;

/// The path of the metrics.
pub(super) const METRICS: &str = "/metrics";

const PLAIN: &str = "text/plain; charset=utf-8";

const INDEX: &str = "\
pintrace: who holds pinned memory

/metrics  figures for Prometheus
/healthz  ok while the endpoint answers
";

/// Answers a request. HEAD gets the same answer as GET, and hyper leaves out the body.
pub(super) fn answer(method: &Method, path: &str, snapshot: &Snapshot) -> Response<Full<Bytes>> {
    if method != Method::GET && method != Method::HEAD {
        let mut refusal = page(
            StatusCode::METHOD_NOT_ALLOWED,
            PLAIN,
            "only GET and HEAD\n".to_owned(),
        );
        refusal
            .headers_mut()
            .insert(ALLOW, hyper::header::HeaderValue::from_static("GET, HEAD"));
        return refusal;
    }
    match path {
        METRICS => page(
            StatusCode::OK,
            exposition::CONTENT_TYPE,
            exposition::render(snapshot),
        ),
        "/" => page(StatusCode::OK, PLAIN, INDEX.to_owned()),
        "/healthz" => page(StatusCode::OK, PLAIN, "ok\n".to_owned()),
        _ => page(
            StatusCode::NOT_FOUND,
            PLAIN,
            "not found: see /metrics\n".to_owned(),
        ),
    }
}

fn page(status: StatusCode, kind: &'static str, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, hyper::header::HeaderValue::from_static("no-store"));
    response
}
