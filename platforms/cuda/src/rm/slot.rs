//! The word through which a loaded library calls a function of another one: its entry in the global offset table.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::atomic::{AtomicPtr, Ordering};

/// On x86-64, which relocations below are of.
const PAGE: usize = 4096;

/// Such a word.
#[derive(Debug)]
pub(crate) struct Slot {
    word: *mut *mut c_void,
}

impl Slot {
    /// The word through which the library that has this `function` calls the one named `callee`.
    pub(crate) fn find(function: *mut c_void, callee: &CStr) -> Option<Slot> {
        struct Search<'a> {
            address: u64,
            callee: &'a CStr,
            found: Option<*mut *mut c_void>,
        }
        unsafe extern "C" fn each(info: *mut libc::dl_phdr_info, _: usize, search: *mut c_void) -> c_int {
            // SAFETY: `search` is the one below, borrowed for the walk; `info` is the loader's, valid during this call.
            let (search, info) = unsafe { (&mut *search.cast::<Search<'_>>(), &*info) };
            // SAFETY: as many headers as the loader says.
            let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) };
            let has = |header: &&libc::Elf64_Phdr| {
                header.p_type == libc::PT_LOAD
                    && search.address.wrapping_sub(info.dlpi_addr.wrapping_add(header.p_vaddr))
                        < header.p_memsz
            };
            if headers.iter().find(has).is_none() {
                return 0;
            }
            if let Some(dynamic) = headers.iter().find(|header| header.p_type == libc::PT_DYNAMIC) {
                // SAFETY: a loaded object's own description, where the loader has put it.
                search.found = unsafe { in_object(info.dlpi_addr, dynamic.p_vaddr, search.callee) };
            }
            1
        }
        let mut search = Search { address: function as u64, callee, found: None };
        // SAFETY: the callback matches and does not unwind; `search` outlives the walk.
        unsafe { libc::dl_iterate_phdr(Some(each), (&raw mut search).cast()) };
        search.found.map(|word| Slot { word })
    }

    /// Puts another function there. False if the page cannot be written.
    ///
    /// # Safety
    /// `function` does what the one that is there does, as far as the library can tell.
    pub(crate) unsafe fn set(&self, function: *mut c_void) -> bool {
        let page = (self.word as usize & !(PAGE - 1)) as *mut c_void;
        // Usually the loader has made it read-only (RELRO); it is left writable only if it cannot be made so again.
        // SAFETY: the page has the library's words, of which this changes one, at once.
        unsafe {
            if libc::mprotect(page, PAGE, libc::PROT_READ | libc::PROT_WRITE) != 0 {
                return false;
            }
            AtomicPtr::from_ptr(self.word).store(function, Ordering::SeqCst);
            if self.is_constant() {
                libc::mprotect(page, PAGE, libc::PROT_READ);
            }
        }
        true
    }
}

impl Slot {
    /// Whether the loader has made the word read-only.
    fn is_constant(&self) -> bool {
        struct Search {
            address: u64,
            found: bool,
        }
        unsafe extern "C" fn each(info: *mut libc::dl_phdr_info, _: usize, search: *mut c_void) -> c_int {
            // SAFETY: as in `find`.
            let (search, info) = unsafe { (&mut *search.cast::<Search>(), &*info) };
            // SAFETY: as in `find`.
            let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) };
            search.found |= headers.iter().any(|header| {
                let start = info.dlpi_addr.wrapping_add(header.p_vaddr);
                header.p_type == libc::PT_GNU_RELRO && protects(start, header.p_memsz, search.address)
            });
            0
        }
        let mut search = Search { address: self.word as u64, found: false };
        // SAFETY: as in `find`.
        unsafe { libc::dl_iterate_phdr(Some(each), (&raw mut search).cast()) };
        search.found
    }
}

/// Whether the loader has made this address read-only for a RELRO part that begins at `start`: it does so with whole pages only.
fn protects(start: u64, size: u64, address: u64) -> bool {
    let page = |address: u64| address & !(PAGE as u64 - 1);
    (page(start)..page(start.saturating_add(size))).contains(&address)
}

/// One relocation (`Elf64_Rela`).
#[repr(C)]
#[derive(Clone, Copy)]
struct Relocation {
    offset: u64,
    info: u64,
    _addend: i64,
}

/// The word of an object that is loaded at `base`.
///
/// # Safety
/// `dynamic` is where the object's dynamic section is, relative to `base`, and the loader is done with it.
unsafe fn in_object(base: u64, dynamic: u64, callee: &CStr) -> Option<*mut *mut c_void> {
    const DT_NULL: u64 = 0;
    const DT_PLTRELSZ: u64 = 2;
    const DT_STRTAB: u64 = 5;
    const DT_SYMTAB: u64 = 6;
    const DT_RELA: u64 = 7;
    const DT_RELASZ: u64 = 8;
    const DT_JMPREL: u64 = 23;
    const R_X86_64_GLOB_DAT: u64 = 6;
    const R_X86_64_JUMP_SLOT: u64 = 7;
    let mut values = [0u64; 24];
    let mut entry = (base + dynamic) as *const [u64; 2];
    loop {
        // SAFETY: the dynamic section ends with DT_NULL.
        let [tag, value] = unsafe { entry.read() };
        if tag == DT_NULL {
            break;
        }
        if let Some(place) = values.get_mut(tag as usize) {
            *place = value;
        }
        // SAFETY: as above.
        entry = unsafe { entry.add(1) };
    }
    let value = |tag: u64| values.get(tag as usize).copied().filter(|value| *value != 0);
    // The loader has made addresses of these; an object where it has not is none of ours.
    let address = |tag| value(tag).filter(|address| *address >= base);
    let (texts, symbols) = (address(DT_STRTAB)?, address(DT_SYMTAB)?);
    // Calls first: there are few of them.
    let tables = [(address(DT_JMPREL), value(DT_PLTRELSZ)), (address(DT_RELA), value(DT_RELASZ))];
    tables.into_iter().filter_map(|(table, size)| Some((table?, size?))).find_map(|(table, size)| {
        let count = size as usize / size_of::<Relocation>();
        // SAFETY: the object says that this many are there.
        let relocations = unsafe { std::slice::from_raw_parts(table as *const Relocation, count) };
        relocations.iter().find_map(|relocation| {
            if !matches!(relocation.info & 0xffff_ffff, R_X86_64_GLOB_DAT | R_X86_64_JUMP_SLOT) {
                return None;
            }
            // SAFETY: a symbol that a relocation names is in the table, and its name in the object's strings, each with a NUL at its end.
            let name = unsafe {
                let symbol = (symbols as *const libc::Elf64_Sym).add((relocation.info >> 32) as usize);
                CStr::from_ptr((texts + u64::from((*symbol).st_name)) as *const c_char)
            };
            (name == callee).then_some((base + relocation.offset) as *mut *mut c_void)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    unsafe extern "C" fn zero() -> libc::pid_t {
        0
    }

    #[test]
    fn a_library_calls_what_was_put_there_and_nobody_else_does() {
        // The test program itself is the library: libc is where its calls go.
        let own = a_library_calls_what_was_put_there_and_nobody_else_does as *mut c_void;
        let slot = Slot::find(own, c"getppid").expect("it is called below");
        // SAFETY: the word is valid; the C library's own.
        let (before, elsewhere) =
            unsafe { (*slot.word, libc::dlsym(libc::RTLD_DEFAULT, c"getppid".as_ptr())) };
        // SAFETY: nobody else calls it in this program's tests.
        unsafe {
            assert!(slot.set(zero as *mut c_void));
            assert_eq!(libc::getppid(), 0);
            assert_eq!(libc::dlsym(libc::RTLD_DEFAULT, c"getppid".as_ptr()), elsewhere);
            assert!(slot.set(before));
            assert_ne!(libc::getppid(), 0);
        }
    }

    #[test]
    fn the_page_in_which_a_read_only_part_ends_is_the_librarys_to_write() {
        for (start, size, address, is_protected) in [
            (0x7000, 0x1000, 0x7ff8, true),
            (0x7000, 0x1000, 0x8000, false),
            (0x7000, 0x1000, 0x6ff8, false),
            (0x7d00, 0x1300, 0x7d08, true),
            (0x7d00, 0x1300, 0x7008, true),
            (0x7d00, 0x1300, 0x8ff8, true),
            (0x7d00, 0x1400, 0x9008, false),
            (0x7d00, 0x0100, 0x7d08, false),
        ] {
            assert_eq!(protects(start, size, address), is_protected, "0x{start:x} 0x{size:x} 0x{address:x}");
        }
    }

    #[test]
    fn what_a_library_does_not_call_is_not_found() {
        let own = what_a_library_does_not_call_is_not_found as *mut c_void;
        assert!(Slot::find(own, c"no_such_function").is_none());
        assert!(Slot::find(std::ptr::null_mut(), c"getppid").is_none());
    }
}
