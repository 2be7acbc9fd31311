//! Which server programs from here get, if any, what it allows this user, and what keeps them from it.

use crate::context::Context;
use crate::doctor::report::Report;
use crate::doctor::shell::word;
use crate::doctor::socket;
use crate::output::count;
use rustix::io::Errno;
use std::path::{Path, PathBuf};
use std::time::Duration;
use xsched_client::{Client, Credentials, Error, IpcError, Tried, peer};
use xsched_core::probe::Finding;
use xsched_core::status::ServerStatus;

/// A server that is there answers in a moment.
const PATIENCE: Duration = Duration::from_secs(2);

/// Names of users, and whom this one trusts.
#[derive(Debug)]
pub(crate) struct Users {
    own: u32,
    passwd: String,
}

/// Examines all places where a server may be.
pub(crate) fn examine(context: &Context, report: &mut Report) {
    let users = Users::of_this_process();
    let mut findings = Vec::new();
    let mut absences = Vec::new();
    let mut found = None;
    let places = context.places();
    for path in &places {
        findings.extend(socket::examine(path, &users));
        match Client::connect(std::slice::from_ref(path), PATIENCE) {
            Ok(client) => {
                let (is_good, more) = one_server(client, path, &users);
                findings.extend(more);
                match found {
                    _ if !is_good => {}
                    None => found = Some(path.clone()),
                    Some(ref first) => findings.push(second(first, path)),
                }
            }
            Err(Error::NoServer(tried)) => absences.extend(tried),
            Err(error) => findings.push(Finding::problem("server", error.to_string())),
        }
    }
    let is_usual = !context.is_socket_configured();
    // Root's server has its own place.
    if is_usual && found.is_none() && users.own != 0 {
        findings.extend(socket::runtime_dir(context.runtime_dir().as_deref(), &users));
    }
    findings.extend(absences.iter().filter_map(out_of_reach));
    if found.is_none() {
        findings.push(no_server(&places, &absences, is_usual));
    }
    report.add("server", "Server", findings);
}

/// A server that somebody is at. Whether programs from here use it, and what is to be said.
fn one_server(mut client: Client, path: &Path, users: &Users) -> (bool, Vec<Finding>) {
    const CHECK: &str = "server";
    let shown = path.display();
    let server = match client.server() {
        Ok(server) => server,
        Err(error) => return (false, vec![Finding::problem(CHECK, error.to_string())]),
    };
    if !peer::is_trusted_server(server.uid) {
        return (false, vec![untrusted(path, &server, users)]);
    }
    let status = match client.status() {
        Ok(status) => status,
        Err(error) => return (false, vec![no_answer(path, &server, &error)]),
    };
    let mut findings = Vec::new();
    let ours = env!("CARGO_PKG_VERSION");
    if status.version == ours {
        findings.push(Finding::ok(
            CHECK,
            format!(
                "xserver {ours} (pid {}, {}) answers at {shown}: policy {}, {}, {}",
                status.pid,
                users.name(server.uid),
                status.policy,
                count(status.clients as usize, "client"),
                count(status.queues as usize, "queue")
            ),
        ));
    } else {
        let text = format!(
            "xserver at {shown} (pid {}) is version {}, xcli is {ours}: use one release",
            status.pid, status.version
        );
        findings
            .push(Finding::problem("server_version", text).mend(format!("kill {} && xserver &", status.pid)));
    }
    findings.push(rights(&status, users));
    (true, findings)
}

fn rights(status: &ServerStatus, users: &Users) -> Finding {
    let name = users.name(users.own);
    let steers = if status.may_steer_all {
        "may steer all processes and change the policy"
    } else {
        "may steer his own processes only, and not change the policy"
    };
    match status.priority_ceiling {
        None => Finding::ok("rights", format!("{name} {steers}, and give any priority")),
        Some(ceiling) => Finding::note(
            "rights",
            format!(
                "{name} {steers}; his programs have priorities up to {ceiling} (priority_ceiling of the server), \
                 others start with {ceiling}; root and the group {} may go higher",
                peer::SERVICE
            ),
        ),
    }
}

fn untrusted(path: &Path, server: &Credentials, users: &Users) -> Finding {
    let shown = path.display();
    let whose = users.name(server.uid);
    let overflow = std::fs::read_to_string("/proc/sys/kernel/overflowuid").unwrap_or_default();
    let text = if overflow.trim() == server.uid.to_string() && users.is_in_user_namespace() {
        format!(
            "the server at {shown} runs as a user that is not known in this container ({whose}), and is not trusted: \
             programs run unscheduled; start the container without a user namespace of its own, or a server in it"
        )
    } else {
        format!(
            "the server at {shown} runs as {whose}: programs of {} trust only root's, that of the user {} and \
             their own, and run unscheduled",
            users.name(users.own),
            peer::SERVICE
        )
    };
    let own = "xserver --socket \"$XDG_RUNTIME_DIR/xsched/xserver.sock\" &";
    Finding::problem("server_user", text).mend(own)
}

fn no_answer(path: &Path, server: &Credentials, error: &Error) -> Finding {
    let pid = server.pid;
    let is_late = matches!(error, Error::Failed { error: IpcError::TimedOut { .. }, .. });
    if is_late && is_stopped(pid) {
        let text =
            format!("the server at {} (pid {pid}) is stopped: programs run on unscheduled", path.display());
        return Finding::problem("server_answer", text).mend(format!("kill -CONT {pid}"));
    }
    let finding = Finding::problem("server_answer", error.to_string());
    if is_late && pid != 0 { finding.mend(format!("kill {pid} && xserver &")) } else { finding }
}

fn is_stopped(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The state is behind the name, which may have brackets in it.
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(['T', 't']))
}

fn second(first: &Path, path: &Path) -> Finding {
    let text = format!(
        "there is a server at {} too, which programs from here do not use: they go to {}",
        path.display(),
        first.display()
    );
    Finding::note("server_second", text)
}

/// A place that is not simply empty.
fn out_of_reach(tried: &Tried) -> Option<Finding> {
    match &tried.error {
        IpcError::NoServer { errno: Errno::NOENT | Errno::NOTDIR, .. } => None,
        IpcError::NoServer { errno: Errno::CONNREFUSED, .. } => {
            let text = format!(
                "{} was left behind by a server that is gone; the next one there replaces it",
                tried.path.display()
            );
            Some(Finding::note("socket", text))
        }
        _ => Some(Finding::problem("socket", tried.to_string())),
    }
}

fn no_server(places: &[PathBuf], absences: &[Tried], is_usual: bool) -> Finding {
    let looked: Vec<String> = absences.iter().map(|tried| tried.path.display().to_string()).collect();
    let looked =
        if looked.is_empty() { String::new() } else { format!(" (looked at {})", looked.join(", ")) };
    let command = match places {
        [path] if !is_usual => format!("xserver --socket {} &", word(path)),
        _ => "xserver HPF &".into(),
    };
    let what = if absences.len() == places.len() && absences.iter().all(Tried::is_absence) {
        "no server is running"
    } else {
        "there is no server that programs from here would use"
    };
    Finding::problem("server", format!("{what}{looked}: programs run unscheduled")).mend(command)
}

impl Users {
    pub(crate) fn of_this_process() -> Users {
        let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        Users { own: rustix::process::getuid().as_raw(), passwd }
    }

    /// The user whose programs these are.
    pub(crate) fn own(&self) -> u32 {
        self.own
    }

    /// Whether programs of this user trust a server of that one.
    pub(crate) fn is_trusted(&self, uid: u32) -> bool {
        peer::is_trusted_server(uid)
    }

    /// `user alice (1000)`.
    pub(crate) fn name(&self, uid: u32) -> String {
        let name = self.passwd.lines().find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
        });
        name.map_or_else(|| format!("user {uid}"), |name| format!("user {name} ({uid})"))
    }

    /// Whether users have other numbers here than on the machine.
    fn is_in_user_namespace(&self) -> bool {
        let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
        !map.is_empty() && map.split_whitespace().collect::<Vec<_>>() != ["0", "0", "4294967295"]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(ceiling: Option<i64>) -> ServerStatus {
        ServerStatus {
            version: String::new(),
            pid: 1,
            policy: "HPF".into(),
            clients: 0,
            queues: 0,
            devices: vec![],
            policy_reads: vec![],
            priority_ceiling: ceiling,
            may_steer_all: ceiling.is_none(),
            totals: None,
        }
    }

    #[test]
    fn the_ceiling_is_said_to_those_who_have_one() {
        let users = Users { own: 1000, passwd: "alice:x:1000:1000::/:/bin/sh\n".into() };
        let text = rights(&status(Some(3)), &users).text;
        assert!(
            text.starts_with("user alice (1000) may steer his own") && text.contains("up to 3"),
            "{text}"
        );
        assert!(rights(&status(None), &users).text.ends_with("give any priority"));
        assert_eq!(users.name(7), "user 7");
    }

    #[test]
    fn a_process_that_runs_is_not_stopped() {
        assert!(!is_stopped(std::process::id()));
        assert!(!is_stopped(0));
    }
}
