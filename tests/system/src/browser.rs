//! A real browser without a screen: Chromium, told what to do over WebDriver (W3C's protocol, by its `chromedriver`).
//!
//! Each command waits for its answer, and fails the test when it is an error. The browser ends with its value: it hangs on a pipe of its driver.

use crate::machine::Machine;
use crate::process::Program;
use crate::wait::{PATIENCE, eventually};
use base64::Engine;
use serde_json::{Value, json};
use std::time::Duration;

/// Where a value says that it is an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// The key that ends a line.
pub const ENTER: &str = "\u{e007}";
/// The key that goes to the next control.
pub const TAB: &str = "\u{e004}";
/// Selects all, in a field.
pub const ALL: &str = "\u{e009}a\u{e000}";

/// See the module's text.
#[derive(Debug)]
pub struct Browser {
    /// With the session in it.
    url: String,
    agent: ureq::Agent,
    _driver: Program,
}

impl Browser {
    /// Starts one. `None`, with a line that says so: there is no Chromium, and this is not CI.
    pub fn start(machine: &Machine) -> Option<Browser> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        if !std::env::split_paths(&path).any(|folder| folder.join("chromedriver").is_file()) {
            assert!(std::env::var_os("CI").is_none(), "chromedriver is not installed");
            eprintln!("skipped: chromedriver is not installed (Debian: chromium-driver)");
            return None;
        }
        let mut command = machine.command("chromedriver");
        command.arg("--port=0");
        let mut driver = Program::start(command);
        let port = driver.hears("ChromeDriver was started successfully on port ");
        let timeout = Some(Duration::from_secs(60));
        // A status that says no has a body that says why.
        let agent = ureq::Agent::config_builder().timeout_global(timeout).http_status_as_error(false).build();
        let mut browser = Browser {
            url: format!("http://127.0.0.1:{}", port.trim_end_matches('.')),
            agent: agent.into(),
            _driver: driver,
        };
        let profile = format!("--user-data-dir={}", machine.folder().join("browser").display());
        let flags = [
            "--headless=new",
            // It shows our own page, and is no sandbox's matter where tests run as root.
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--no-first-run",
            "--disable-background-networking",
            // So that it ends when its driver does.
            "--remote-debugging-pipe",
            "--window-size=1200,1000",
            &profile,
        ];
        let wanted = json!({"goog:chromeOptions": {"args": flags}, "goog:loggingPrefs": {"browser": "ALL"}});
        let session = browser.send("/session", &json!({"capabilities": {"alwaysMatch": wanted}}));
        browser.url += &format!("/session/{}", session["sessionId"].as_str().unwrap());
        Some(browser)
    }

    /// Opens a page, and waits until it is loaded.
    pub fn open(&self, url: &str) {
        self.send("/url", &json!({"url": url}));
    }

    /// The size of what is seen of the page.
    pub fn resize(&self, width: u32, height: u32) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", &size);
    }

    /// Whether the system prefers dark colours.
    pub fn prefers_dark(&self, is_dark: bool) {
        let value = if is_dark { "dark" } else { "light" };
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": value}]});
        self.devtools("Emulation.setEmulatedMedia", &features);
    }

    /// What a script's `return` gives; `arguments` are its `arguments`.
    pub fn run(&self, script: &str, arguments: &[Value]) -> Value {
        self.send("/execute/sync", &json!({"script": script, "args": arguments}))
    }

    /// The text of the only element that a selector finds, as the page has it.
    pub fn text(&self, selector: &str) -> String {
        let text = self.run("return document.querySelector(arguments[0])?.textContent", &[json!(selector)]);
        text.as_str().unwrap_or_else(|| panic!("the page has no {selector}")).to_owned()
    }

    /// What stands in a field, or is chosen in a list.
    pub fn value(&self, selector: &str) -> String {
        let value = self.run("return document.querySelector(arguments[0])?.value", &[json!(selector)]);
        value.as_str().unwrap_or_else(|| panic!("the page has no field {selector}")).to_owned()
    }

    /// Clicks on it, as a mouse does.
    pub fn click(&self, selector: &str) {
        let element = self.find(selector);
        self.send(&format!("/element/{element}/click"), &json!({}));
    }

    /// Types into it.
    pub fn types(&self, selector: &str, keys: &str) {
        let element = self.find(selector);
        self.send(&format!("/element/{element}/value"), &json!({"text": keys}));
    }

    /// Chooses an entry of a list.
    pub fn choose(&self, selector: &str, value: &str) {
        self.click(&format!("{selector} option[value=\"{value}\"]"));
    }

    /// What a screen reader is told of all elements that a selector finds: role and name.
    pub fn spoken(&self, selector: &str) -> Vec<(String, String)> {
        let found = self.send("/elements", &json!({"using": "css selector", "value": selector}));
        let said = |element: &Value, what: &str| {
            let path = format!("/element/{}/{what}", element[ELEMENT].as_str().unwrap());
            self.receive(&path).as_str().unwrap_or_default().to_owned()
        };
        let elements = found.as_array().unwrap();
        elements.iter().map(|it| (said(it, "computedrole"), said(it, "computedlabel"))).collect()
    }

    /// A picture of what is seen, as PNG.
    pub fn picture(&self) -> Vec<u8> {
        let text = self.receive("/screenshot");
        base64::engine::general_purpose::STANDARD.decode(text.as_str().unwrap()).unwrap()
    }

    /// What it complains about since the last question: errors of scripts, and what the page's policy forbade.
    pub fn complaints(&self) -> Vec<String> {
        let log = self.send("/se/log", &json!({"type": "browser"}));
        log.as_array().unwrap().iter().map(|entry| entry["message"].to_string()).collect()
    }

    fn find(&self, selector: &str) -> String {
        let mut found = Value::Null;
        eventually(selector, PATIENCE, || {
            found = self.send("/elements", &json!({"using": "css selector", "value": selector}));
            !found.as_array().unwrap().is_empty()
        });
        found[0][ELEMENT].as_str().unwrap().to_owned()
    }

    fn devtools(&self, command: &str, parameters: &Value) {
        self.send("/goog/cdp/execute", &json!({"cmd": command, "params": parameters}));
    }

    fn send(&self, path: &str, body: &Value) -> Value {
        let url = format!("{}{path}", self.url);
        let answer = self.agent.post(url).content_type("application/json").send(body.to_string());
        value(path, answer)
    }

    fn receive(&self, path: &str) -> Value {
        value(path, self.agent.get(format!("{}{path}", self.url)).call())
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver is killed next, and the browser finds the end of its pipe, if this does not do it.
        let _ = self.agent.delete(self.url.as_str()).call();
    }
}

fn value(path: &str, answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Value {
    let text = answer.unwrap_or_else(|e| panic!("{path}: {e}")).body_mut().read_to_string().unwrap();
    let mut answer: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{path}: {e}: {text}"));
    let value = answer["value"].take();
    assert!(value["error"].is_null(), "{path}: {} {}", value["error"], value["message"]);
    value
}
