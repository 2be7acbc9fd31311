//! An answer that says no: a status, and one JSON value that says why and what is allowed.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// See the module's text.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) why: String,
}

/// Marks an answer as a refusal, for the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IsRefusal;

#[derive(Serialize)]
struct Body<'a> {
    error: &'a str,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, why: impl Into<String>) -> Refusal {
        Refusal { status, why: why.into() }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(Body { error: &self.why })).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            let value = axum::http::HeaderValue::from_static("Bearer");
            response.headers_mut().insert(axum::http::header::WWW_AUTHENTICATE, value);
        }
        response.extensions_mut().insert(IsRefusal);
        response
    }
}
