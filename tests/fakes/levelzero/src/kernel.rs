//! The built-in kernels: what they do to memory, and how long they take.

use crate::device::{self, Access};
use crate::ffi::{INVALID_KERNEL_ARGUMENT_INDEX, INVALID_KERNEL_ARGUMENT_SIZE, SUCCESS, ZeResult};
use std::time::Duration;

/// Which kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Function {
    Spin,
    Add,
    Log,
    Fault,
}

/// A kernel with its arguments so far.
#[derive(Clone, Debug)]
pub(crate) struct Kernel {
    pub(crate) function: Function,
    arguments: Vec<Option<u64>>,
}

impl Kernel {
    pub(crate) fn named(name: &str) -> Option<Kernel> {
        let function = match name {
            "spin" => Function::Spin,
            "add" => Function::Add,
            "log" => Function::Log,
            "fault" => Function::Fault,
            _ => return None,
        };
        Some(Kernel { function, arguments: vec![None; function.sizes().len()] })
    }

    pub(crate) fn set(&mut self, index: usize, bytes: &[u8]) -> ZeResult {
        let (Some(argument), Some(size)) =
            (self.arguments.get_mut(index), self.function.sizes().get(index).copied())
        else {
            return INVALID_KERNEL_ARGUMENT_INDEX;
        };
        if bytes.len() != size {
            return INVALID_KERNEL_ARGUMENT_SIZE;
        }
        let mut value = [0; 8];
        value[..size].copy_from_slice(bytes);
        *argument = Some(u64::from_le_bytes(value));
        SUCCESS
    }

    pub(crate) fn has_all_arguments(&self) -> bool {
        self.arguments.iter().all(Option::is_some)
    }

    fn argument(&self, index: usize) -> u64 {
        self.arguments.get(index).copied().flatten().unwrap_or(0)
    }

    /// Takes its time on the device, then has its effect.
    pub(crate) fn run(&self, access: &Access) {
        let micros = match self.function {
            Function::Spin => self.argument(0),
            Function::Add => self.argument(3),
            Function::Log => self.argument(2),
            Function::Fault => 0,
        };
        access.execute(Duration::from_micros(micros));
        match self.function {
            Function::Spin => {}
            Function::Add => {
                let (first, what) = (self.argument(0) as *mut u32, self.argument(1) as u32);
                for i in 0..self.argument(2) as usize {
                    // SAFETY: the program says that there are so many; it would be as wrong on a device.
                    unsafe { *first.add(i) = (*first.add(i)).wrapping_add(what) };
                }
            }
            Function::Log => {
                let log = self.argument(0) as *mut u64;
                // SAFETY: as above. Only the device writes here, one kernel at a time.
                unsafe {
                    let count = log.read_volatile() + 1;
                    log.add(count as usize).write_volatile(self.argument(1));
                    std::sync::atomic::fence(std::sync::atomic::Ordering::SeqCst);
                    log.write_volatile(count);
                }
            }
            Function::Fault => device::lose(),
        }
    }
}

impl Function {
    /// The sizes of its arguments, in bytes.
    fn sizes(self) -> &'static [usize] {
        match self {
            Function::Spin => &[8],
            Function::Add => &[8, 4, 4, 4],
            Function::Log => &[8, 8, 8],
            Function::Fault => &[],
        }
    }
}
