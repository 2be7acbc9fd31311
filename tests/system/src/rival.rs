//! A guest that uses no device: it has work when the test says so, and so takes the device away from others to the moment.

use crate::wait::PATIENCE;
use std::path::Path;
use xsched_core::{DeviceKey, Hint, HintKind, Hints, Level};
use xsched_ipc::guest::{self, Hello, Session, SharedPage};
use xsched_ipc::page::{Edge, EdgeKind};
use xsched_queue::activity::Activity;
use xsched_queue::gate::Epoch;

/// A guest with one queue, idle at first.
#[derive(Debug)]
pub struct Rival {
    page: SharedPage,
    session: Session,
}

impl Rival {
    /// Attaches to the server at `socket`, with a queue on the processor.
    pub fn attach(socket: &Path, priority: i64) -> Rival {
        Rival::attach_on(socket, priority, &DeviceKey::cpu(0))
    }

    /// The same with a queue on any device.
    pub fn attach_on(socket: &Path, priority: i64, device: &DeviceKey) -> Rival {
        Rival::attach_with(socket, &[(HintKind::Priority, priority)], device)
    }

    /// The same with any hints.
    pub fn attach_with(socket: &Path, given: &[(HintKind, i64)], device: &DeviceKey) -> Rival {
        Rival::attach_as("rival", socket, given, device)
    }

    /// The same with any name.
    pub fn attach_as(program: &str, socket: &Path, given: &[(HintKind, i64)], device: &DeviceKey) -> Rival {
        let page = SharedPage::create().unwrap();
        page.page().gates().iter().for_each(|gate| gate.start(Epoch::FIRST));
        page.page().set_key(0, device);
        let mut hints = Hints::default();
        given.iter().for_each(|&(kind, value)| hints.set(Hint::new(kind, value).unwrap()));
        let hello = Hello { epoch: Epoch::FIRST, program: program.into(), group: None, hints };
        let session = guest::connect(socket, &page, &hello, PATIENCE).unwrap();
        let rival = Rival { page, session };
        rival.page.page().occupy(0, 0, Level::Block);
        rival.tell(EdgeKind::Created);
        rival
    }

    /// Has work.
    pub fn wants_the_device(&self) {
        let activity = self.activity();
        if activity.begin().was_idle && activity.raise() {
            self.tell(EdgeKind::Ready);
        }
        activity.end();
    }

    /// Has no more work.
    pub fn is_done(&self) {
        let activity = self.activity();
        assert!(activity.try_idle(activity.snapshot()));
        if self.page.page().gate(0).unwrap().state().is_awaited() {
            self.tell(EdgeKind::Idle);
        }
    }

    fn activity(&self) -> &'static Activity {
        &self.page.page().slot(0).unwrap().activity
    }

    fn tell(&self, kind: EdgeKind) {
        let page = self.page.page();
        let generation = page.slot(0).and_then(|slot| slot.tag()).map_or(0, |tag| tag.generation);
        if page.ring.push(Edge { kind, slot: 0, generation }.to_word()) {
            self.session.ring();
        }
    }
}
