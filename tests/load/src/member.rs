//! A guest without a device and without the runtime: a page, a connection, and queues that have work when it is said so. Cheap enough for
//! thousands in one process; to the server each is a guest like any other.

use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::time::Duration;
use xsched_core::{DeviceKey, Hint, HintKind, Hints, Level};
use xsched_ipc::guest::{self, Hello, Session, SharedPage};
use xsched_ipc::page::{Edge, EdgeKind, Page, Slot};
use xsched_queue::gate::{Epoch, GateWord};

/// How long the server may take to let one in.
const PATIENCE: Duration = Duration::from_secs(20);

/// What outlives an attachment, as in a real guest: the page. (Its mapping lives as long as the process.)
pub(crate) struct Member {
    page: SharedPage,
    hints: Hints,
}

/// A member that is attached.
pub(crate) struct Attached<'a> {
    member: &'a Member,
    session: Session,
}

/// Where the server is, as the environment says.
pub(crate) fn socket() -> Result<PathBuf> {
    std::env::var_os("XSCHED_SOCKET").map(PathBuf::from).context("XSCHED_SOCKET is not set")
}

impl Member {
    /// One with so many queues on a device that nothing but members use.
    pub(crate) fn new(priority: i64, queues: u16) -> Result<Member> {
        Member::on(&DeviceKey::named("crowd", 0), priority, queues)
    }

    /// One with so many queues on this device.
    pub(crate) fn on(device: &DeviceKey, priority: i64, queues: u16) -> Result<Member> {
        let page = SharedPage::create().context("making a page")?;
        page.page().gates().iter().for_each(|gate| gate.start(Epoch::FIRST));
        page.page().set_key(0, device);
        let mut hints = Hints::default();
        hints.set(Hint::new(HintKind::Priority, priority).context("a priority")?);
        let member = Member { page, hints };
        (0..queues)
            .try_for_each(|slot| member.page().occupy(slot, 0, Level::Block).map(drop))
            .context("a slot")?;
        Ok(member)
    }

    /// Attaches it, in an epoch of its own.
    pub(crate) fn attach(&self, socket: &Path) -> Result<Attached<'_>> {
        let epoch = self.gate()?.state().epoch().next();
        self.page().gates().iter().for_each(|gate| gate.start(epoch));
        let hello = Hello { epoch, program: "member".into(), group: None, hints: self.hints };
        let session = guest::connect(socket, &self.page, &hello, PATIENCE).context("attaching")?;
        Ok(Attached { member: self, session })
    }

    /// While nobody is attached: what was begun and not finished is done.
    pub(crate) fn forget_work(&self) {
        for slot in (0..self.page().used()).filter_map(|slot| self.page().slot(slot as u16)) {
            slot.activity.reset();
        }
    }

    /// The gate of the one device.
    pub(crate) fn gate(&self) -> Result<&'static GateWord> {
        self.page().gate(0).context("a page has gates")
    }

    fn page(&self) -> &'static Page {
        self.page.page()
    }

    fn slot(&self, slot: u16) -> Result<&'static Slot> {
        self.page().slot(slot).context("a slot")
    }
}

impl Attached<'_> {
    /// A queue has work. Answers whether the server had to be told.
    pub(crate) fn launch(&self, slot: u16) -> Result<bool> {
        let activity = &self.member.slot(slot)?.activity;
        let is_news = activity.begin().was_idle && activity.raise();
        if is_news {
            self.tell(EdgeKind::Ready, slot)?;
        }
        activity.end();
        Ok(is_news)
    }

    /// A queue has no more work. Answers whether the server had to be told.
    pub(crate) fn finish(&self, slot: u16) -> Result<bool> {
        let activity = &self.member.slot(slot)?.activity;
        ensure!(activity.try_idle(activity.snapshot()), "nobody else launches");
        let is_news = self.member.gate()?.state().is_awaited();
        if is_news {
            self.tell(EdgeKind::Idle, slot)?;
        }
        Ok(is_news)
    }

    /// A queue goes, and another one comes in its place.
    pub(crate) fn replace(&self, slot: u16) -> Result<()> {
        self.member.slot(slot)?.vacate();
        self.tell(EdgeKind::Destroyed, slot)?;
        self.member.page().occupy(slot, 0, Level::Block).context("a slot")?;
        self.tell(EdgeKind::Created, slot)
    }

    fn tell(&self, kind: EdgeKind, slot: u16) -> Result<()> {
        let generation = self.member.slot(slot)?.tag().map_or(0, |tag| tag.generation);
        if self.member.page().ring.push(Edge { kind, slot, generation }.to_word()) {
            self.session.ring();
        }
        Ok(())
    }
}
