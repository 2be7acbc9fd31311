//! A guest in a process where no server ever was.

use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;
use xsched_core::Hints;
use xsched_ipc::guest::{Hello, SharedPage, attach};
use xsched_ipc::wire::Welcome;
use xsched_queue::gate::Epoch;

#[test]
fn too_many_files_from_a_server_are_closed_and_start_no_thread_in_a_guest() {
    let page = SharedPage::create().unwrap();
    page.page().gates().iter().for_each(|gate| gate.start(Epoch::FIRST));
    let flags = SocketFlags::CLOEXEC;
    let (ours, theirs) =
        rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
    let count = |folder: &str| std::fs::read_dir(folder).unwrap().count();
    let null = std::fs::File::open("/dev/null").unwrap();
    let (files, threads) = (count("/proc/self/fd"), count("/proc/self/task"));
    let mut space = [MaybeUninit::uninit(); 1024];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let many = [null.as_fd(); 100];
    assert!(ancillary.push(SendAncillaryMessage::ScmRights(&many)));
    let welcome = Welcome { client: 1 }.to_packet();
    rustix::net::sendmsg(&theirs, &[IoSlice::new(&welcome)], &mut ancillary, SendFlags::empty()).unwrap();
    let hello = Hello { epoch: Epoch::FIRST, program: "p".into(), group: None, hints: Hints::default() };
    let error = attach(ours, Path::new("here"), &page, &hello, Duration::from_secs(20)).unwrap_err();
    assert!(error.to_string().contains("number of fds"), "{error}");
    // Its end of the socket is closed too.
    assert_eq!((count("/proc/self/fd"), count("/proc/self/task")), (files - 1, threads));
}
