//! Deadlines and laxities on an ideal device: what KEDF meets, what EDF promises, how long a critical queue waits under LAX.

mod machine;

use machine::{Done, Job, PER_JOB, Program, run};
use proptest::prelude::*;
use std::time::Duration;
use xsched_core::{HintKind, Time};
use xsched_sched::PolicyKind;

const MS: Duration = Duration::from_millis(1);

fn micros(us: u64) -> Duration {
    Duration::from_micros(us)
}

fn length(program: &Program) -> Option<Duration> {
    let given = program.hints.iter().find(|(kind, _)| *kind == HintKind::Deadline);
    given.map(|&(_, us)| micros(us as u64))
}

/// Jobs of this length, one each period.
fn periodic(hints: &[(HintKind, i64)], work: Duration, period: Duration, count: u32) -> Program {
    let jobs = (0..count).map(|n| Job { at: period * n, work }).collect();
    Program { hints: hints.to_vec(), jobs }
}

/// One that never rests.
fn hog(hints: &[(HintKind, i64)]) -> Program {
    periodic(hints, 1_000_000 * MS, MS, 1)
}

/// Which programs miss a deadline: a job that is not done when its deadline comes.
fn late(programs: &[Program], done: &[Vec<Done>]) -> Vec<usize> {
    let is_late = |program: &Program, jobs: &[Done]| {
        let Some(length) = length(program) else { return false };
        jobs.iter().any(|job| job.ended.is_none_or(|ended| ended > job.at + length))
    };
    (0..programs.len()).filter(|&n| is_late(&programs[n], &done[n])).collect()
}

/// Whether earliest deadline first, which is optimal, meets all deadlines, in the plainest way: a microsecond at a time.
fn can_be_met(programs: &[Program]) -> bool {
    let mut jobs: Vec<(u64, u64, u64)> = Vec::new();
    for program in programs {
        let Some(length) = length(program) else { continue };
        for job in &program.jobs {
            let us = |time: Duration| time.as_micros() as u64;
            jobs.push((us(job.at), us(job.at + length), us(job.work + PER_JOB)));
        }
    }
    jobs.sort_unstable_by_key(|&(_, deadline, _)| deadline);
    let (mut now, mut open) = (0, jobs.len());
    while open > 0 {
        let ready = jobs.iter_mut().find(|(at, _, work)| *at <= now && *work > 0);
        if let Some((_, deadline, work)) = ready {
            *work -= 1;
            if *work == 0 {
                open -= 1;
                if now + 1 > *deadline {
                    return false;
                }
            }
        }
        now += 1;
    }
    true
}

/// Programs with a few jobs each, the next one of which comes when the deadline of the one before is over.
fn programs() -> impl Strategy<Value = Vec<Program>> {
    let job = (1..2_000u64, 0..2_000u64);
    let with_deadline = (500..6_000i64, prop::collection::vec(job, 1..5)).prop_map(|(us, jobs)| {
        let mut at = Duration::ZERO;
        let jobs = jobs.into_iter().map(|(work, pause)| {
            at += micros(pause);
            let job = Job { at, work: micros(work.min(us as u64)) };
            at += micros(us as u64 + 10);
            job
        });
        Program { hints: vec![(HintKind::Deadline, us)], jobs: jobs.collect() }
    });
    let without = prop::bool::ANY.prop_map(|is_busy| match is_busy {
        true => hog(&[]),
        false => periodic(&[(HintKind::Priority, 7)], MS, 3 * MS, 5),
    });
    (prop::collection::vec(with_deadline, 1..5), prop::collection::vec(without, 0..3))
        .prop_map(|(some, others)| [some, others].concat())
}

#[test]
fn kedf_meets_what_the_same_programs_miss_when_they_share() {
    let tight = periodic(&[(HintKind::Deadline, 3_000)], 2 * MS, 10 * MS, 20);
    let wide = periodic(&[(HintKind::Deadline, 10_000)], 6 * MS, 10 * MS, 20);
    let programs = [wide, tight, hog(&[])];
    let most = Duration::from_secs(1);
    assert_eq!(late(&programs, &run(PolicyKind::Kedf, &programs, most)), []);
    assert_ne!(late(&programs, &run(PolicyKind::Hpf, &programs, most)), []);
}

#[test]
fn kedf_with_k_of_two_shares_the_device_between_two_deadlines() {
    let program = |us| periodic(&[(HintKind::Deadline, us), (HintKind::Kdeadline, 2)], 2 * MS, 20 * MS, 5);
    let done = run(PolicyKind::Kedf, &[program(8_000), program(9_000), program(20_000)], 100 * MS);
    let ends = |n: usize| done[n][0].ended.unwrap();
    assert_eq!([ends(0), ends(1)], [Time::ZERO + 4 * MS; 2]);
    // From 4 ms on it is alone.
    assert!(ends(2) >= Time::ZERO + 6 * MS && ends(2) < Time::ZERO + 6 * MS + 10 * PER_JOB, "{}", ends(2));
}

#[test]
fn kedf_one_that_never_rests_does_not_keep_others_from_their_deadlines_for_ever() {
    let rests = periodic(&[(HintKind::Deadline, 10_000)], 4 * MS, 20 * MS, 50);
    let done =
        run(PolicyKind::Kedf, &[hog(&[(HintKind::Deadline, 5_000)]), rests.clone()], Duration::from_secs(1));
    assert_eq!(late(&[rests], &done[1..]), [0; 0]);
}

#[test]
fn edf_refuses_the_one_too_many_and_meets_the_deadlines_of_the_others() {
    let program = |us, utilization| {
        let hints = [(HintKind::Deadline, us), (HintKind::Utilization, utilization)];
        periodic(&hints, micros(us as u64) * utilization as u32 / 100 - PER_JOB * 2, micros(us as u64), 40)
    };
    let programs = [program(10_000, 50), program(7_000, 30), program(9_000, 20), hog(&[])];
    let done = run(PolicyKind::Edf, &programs, Duration::from_secs(1));
    let refused: Vec<usize> = (0..4).filter(|&n| done[n][0].is_refused()).collect();
    assert_eq!(refused, [2], "50 % and 30 % and 20 % are more than 95 %");
    let late = late(&programs, &done);
    assert!(!late.contains(&0) && !late.contains(&1), "{late:?}");
}

#[test]
fn edf_learns_what_jobs_take_and_refuses_who_never_ends() {
    let learns = periodic(&[(HintKind::Deadline, 10_000)], 4 * MS, 10 * MS, 60);
    let greedy = hog(&[(HintKind::Deadline, 5_000)]);
    let programs = [learns, greedy, hog(&[])];
    let done = run(PolicyKind::Edf, &programs, 600 * MS);
    // While the greedy one is on trial, the other one keeps what it was promised.
    assert_eq!(late(&programs[..1], &done[..1]), []);
    assert!(done[0].iter().skip(5).all(Done::is_admitted));
    assert!(done[1][0].ended.is_none() && done[1].len() == 1);
}

#[test]
fn edf_who_grows_beyond_what_is_left_keeps_his_share_and_it_is_said() {
    let fixed = [(HintKind::Deadline, 10_000), (HintKind::Utilization, 60)];
    let fixed = periodic(&fixed, micros(5_990), 10 * MS, 100);
    let mut grows = periodic(&[(HintKind::Deadline, 10_000)], 2 * MS, 10 * MS, 100);
    // One long job is nothing yet.
    grows.jobs[10].work = micros(3_800);
    grows.jobs[20..40].iter_mut().for_each(|job| job.work = micros(3_800));
    let done = run(PolicyKind::Edf, &[fixed.clone(), grows], Duration::from_secs(4));
    assert_eq!(late(&[fixed], &done[..1]), []);
    let said = |n: usize| (done[1][n].is_admitted(), done[1][n].remark.contains("some are late"));
    let wanted = [(false, false), (true, false), (true, false), (true, true), (true, false)];
    assert_eq!([0, 5, 15, 30, 60].map(said), wanted);
}

#[test]
fn edf_who_was_refused_is_tried_again_when_his_first_jobs_were_the_longest() {
    let fixed = [(HintKind::Deadline, 10_000), (HintKind::Utilization, 60)];
    let fixed = periodic(&fixed, micros(5_990), 10 * MS, 100);
    let mut warms_up = periodic(&[(HintKind::Deadline, 10_000)], 2 * MS, 10 * MS, 60);
    warms_up.jobs[..6].iter_mut().for_each(|job| job.work = micros(3_900));
    let done = run(PolicyKind::Edf, &[fixed, warms_up], Duration::from_secs(4));
    assert!(done[1][6].is_refused(), "{:?}", done[1][6]);
    assert!(done[1][30].is_admitted(), "{:?}", done[1][30]);
}

#[test]
fn edf_whose_first_job_never_seemed_to_end_is_tried_again_when_he_has_had_short_ones() {
    let mut warms_up = periodic(&[(HintKind::Deadline, 10_000)], 2 * MS, 10 * MS, 60);
    warms_up.jobs.iter_mut().skip(1).for_each(|job| job.at += 100 * MS);
    warms_up.jobs[0].work = 60 * MS;
    let done = run(PolicyKind::Edf, &[warms_up, hog(&[])], Duration::from_secs(4));
    assert!(done[0][3].is_refused(), "{:?}", done[0][3]);
    assert!(done[0][30].is_admitted(), "{:?}", done[0][30]);
}

#[test]
fn edf_newcomers_that_come_together_are_tried_one_after_the_other() {
    let newcomer = |at| {
        let mut program = periodic(&[(HintKind::Deadline, 10_000)], 2 * MS, 10 * MS, 40);
        program.jobs.iter_mut().for_each(|job| job.at += micros(at));
        program
    };
    let done = run(PolicyKind::Edf, &[newcomer(0), newcomer(100), newcomer(200)], Duration::from_secs(1));
    for jobs in &done {
        assert!(!jobs.iter().any(Done::is_refused), "{jobs:?}");
        assert!(jobs[30].is_admitted(), "{:?}", jobs[30]);
    }
}

#[test]
fn edf_who_knows_what_he_needs_does_not_wait_for_the_end_of_a_trial() {
    let newcomer = periodic(&[(HintKind::Deadline, 100_000)], 10 * MS, 100 * MS, 30);
    let knows = [(HintKind::Deadline, 20_000), (HintKind::Utilization, 30)];
    let mut knows = periodic(&knows, 5 * MS, 20 * MS, 50);
    knows.jobs.iter_mut().for_each(|job| job.at += 150 * MS);
    let done = run(PolicyKind::Edf, &[newcomer, knows], Duration::from_secs(5));
    assert!(done[1].iter().all(Done::is_admitted));
    assert!(done[0][20].is_admitted(), "{:?}", done[0][20]);
}

#[test]
fn edf_share_of_one_that_rests_for_long_is_given_to_others() {
    let asks = |utilization| [(HintKind::Deadline, 10_000), (HintKind::Utilization, utilization)];
    let rests = Program { hints: asks(60).to_vec(), jobs: vec![Job { at: MS, work: MS }] };
    let mut comes = periodic(&asks(50), 4 * MS, 10 * MS, 3);
    for (job, at) in comes.jobs.iter_mut().zip([5, 9_000, 11_000]) {
        job.at = at * MS;
    }
    let done = run(PolicyKind::Edf, &[rests, comes], Duration::from_secs(20));
    assert_eq!(done[1].iter().map(|job| job.is_refused()).collect::<Vec<_>>(), [true, true, false]);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn kedf_misses_no_deadline_that_can_be_met(programs in programs()) {
        prop_assume!(can_be_met(&programs));
        let done = run(PolicyKind::Kedf, &programs, Duration::from_secs(1));
        prop_assert_eq!(late(&programs, &done), Vec::<usize>::new());
    }

    #[test]
    fn edf_misses_no_deadline_that_it_promised(programs in programs(), declared in prop::collection::vec(any::<bool>(), 8)) {
        let mut programs = programs;
        for (program, _) in programs.iter_mut().zip(&declared).filter(|(_, is_declared)| **is_declared) {
            let longest = program.jobs.iter().map(|job| job.work + PER_JOB).max().unwrap_or_default();
            if let Some(length) = length(program) {
                let percent = longest.as_nanos() * 100 / length.as_nanos() + 1;
                program.hints.push((HintKind::Utilization, (percent as i64).min(100)));
            }
        }
        let done = run(PolicyKind::Edf, &programs, Duration::from_secs(1));
        for (program, jobs) in programs.iter().zip(&done) {
            let is_declared = program.hints.iter().any(|(kind, _)| *kind == HintKind::Utilization);
            let Some(length) = length(program).filter(|_| is_declared) else { continue };
            for job in jobs.iter().filter(|job| !job.is_refused()) {
                prop_assert!(job.ended.is_some_and(|ended| ended <= job.at + length), "{job:?} of {program:?}");
            }
        }
    }

    #[test]
    fn lax_critical_queue_waits_no_longer_than_its_laxity(laxity in 0..5_000i64, others in 1..4usize, period in 6..20u32) {
        let hints = [(HintKind::Laxity, laxity), (HintKind::CriticalPriority, 10)];
        let mut programs = vec![periodic(&hints, MS, MS * period, 20)];
        programs.extend((0..others).map(|n| hog(&[(HintKind::Priority, n as i64)])));
        let done = run(PolicyKind::Lax, &programs, Duration::from_secs(1));
        prop_assert_eq!(done[0].len(), 20);
        for job in &done[0] {
            let waited = job.began.unwrap().since(job.at);
            prop_assert!(waited <= micros(laxity as u64) + PER_JOB, "{waited:?}");
            prop_assert!(waited + PER_JOB >= micros(laxity as u64), "it let nobody go first: {waited:?}");
        }
    }
}
