//! A guest without a device: says what a real one would say.

use crate::harness::{PATIENCE, Server};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering;
use xsched_core::{DeviceKey, Hint, HintKind, Hints, Level};
use xsched_ipc::Error;
use xsched_ipc::guest::{self, Hello, Link, Session, SharedPage};
use xsched_ipc::page::{Edge, EdgeKind, Page};
use xsched_queue::gate::{Epoch, GateState};

pub(crate) struct Guest {
    pub(crate) page: SharedPage,
    pub(crate) session: Session,
    pub(crate) epoch: Epoch,
}

impl Guest {
    /// Attaches with one device, and one idle queue on it in slot 0.
    pub(crate) fn attach(server: &Server, name: &str, priority: i64) -> Guest {
        let page = page();
        let session = connect(&server.socket(), &page, Epoch::FIRST, name, None, priority).unwrap();
        let guest = Guest { page, session, epoch: Epoch::FIRST };
        guest.create(0, 0);
        guest
    }

    pub(crate) fn attach_to_group(server: &Server, group: &str, priority: i64) -> Guest {
        let page = page();
        let session =
            connect(&server.socket(), &page, Epoch::FIRST, "member", Some(group), priority).unwrap();
        let guest = Guest { page, session, epoch: Epoch::FIRST };
        guest.create(0, 0);
        guest
    }

    /// Whether the server is there, and what it said if not. Asked to look, this guest knows nothing more than it told; and it keeps no vigil.
    pub(crate) fn link(&self) -> Link {
        loop {
            match self.session.poll() {
                Link::Look | Link::Vigil(_) => {}
                link => return link,
            }
        }
    }

    pub(crate) fn page(&self) -> &'static Page {
        self.page.page()
    }

    pub(crate) fn create(&self, slot: u16, device: u8) {
        self.page().occupy(slot, device, Level::Block).unwrap();
        self.tell(EdgeKind::Created, slot);
    }

    pub(crate) fn destroy(&self, slot: u16) {
        self.page().slot(slot).unwrap().vacate();
        self.tell(EdgeKind::Destroyed, slot);
    }

    /// A launch on the queue, which then has work.
    pub(crate) fn launch(&self, slot: u16) {
        let activity = &self.page().slot(slot).unwrap().activity;
        if activity.begin().was_idle && activity.raise() {
            self.tell(EdgeKind::Ready, slot);
        }
        activity.end();
    }

    /// All that was launched on the queue is done.
    pub(crate) fn finish(&self, slot: u16) {
        let activity = &self.page().slot(slot).unwrap().activity;
        assert!(activity.try_idle(activity.snapshot()));
        if self.gate().is_awaited() {
            self.tell(EdgeKind::Idle, slot);
        }
    }

    /// All that was launched on the queue is done, and a thread waits at the closed gate to launch more.
    pub(crate) fn come_to_an_end(&self, slot: u16) {
        let queue = self.page().slot(slot).unwrap();
        queue.completed.store(queue.activity.snapshot().launched(), Ordering::SeqCst);
        self.tell(EdgeKind::Done, slot);
    }

    pub(crate) fn tell(&self, kind: EdgeKind, slot: u16) {
        let generation = self.page().slot(slot).and_then(|slot| slot.tag()).map_or(0, |tag| tag.generation);
        self.push(Edge { kind, slot, generation }.to_word());
    }

    pub(crate) fn push(&self, word: u64) {
        if self.page().ring.push(word) {
            self.session.ring();
        }
    }

    pub(crate) fn gate(&self) -> GateState {
        self.page().gate(0).unwrap().state()
    }

    pub(crate) fn is_held(&self) -> bool {
        !self.gate().is_open()
    }

    /// What a guest does whose server is gone.
    pub(crate) fn rescue(&self) {
        self.page().gates().iter().for_each(|gate| assert!(gate.rescue(self.epoch)));
    }

    /// A new attachment of the same page, after a rescue.
    pub(crate) fn attach_again(&mut self, server: &Server, priority: i64) {
        self.epoch = self.gate().epoch();
        self.session = connect(&server.socket(), &self.page, self.epoch, "again", None, priority).unwrap();
    }
}

/// A page with one device, of epoch 1.
pub(crate) fn page() -> SharedPage {
    let page = SharedPage::create().unwrap();
    page.page().gates().iter().for_each(|gate| gate.start(Epoch::FIRST));
    page.page().set_key(0, &DeviceKey::cpu(0));
    page
}

pub(crate) fn connect(
    socket: &Path,
    page: &SharedPage,
    epoch: Epoch,
    name: &str,
    group: Option<&str>,
    priority: i64,
) -> Result<Session, Error> {
    let mut hints = Hints::default();
    hints.set(Hint::new(HintKind::Priority, priority).unwrap());
    let group = group.map(str::to_owned);
    guest::connect(socket, page, &Hello { epoch, program: name.into(), group, hints }, PATIENCE)
}

/// A guest in a process of its own.
pub(crate) struct Process(pub(crate) Child);

const SOCKET: &str = "TEST_GUEST_SOCKET";
const PRIORITY: &str = "TEST_GUEST_PRIORITY";
const USER: &str = "TEST_GUEST_USER";
/// What to lend: a path and a blob.
const DEVICE: &str = "TEST_GUEST_DEVICE";

impl Process {
    /// Attaches, launches once, and then does nothing.
    pub(crate) fn start(server: &Server, priority: i64, uid: Option<u32>) -> Process {
        Process::start_with(server, priority, uid, None)
    }

    /// The same, but it lends its channel group on this device, and launches on, many small things.
    pub(crate) fn start_lending(server: &Server, priority: i64, device: &fake_rm::Device) -> Process {
        Process::start_with(server, priority, None, Some(device))
    }

    fn start_with(
        server: &Server,
        priority: i64,
        uid: Option<u32>,
        device: Option<&fake_rm::Device>,
    ) -> Process {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "guest::runs_as_a_guest_if_started_as_one", "--nocapture"]);
        command.env(SOCKET, server.socket()).env(PRIORITY, priority.to_string());
        if let Some(uid) = uid {
            command.env(USER, uid.to_string());
        }
        if let Some(device) = device {
            let file = std::os::fd::AsRawFd::as_raw_fd(&device.file());
            let blob: String =
                device.loan(&DeviceKey::cpu(0), 1).1.iter().map(|byte| format!("{byte:02x}")).collect();
            command.env(DEVICE, format!("/proc/{}/fd/{file} {blob}", std::process::id()));
        }
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        assert!(lines.any(|line| line.contains("attached and ready")), "the guest's process has failed");
        Process(child)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn runs_as_a_guest_if_started_as_one() {
    let Some(socket) = std::env::var_os(SOCKET) else { return };
    let (page, priority) = (page(), std::env::var(PRIORITY).unwrap().parse().unwrap());
    if let Ok(user) = std::env::var(USER) {
        // Only now, because another user may not be let into the folder that this was built in. The thread that connects
        // is the one whom the server sees.
        let user = user.parse().unwrap();
        rustix::thread::set_thread_gid(rustix::process::Gid::from_raw(user)).unwrap();
        rustix::thread::set_thread_uid(rustix::process::Uid::from_raw(user)).unwrap();
    }
    let session = connect(Path::new(&socket), &page, Epoch::FIRST, "process", None, priority).unwrap();
    let guest = Guest { page, session, epoch: Epoch::FIRST };
    guest.create(0, 0);
    guest.launch(0);
    let lends = std::env::var(DEVICE).ok();
    if let Some((path, blob)) = lends.as_ref().and_then(|lends| lends.split_once(' ')) {
        let file = std::fs::File::options().read(true).write(true).open(path).unwrap();
        let byte = |at| u8::from_str_radix(&blob[at..at + 2], 16).unwrap();
        let blob: Vec<u8> = (0..blob.len()).step_by(2).map(byte).collect();
        assert!(guest.session.lend(Some((fake_rm::KIND, &[std::os::fd::AsFd::as_fd(&file)], &blob))));
    }
    println!("attached and ready");
    while lends.is_some() {
        (0..100).for_each(|_| guest.launch(0));
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    std::thread::sleep(4 * PATIENCE);
}
