//! The scheduling daemon: knows every queue of the machine and decides, by a policy, which programs may launch.
//!
//! `server` is the loop; `links` are the connections, `clients` and `guests` what comes from attached programs, `turn` what goes
//! to them, `classes` what they were told and by whom, `facts` what the system says of them, `control` what xcli asks, `logbook` keeps the log
//! short, `manager` is the service manager's side, `pace` is when news are heard in bulk, `interrupt` acts on devices themselves where guests lend it the means, `record` is the scheduler with an ear, `ledger` what adds up there and `chronicle` what happened lately. Deliberately absent: threads (but one in `ipc` that closes what strangers sent, one that follows an
//! X display while a policy goes by windows, one that calls devices' drivers while guests lend their controls, one that writes a recording, and two of `crates/http` if that is wanted), waiting for
//! anybody, and becoming a daemon by itself. The program itself is `main.rs`, one line; this is a library so that tests can have the
//! server without its sockets: `rehearsal`.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod ahead;
mod chronicle;
mod classes;
mod clients;
mod control;
mod crowd;
mod devices;
mod durations;
mod facts;
mod groups;
mod guests;
mod identity;
mod interrupt;
mod ledger;
mod links;
mod logbook;
mod manager;
mod numbers;
mod pace;
mod poller;
mod quota;
mod record;
mod recorder;
pub mod rehearsal;
mod rights;
mod rulebook;
mod scans;
mod server;
mod settings;
mod signals;
mod told;
mod turn;

use anyhow::{Context, Result};
use recorder::Recorder;
use rustix::fd::OwnedFd;
use rustix::process::{Resource, Rlimit};
use settings::Settings;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;
use xsched_core::Value;
use xsched_ipc::server::Listener;
use xsched_ipc::{Error, peer};
use xsched_sched::Scheduler;

/// The whole command line, for its manual and for what completes it in shells.
pub fn command() -> clap::Command {
    settings::command()
}

/// Runs the daemon until a signal ends it.
pub fn main() -> ExitCode {
    let matches = settings::command().get_matches();
    let filter = EnvFilter::builder().with_default_directive(tracing::Level::INFO.into()).from_env_lossy();
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    if manager::is_journal(&settings::text(std::env::vars_os()), std::io::stderr()) {
        log.without_time().init();
    } else {
        log.init();
    }
    match Settings::read(&matches, std::env::vars_os(), Path::new(settings::FILE)) {
        Ok(settings) => match serve(settings) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                tracing::error!("{error:#}");
                ExitCode::FAILURE
            }
        },
        Err(problems) => {
            problems.iter().for_each(|problem| tracing::error!("{problem}"));
            ExitCode::from(2)
        }
    }
}

fn serve(settings: Settings) -> Result<()> {
    let Settings { config, policy, sockets, http, rules, display } = settings;
    if let Some(path) = &config.xauthority {
        // SAFETY: this process has no other thread yet.
        unsafe { std::env::set_var("XAUTHORITY", path) };
    }
    let signals = signals::Signals::catch().context("cannot catch signals")?;
    let env = settings::text(std::env::vars_os());
    let manager = manager::Manager::of(&env).unwrap_or_else(|problem| {
        tracing::warn!("the service manager will not hear from here: {problem}");
        manager::Manager::default()
    });
    let listener = match manager::handed(&env).map_err(anyhow::Error::msg)? {
        Some(socket) => handed(socket, config.socket.as_deref())?,
        None => listen(&sockets)?,
    };
    raise_limits();
    let times = xsched_sched::Settings {
        grace: config.grace,
        lease: config.lease,
        max_suspend: config.max_suspend,
        handover: config.handover,
        ..Default::default()
    };
    let rights = rights::Rights::of_this_process(config.priority_ceiling);
    let path = listener.path().to_owned();
    let file = rules.file().map(|file| format!(", {} rules from {file}", rules.len())).unwrap_or_default();
    rules.notes(&rights, policy.info().reads).iter().for_each(|note| tracing::warn!("{note}"));
    let recorder = config.record.as_deref().map(Recorder::create).transpose()?;
    let mut server = server::Server::new(
        listener,
        signals,
        manager,
        Scheduler::new(policy, times),
        rights,
        rules,
        display,
    )?;
    tracing::info!(
        "xserver {} on {}, policy {policy}, grace {}, lease {}, max_suspend {}{file}",
        env!("CARGO_PKG_VERSION"),
        path.display(),
        config.grace.show(),
        config.lease.show(),
        config.max_suspend.show()
    );
    if !config.device_control {
        server.leave_devices_alone();
    }
    if let Some(recorder) = recorder {
        tracing::info!("recording to {}, up to {}", recorder.name(), config.record_limit.show());
        server.record(recorder, config.record_limit);
    }
    if let Some(address) = http {
        let token = config.http_token.unwrap_or_else(|| path.with_file_name("http-token"));
        let is_public = is_public();
        let options = xsched_http::Options { address, is_public, control: path, token };
        let address = xsched_http::start(&options)?;
        tracing::info!("HTTP on {address}, token in {}", options.token.display());
    }
    server.run()
}

/// Whether all users may connect.
fn is_public() -> bool {
    let uid = rustix::process::geteuid().as_raw();
    uid == 0 || peer::user(peer::SERVICE) == Some(uid)
}

/// The socket of the service manager. A setting that says otherwise is not passed over.
fn handed(socket: OwnedFd, configured: Option<&Path>) -> Result<Listener> {
    let listener = Listener::handed(socket)?;
    if let Some(path) = configured.filter(|path| *path != listener.path()) {
        anyhow::bail!(
            "socket is set to {}, and the service manager hands {} over; set it there (ListenSequentialPacket=) alone",
            path.display(),
            listener.path().display()
        );
    }
    Ok(listener)
}

/// The first place where a socket can be made. Where another server runs, there is no second one elsewhere.
fn listen(sockets: &[PathBuf]) -> Result<Listener> {
    let is_public = is_public();
    let mut failures = Vec::new();
    for path in sockets {
        match Listener::bind(path, is_public) {
            Ok(listener) => return Ok(listener),
            Err(error @ Error::AlreadyRuns { .. }) => {
                anyhow::bail!("{error}; end that one first, or give this one a socket of its own by --socket")
            }
            Err(error) => failures.push(error.to_string()),
        }
    }
    anyhow::bail!(
        "no place for the socket: {}; give one by --socket, or a folder of your own by XDG_RUNTIME_DIR",
        failures.join("; ")
    )
}

/// As many fds as the system lets us have, timers that ring when they should, and the first turn at the CPU, for on some devices the
/// programs to be scheduled keep it busy. Without these the server still works.
fn raise_limits() {
    let _ = rustix::process::setpriority_process(None, -20);
    let limit = rustix::process::getrlimit(Resource::Nofile);
    let _ = rustix::process::setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1));
}
