//! Frames, as text.

use super::super::keys::{Key, Wish};
use super::super::model::Look as Seen;
use super::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use xsched_core::account::{Account, HeldBy, Totals};
use xsched_core::status::{ClientStatus, QueueStatus, QueueTimes, ServerStatus};
use xsched_core::{ClientId, DeviceId, DeviceKey, GroupId, HintKind, Level, QueueId, Time};

const PLAIN: Look = Look { has_colour: false, is_plain: true };
const MS: u64 = 1_000_000;

fn process(number: u32, name: &str, running_ns: u64, waiting_ns: u64, launched: u64) -> ClientStatus {
    let is_waiting = waiting_ns > 0;
    let queue = QueueStatus {
        queue: QueueId(number.into()),
        device_id: DeviceId(1),
        device: DeviceKey::cpu(0),
        level: Level::Block,
        ready: true,
        suspended: is_waiting,
        windowed: false,
        awaited: false,
        launched,
        completed: 0,
        suspensions: 0,
        hints: [(HintKind::Priority, 10 - i64::from(number))].into(),
        origins: Default::default(),
        remark: None,
        times: QueueTimes { running_ns, waiting_ns, has_work: true },
    };
    let waits = Latency { count: u64::from(is_waiting), p99_ns: 30 * MS, ..Latency::default() };
    let account = Account {
        device_id: DeviceId(1),
        running_ns,
        waiting_ns,
        suspended_ns: waiting_ns,
        suspensions: 1,
        closing: Latency::default(),
        drain: Latency::default(),
        waits,
        held_by: if is_waiting { vec![HeldBy { client: ClientId(1), ns: waiting_ns }] } else { vec![] },
    };
    ClientStatus {
        client: ClientId(number),
        pid: 4710 + number,
        uid: 0,
        program: name.into(),
        group: GroupId(number),
        container: None,
        group_name: None,
        refused_priority: None,
        level_limit: None,
        threshold: None,
        accounts: vec![account],
        queues: vec![queue],
    }
}

fn look(at_ms: u64, processes: Vec<ClientStatus>) -> Seen {
    let closing = Latency { count: 3, p50_ns: 33_000, p99_ns: 101_000, ..Latency::default() };
    let now = Time::from_nanos(at_ms * MS);
    let totals = Totals { now, closing, suspensions: at_ms / 100, ..Totals::default() };
    let server = ServerStatus {
        version: "0.1.0".into(),
        pid: 1,
        policy: "HPF".into(),
        clients: processes.len() as u32,
        queues: processes.len() as u32,
        devices: vec![DeviceKey::cpu(0)],
        policy_reads: vec![],
        priority_ceiling: None,
        may_steer_all: true,
        totals: Some(totals),
    };
    Seen { server, policies: vec!["HPF".into(), "UP".into()], processes }
}

/// An urgent process that had three quarters of the last second, and a greedy one that waited meanwhile.
fn app() -> App {
    let mut app = App::new(look(61_000, vec![process(1, "urgent", 0, 0, 0), process(2, "greedy", 0, 0, 0)]));
    app.see(look(
        62_000,
        vec![process(1, "urgent", 750 * MS, 0, 1500), process(2, "greedy", 250 * MS, 750 * MS, 20_000)],
    ));
    app
}

fn frame(app: &mut App, width: u16, height: u16, look: Look) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, app, look)).unwrap();
    text(terminal.backend().buffer())
}

#[test]
fn who_runs_who_waits_and_for_whom_is_in_eighty_columns_without_colour() {
    let text = frame(&mut app(), 80, 24, PLAIN);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[..6],
        [
            "xserver 0.1.0  policy HPF  2 processes  2 queues  up 0:01:02",
            "suspensions 10/s (620 in all)  events 0.0/s  decisions 0.0/s",
            "gate closed p50 33us p99 101us  drained -  waits -",
            "ID          PID PROGRAM       DEVICE   PRIO RUNS, WAITS    RUN% STATE LAUN/s  W p99",
            ">c1        4711 urgent        cpu:0       9 ###########     75% runs    1500",
            " c2        4712 greedy        cpu:0       8 ####----------  25% <c1    20000   30ms",
        ]
        .map(|line: &str| line.get(..80).unwrap_or(line).trim_end())
    );
    assert!(lines.last().unwrap().starts_with("q quit"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80));
}

#[test]
fn queues_are_shown_after_tab_rows_sorted_by_s_and_filtered_by_slash() {
    let mut app = app();
    app.press(Key::Char('s'));
    let text = frame(&mut app, 100, 24, PLAIN);
    assert!(text.find("greedy").unwrap() < text.find("urgent").unwrap(), "{text}");
    app.press(Key::Tab);
    assert!(frame(&mut app, 100, 24, PLAIN).contains(" q2 "));
    for key in "/gree".chars() {
        app.press(Key::Char(key));
    }
    app.press(Key::Enter);
    let text = frame(&mut app, 100, 24, PLAIN);
    assert!(!text.contains("urgent") && text.contains("/ filter: gree"), "{text}");
}

#[test]
fn a_priority_is_changed_for_the_chosen_one_and_only_after_a_yes() {
    let mut app = app();
    app.press(Key::Down);
    let type_in = |app: &mut App, text: &str| text.chars().filter_map(|c| app.press(Key::Char(c))).last();
    assert_eq!(type_in(&mut app, "p-7x"), None);
    assert!(frame(&mut app, 80, 24, PLAIN).contains("new priority for c2: -7_"));
    assert_eq!(app.press(Key::Enter), None);
    assert!(frame(&mut app, 80, 24, PLAIN).contains("give c2 priority -7?  y/n"));
    assert_eq!(app.press(Key::Char('y')), Some(Wish::Priority(ClientId(2), -7)));
    type_in(&mut app, "p5");
    app.press(Key::Enter);
    assert_eq!(app.press(Key::Enter), None, "enter is no yes");
    assert!(frame(&mut app, 80, 24, PLAIN).contains("nothing was changed"));
    assert_eq!(app.press(Key::Char('y')), None);
}

#[test]
fn a_policy_is_chosen_and_confirmed() {
    let mut app = app();
    app.press(Key::Char('P'));
    assert!(frame(&mut app, 80, 24, PLAIN).contains("policy: < HPF >"));
    app.press(Key::Right);
    app.press(Key::Enter);
    assert!(frame(&mut app, 80, 24, PLAIN).contains("change the policy from HPF to UP?"));
    assert_eq!(app.press(Key::Char('y')), Some(Wish::Policy("UP".into())));
}

#[test]
fn the_chosen_row_stays_in_sight_and_stays_chosen_and_no_size_is_too_small() {
    let processes = |extra: u64| (1..=100).map(|n| process(n, "p", u64::from(n) * extra, 0, 0)).collect();
    let mut app = App::new(look(1000, processes(0)));
    app.see(look(2000, processes(MS)));
    (0..60).for_each(|_| drop(app.press(Key::Down)));
    let text = frame(&mut app, 80, 24, PLAIN);
    assert!(text.contains(">c40 "), "{text}");
    app.press(Key::Char('s'));
    assert!(frame(&mut app, 80, 24, PLAIN).contains(">c40 "));
    for (width, height) in [(1, 1), (3, 2), (20, 4), (80, 5), (500, 200)] {
        frame(&mut app, width, height, Look { has_colour: true, is_plain: false });
    }
    assert!(app.press(Key::Char('q')).is_none() && app.is_over());
}

#[test]
fn names_of_programs_cannot_reach_the_terminal_and_numbers_stay_short() {
    let mut app = App::new(look(1, vec![process(1, "a\u{1b}[31mb", 1, 0, 0)]));
    assert!(!frame(&mut app, 80, 24, PLAIN).contains('\u{1b}'));
    for n in [0.0, 9.94, 9.96, 99_999.4, 99_999.6, 9_999_499.0, 1e9] {
        assert!(number(n).len() <= 6, "{}", number(n));
    }
    for ns in [0, 999, 999_999, 9_999_999, 999_999_999, 99_999_999_999, 999_999_999_999] {
        assert!(short(ns).len() <= 6, "{}", short(ns));
    }
}
