//! The first call: finds libxsched.so and has it fill the table.
//!
//! Invariant: one thread at a time binds, it holds no lock while it does, and when it is done every slot is final.
//! libxsched.so is the one that the process has; else it is looked for in the folder that the stand-in itself was loaded from, then
//! wherever the loader looks.
//! Deliberately absent: a second try. What the first call found, or did not find, holds for the life of the process.

use core::ffi::{CStr, c_char, c_int, c_void};
use core::sync::atomic::{AtomicPtr, Ordering};

use crate::{Binding, Library, StandIn, libc};

/// Version of [`Bind`]'s contract.
const ABI: u32 = 1;

/// `xsched_shim_bind` of libxsched.so: fills the table, where each slot belongs to the name at its place, and
/// returns 0; or returns anything else and why is its own to say.
///
/// It is called once in a process for each library of ours, and once more in a child forked in the middle; for a layer also from
/// within the call for a stand-in, when that makes the real loader load its layers. It stores to a slot only when that function can be called, because other threads may call it at once. It must not wait for another
/// thread or process: the caller may hold the loader's lock. The vendor's soname given to `dlopen` without a path is
/// this stand-in; `self_dir` says which folder to keep out of when looking for the real one.
type Bind = unsafe extern "C" fn(
    abi: u32,
    platform: *const c_char,
    self_dir: *const c_char,
    names: *const *const c_char,
    count: usize,
    table: *const AtomicPtr<c_void>,
) -> c_int;

/// Who binds ([`StandIn::binder`]): [`NOBODY`] yet, a thread (process id << 32 | thread id), or [`DONE`].
const NOBODY: u64 = 0;
const DONE: u64 = u64::MAX;

/// How often, for a millisecond each, a thread waits for another one that binds. Only a deadlock takes a minute: the other
/// waits for the loader's lock while a library constructor further down this thread's stack holds it.
const PATIENCE: u32 = 60_000;

/// Where a call that found its slot unbound has to go. Keeps errno.
pub(crate) extern "C" fn bind<L: Library>(slot: usize) -> *mut c_void {
    let stand_in = L::stand_in();
    keeping_errno(|| stand_in.become_bound(slot));
    // Unbound still means: this call came out of the binding itself, or PATIENCE ran out. It alone gets the fallback.
    stand_in.bound(slot).unwrap_or_else(|| stand_in.fallback(slot))
}

/// Does this, and leaves errno as it was.
pub fn keeping_errno<R>(work: impl FnOnce() -> R) -> R {
    // SAFETY: the address of the calling thread's errno, valid as long as the thread.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    let before = unsafe { errno.read() };
    let result = work();
    // SAFETY: as above.
    unsafe { errno.write(before) };
    result
}

impl StandIn {
    /// Binds, or waits until another thread has bound.
    fn become_bound(&self, slot: usize) {
        // SAFETY: neither call has preconditions.
        let (process, thread) = unsafe { (libc::getpid(), libc::gettid()) };
        let me = u64::from(process.cast_unsigned()) << 32 | u64::from(thread.cast_unsigned());
        let mut patience = PATIENCE;
        while self.bound(slot).is_none() && patience > 0 {
            let binder = self.binder.load(Ordering::Acquire);
            if binder == DONE || binder == me {
                return;
            }
            // A binder of another process is the parent, forked while it was binding: that thread is not among us.
            if binder == NOBODY || binder >> 32 != me >> 32 {
                if self.binder.compare_exchange(binder, me, Ordering::AcqRel, Ordering::Acquire).is_ok() {
                    self.fill_table();
                    self.binder.store(DONE, Ordering::Release);
                    return;
                }
            } else {
                patience -= 1;
                // SAFETY: a valid time; what is left of it when a signal interrupts is not asked for.
                unsafe {
                    libc::nanosleep(
                        &libc::TimeSpec { seconds: 0, nanoseconds: 1_000_000 },
                        core::ptr::null_mut(),
                    )
                };
            }
        }
    }

    /// Makes every slot final.
    fn fill_table(&self) {
        self.binding.fill();
        for (slot, entry) in self.binding.table.iter().enumerate() {
            if self.bound(slot).is_none() {
                entry.store(self.fallback(slot), Ordering::Release);
            }
        }
    }

    /// The answer that there is nothing, for this function.
    fn fallback(&self, slot: usize) -> *mut c_void {
        self.fallbacks.0.get(slot).map_or(core::ptr::null_mut(), |address| address.cast_mut())
    }

    /// The slot's final address, if it has one.
    fn bound(&self, slot: usize) -> Option<*mut c_void> {
        let address = self.binding.table.get(slot)?.load(Ordering::Acquire);
        (address.cast_const() != self.unbound as *const c_void).then_some(address)
    }
}

impl Binding {
    /// Has libxsched.so fill the table. If that cannot be, one line on standard error says why.
    pub fn fill(&self) -> bool {
        let mut folder = [0; libc::PATH_MAX];
        let mut file = [0; libc::PATH_MAX];
        let folder = self.own_folder(&mut folder);
        let file = join(&mut file, &[folder.to_bytes(), b"/libxsched.so"]);
        // SAFETY: a C string.
        let is_beside_us = unsafe { libc::access(file.as_ptr(), libc::F_OK) } == 0;
        let name = if is_beside_us { file } else { c"libxsched.so" };
        // One of another installation may be there already. There must be only one: two would gate a call twice.
        // SAFETY: a C string.
        let mut library =
            unsafe { libc::dlopen(c"libxsched.so".as_ptr(), libc::RTLD_NOW | libc::RTLD_NOLOAD) };
        if library.is_null() {
            // SAFETY: a C string. RTLD_LOCAL (0): the application sees none of its symbols.
            library = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW) };
        }
        if library.is_null() {
            let nor: &[u8] = if is_beside_us { b"" } else { b" nor libxsched.so" };
            return self.complain(&[b"cannot load ", file.to_bytes(), nor, b": ", loader_error()]);
        }
        // SAFETY: a library that is never closed, and a C string.
        let bind = unsafe { libc::dlsym(library, c"xsched_shim_bind".as_ptr()) };
        if bind.is_null() {
            return self.complain(&[b"cannot use ", name.to_bytes(), b": ", loader_error()]);
        }
        // SAFETY: libxsched.so exports xsched_shim_bind with this signature for every ABI it knows; it refuses others.
        let bind = unsafe { core::mem::transmute::<*mut c_void, Bind>(bind) };
        let count = self.table.len().min(self.names.0.len());
        // SAFETY: two C strings, and two tables of `count` entries which live as long as the process.
        let result = unsafe {
            bind(
                ABI,
                self.platform.as_ptr(),
                folder.as_ptr(),
                self.names.as_strings(),
                count,
                self.table.as_ptr(),
            )
        };
        if result != 0 {
            return self.complain(&[name.to_bytes(), b" cannot serve it"]);
        }
        true
    }

    /// The folder that this library was loaded from, as the loader spells it.
    fn own_folder<'a>(&self, buffer: &'a mut [u8]) -> &'a CStr {
        let mut info = libc::DlInfo {
            file_name: core::ptr::null(),
            file_base: core::ptr::null_mut(),
            symbol_name: core::ptr::null(),
            symbol_address: core::ptr::null_mut(),
        };
        // SAFETY: any address may be asked for; info is ours to write.
        let is_known = unsafe { libc::dladdr(self.table.as_ptr().cast(), &raw mut info) } != 0;
        if !is_known || info.file_name.is_null() {
            return c".";
        }
        // SAFETY: the loader's name of a library that is never unloaded.
        let path = unsafe { CStr::from_ptr(info.file_name) }.to_bytes();
        match path.iter().rposition(|byte| *byte == b'/').and_then(|slash| path.get(..slash)) {
            Some(folder) => join(buffer, &[folder]),
            None => c".",
        }
    }

    /// One line on standard error: what is wrong, and what follows from it. Returns false, for the caller to return.
    fn complain(&self, what: &[&[u8]]) -> bool {
        let before = [b"xsched: ", self.title.as_bytes(), b": "];
        let after = [b"; ", self.without.as_bytes(), b"\n"];
        let mut parts = [const { libc::IoVec { base: core::ptr::null(), length: 0 } }; 12];
        let mut count = 0;
        for (part, text) in parts.iter_mut().zip(before.iter().chain(what).chain(&after)) {
            *part = libc::IoVec { base: text.as_ptr().cast(), length: text.len() };
            count += 1;
        }
        // One call, so that the line stays one. That it fails has no remedy.
        // SAFETY: `count` parts, each a slice that is still borrowed.
        unsafe { libc::writev(2, parts.as_ptr(), count) };
        false
    }
}

/// The parts one behind the other, cut where the buffer ends.
fn join<'a>(buffer: &'a mut [u8], parts: &[&[u8]]) -> &'a CStr {
    let bytes = parts.iter().flat_map(|part| part.iter());
    for (place, byte) in buffer.iter_mut().zip(bytes.chain(&[0])) {
        *place = *byte;
    }
    CStr::from_bytes_until_nul(buffer).unwrap_or(c"")
}

/// The loader's own words on what failed last in this thread; good until its next call.
fn loader_error<'a>() -> &'a [u8] {
    // SAFETY: no precondition.
    let text = unsafe { libc::dlerror() };
    if text.is_null() {
        return b"no reason given";
    }
    // SAFETY: a C string, which the caller uses before anything calls the loader again.
    unsafe { CStr::from_ptr(text) }.to_bytes()
}
