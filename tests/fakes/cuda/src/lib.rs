//! A simulated `libcuda.so.1`, for driver-API programs on machines without a GPU.
//!
//! It exports what the real library exports (the same generated list); what is not simulated answers `CUDA_ERROR_NOT_SUPPORTED`. Each stream
//! is a thread that works through its commands; "device memory" is the process's own; kernels are known by name ([`kernel`]). Simulated
//! are the rules that an interposer can break: order within and between streams, the default streams, events, stream capture with
//! its modes and its errors, sticky errors, handles that are used again, and that nothing may be called from a callback.
//!
//! Deliberately absent: speed, textures, peers, and whatever no test asks for.

#![allow(clippy::missing_safety_doc, non_snake_case)]

use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicPtr, Ordering};

#[macro_use]
mod function;

mod capture;
mod context;
mod device;
mod engine;
mod event;
mod graph;
mod kernel;
mod memory;
mod order;
mod resolve;
mod rm;
mod stream;

/// A function by its name.
type Named = (&'static str, *const c_void);

macro_rules! symbols {
    ($($name:ident $fallback:ident;)*) => {
        #[allow(non_camel_case_types)]
        #[repr(usize)]
        enum Slot { $($name,)* Count }

        const COUNT: usize = Slot::Count as usize;

        static NAMES: [&str; COUNT] = [$(stringify!($name),)*];

        static TABLE: [AtomicPtr<c_void>; COUNT] =
            [const { AtomicPtr::new(not_supported as *const () as *mut c_void) }; COUNT];

        $(
            #[allow(non_snake_case)]
            #[unsafe(naked)]
            #[unsafe(no_mangle)]
            unsafe extern "C" fn $name() {
                std::arch::naked_asm!(
                    "jmp qword ptr [rip + {table} + {offset}]",
                    table = sym TABLE,
                    offset = const Slot::$name as usize * size_of::<AtomicPtr<c_void>>(),
                )
            }
        )*

        /// The address of an export.
        pub(crate) fn export(name: &str) -> Option<*mut c_void> {
            let exports: [*const (); COUNT] = [$($name as *const (),)*];
            NAMES.iter().position(|n| *n == name).map(|at| exports[at] as *mut c_void)
        }
    };
}

include!("../../../../shims/cuda/src/symbols.rs");

extern "C" fn not_supported() -> c_int {
    function::CUDA_ERROR_NOT_SUPPORTED
}

/// Puts the simulated functions into the table when the library is loaded.
extern "C" fn fill() {
    let all = [
        capture::FUNCTIONS,
        context::FUNCTIONS,
        device::FUNCTIONS,
        event::FUNCTIONS,
        graph::FUNCTIONS,
        kernel::FUNCTIONS,
        memory::FUNCTIONS,
        order::FUNCTIONS,
        resolve::FUNCTIONS,
        stream::FUNCTIONS,
    ];
    for (name, address) in all.into_iter().flat_map(|functions| functions()) {
        let slot = NAMES.iter().position(|known| *known == name);
        TABLE[slot.unwrap_or_else(|| panic!("{name} is no export"))]
            .store(address.cast_mut(), Ordering::Release);
    }
}

#[used]
#[unsafe(link_section = ".init_array")]
static FILL: extern "C" fn() = fill;
