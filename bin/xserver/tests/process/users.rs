//! Users among each other: nobody steers what is another's, and no file goes to a server of another. Needs root, to be several.

use crate::guest::Guest;
use crate::harness::{Server, stays, wait};
use crate::somebody::{Job, NOBODY, STRANGER, Somebody, is_possible, steering};
use std::path::{Path, PathBuf};
use std::time::Duration;
use xsched_core::ClientId;
use xsched_ipc::control::{Reply, Request};

#[test]
fn another_users_client_steers_neither_a_queue_nor_a_process_nor_the_server() {
    if !is_possible() {
        return;
    }
    let server = Server::start(&[]);
    let (low, high) = (Guest::attach(&server, "low", 20), Guest::attach(&server, "high", 30));
    low.launch(0);
    high.launch(0);
    wait("low is held", || low.is_held());
    let before: Vec<_> = server.list().into_iter().map(|client| client.queues[0].hints.clone()).collect();
    let mut other = Somebody::start(Job::Steer, &server.socket(), Some(NOBODY), None);
    for request in steering() {
        let said = other.says();
        assert!(said.starts_with("Refused") && said.contains(&NOBODY.to_string()), "{request:?}: {said}");
    }
    let after: Vec<_> = server.list().into_iter().map(|client| client.queues[0].hints.clone()).collect();
    assert_eq!(before, after);
    stays("low is held", Duration::from_millis(30), || low.is_held() && !high.is_held());
    // Of himself, he may ask for less.
    assert!(matches!(server.ask(Request::Status), Reply::Server(_)));
}

/// A folder that everybody may use, and a file of root's that others may open only if they get it.
fn folder_and_device() -> (tempfile::TempDir, PathBuf) {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let device = folder.path().join("device");
    std::fs::write(&device, "").unwrap();
    std::fs::set_permissions(&device, std::fs::Permissions::from_mode(0o600)).unwrap();
    (folder, device)
}

#[test]
fn a_server_of_another_user_gets_no_device_file_and_no_hello() {
    if !is_possible() {
        return;
    }
    let (folder, device) = folder_and_device();
    for (guest, server) in [(None, NOBODY), (Some(STRANGER), NOBODY)] {
        let socket = folder.path().join(format!("{guest:?}.sock"));
        let mut server = Somebody::start(Job::Listen, &socket, Some(server), None);
        assert_eq!(server.says(), "listening");
        let mut guest = Somebody::start(Job::Lend, &socket, guest, Some(&device));
        let said = guest.says();
        assert!(said.contains(&format!("runs as uid {NOBODY}")) && said.contains("are trusted"), "{said}");
        assert_eq!(server.says(), "nothing: the peer closed the connection");
    }
}

#[test]
fn a_server_of_the_same_user_gets_the_device_file() {
    if !is_possible() {
        return;
    }
    let (folder, device) = folder_and_device();
    let socket = folder.path().join("own.sock");
    let mut server = Somebody::start(Job::Listen, &socket, Some(NOBODY), None);
    assert_eq!(server.says(), "listening");
    let guest = Somebody::start(Job::Lend, &socket, Some(NOBODY), Some(&device));
    assert_eq!([server.says(), server.says()], ["lender", "1 files"]);
    drop(guest);
}

#[test]
fn a_file_that_is_no_device_of_which_the_server_knows_the_control_is_closed_at_once_and_its_lender_stays() {
    if !is_possible() {
        return;
    }
    let server = Server::start(&[]);
    let (_folder, device) = folder_and_device();
    let has = |device: &Path| {
        let files = std::fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap();
        files.filter_map(|file| std::fs::read_link(file.unwrap().path()).ok()).any(|file| file == device)
    };
    let mut guest = Somebody::start(Job::Lend, &server.socket(), Some(NOBODY), Some(&device));
    assert_eq!(guest.says(), "attached");
    server.wait_for_log("no control of kind 0x1");
    wait("it has closed the file", || !has(&device));
    assert_eq!((server.list()[0].client, server.list()[0].uid), (ClientId(1), NOBODY));
}
