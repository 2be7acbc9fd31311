//! Stand-in for libOpenCL.so.1: every export jumps through a table that libxsched.so fills at the first call.
//!
//! Invariant: a slot of the table holds the address of `first_call` until it gets its final one, which never changes.
//! Deliberately absent: everything else. No OpenCL logic, no allocation, no thread, no dependency, no constructor, and
//! no DT_NEEDED on libxsched.so: a process that never calls OpenCL pays for a small file being mapped, nothing more.

use core::ffi::{c_char, c_void};
use core::sync::atomic::{AtomicPtr, Ordering};

mod bind;
mod fallback;
mod libc;

#[cfg(not(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu")))]
compile_error!(
    "the OpenCL stand-in knows the calling convention and the loader of x86-64 Linux with glibc only"
);

/// Addresses or C strings in read-only memory, one for each slot.
#[repr(transparent)]
struct Row<T, const N: usize>([*const T; N]);

// SAFETY: the pointers are to functions and string literals, which nobody writes to.
unsafe impl<T, const N: usize> Sync for Row<T, N> {}

/// Makes one export and one slot of each line of `symbols.rs`: `name "ELF version" fallback;`.
macro_rules! symbols {
    ($($name:ident $version:literal $fallback:ident;)*) => {
        /// Index of each function in the tables.
        #[allow(non_camel_case_types)]
        #[repr(usize)]
        enum Slot { $($name,)* Count }

        const COUNT: usize = Slot::Count as usize;

        /// Where each export jumps to.
        static TABLE: [AtomicPtr<c_void>; COUNT] =
            [const { AtomicPtr::new(first_call as *const () as *mut c_void) }; COUNT];

        /// The functions' names, for libxsched.
        static NAMES: Row<c_char, COUNT> = Row([$(concat!(stringify!($name), "\0").as_ptr().cast(),)*]);

        /// What each function is if there is no libxsched.
        static FALLBACKS: Row<c_void, COUNT> = Row([$(fallback::$fallback as *const c_void,)*]);

        $(
            // A naked function, because rustc makes the symbols of global_asm! local.
            #[allow(non_snake_case)]
            #[unsafe(naked)]
            #[unsafe(no_mangle)]
            unsafe extern "C" fn $name() {
                core::arch::naked_asm!(
                    concat!(".symver ", stringify!($name), ", ", stringify!($name), "@@", $version),
                    // r11 belongs to nobody between caller and callee; only first_call looks at it.
                    "mov r11d, {slot}",
                    "jmp qword ptr [rip + {table} + {offset}]",
                    slot = const Slot::$name as usize,
                    table = sym TABLE,
                    offset = const Slot::$name as usize * size_of::<AtomicPtr<c_void>>(),
                )
            }
        )*
    };
}

include!("symbols.rs");

/// What every slot holds at first: keeps the call's arguments as they are, has the table filled, and goes where the
/// slot now points.
///
/// Arguments are in rdi, rsi, rdx, rcx, r8, r9, xmm0-7 and on the stack above the return address; al counts the vector
/// registers of a variadic call, r10 may hold a static chain, r11 holds the slot.
#[unsafe(naked)]
unsafe extern "C" fn first_call() {
    core::arch::naked_asm!(
        ".cfi_startproc",
        "push rbp",
        ".cfi_def_cfa_offset 16",
        ".cfi_offset rbp, -16",
        "mov rbp, rsp",
        ".cfi_def_cfa_register rbp",
        // 8 vector and 8 general registers: a multiple of 16, so that the stack stays aligned for the call.
        "sub rsp, 192",
        "movups [rsp], xmm0",
        "movups [rsp + 16], xmm1",
        "movups [rsp + 32], xmm2",
        "movups [rsp + 48], xmm3",
        "movups [rsp + 64], xmm4",
        "movups [rsp + 80], xmm5",
        "movups [rsp + 96], xmm6",
        "movups [rsp + 112], xmm7",
        "mov [rsp + 128], rdi",
        "mov [rsp + 136], rsi",
        "mov [rsp + 144], rdx",
        "mov [rsp + 152], rcx",
        "mov [rsp + 160], r8",
        "mov [rsp + 168], r9",
        "mov [rsp + 176], rax",
        "mov [rsp + 184], r10",
        "mov rdi, r11",
        "call {bind}",
        "mov r11, rax",
        "movups xmm0, [rsp]",
        "movups xmm1, [rsp + 16]",
        "movups xmm2, [rsp + 32]",
        "movups xmm3, [rsp + 48]",
        "movups xmm4, [rsp + 64]",
        "movups xmm5, [rsp + 80]",
        "movups xmm6, [rsp + 96]",
        "movups xmm7, [rsp + 112]",
        "mov rdi, [rsp + 128]",
        "mov rsi, [rsp + 136]",
        "mov rdx, [rsp + 144]",
        "mov rcx, [rsp + 152]",
        "mov r8, [rsp + 160]",
        "mov r9, [rsp + 168]",
        "mov rax, [rsp + 176]",
        "mov r10, [rsp + 184]",
        "leave",
        ".cfi_restore rbp",
        ".cfi_def_cfa rsp, 8",
        "jmp r11",
        ".cfi_endproc",
        bind = sym bind::bind,
    )
}

/// The slot's final address, if it has one.
fn bound(slot: usize) -> Option<*mut c_void> {
    let address = TABLE.get(slot)?.load(Ordering::Acquire);
    (address.cast_const() != first_call as *const c_void).then_some(address)
}
