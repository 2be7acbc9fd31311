//! The cases, by topic.

mod capture;
mod copies;
mod errors;
mod launches;
mod lives;
mod order;
mod resolve;

use crate::work::{Line, Work};
use cuda_suite::cu::Api;

type Case = fn(&Work) -> Line;

/// All cases.
pub(crate) const ALL: &[(&str, Case)] = &[
    ("launch-made", launches::made),
    ("launch-legacy", launches::legacy),
    ("launch-per-thread", launches::per_thread),
    ("launch-ptsz-null", launches::ptsz_null),
    ("launch-ex", launches::ex),
    ("launch-cooperative", launches::cooperative),
    ("launch-many-streams-and-threads", launches::many),
    ("order-in-a-stream", order::in_a_stream),
    ("order-legacy-and-blocking", order::legacy_and_blocking),
    ("order-by-events", order::by_events),
    ("order-events-tell", order::events_tell),
    ("order-host-functions", order::host_functions),
    ("order-host-functions-that-wait", order::host_functions_that_wait),
    ("order-behind-a-wait-that-the-same-thread-ends", order::behind_a_wait),
    ("order-wait-ended-by-another-stream", order::wait_and_write),
    ("copies-waited-for", copies::waited_for),
    ("copies-in-order", copies::in_order),
    ("copies-sets", copies::sets),
    ("copies-pool", copies::pool),
    ("capture-relaxed", capture::relaxed),
    ("capture-global-beside-other-threads", capture::global_beside_others),
    ("capture-global-what-others-may", capture::global_what_others_may),
    ("capture-fork-and-join", capture::fork_and_join),
    ("capture-per-thread-stream", capture::per_thread),
    ("capture-broken-by-a-query", capture::broken),
    ("capture-stream-destroyed", capture::destroyed),
    ("lives-handles-used-again", lives::handles_again),
    ("lives-stream-destroyed-at-work", lives::destroyed_at_work),
    ("lives-threads-end-at-work", lives::threads_end),
    ("lives-second-context", lives::second_context),
    ("lives-primary-reset", lives::primary_reset),
    ("lives-fork-before-init", lives::fork_before_init),
    ("lives-fork-after-init", lives::fork_after_init),
    ("resolve-versions", resolve::versions),
    ("resolve-and-launch", resolve::and_launch),
    ("errors-arguments", errors::arguments),
    ("errors-memory", errors::memory),
    ("errors-fault", errors::fault),
];

/// A case in a process of its own.
pub(crate) fn child(name: &str, cu: Api) -> Line {
    match name {
        "fault" => errors::fault_child(&Work::new(cu)?),
        "reset" => lives::reset_child(&Work::new(cu)?),
        "fork-before-init" => lives::fork_before_init_child(cu),
        "fork-after-init" => lives::fork_after_init_child(&Work::new(cu)?),
        _ => Ok("no such child".into()),
    }
}

/// Runs a child and says what it said and how it ended.
fn in_child(name: &str) -> Line {
    use std::os::unix::process::ExitStatusExt;
    let program = std::env::current_exe().map_err(|_| -1)?;
    let output = std::process::Command::new(program).args(["--child", name]).output().map_err(|_| -2)?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(format!("{} exit={:?} signal={:?}", text.trim(), output.status.code(), output.status.signal()))
}
