//! What every stand-in library is made of: exports that jump through a table which libxsched.so fills at the first call.
//!
//! A stand-in is [`stand_in!`] with its symbols, plus what its functions answer when there is nothing to forward to.
//! Invariant: a slot of the table holds the address of [`first_call`] until it gets its final one, which never changes.
//! Deliberately absent: everything else. No vendor, no allocation, no thread, no dependency, no constructor, and
//! no DT_NEEDED on libxsched.so: a process that never calls the vendor's library pays for a small file being mapped.

use core::ffi::{CStr, c_char, c_void};
use core::sync::atomic::{AtomicPtr, AtomicU64};

mod bind;
mod libc;

pub use bind::keeping_errno;

#[cfg(not(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu")))]
compile_error!("stand-ins know the calling convention and the loader of x86-64 Linux with glibc only");

/// What libxsched.so is asked to fill, and the words for when it cannot. The two tables have one entry for each function, in the same
/// order.
#[derive(Debug)]
pub struct Binding {
    /// What libxsched.so calls the platform.
    pub platform: &'static CStr,
    /// What people call the library that asks.
    pub title: &'static str,
    /// What follows for programs when there is no libxsched.so.
    pub without: &'static str,
    /// The functions' names.
    pub names: Row,
    /// The functions.
    pub table: &'static [AtomicPtr<c_void>],
}

/// One stand-in: its symbols and its words. All tables have one entry for each symbol, in the same order.
#[derive(Debug)]
pub struct StandIn {
    /// Names, and where each export jumps to.
    pub binding: Binding,
    /// What the slots of the table hold at first: [`first_call`].
    pub unbound: unsafe extern "C" fn(),
    /// What each function is if there is no libxsched.so.
    pub fallbacks: Row,
    /// Who fills the table: 0 at first.
    pub binder: AtomicU64,
}

/// Addresses or C strings in read-only memory, one for each slot.
#[derive(Clone, Copy, Debug)]
pub struct Row(pub &'static [*const c_void]);

// SAFETY: the pointers are to functions and string literals, which nobody writes to.
unsafe impl Sync for Row {}

impl Row {
    /// The C strings of a row of names.
    fn as_strings(self) -> *const *const c_char {
        self.0.as_ptr().cast()
    }
}

/// A stand-in library, as a type; [`stand_in!`] makes it.
pub trait Library {
    /// The stand-in.
    fn stand_in() -> &'static StandIn;
}

/// Makes a stand-in library of a crate: one export and one slot for each symbol, `name "ELF version" fallback;`, or
/// `name fallback;` where the vendor's library has no versions. A fallback is a function in a module `fallback` beside.
///
/// The symbols are a generated file (`cargo xtask symbols`), which invokes a `symbols!` of the crate's own:
///
/// ```ignore
/// macro_rules! symbols {
///     ($($symbols:tt)*) => { xsched_shim::stand_in! {
///         platform: c"foo", title: "Foo", without: "Foo programs are told that there is no device", $($symbols)*
///     } };
/// }
/// include!("symbols.rs");
/// ```
#[macro_export]
macro_rules! stand_in {
    (
        platform: $platform:expr, title: $title:literal, without: $without:expr,
        $($name:ident $($version:literal)? $fallback:ident;)*
    ) => {
        /// Index of each function in the tables.
        #[allow(non_camel_case_types)]
        #[repr(usize)]
        enum Slot { $($name,)* Count }

        const COUNT: usize = Slot::Count as usize;

        /// Where each export jumps to.
        static TABLE: [::core::sync::atomic::AtomicPtr<::core::ffi::c_void>; COUNT] = [const {
            ::core::sync::atomic::AtomicPtr::new(
                $crate::first_call::<Library> as *const () as *mut ::core::ffi::c_void
            )
        }; COUNT];

        static STAND_IN: $crate::StandIn = $crate::StandIn {
            binding: $crate::Binding {
                platform: $platform,
                title: concat!($title, " stand-in"),
                without: $without,
                names: $crate::Row(&[$(concat!(stringify!($name), "\0").as_ptr().cast(),)*]),
                table: &TABLE,
            },
            unbound: $crate::first_call::<Library>,
            fallbacks: $crate::Row(&[$(fallback::$fallback as *const ::core::ffi::c_void,)*]),
            binder: ::core::sync::atomic::AtomicU64::new(0),
        };

        /// This library, as a type.
        enum Library {}

        impl $crate::Library for Library {
            fn stand_in() -> &'static $crate::StandIn {
                &STAND_IN
            }
        }

        $(
            // A naked function, because rustc makes the symbols of global_asm! local.
            #[allow(non_snake_case)]
            #[unsafe(naked)]
            #[unsafe(no_mangle)]
            unsafe extern "C" fn $name() {
                ::core::arch::naked_asm!(
                    $(concat!(".symver ", stringify!($name), ", ", stringify!($name), "@@", $version),)?
                    // r11 belongs to nobody between caller and callee; only first_call looks at it.
                    "mov r11d, {slot}",
                    "jmp qword ptr [rip + {table} + {offset}]",
                    slot = const Slot::$name as usize,
                    table = sym TABLE,
                    offset = const Slot::$name as usize
                        * size_of::<::core::sync::atomic::AtomicPtr<::core::ffi::c_void>>(),
                )
            }
        )*
    };
}

/// What every slot holds at first: keeps the call's arguments as they are, has the table filled, and goes where the
/// slot now points.
///
/// Arguments are in rdi, rsi, rdx, rcx, r8, r9, xmm0-7 and on the stack above the return address; al counts the vector
/// registers of a variadic call, r10 may hold a static chain, r11 holds the slot.
///
/// # Safety
/// Only the exports of a stand-in jump here.
#[unsafe(naked)]
pub unsafe extern "C" fn first_call<L: Library>() {
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
        bind = sym bind::bind::<L>,
    )
}
