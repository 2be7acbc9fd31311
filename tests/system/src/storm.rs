//! Suspensions at random: a rival that has work and has none, every few milliseconds, until it is dropped.

use crate::machine::Machine;
use crate::rival::Rival;
use crate::wait::millis;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// A storm under way.
#[derive(Debug)]
pub struct Storm {
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Storm {
    /// Begins one on a machine. `seed` decides all its turns.
    pub fn begin(machine: &Machine, seed: u64) -> Storm {
        Storm::of(machine.rival(200), seed)
    }

    /// Lets this rival make one.
    pub fn of(rival: Rival, seed: u64) -> Storm {
        Storm::with(rival, seed, [8, 20])
    }

    /// The same with the most milliseconds that it has work, and that it has none; the least is 1.
    pub fn with(rival: Rival, seed: u64, [work, rest]: [u64; 2]) -> Storm {
        let ends = Arc::new(AtomicBool::new(false));
        let is_over = ends.clone();
        let thread = std::thread::spawn(move || {
            let mut random = Random::new(seed);
            let mut pause = |most| std::thread::sleep(millis(1 + random.below(most)));
            while !is_over.load(Ordering::Relaxed) {
                rival.wants_the_device();
                pause(work);
                rival.is_done();
                pause(rest);
            }
        });
        Storm { ends, thread: Some(thread) }
    }
}

impl Drop for Storm {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        if let Some(Err(panic)) = self.thread.take().map(JoinHandle::join)
            && !std::thread::panicking()
        {
            std::panic::resume_unwind(panic);
        }
    }
}

/// Numbers that come again with the same seed; that is all that they are good for (xorshift).
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// The row of numbers of this seed.
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The next one, from 0 to `end - 1`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % end
    }
}
