//! Facts: what the system says about a process, as against a hint, which a person or a program gives.
//!
//! A fact is read by xserver, only while the policy in force wants it (`sched`), and is true when it was read: nobody sets it, and it
//! goes with its process. Absent: how they are found out (`bin/xserver/src/facts`).

/// Which fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FactKind {
    /// See [`Fact::CpuPriority`].
    CpuPriority,
    /// See [`Fact::ActiveWindow`].
    ActiveWindow,
}

/// One fact with its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// How urgent the process is to the CPU's scheduler, the higher the sooner: from -19 to 20 its nice value with the other sign, from 22 on
    /// its real-time priority and 21.
    CpuPriority(i16),
    /// Whether the window that the user works in is the process's, or that of a process that it descends from.
    ActiveWindow(bool),
    /// Whether all that the process has on its devices can be taken off them at any moment, in the middle of a kernel (Level 3): then nobody waits for what it has launched
    /// when its turn ends. Found out where that is done, not asked for by policies.
    Interruptible(bool),
}

/// The facts of one process; of those that nobody has looked at, what holds for most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// See [`Fact::CpuPriority`].
    pub cpu_priority: i16,
    /// See [`Fact::ActiveWindow`].
    pub has_active_window: bool,
    /// See [`Fact::Interruptible`].
    pub is_interruptible: bool,
}

impl Facts {
    /// Notes one; answers whether it is news.
    pub fn set(&mut self, fact: Fact) -> bool {
        let before = *self;
        match fact {
            Fact::CpuPriority(value) => self.cpu_priority = value,
            Fact::ActiveWindow(value) => self.has_active_window = value,
            Fact::Interruptible(value) => self.is_interruptible = value,
        }
        *self != before
    }
}
