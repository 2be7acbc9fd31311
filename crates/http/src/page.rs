//! The page for browsers: plain files, which are part of the program. It asks nobody but this server, so it works without any network.
//!
//! Its policy says what a browser may do for it: its own files and this server's answers, nothing else, and no text that becomes a script. So whatever a program is called, its name stays a name.

use crate::routes::State;
use axum::Router;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

/// What a browser is told to refuse.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// A file of the page.
#[derive(Clone, Copy, Debug)]
struct File {
    path: &'static str,
    kind: &'static str,
    text: &'static str,
}

macro_rules! files {
    ($($path:literal $name:literal $kind:ident;)*) => {
        &[$(File { path: $path, kind: $kind, text: include_str!(concat!("../page/", $name)) }),*]
    };
}

/// Every file.
const FILES: &[File] = files! {
    "/" "page.html" HTML;
    "/page/page.css" "page.css" CSS;
    "/page/icon.svg" "icon.svg" SVG;
    "/page/main.js" "main.js" JS;
    "/page/server.js" "server.js" JS;
    "/page/history.js" "history.js" JS;
    "/page/timeline.js" "timeline.js" JS;
    "/page/table.js" "table.js" JS;
    "/page/charts.js" "charts.js" JS;
    "/page/controls.js" "controls.js" JS;
    "/page/text.js" "text.js" JS;
};

/// A route for each of them.
pub(crate) fn routes() -> Router<State> {
    FILES
        .iter()
        .fold(Router::new(), |router, file| router.route(file.path, get(move || async move { answer(file) })))
}

fn answer(file: &File) -> Response {
    let headers = [(header::CONTENT_TYPE, file.kind), (header::CONTENT_SECURITY_POLICY, POLICY)];
    (headers.map(|(name, value)| (name, HeaderValue::from_static(value))), file.text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files of the folder, by name.
    fn folder() -> Vec<String> {
        let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/page")).unwrap();
        folder.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn every_file_of_the_folder_is_served_and_every_file_that_one_names_is_there() {
        assert_eq!(folder().len(), FILES.len(), "{:?}", folder());
        for file in FILES {
            for place in file.text.split(['"', '\'']) {
                let named = place.strip_prefix("./").map(|name| format!("/page/{name}"));
                let named = named.or_else(|| place.starts_with("/page/").then(|| place.to_owned()));
                let is_there = |path: &String| FILES.iter().any(|file| file.path == path);
                assert!(named.as_ref().is_none_or(is_there), "{} names {named:?}", file.path);
            }
        }
    }

    #[test]
    fn the_page_makes_no_markup_of_texts_and_asks_nobody_else() {
        for file in FILES {
            let unwanted = [
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "eval(",
                "new Function",
                "https://",
                "onclick",
                "style=",
            ];
            for word in unwanted {
                assert!(!file.text.contains(word), "{}: {word}", file.path);
            }
            let addresses = file.text.matches("http://").count();
            let names = file.text.matches("http://www.w3.org/2000/svg").count();
            assert_eq!(addresses, names, "{}", file.path);
        }
    }

    #[test]
    fn buckets_of_the_charts_are_those_of_the_server() {
        let charts = FILES.iter().find(|file| file.path.ends_with("charts.js")).unwrap().text;
        let list = charts.split_once("BOUNDS = [").unwrap().1.split_once(']').unwrap().0;
        let bounds: Vec<u64> = list.split(", ").map(|bound| bound.parse::<f64>().unwrap() as u64).collect();
        assert_eq!(bounds, xsched_core::account::BOUNDS_NS);
    }
}
