//! Who schedules the queues of this process: the program itself, a scheduler inside it, or xserver.
//!
//! The settings say so at first, the program may change it at any time. Invariant: whoever has no say any more holds nothing back; only the
//! program's own suspensions stay. A switch and what the scheduler inside does to queues exclude each other, see [`Guest::set_manager`].

use crate::guest::{self, Guest};
use crate::{agent, config, report};
use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering, fence};
use xsched_core::config::Scheduler;
use xsched_core::{Config, Problem};
use xsched_queue::gate::Holder;
use xsched_sched::PolicyKind;

/// Who schedules this process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Manager {
    /// The program itself: it suspends and resumes its queues; nothing is done automatically.
    App,
    /// A scheduler in the process, queue by queue, by this policy.
    Local(PolicyKind),
    /// xserver, for the whole machine.
    Global,
}

/// What the program chose, for a guest that is yet to be made; 0 for nothing. The child of a fork goes on with it.
static CHOSEN: AtomicU32 = AtomicU32::new(0);

/// Who schedules this process now.
pub fn manager() -> Manager {
    guest::existing().map_or_else(|| chosen(config::config()), Guest::manager)
}

/// Says who schedules this process from now on.
pub fn set_manager(manager: Manager) {
    CHOSEN.store(manager.to_word(), Ordering::SeqCst);
    // SYNC POINT with `catch_up`: either the guest is seen here, or its maker sees the choice.
    fence(Ordering::SeqCst);
    if let Some(guest) = guest::existing() {
        guest.set_manager(manager);
    }
}

/// Whether queues are scheduled without the program's doing.
#[inline]
pub fn is_automatic() -> bool {
    config::config().auto_xqueue && manager() != Manager::App
}

/// Who schedules a guest that is being made.
pub(crate) fn chosen(config: &Config) -> Manager {
    Manager::from_word(CHOSEN.load(Ordering::SeqCst)).unwrap_or_else(|| configured(config))
}

/// A guest has just been made known: the program may have chosen meanwhile.
pub(crate) fn catch_up(guest: &'static Guest) {
    fence(Ordering::SeqCst);
    guest.set_manager(chosen(guest.config));
}

fn configured(config: &Config) -> Manager {
    let policy = PolicyKind::from_str(&config.policy)
        .map_err(|expected| Problem::bad_value("XSCHED_POLICY", &config.policy, &expected));
    match (config.scheduler, policy) {
        (Scheduler::Local, Ok(policy)) => Manager::Local(policy),
        (Scheduler::Local, Err(problem)) => {
            report::once(&format!("{problem}: {} holds", PolicyKind::Hpf));
            Manager::Local(PolicyKind::Hpf)
        }
        (other, policy) => {
            // It is not asked for here, and a mistake all the same.
            if let Err(problem) = policy {
                report::once(&problem.to_string());
            }
            if other == Scheduler::App { Manager::App } else { Manager::Global }
        }
    }
}

impl Manager {
    const APP: u32 = 1;
    const LOCAL: u32 = 2;
    const GLOBAL: u32 = 3;

    /// Never 0.
    pub(crate) fn to_word(self) -> u32 {
        match self {
            Manager::App => Manager::APP,
            Manager::Local(policy) => Manager::LOCAL | policy.info().number << 8,
            Manager::Global => Manager::GLOBAL,
        }
    }

    pub(crate) fn from_word(word: u32) -> Option<Manager> {
        match word & 0xff {
            Manager::APP => Some(Manager::App),
            Manager::LOCAL => PolicyKind::from_number(word >> 8).map(Manager::Local),
            Manager::GLOBAL => Some(Manager::Global),
            _ => None,
        }
    }
}

impl Guest {
    /// Who schedules this guest.
    #[inline]
    pub(crate) fn manager(&self) -> Manager {
        Manager::from_word(self.manager.load(Ordering::SeqCst)).unwrap_or(Manager::App)
    }

    /// From now on this one schedules the guest. What the one before holds is let go, and then the new one begins with all queues as they are.
    pub(crate) fn set_manager(&'static self, new: Manager) {
        let Ok(_one_at_a_time) = self.switch.lock() else { return };
        let old = self.manager();
        if old == new {
            return;
        }
        self.manager.store(new.to_word(), Ordering::SeqCst);
        // SYNC POINT with `Queue::tell`.
        fence(Ordering::SeqCst);
        if old == Manager::Global {
            // An agent that is about to attach finds out itself (`Guest::set_link`); its hello is not to be disturbed.
            if let Some(link) = self.link() {
                self.part(self.epoch());
                link.hang_up();
            }
            // Nobody waits for a server any more.
            self.page().gates().iter().for_each(|gate| gate.let_go(Holder::Local));
        }
        if matches!(old, Manager::Local(_)) && !matches!(new, Manager::Local(_)) {
            self.local.stop(self);
        }
        self.start_manager(new);
    }

    /// Starts the thread of ours that the manager needs, if it is not there.
    pub(crate) fn start_manager(&'static self, manager: Manager) {
        let (started, so) = match manager {
            Manager::App => return,
            Manager::Local(_) => (self.local.start(self), "its queues run unscheduled"),
            Manager::Global => (agent::start(self), "it runs unscheduled"),
        };
        if let Err(e) = started {
            report::once(&format!("cannot start a thread for this program, {so}: {e}"));
            self.stand_alone();
        }
    }

    /// Nobody schedules this guest any more, because nobody can.
    pub(crate) fn stand_alone(&self) {
        self.manager.store(Manager::App.to_word(), Ordering::SeqCst);
        self.part(self.epoch());
        self.page().gates().iter().for_each(|gate| gate.let_go(Holder::Local));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_manager_reads_back_from_its_word() {
        let locals = xsched_sched::POLICIES.iter().map(|info| Manager::Local(info.kind));
        for manager in locals.chain([Manager::App, Manager::Global]) {
            assert_eq!(Manager::from_word(manager.to_word()), Some(manager));
        }
        assert_eq!(Manager::from_word(0), None);
    }

    #[test]
    fn a_policy_that_is_not_there_is_told_and_the_first_one_holds() {
        let config = |policy: &str| {
            let mut config = Config::default();
            (config.scheduler, config.policy) = (Scheduler::Local, policy.into());
            config
        };
        assert_eq!(configured(&config("up")), Manager::Local(PolicyKind::Up));
        assert_eq!(configured(&config("FIFO")), Manager::Local(PolicyKind::Hpf));
    }
}
