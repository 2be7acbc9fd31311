//! Random stories against rules that hold for every policy, and against a plain model of HPF.

mod model;
mod steps;
mod turns;
mod world;

use proptest::prelude::*;
use steps::{Step, equals, steps};
use turns::Turns;
use world::World;
use xsched_core::{ClientId, DeviceId, Event, GroupId, Hints, QueueId, Time};
use xsched_sched::{POLICIES, PolicyKind, Scheduler};

fn run(mut world: World, steps: Vec<(Step, bool)>) {
    for (step, decide) in steps {
        world.step(step);
        if decide {
            world.decide();
        }
    }
    world.end();
}

/// Found by the random stories: a process that is ready on one device and becomes ready on another with a more urgent queue rises on both.
#[test]
fn who_would_rise_where_he_is_ready_by_a_queue_elsewhere_is_in_a_hurry() {
    let story = [
        Step::Join(1, 2),
        Step::Join(4, 1),
        Step::Create(4, 4, 3, None),
        Step::Ready(4),
        Step::Create(5, 4, 1, Some(1)),
        Step::Create(1, 1, 3, None),
        Step::Ready(5),
    ];
    run(World::under(PolicyKind::Hpf), story.map(|step| (step, false)).into());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn hpf_does_what_the_plain_model_says(steps in steps(120)) {
        run(World::under(PolicyKind::Hpf), steps);
    }

    #[test]
    fn equals_that_can_be_taken_off_do_what_the_plain_model_says(steps in steps(60)) {
        for policy in [PolicyKind::Hpf, PolicyKind::Awf] {
            run(World::under(policy), equals().chain(steps.iter().copied()).collect());
        }
    }

    #[test]
    fn hhpf_does_what_the_plain_model_says(steps in steps(120)) {
        run(World::under(PolicyKind::Hhpf), steps);
    }

    #[test]
    fn chpf_does_what_the_plain_model_says(steps in steps(120)) {
        run(World::under(PolicyKind::Chpf), steps);
    }

    #[test]
    fn awf_does_what_the_plain_model_says(steps in steps(120)) {
        run(World::under(PolicyKind::Awf), steps);
    }

    #[test]
    fn kedf_keeps_the_rules_that_hold_for_every_policy(steps in steps(120)) {
        run(World::new(Scheduler::new(PolicyKind::Kedf, world::settings())), steps);
    }

    #[test]
    fn edf_keeps_the_rules_that_hold_for_every_policy(steps in steps(120)) {
        run(World::new(Scheduler::new(PolicyKind::Edf, world::settings())), steps);
    }

    #[test]
    fn lax_keeps_the_rules_that_hold_for_every_policy(steps in steps(120)) {
        run(World::new(Scheduler::new(PolicyKind::Lax, world::settings())), steps);
    }

    #[test]
    fn policies_that_change_keep_the_rules_that_hold_for_every_policy(first in 0..POLICIES.len(), steps in steps(120)) {
        run(World::new(Scheduler::new(POLICIES[first].kind, world::settings())), steps);
    }

    #[test]
    fn a_policy_of_turns_keeps_the_rules_that_hold_for_every_policy(steps in steps(120)) {
        run(World::new(Scheduler::with_policy(Box::new(Turns::default()), world::settings())), steps);
    }
}

#[test]
fn turns_alternate_at_their_ends() {
    let mut world = World::new(Scheduler::with_policy(Box::new(Turns::default()), world::settings()));
    for n in 1..=3 {
        world.step(Step::Join(n, n));
        world.step(Step::Create(u64::from(n), n, 1, None));
        world.step(Step::Ready(u64::from(n)));
        world.decide();
    }
    let runs = |world: &World| (1..=3).filter(|&n| !world.is_suspended(n, 1)).collect::<Vec<_>>();
    let mut order = Vec::new();
    for _ in 0..6 {
        order.extend(runs(&world));
        world.step(Step::Wait(turns::SLICE));
        world.decide();
    }
    assert_eq!(order, [1, 2, 3, 1, 2, 3]);
}

#[test]
fn another_policy_changes_who_keeps_a_window() {
    let mut scheduler = Scheduler::new(PolicyKind::Hpf, world::settings());
    let mut out = Vec::new();
    for n in 1..=2 {
        let (client, queue, device) = (ClientId(n), QueueId(u64::from(n)), DeviceId(1));
        for event in [
            Event::ClientJoined { client, group: GroupId(n) },
            Event::QueueCreated { queue, client, device, hints: Hints::default() },
            Event::QueueReady { queue },
        ] {
            scheduler.handle(event, Time::ZERO);
        }
    }
    scheduler.decide(Time::ZERO, &mut out);
    let windows = |scheduler: &Scheduler| [1, 2].map(|n| scheduler.is_windowed(ClientId(n), DeviceId(1)));
    assert_eq!((windows(&scheduler), &out), ([false; 2], &vec![]), "equals under HPF");
    scheduler.set_custom_policy(Box::new(Turns::default()), Time::ZERO);
    scheduler.decide(Time::ZERO, &mut out);
    assert_eq!((windows(&scheduler), scheduler.policy()), ([true; 2], None));
    scheduler.set_policy(PolicyKind::Hpf, Time::ZERO);
    scheduler.decide(Time::ZERO, &mut out);
    assert_eq!((windows(&scheduler), scheduler.policy()), ([false; 2], Some(PolicyKind::Hpf)));
}
