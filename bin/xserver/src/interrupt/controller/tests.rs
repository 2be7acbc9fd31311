use super::super::lever::fake::{Fake, wait};
use super::*;
use xsched_ipc::guest::SharedPage;
use xsched_ipc::server::GuestPage;
use xsched_queue::gate::Epoch;

const PLAIN: Desired = Desired { turns: Turns::Plain, is_off: false };
const SHORT_ON: Desired = Desired { turns: Turns::Short, is_off: false };
const OFF: Desired = Desired { turns: Turns::Short, is_off: true };
const LONG_ON: Desired = Desired { turns: Turns::Long, is_off: false };

fn owner() -> (Owner, SharedPage) {
    let shared = SharedPage::create().unwrap();
    shared.page().gates().iter().for_each(|gate| gate.start(Epoch::FIRST));
    let page = GuestPage::map(shared.fd().unwrap()).unwrap();
    (Owner::new(Arc::new(page), Epoch::FIRST), shared)
}

fn part(page: &SharedPage) {
    page.page().gates().iter().for_each(|gate| assert!(gate.rescue(Epoch::FIRST)));
}

/// A lever of this process.
fn adopt(controller: &mut Controller, owner: &Owner, process: u32) -> (Arc<Fake>, Number, Arc<Condition>) {
    let fake = Arc::new(Fake::default());
    let (number, condition) = controller.adopt(fake.clone(), owner.clone(), process, "a test".into());
    wait("the driver is asked", || condition.is_usable());
    assert_eq!(fake.take(), ["ask"]);
    (fake, number, condition)
}

fn is_done(fake: &Fake, expected: &[&str]) {
    let mut done = vec![];
    wait(&format!("{expected:?}"), || {
        done.extend(fake.take());
        done.len() >= expected.len()
    });
    assert_eq!(done, expected);
}

#[test]
fn while_a_call_is_stuck_nobody_is_controlled_and_who_is_to_go_on_is_told_to_let_itself_go() {
    let (mut controller, (owner, _page)) = (Controller::default(), owner());
    let [held, stuck, other] = [1, 2, 3].map(|process| adopt(&mut controller, &owner, process));
    controller.want([(held.1, OFF), (other.1, OFF)]);
    wait("they are off", || held.0.is_off() && other.0.is_off());
    stuck.0.freeze("hold");
    controller.want([(stuck.1, OFF)]);
    wait("it is in the call", || stuck.0.is_frozen());
    controller.want([(held.1, SHORT_ON)]);
    let conditions = [&held.2, &stuck.2, &other.2];
    std::thread::sleep(STUCK);
    controller.look_for_stuck_call();
    assert!(conditions.iter().all(|condition| !condition.is_usable()));
    assert_eq!(conditions.map(|condition| condition.is_left_off()), [true, false, false]);
    // So nobody is desired to be off any more.
    controller.want([(stuck.1, SHORT_ON), (other.1, SHORT_ON)]);
    controller.look_for_stuck_call();
    assert!(conditions.iter().all(|condition| condition.is_left_off()), "the call may have had its effect");
    stuck.0.thaw();
    wait("they are let go", || !held.0.is_off() && !stuck.0.is_off() && !other.0.is_off());
    controller.look_for_stuck_call();
    assert!(conditions.iter().all(|condition| condition.is_usable()));
}

#[test]
fn what_is_desired_is_done_and_what_is_done_is_not_done_again() {
    let (mut controller, (owner, _page)) = (Controller::default(), owner());
    let (fake, number, _) = adopt(&mut controller, &owner, 1);
    controller.want([(number, SHORT_ON)]);
    is_done(&fake, &["interruptible", "short"]);
    controller.want([(number, OFF)]);
    is_done(&fake, &["hold"]);
    controller.want([(number, OFF)]);
    controller.want([(number, SHORT_ON)]);
    is_done(&fake, &["release"]);
    controller.want([(number, LONG_ON)]);
    is_done(&fake, &["long"]);
    controller.want([(number, Desired { turns: Turns::Shared, is_off: false })]);
    is_done(&fake, &["plain"]);
    controller.want([(number, PLAIN)]);
    is_done(&fake, &["plain", "uninterruptible"]);
}

#[test]
fn while_a_call_is_under_way_only_the_latest_wish_is_remembered() {
    let (mut controller, (owner, _page)) = (Controller::default(), owner());
    let (fake, number, _) = adopt(&mut controller, &owner, 1);
    fake.freeze("hold");
    controller.want([(number, OFF)]);
    wait("it is in the call", || fake.is_frozen());
    for _ in 0..100 {
        controller.want([(number, SHORT_ON)]);
        controller.want([(number, LONG_ON)]);
        controller.want([(number, OFF)]);
    }
    fake.thaw();
    is_done(&fake, &["hold", "interruptible", "short"]);
}

#[test]
fn who_is_to_be_off_is_off_before_others_get_their_turns() {
    let (mut controller, (owner, _page)) = (Controller::default(), owner());
    let (greedy, off, _) = adopt(&mut controller, &owner, 1);
    let (urgent, on, _) = adopt(&mut controller, &owner, 2);
    controller.want([(on, OFF)]);
    is_done(&urgent, &["hold", "interruptible", "short"]);
    // The thread is kept busy until both wishes are there.
    let (busy, other, _) = adopt(&mut controller, &owner, 3);
    busy.freeze("long");
    controller.want([(other, LONG_ON)]);
    wait("it is in the call", || busy.is_frozen());
    greedy.freeze("hold");
    controller.want([(on, LONG_ON), (off, OFF)]);
    busy.thaw();
    wait("it is in the call", || greedy.is_frozen());
    assert!(urgent.take().is_empty());
    greedy.thaw();
    is_done(&urgent, &["release", "long"]);
}

#[test]
fn who_has_parted_while_the_server_was_frozen_in_a_call_is_let_go_behind_it() {
    for what in ["hold", "short", "long"] {
        let (mut controller, (owner, page)) = (Controller::default(), owner());
        let (fake, number, _) = adopt(&mut controller, &owner, 1);
        fake.freeze(what);
        controller.want([(number, if what == "long" { LONG_ON } else { OFF })]);
        wait("it is in the call", || fake.is_frozen());
        part(&page);
        fake.take();
        fake.thaw();
        let mut done = vec![];
        wait("it is let go", || {
            done.extend(fake.take());
            done.contains(&"uninterruptible") && done.contains(&"release") && done.contains(&"plain")
        });
        controller.want([(number, PLAIN)]);
        controller.want([(number, OFF)]);
        controller.give_up(1);
        wait("it is forgotten", || controller.len() == 0);
        assert!(!fake.take().iter().any(|done| ["hold", "short", "long"].contains(done)));
    }
}

#[test]
fn who_has_let_itself_go_while_the_server_was_frozen_in_a_call_is_let_go_behind_it_and_off_again_if_it_is_still_to_be()
 {
    let (mut controller, (owner, page)) = (Controller::default(), owner());
    let (fake, number, _) = adopt(&mut controller, &owner, 1);
    fake.freeze("hold");
    controller.want([(number, OFF)]);
    wait("it is in the call", || fake.is_frozen());
    page.page().count_letting_go();
    fake.thaw();
    is_done(&fake, &["hold", "release", "hold", "interruptible", "short"]);
    // And one that did it between two calls.
    page.page().count_letting_go();
    controller.want([(number, OFF)]);
    is_done(&fake, &["hold", "short"]);
    page.page().count_letting_go();
    controller.want([(number, SHORT_ON)]);
    is_done(&fake, &["short"]);
    // And one in the middle of a call that changes its turns: as it is to be at last, and nothing else.
    fake.freeze("long");
    controller.want([(number, LONG_ON)]);
    wait("it is in the call", || fake.is_frozen());
    page.page().count_letting_go();
    controller.want([(number, PLAIN)]);
    fake.thaw();
    is_done(&fake, &["long", "plain", "plain", "uninterruptible"]);
}

#[test]
fn what_is_given_up_is_let_go_and_closed_before_another_lever_of_its_process_is_used() {
    let (mut controller, (owner, _page)) = (Controller::default(), owner());
    let (fake, number, _) = adopt(&mut controller, &owner, 1);
    controller.want([(number, OFF)]);
    is_done(&fake, &["hold", "interruptible", "short"]);
    fake.freeze("plain");
    controller.give_up(1);
    wait("it is in the call", || fake.is_frozen());
    let new = Arc::new(Fake::default());
    let (_, condition) = controller.adopt(new.clone(), owner.clone(), 1, "a test".into());
    assert!(new.take().is_empty());
    fake.thaw();
    wait("the new one is asked", || condition.is_usable());
    assert_eq!(fake.take(), ["release", "plain", "uninterruptible"]);
    assert_eq!((Arc::strong_count(&fake), controller.len()), (1, 1), "it is closed");
}

#[test]
fn what_is_off_of_an_attachment_that_is_over_is_let_go_before_the_next_one_of_the_same_process_is_held() {
    let (mut controller, (old, page)) = (Controller::default(), owner());
    let (fake, number, _) = adopt(&mut controller, &old, 1);
    controller.want([(number, OFF)]);
    is_done(&fake, &["hold", "interruptible", "short"]);
    // The thread is kept busy until both are there.
    let (other, _others) = owner();
    let (busy, long, _) = adopt(&mut controller, &other, 3);
    busy.freeze("long");
    controller.want([(long, LONG_ON)]);
    wait("it is in the call", || busy.is_frozen());
    part(&page);
    let epoch = page.page().gate(0).unwrap().state().epoch();
    let new = Owner::new(Arc::new(GuestPage::map(page.fd().unwrap()).unwrap()), epoch);
    controller.give_up(1);
    let (again, condition) = controller.adopt(fake.clone(), new, 2, "a test".into());
    controller.want([(again, OFF)]);
    busy.thaw();
    wait("the driver is asked", || condition.is_usable());
    is_done(&fake, &["release", "ask", "hold", "interruptible", "short"]);
}

#[test]
fn whoever_is_gone_is_closed_at_once() {
    let (mut controller, (owner, page)) = (Controller::default(), owner());
    let (fake, number, _) = adopt(&mut controller, &owner, 1);
    controller.want([(number, LONG_ON)]);
    is_done(&fake, &["long"]);
    part(&page);
    controller.give_up(1);
    wait("it is closed", || Arc::strong_count(&fake) == 1);
    assert!(fake.take().is_empty(), "it restores its turns itself");
}

#[test]
fn a_call_that_is_refused_undoes_what_was_done_and_is_the_last() {
    let (mut controller, (owner, _page)) = (Controller::default(), owner());
    let (fake, number, condition) = adopt(&mut controller, &owner, 1);
    controller.want([(number, SHORT_ON)]);
    is_done(&fake, &["interruptible", "short"]);
    *fake.refuses.lock().unwrap() = Some("hold");
    controller.want([(number, OFF)]);
    is_done(&fake, &["hold", "release", "plain", "uninterruptible"]);
    assert_eq!((condition.is_usable(), condition.refusal()), (false, Some("hold is refused")));
    controller.want([(number, LONG_ON)]);
    controller.want([(number, OFF)]);
    controller.give_up(1);
    wait("it is forgotten", || controller.len() == 0);
    assert!(fake.take().is_empty());
}

#[test]
fn a_driver_that_refuses_the_first_question_is_asked_nothing_else() {
    let (mut controller, (owner, _page)) = (Controller::default(), owner());
    let fake = Arc::new(Fake::default());
    *fake.refuses.lock().unwrap() = Some("ask");
    let (number, condition) = controller.adopt(fake.clone(), owner, 1, "a test".into());
    controller.want([(number, OFF)]);
    wait("it is asked", || condition.refusal().is_some());
    controller.give_up(1);
    wait("it is forgotten", || controller.len() == 0);
    assert_eq!(fake.take(), ["ask"]);
}

#[test]
fn at_the_end_nothing_is_left_off() {
    let (mut controller, (owner, _page)) = (Controller::default(), owner());
    let (fake, number, _) = adopt(&mut controller, &owner, 1);
    controller.want([(number, OFF)]);
    is_done(&fake, &["hold", "interruptible", "short"]);
    drop(controller);
    assert_eq!(fake.take(), ["release"]);
}

#[test]
fn who_may_go_on_does_not_wait_until_all_others_are_prepared() {
    let (mut controller, (owner, _page)) = (Controller::default(), owner());
    let (held, number, _) = adopt(&mut controller, &owner, 1);
    controller.want([(number, OFF)]);
    is_done(&held, &["hold", "interruptible", "short"]);
    let (busy, long, _) = adopt(&mut controller, &owner, 2);
    let (other, prepared, _) = adopt(&mut controller, &owner, 3);
    // The thread is kept busy until all wishes are there.
    busy.freeze("long");
    controller.want([(long, LONG_ON)]);
    wait("it is in the call", || busy.is_frozen());
    let asked = Arc::new(Fake::default());
    controller.adopt(asked.clone(), owner.clone(), 4, "a test".into());
    held.freeze("release");
    controller.want([(number, SHORT_ON), (prepared, SHORT_ON)]);
    busy.thaw();
    wait("it is in the call", || held.is_frozen());
    assert!(other.take().is_empty() && asked.take().is_empty());
    held.thaw();
    is_done(&other, &["interruptible", "short"]);
}

#[test]
fn a_call_that_is_refused_may_have_had_its_effect_and_is_undone() {
    for (what, wish) in [("long", LONG_ON), ("interruptible", SHORT_ON)] {
        let (mut controller, (owner, _page)) = (Controller::default(), owner());
        let (fake, number, _) = adopt(&mut controller, &owner, 1);
        *fake.refuses.lock().unwrap() = Some(what);
        controller.want([(number, wish)]);
        is_done(&fake, &[what, "plain", "uninterruptible"]);
        controller.give_up(1);
        wait("it is forgotten", || controller.len() == 0);
        assert!(fake.take().is_empty());
    }
}

#[test]
fn letting_go_is_tried_again_and_not_for_ever() {
    let (mut controller, (owner, _page)) = (Controller::default(), owner());
    let (fake, number, condition) = adopt(&mut controller, &owner, 1);
    controller.want([(number, OFF)]);
    is_done(&fake, &["hold", "interruptible", "short"]);
    *fake.refuses.lock().unwrap() = Some("release");
    controller.want([(number, SHORT_ON)]);
    is_done(&fake, &["release", "release", "release", "plain", "uninterruptible"]);
    assert_eq!(condition.refusal(), Some("release is refused"));
    assert!(condition.is_left_off(), "its process has to do it");
    controller.give_up(1);
    wait("it is forgotten", || controller.len() == 0);
}

#[test]
fn who_was_to_go_on_meanwhile_does_so_even_if_it_is_to_be_off_again() {
    let (mut controller, (owner, _page)) = (Controller::default(), owner());
    let (held, number, _) = adopt(&mut controller, &owner, 1);
    controller.want([(number, OFF)]);
    is_done(&held, &["hold", "interruptible", "short"]);
    // The thread is kept busy until the pause is over.
    let (busy, long, _) = adopt(&mut controller, &owner, 2);
    busy.freeze("long");
    controller.want([(long, LONG_ON)]);
    wait("it is in the call", || busy.is_frozen());
    controller.want([(number, SHORT_ON)]);
    controller.want([(number, OFF)]);
    busy.thaw();
    is_done(&held, &["release", "hold"]);
}
