//! Rules, with the real server and guests without a device: who gets what, from when on, and what a file that is wrong does.

use crate::guest::{Guest, Process};
use crate::harness::{Server, wait};
use crate::somebody::{NOBODY, is_possible};
use rustix::process::Signal;
use std::path::PathBuf;
use xsched_core::status::{QueueStatus, RulesStatus};
use xsched_core::{Hint, HintKind, HintSource, Hints, Level, Limits, QueueId};
use xsched_ipc::control::{Reply, Request, Target};
use xsched_ipc::guest::Link;
use xsched_ipc::page::EdgeKind;
use xsched_ipc::wire::ProgramHints;

/// A server with a rules file of its own.
struct Ruled {
    server: Server,
    file: PathBuf,
    _folder: tempfile::TempDir,
}

impl Ruled {
    fn start(rules: &str, flags: &[&str]) -> Ruled {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rules.toml");
        std::fs::write(&file, rules).unwrap();
        let server = Server::start(&[&["--rules", file.to_str().unwrap()], flags].concat());
        Ruled { server, file, _folder: folder }
    }

    fn write(&self, rules: &str) {
        std::fs::write(&self.file, rules).unwrap();
    }

    fn reload(&self) -> Result<RulesStatus, String> {
        match self.server.ask(Request::ReloadRules) {
            Reply::Rules(status) => Ok(status),
            Reply::Refused(why) => Err(why),
            other => panic!("{other:?}"),
        }
    }

    /// The only queue of the process with this name.
    fn queue(&self, program: &str) -> QueueStatus {
        let mut found = None;
        wait("the queue is listed", || {
            let client = self.server.list().into_iter().find(|client| client.program == program);
            found = client.and_then(|client| client.queues.into_iter().next());
            found.is_some()
        });
        found.unwrap()
    }

    fn priority(&self, program: &str) -> (i64, HintSource) {
        let queue = self.queue(program);
        (queue.hints[&HintKind::Priority], queue.origins[&HintKind::Priority].source)
    }
}

/// The thread that connects is the one whom the server sees.
fn ask_as_nobody(server: &Server, request: Request) -> Reply {
    let ask = || {
        rustix::thread::set_thread_uid(rustix::process::Uid::from_raw(NOBODY)).unwrap();
        server.ask(request)
    };
    std::thread::scope(|scope| scope.spawn(ask).join().unwrap())
}

const LOW: &str = "[[rule]]\nprogram = 'greedy*'\npriority = -5\nthreshold = 3\n";

#[test]
fn a_rule_goes_before_the_environment_and_its_file_and_line_are_shown() {
    let ruled = Ruled::start(LOW, &[]);
    let greedy = Guest::attach(&ruled.server, "greedy-1", 7);
    let other = Guest::attach(&ruled.server, "other", 0);
    assert_eq!(ruled.priority("greedy-1"), (-5, HintSource::Rule));
    assert_eq!(ruled.priority("other"), (0, HintSource::Environment));
    let origin = &ruled.queue("greedy-1").origins[&HintKind::Priority];
    assert_eq!(origin.rule, Some(format!("{}:1", ruled.file.display())));
    greedy.launch(0);
    other.launch(0);
    wait("the greedy one is held", || greedy.is_held() && !other.is_held());
}

#[test]
fn rules_read_again_hold_for_programs_that_run_and_what_they_covered_comes_back() {
    let ruled = Ruled::start(LOW, &[]);
    let greedy = Guest::attach(&ruled.server, "greedy", 7);
    let other = Guest::attach(&ruled.server, "other", 0);
    greedy.launch(0);
    other.launch(0);
    wait("the greedy one is held", || greedy.is_held());
    ruled.write("[[rule]]\nprogram = 'other'\npriority = -9\n");
    let status = ruled.reload().unwrap();
    assert_eq!((status.rules.len(), status.rules[0].what.as_str()), (1, "priority = -9"));
    wait("the greedy one runs", || !greedy.is_held() && other.is_held());
    assert_eq!(ruled.priority("greedy"), (7, HintSource::Environment));

    ruled.write(LOW);
    ruled.server.signal(Signal::HUP);
    wait("SIGHUP does the same", || greedy.is_held() && !other.is_held());
    std::fs::remove_file(&ruled.file).unwrap();
    assert!(ruled.reload().unwrap_err().contains("is not there"), "it was named");
    assert_eq!(ruled.priority("greedy"), (-5, HintSource::Rule));
}

#[test]
fn rules_read_again_then_the_answer_counts_whom_they_match_now_or_says_that_more_are_to_come() {
    let ruled = Ruled::start(LOW, &[]);
    let counts = |status: &RulesStatus| status.rules.iter().map(|rule| rule.processes).collect::<Vec<_>>();
    let mut guests =
        vec![Guest::attach(&ruled.server, "greedy", 7), Guest::attach(&ruled.server, "other", 0)];
    assert_eq!(ruled.priority("greedy"), (-5, HintSource::Rule));
    ruled
        .write("[[rule]]\nprogram = 'nobody'\npriority = -1\n\n[[rule]]\nprogram = '[go]*'\npriority = -9\n");
    let status = ruled.reload().unwrap();
    assert_eq!((counts(&status), status.notes.as_slice()), (vec![0, 2], &[][..]));

    guests.extend((0..30).map(|number| Guest::attach(&ruled.server, &format!("g{number}"), 0)));
    let status = ruled.reload().unwrap();
    assert_eq!(counts(&status), [0, 8]);
    assert!(status.notes.iter().any(|note| note.contains("to be looked at: 24 more")), "{:?}", status.notes);
    wait("all are looked at", || match ruled.server.ask(Request::Rules) {
        Reply::Rules(status) => counts(&status) == [0, 32] && status.notes.is_empty(),
        other => panic!("{other:?}"),
    });
}

#[test]
fn a_bad_file_names_line_key_and_value_and_the_old_rules_stay() {
    let ruled = Ruled::start(LOW, &[]);
    let _greedy = Guest::attach(&ruled.server, "greedy", 7);
    ruled.write("[[rule]]\nprogram = 'greedy'\npriority = 1000\n\n[[rule]]\nprogam = 'x'\npriority = 1\n");
    let why = ruled.reload().unwrap_err();
    let file = ruled.file.display();
    assert!(
        why.contains(&format!("{file}:3: priority: \"1000\" is not valid; expected a whole number")),
        "{why}"
    );
    assert!(
        why.contains(&format!("{file}:6: progam: is not a key of a rule; did you mean program?")),
        "{why}"
    );
    assert!(why.ends_with("the rules stay as they were"), "{why}");
    ruled.server.wait_for_log(&format!("{file}:3: priority"));
    assert_eq!(ruled.priority("greedy"), (-5, HintSource::Rule));
    ruled.server.signal(Signal::HUP);
    ruled.server.wait_for_log("the rules stay as they were");
    assert_eq!(ruled.priority("greedy"), (-5, HintSource::Rule));

    let output = ruled.server.command(&["--rules", ruled.file.to_str().unwrap()]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "no server starts with it");
}

#[test]
fn the_operator_goes_before_rules_and_what_he_takes_back_uncovers_them() {
    let ruled = Ruled::start(LOW, &[]);
    let greedy = Guest::attach(&ruled.server, "greedy", 7);
    let id = ruled.queue("greedy").queue;
    let kind = HintKind::Priority;
    let client = Target::Client(greedy.session.client);
    ruled.server.ask(Request::Hint { target: client.clone(), kind, value: 4 });
    assert_eq!(ruled.priority("greedy"), (4, HintSource::Operator));
    ruled.server.ask(Request::Hint { target: Target::Queue(id), kind, value: 3 });
    assert_eq!(ruled.priority("greedy"), (3, HintSource::Operator));
    ruled.reload().unwrap();
    assert_eq!(ruled.priority("greedy"), (3, HintSource::Operator), "a rule does not undo it");
    let done = |count| Reply::Done { count, note: None };
    assert_eq!(ruled.server.ask(Request::Unset { target: Target::Queue(id), kind }), done(1));
    assert_eq!(ruled.priority("greedy"), (4, HintSource::Operator));
    assert_eq!(ruled.server.ask(Request::Unset { target: client, kind }), done(1));
    assert_eq!(ruled.priority("greedy"), (-5, HintSource::Rule));
    let nobody = Request::Unset { target: Target::Queue(QueueId(99)), kind };
    assert_eq!(ruled.server.ask(nobody), Reply::Refused("there is no queue q99".into()));
}

#[test]
fn what_a_program_gives_goes_before_its_environment_and_behind_rules_and_it_may_take_it_back() {
    let ruled = Ruled::start("", &[]);
    let guest = Guest::attach(&ruled.server, "greedy", 7);
    guest.page().occupy(1, 0, Level::Block).unwrap();
    guest.tell(EdgeKind::Created, 1);
    let give = |slot: Option<u16>, hints: &[(HintKind, i64)]| {
        let mut all = Hints::default();
        hints.iter().for_each(|(kind, value)| all.set(Hint::new(*kind, *value).unwrap()));
        let life = |slot| guest.page().slot(slot).unwrap().tag().unwrap().generation;
        assert!(guest.session.give(&ProgramHints { slot: slot.map(|slot| (slot, life(slot))), hints: all }));
    };
    let holds = |first: (i64, HintSource), second: (i64, HintSource)| {
        wait(&format!("{first:?} and {second:?} hold"), || {
            let queues = ruled.server.list().remove(0).queues;
            let of = |queue: &QueueStatus| {
                (queue.hints[&HintKind::Priority], queue.origins[&HintKind::Priority].source)
            };
            queues.len() == 2 && (of(&queues[0]), of(&queues[1])) == (first, second)
        });
    };
    use HintSource::{Environment, Program, Rule};
    holds((7, Environment), (7, Environment));
    give(Some(1), &[(HintKind::Priority, 3), (HintKind::Gap, 100)]);
    holds((7, Environment), (3, Program));
    give(None, &[(HintKind::Priority, 5)]);
    holds((5, Program), (3, Program));
    ruled.write(LOW);
    ruled.reload().unwrap();
    holds((-5, Rule), (-5, Rule));
    give(Some(1), &[]);
    ruled.write("");
    ruled.reload().unwrap();
    holds((5, Program), (5, Program));
    give(None, &[]);
    holds((7, Environment), (7, Environment));
    // A life of the slot that is over.
    let past = ProgramHints { slot: Some((1, 0)), hints: Hints::default() };
    assert!(guest.session.give(&past));
    assert!(guest.session.give(&ProgramHints { slot: Some((60_000, 1)), ..past }));
    holds((7, Environment), (7, Environment));
}

#[test]
fn limits_reach_the_guest_when_it_attaches_and_when_they_change() {
    let ruled = Ruled::start(LOW, &[]);
    let greedy = Guest::attach(&ruled.server, "greedy", 0);
    let hears = |limits: Limits| {
        wait("the limits come", || match greedy.session.poll() {
            Link::Limits(told) => {
                assert_eq!(told, limits);
                true
            }
            Link::Down(why) => panic!("{why:?}"),
            _ => false,
        });
    };
    hears(Limits { level: None, threshold: Some(3) });
    let listed = ruled.server.list().remove(0).threshold.unwrap();
    assert_eq!((listed.value, listed.origin.source), (3, HintSource::Rule));
    ruled.write("[[rule]]\nprogram = 'greedy*'\nlevel = 'block'\n");
    ruled.reload().unwrap();
    hears(Limits { level: Some(Level::Block), threshold: None });
    ruled.write("");
    ruled.reload().unwrap();
    hears(Limits::default());
}

#[test]
fn a_level_that_a_guest_changes_is_listed() {
    let server = Server::start(&[]);
    let guest = Guest::attach(&server, "prog", 0);
    guest.page().occupy(1, 0, Level::Interrupt).unwrap();
    guest.tell(EdgeKind::Created, 1);
    let level = || server.list().first().and_then(|client| client.queues.get(1).map(|queue| queue.level));
    wait("it is listed", || level() == Some(Level::Interrupt));
    let slot = guest.page().slot(1).unwrap();
    assert!(slot.set_level(slot.tag().unwrap().generation, Level::Deactivate));
    guest.tell(EdgeKind::Created, 1);
    wait("the other level is listed", || level() == Some(Level::Deactivate));
    assert_eq!(server.list()[0].queues.len(), 2, "it is the same queue");
}

/// Needs root, to be two users.
#[test]
fn another_user_cannot_undo_a_rule_or_go_above_the_ceiling_by_a_name() {
    if !is_possible() {
        return;
    }
    let rules = "[[rule]]\nprogram = 'process'\npriority = 50\n";
    let ruled = Ruled::start(rules, &["--priority-ceiling", "5"]);
    let process = Process::start(&ruled.server, 100, Some(NOBODY));
    assert_eq!(ruled.priority("process"), (5, HintSource::Rule), "anybody can be called so");
    let notes = ruled.reload().unwrap().notes;
    assert!(notes.len() == 1 && notes[0].contains("priority 50 is above 5"), "{notes:?}");
    ruled.write(&format!("{rules}\n[[rule]]\nuser = 65534\npriority = -20\n"));
    ruled.reload().unwrap();
    wait("the later rule holds", || ruled.priority("process") == (-20, HintSource::Rule));

    let target = Target::Pid(process.pid());
    let as_user = ask_as_nobody(&ruled.server, Request::Hint { target, kind: HintKind::Priority, value: 3 });
    let Reply::Done { note: Some(note), .. } = as_user else { panic!("{as_user:?}") };
    assert!(note.contains("priority stays -20: the rule") && note.contains("rules.toml:5"), "{note}");
    assert_eq!(ruled.priority("process"), (-20, HintSource::Rule));
    let refused = ask_as_nobody(&ruled.server, Request::ReloadRules);
    assert!(matches!(&refused, Reply::Refused(why) if why.contains("may not change")), "{refused:?}");
    ruled.write("[[rule]]\nuser = 65534\nprogram = 'process'\npriority = 60\n");
    ruled.reload().unwrap();
    wait("named as a user, it gets all", || ruled.priority("process") == (60, HintSource::Rule));
    ruled.write("");
    ruled.reload().unwrap();
    wait("what the user said comes back", || ruled.priority("process") == (3, HintSource::User));
}
