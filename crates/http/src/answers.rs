//! What the routes really answer, for a server that is made up, against the document: each path, each method, each status has what the document says, and nothing more.

use crate::address::Address;
use crate::asker::{Answer, Asker};
use crate::guard::Refusals;
use crate::routes::{self, State};
use crate::tests::{check, document, snapshot};
use crate::token::Token;
use axum::body::Body;
use axum::http::{Request as Ask, StatusCode, header};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tower::ServiceExt;
use xsched_ipc::control::{Reply, Request};

fn answer(request: Request) -> Answer {
    let now = snapshot(3);
    match request {
        Request::Status => (vec![], Reply::Server(now.server)),
        Request::List => (now.processes, Reply::Done { count: 3, note: None }),
        Request::Policy => {
            (vec![], Reply::Policy { current: "HPF".into(), available: vec![("HPF".into(), "help".into())] })
        }
        Request::SetPolicy { name } if name != "HPF" => (vec![], Reply::Refused(format!("no {name}"))),
        Request::SetPolicy { .. } | Request::Hint { .. } | Request::Unset { .. } => {
            (vec![], Reply::Done { count: 1, note: Some("a note".into()) })
        }
        other => (vec![], Reply::Refused(format!("{other:?}"))),
    }
}

/// Asks the routes; answers with status, content type and JSON (null if it is none).
fn ask(method: &str, path: &str, body: &str, is_authorized: bool) -> (StatusCode, String, Value) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let token = Token::open(&file).unwrap();
    let state = State::new(Asker::answering(answer), token, Address::of_port(1), Refusals::default());
    let mut request = Ask::builder().method(method).uri(path).header(header::HOST, "localhost");
    if is_authorized {
        let token = std::fs::read_to_string(&file).unwrap();
        request = request.header(header::AUTHORIZATION, format!("Bearer {}", token.trim()));
    }
    let request =
        request.header(header::CONTENT_TYPE, "application/json").body(Body::from(body.to_owned())).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let response = routes::router(&state).oneshot(request).await.unwrap();
        let (status, kind) =
            (response.status(), response.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned());
        if kind == "text/event-stream" {
            return (status, kind, Value::Null);
        }
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, kind, serde_json::from_slice(&bytes).unwrap_or_default())
    })
}

/// An answer against what the document has for it.
fn compare(method: &str, path: &str, said: &str, (kind, value): (&str, &Value)) {
    let document = document();
    let content = &document["paths"][path][method]["responses"][said]["content"];
    let documented = content.as_object().unwrap_or_else(|| panic!("{method} {path}: no {said}"));
    let kind = kind.split(';').next().unwrap();
    assert_eq!(documented.keys().collect::<Vec<_>>(), [kind], "{method} {path}");
    let place = format!("{method} {path}");
    check(&place, &document["components"]["schemas"], &content[kind]["schema"], value);
}

#[test]
fn what_each_path_answers_is_what_the_document_says() {
    let document = document();
    for (path, methods) in document["paths"].as_object().unwrap() {
        assert!(methods["get"].is_object(), "{path} cannot be read");
        let (status, kind, value) = ask("GET", path, "", false);
        assert_eq!(status, StatusCode::OK, "{path}");
        compare("get", path, "200", (&kind, &value));
        let (status, kind, value) = ask("POST", path, "", true);
        assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        compare("get", path, "4XX", (&kind, &value));
    }
}

#[test]
fn each_change_takes_the_fields_of_the_document_and_no_other_and_wants_the_token() {
    let document = document();
    let hint = |whom: &str, value: Value| json!({whom: 1, "name": "priority", "value": value});
    let good = [
        ("/v1/policy", vec![json!({"name": "HPF"})]),
        ("/v1/hints", vec![hint("pid", 1.into()), hint("client", 1.into()), hint("queue", Value::Null)]),
    ];
    let paths = document["paths"].as_object().unwrap();
    let changes = paths.iter().filter(|(_, methods)| methods["put"].is_object());
    assert_eq!(changes.count(), good.len());
    for (path, bodies) in good {
        let put = &document["paths"][path]["put"];
        assert_eq!(put["security"], json!([{"token": []}]), "{path}");
        let schema = put["requestBody"]["content"]["application/json"]["schema"]["$ref"].as_str().unwrap();
        let schema = &document["components"]["schemas"][schema.rsplit('/').next().unwrap()];
        let known = schema["properties"].as_object().unwrap();
        let mut sent = BTreeSet::new();
        for body in &bodies {
            let (status, kind, value) = ask("PUT", path, &body.to_string(), true);
            assert_eq!(status, StatusCode::OK, "{path} {body}: {value}");
            compare("put", path, "200", (&kind, &value));
            sent.extend(body.as_object().unwrap().keys());
        }
        assert_eq!(sent, known.keys().collect(), "{path}");
        assert_eq!(schema["additionalProperties"], false, "{path}");

        let mut wrong = vec![bodies[0].clone(); 2];
        wrong[0]["no_such_field"] = 1.into();
        wrong[1].as_object_mut().unwrap().remove("name");
        assert_eq!(schema["required"], json!(["name"]), "{path}");
        for body in wrong {
            let (status, kind, value) = ask("PUT", path, &body.to_string(), true);
            assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{path} {body}: {value}");
            compare("put", path, "4XX", (&kind, &value));
        }
        let (status, kind, value) = ask("PUT", path, &bodies[0].to_string(), false);
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}");
        compare("put", path, "4XX", (&kind, &value));
    }
    let (status, _, value) = ask("PUT", "/v1/policy", "{\"name\":\"NONE\"}", true);
    assert_eq!((status, value), (StatusCode::UNPROCESSABLE_ENTITY, json!({"error": "no NONE"})));
}
