//! What an operator has: `xcli top`, `xcli trace`, `/metrics` and the page, all of one server with two programs. They tell the same story, and what is changed in
//! one is seen in the others.

use serde_json::{Value, json};
use std::path::Path;
use test_system::browser::{ALL, ENTER, TAB};
use test_system::process::pid;
use test_system::wait::{PATIENCE, millis, seconds};
use test_system::{Browser, End, Http, Machine, Program, Rival, Server, eventually};
use xsched_core::account::Account;
use xsched_core::{DeviceKey, HintKind};

/// More urgent than both programs.
const FIRST: i64 = 100;
/// Where the page's picture is kept.
const PICTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/page.png");

/// Two programs, one of which takes the device from the other again and again.
struct Pair {
    greedy: Program,
    urgent: Program,
    http: Http,
    _server: Server,
    machine: Machine,
}

impl Pair {
    fn start() -> Pair {
        let machine = Machine::new();
        let server =
            machine.server(&[&["--lease", "60s", "--max-suspend", "60s"], &Http::FLAGS[..]].concat());
        let http = Http::of(&machine, &server);
        let start = |name: &str, priority, script: &[&str]| {
            let program = machine.folder().join(name);
            std::fs::copy(test_system::machine::actor(), &program).unwrap();
            let program = machine.run(priority, program, script);
            eventually("it attaches", PATIENCE, || machine.is_attached(program.pid()));
            program
        };
        let greedy = start("training", 0, &["work-deep", "sleep"]);
        let urgent = start("inference", 10, &["bursts", "sleep"]);
        eventually("one is suspended for the other", PATIENCE, || machine.suspensions(greedy.pid()) > 2);
        Pair { greedy, urgent, http, _server: server, machine }
    }

    fn xcli(&self, arguments: &[&str]) -> String {
        let output = self.machine.xcli().args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn account(&self, program: &Program) -> Account {
        self.machine.find(program.pid()).unwrap().accounts.into_iter().next().unwrap()
    }

    fn priority(&self, program: &Program) -> i64 {
        self.machine.find(program.pid()).unwrap().queues[0].hints[&HintKind::Priority]
    }

    /// Waits until neither has the device, so that what they had does not grow any more.
    fn are_held(&self) {
        let had = || [&self.greedy, &self.urgent].map(|program| self.account(program).running_ns);
        eventually("both are held", PATIENCE, || {
            let before = had();
            std::thread::sleep(millis(150));
            self.machine.is_suspended(self.greedy.pid()) && had() == before
        });
    }

    /// Opens the page, and waits until it shows both.
    fn page(&self, browser: &Browser) {
        browser.open(&self.http.origin);
        browser.resize(1200, 1000);
        for program in [&self.greedy, &self.urgent] {
            let row = format!("return document.querySelector('{}') !== null", row(program));
            eventually("the page shows it", PATIENCE, || browser.run(&row, &[]) == true);
        }
    }
}

/// A program's row in the page's table.
fn row(program: &Program) -> String {
    format!("tr[data-pid=\"{}\"]", program.pid())
}

/// The field of its priority.
fn field(program: &Program) -> String {
    format!("{} .priority input", row(program))
}

/// Within 2 %.
fn agree(what: &str, one: f64, other: f64) {
    assert!((one - other).abs() <= 0.02 * one.abs().max(other.abs()), "{what}: {one} and {other}");
}

/// Waits until a command of xcli has asked once and sleeps until it asks again.
fn waits(program: &Program) {
    let path = format!("/proc/{}/syscall", program.pid());
    let nanosleep = libc::SYS_clock_nanosleep.to_string();
    eventually("it sleeps", PATIENCE, || {
        std::fs::read_to_string(&path).unwrap_or_default().split(' ').next() == Some(&nanosleep)
    });
}

/// Nanoseconds for which a process's queues ran, in a trace for Chrome.
fn ran(trace: &Path, process: u32) -> f64 {
    let trace: Value = serde_json::from_slice(&std::fs::read(trace).unwrap()).unwrap();
    let events = trace["traceEvents"].as_array().unwrap();
    let suffix = format!(" [{process}]");
    let is_name =
        |event: &&Value| event["ph"] == "M" && event["args"]["name"].as_str().unwrap().ends_with(&suffix);
    let group = &events.iter().find(is_name).unwrap()["pid"];
    let spans = events.iter().filter(|event| &event["pid"] == group && event["name"] == "running");
    spans.map(|event| event["dur"].as_f64().unwrap() * 1e3).sum()
}

#[test]
fn two_programs_run_then_list_top_metrics_trace_and_page_tell_the_same_story() {
    let pair = Pair::start();
    let rival = pair.machine.rival(FIRST);
    rival.wants_the_device();
    pair.are_held();
    let programs = [&pair.greedy, &pair.urgent];
    let before = programs.map(|program| pair.account(program));

    // Both look before it begins and after it has ended, so that what they saw is all of it.
    let trace = pair.machine.folder().join("run.json");
    let xcli = |arguments: &[&str]| {
        let mut command = pair.machine.xcli();
        command.args(arguments);
        Program::start(command)
    };
    const LOOKS: f64 = 5.0;
    let tracer = xcli(&["trace", "--time", "60s", "-o", trace.to_str().unwrap()]);
    let top = xcli(&["top", "--once", "--ascii", "--frequency", &(1.0 / LOOKS).to_string()]);
    waits(&tracer);
    waits(&top);
    rival.is_done();
    std::thread::sleep(seconds(2));
    rival.wants_the_device();
    pair.are_held();
    let browser = Browser::start(&pair.machine);
    assert_eq!(top.wait_for_end(), End::Exit(0));
    tracer.signal(rustix::process::Signal::INT);
    assert_eq!(tracer.wait_for_end(), End::Exit(0));

    let frame = top.whole_output();
    let Some(browser) = browser else { return };
    pair.page(&browser);
    for (program, before) in programs.into_iter().zip(before) {
        let (process, now) = (program.pid(), pair.account(program));
        let had = (now.running_ns - before.running_ns) as f64;
        assert!(had > 1e8 && now.suspensions > before.suspensions, "{now:?}");
        agree("had the device: the trace", had, ran(&trace, process));

        let line = frame.iter().find(|line| line.contains(&format!(" {process} "))).unwrap();
        let percent = line.split('%').next().unwrap().rsplit(' ').next().unwrap();
        let share = percent.parse::<f64>().unwrap() / 100.0;
        assert!(
            (share - had / 1e9 / LOOKS).abs() < 0.02,
            "had it for {had} ns of {LOOKS} s: top says {line}"
        );

        let metric = |name| pair.http.metric(name, Some(process));
        let seconds = now.running_ns as f64 / 1e9;
        agree("had the device: metrics", seconds, metric("xsched_process_running_seconds_total"));
        agree("suspensions: metrics", now.suspensions as f64, metric("xsched_process_suspensions_total"));

        let cell = |name: &str| format!("{} [data-cell=\"{name}\"]", row(program));
        let shown = |name: &str| {
            let ns =
                browser.run("return document.querySelector(arguments[0]).dataset.ns", &[json!(cell(name))]);
            ns.as_str().unwrap().parse::<f64>().unwrap()
        };
        agree("had the device: the page", now.running_ns as f64, shown("running"));
        assert!(shown("waiting") >= before.waiting_ns as f64);
        let suspensions = browser.text(&cell("suspensions")).replace(',', "");
        agree("suspensions: the page", now.suspensions as f64, suspensions.parse().unwrap());
    }
    let suspensions = pair.http.metric("xsched_suspensions_total", None);
    assert!(frame[1].contains(&format!("({suspensions} in all)")), "{frame:?}: {suspensions}");
    let shown = browser.text("#total-suspensions").replace(',', "");
    assert_eq!(shown.parse::<f64>().unwrap(), suspensions);
    let waits = browser.text("figure[data-kind=waits] [data-field=count]").replace(',', "");
    assert_eq!(waits.parse::<f64>().unwrap(), pair.http.metric("xsched_wait_seconds_count", None));
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn something_is_changed_in_one_place_then_it_holds_and_the_others_show_it() {
    let pair = Pair::start();
    let Some(browser) = Browser::start(&pair.machine) else { return };
    let trace = pair.machine.folder().join("run.json");
    let mut command = pair.machine.xcli();
    command.args(["trace", "--time", "60s", "-o", trace.to_str().unwrap()]);
    let tracer = Program::start(command);
    pair.page(&browser);
    let field = field(&pair.greedy);
    assert_eq!(browser.value(&field), "0");

    // Without the token, and with a wrong one, nothing is changed.
    browser.types(&field, &format!("{ALL}30{ENTER}"));
    eventually("it is said", PATIENCE, || browser.text("#said").contains("need the token"));
    browser.types("#token", &format!("not-the-token-at-all{ENTER}"));
    browser.types(&field, ENTER);
    eventually("it is said", PATIENCE, || browser.text("#said").contains("this is not the token"));
    assert_eq!(pair.priority(&pair.greedy), 0);

    // By the keyboard alone: the field, its value, the button behind it.
    browser.types("#token", &format!("{ALL}{}{ENTER}", pair.http.token));
    browser.types(&field, &format!("{ALL}30{TAB}"));
    let focused = browser.run("return document.activeElement.textContent", &[]);
    assert_eq!(focused, "Set");
    browser.types(&format!("{} .priority button", row(&pair.greedy)), ENTER);
    eventually("it holds", PATIENCE, || pair.priority(&pair.greedy) == 30);
    let (greedy, urgent) = (pair.greedy.pid(), pair.urgent.pid());
    eventually("they have changed places", PATIENCE, || pair.machine.is_suspended(urgent));
    assert_eq!(pair.http.metric("xsched_process_priority", Some(greedy)), 30.0);
    let frame = pair.xcli(&["top", "--once", "--frequency", "5"]);
    assert!(
        frame.lines().any(|line| line.contains(&format!(" {greedy} ")) && line.contains(" 30 ")),
        "{frame}"
    );
    eventually("the page shows that one waits", PATIENCE, || {
        browser.text(&format!("{} .state", row(&pair.urgent))) == "waits"
    });

    // By xcli, seen on the page.
    pair.xcli(&["hint", "--pid", &greedy.to_string(), "--priority", "-3"]);
    pair.urgent.goes_on_within(PATIENCE);
    eventually("the page shows it", seconds(5), || browser.value(&field) == "-3");
    // What is typed and not sent yet is nobody's but the typist's; what was set can be taken back.
    browser.types(&field, &format!("{ALL}7"));
    pair.xcli(&["hint", "--pid", &greedy.to_string(), "--priority", "-4"]);
    let back = format!("{} .priority button[type=button]", row(&pair.greedy));
    std::thread::sleep(millis(1500));
    assert_eq!(browser.value(&field), "7");
    browser.click(&back);
    eventually("it is taken back", PATIENCE, || pair.priority(&pair.greedy) == 0);
    eventually("the page shows it", PATIENCE, || browser.value(&field) == "0");

    // The policy: on the page, then by xcli, then over HTTP.
    browser.choose("#policy", "UP");
    browser.click("#policy-set");
    let policy =
        || serde_json::from_str::<Value>(&pair.xcli(&["--json", "policy"])).unwrap()["current"].clone();
    eventually("it holds", PATIENCE, || policy() == "UP");
    assert!(pair.http.get("/metrics").contains("xsched_policy_info{policy=\"UP\"} 1"));
    assert!(pair.xcli(&["top", "--once", "--frequency", "5"]).contains("policy UP"));
    let shows = |name: &str| browser.text("#policy-now") == name && browser.value("#policy") == name;
    eventually("the page shows it", PATIENCE, || shows("UP"));
    pair.xcli(&["policy", "CFS"]);
    eventually("the page shows it", seconds(5), || shows("CFS"));
    pair.http.put("/v1/policy", &json!({"name": "HPF"}));
    eventually("the page shows it", seconds(5), || shows("HPF"));
    assert_eq!(policy(), "HPF");

    tracer.signal(rustix::process::Signal::INT);
    assert_eq!(tracer.wait_for_end(), End::Exit(0));
    let text = std::fs::read_to_string(trace).unwrap();
    for name in ["UP", "CFS", "HPF"] {
        assert!(text.contains(&format!("\"policy {name}\"")), "the trace has no policy {name}");
    }
    for value in ["30", "-3", "-4"] {
        assert!(text.contains(&format!("\"priority of c1: {value}\"")), "the trace has no priority {value}");
    }
    // The wrong token, which the browser's own log has too.
    let complaints = browser.complaints();
    assert!(complaints.len() == 1 && complaints[0].contains("403"), "{complaints:?}");
}

#[test]
fn page_is_narrow_dark_or_read_aloud_and_programs_have_hostile_names_then_it_is_whole() {
    let pair = Pair::start();
    let Some(browser) = Browser::start(&pair.machine) else { return };
    pair.page(&browser);
    take_picture(&browser);

    let hostile =
        ["<img src=x onerror=document.title='had'>", "<b id=had>x</b><script>document.title='had'</script>"];
    let _rivals = hostile.map(|name| {
        Rival::attach_as(name, &pair.machine.socket(), &[(HintKind::Priority, -9)], &DeviceKey::cpu(0))
    });
    let names =
        "return [...document.querySelectorAll('th.program bdi, .lanes bdi')].map((name) => name.textContent)";
    let mut shown = Value::Null;
    eventually("the page shows them", PATIENCE, || {
        shown = browser.run(names, &[]);
        shown.as_array().unwrap().len() == 8
    });
    let list = pair.machine.list();
    for process in &list {
        let count = shown.as_array().unwrap().iter().filter(|name| **name == process.program).count();
        assert_eq!(count, 2, "{} in {shown}", process.program);
    }
    assert!(list.iter().any(|process| process.program == hostile[0]), "{list:?}");
    let made = "return document.querySelectorAll('img, #had, body script, [onerror]').length";
    assert_eq!(browser.run(made, &[]), 0);
    assert_eq!(browser.run("return document.title", &[]), "XSched");

    for width in [1200, 800] {
        browser.resize(width, 900);
        let (page, sight) = (browser.run("return document.documentElement.scrollWidth", &[]), json!(width));
        assert!(page.as_u64() <= sight.as_u64(), "{page} wide at {width}");
        let places = "return [...document.querySelectorAll('.priority input, .priority button[type=submit]')].map((it) => { \
                      const at = it.getBoundingClientRect(), box = it.closest('.scroll').getBoundingClientRect(); \
                      return at.width > 10 && at.left >= box.left && at.right <= box.right; })";
        let places = browser.run(places, &[]);
        assert!(places.as_array().unwrap().iter().all(|is_seen| is_seen == true), "{width}: {places}");
        let scrolls = "const box = document.querySelector('.scroll'); box.scrollLeft = 1e6; \
                       const end = box.querySelector('tr').lastChild.getBoundingClientRect().right; \
                       box.scrollLeft = 0; return end <= box.getBoundingClientRect().right + 1";
        assert_eq!(browser.run(scrolls, &[]), true, "the end of the table is out of reach at {width}");
    }

    let ground = |is_dark| {
        browser.prefers_dark(is_dark);
        browser.run("return getComputedStyle(document.body).backgroundColor", &[])
    };
    assert_ne!(ground(true), ground(false));

    for (role, name) in browser
        .spoken("button:not([hidden]), input, select, summary, [tabindex='0'], canvas, figure svg, h1, h2")
    {
        assert!(!name.is_empty(), "a {role} without a name");
    }
    eventually("a lane says in words what it draws", PATIENCE, || {
        let said = browser.spoken(".lanes canvas");
        said.iter().any(|(_, name)| name.contains("ran ") && name.contains("preempted"))
    });
    let asked = browser
        .run("return performance.getEntriesByType('resource').map((it) => new URL(it.name).origin)", &[]);
    assert!(asked.as_array().unwrap().iter().all(|origin| *origin == pair.http.origin), "{asked}");
    assert_eq!(browser.complaints(), [""; 0]);
    // It is alive after all that.
    rustix::process::test_kill_process(pid(pair.greedy.pid())).unwrap();
}

/// Of the page as it is now, where somebody wants it (`UPDATE_PICTURES=1`).
fn take_picture(browser: &Browser) {
    if std::env::var_os("UPDATE_PICTURES").is_none() {
        return;
    }
    std::thread::sleep(seconds(11));
    let height = browser.run("return document.documentElement.scrollHeight", &[]);
    browser.resize(1200, u32::try_from(height.as_u64().unwrap()).unwrap());
    std::thread::sleep(millis(500));
    std::fs::write(PICTURE, browser.picture()).unwrap();
    browser.resize(1200, 1000);
}
