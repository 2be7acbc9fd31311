//! Memory shared between processes: sealed memfds and their mappings.

use crate::error::Error;
use crate::number::Number;
use crate::page::Page;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{MemfdFlags, SealFlags};
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags};
use rustix::process::{Resource, getrlimit};
use std::ffi::{CStr, c_void};
use std::ptr::NonNull;

/// Guest: the page that it shares with whichever server is there. Its mapping lives until the process ends, because any thread may
/// hold a reference to it.
#[derive(Debug)]
pub struct SharedPage {
    mapping: Mapping<Page>,
    fd: Number,
}

/// Server: a guest's page, checked and mapped until this is dropped.
#[derive(Debug)]
pub struct GuestPage(Mapping<Page>);

/// A mapping of a `T` all of whose bit patterns are valid, and which is atomics only, so that others may write meanwhile.
#[derive(Debug)]
pub(crate) struct Mapping<T> {
    address: NonNull<T>,
    length: usize,
    keep: bool,
}

impl SharedPage {
    /// A new page: open gates, no queues.
    pub fn create() -> Result<SharedPage, Error> {
        let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
        let fd = crate::guest::move_high(create(c"xsched-page", size_of::<Page>(), seals)?);
        let mut mapping = Mapping::shared(fd.as_fd(), size_of::<Page>(), true)?;
        mapping.keep = true;
        let fd = Number::new(fd).map_err(Error::system("fstat"))?;
        Ok(SharedPage { mapping, fd })
    }

    /// The page.
    #[inline]
    pub fn page(&self) -> &'static Page {
        // SAFETY: the mapping is kept for good (`keep`), stays readable and writable even when `detach_after_fork` replaces what is
        // behind it, and Page is nothing but atomics, for which any content is valid.
        unsafe { self.mapping.address.as_ref() }
    }

    /// To send to a server. [`Error::Taken`] if the program has closed it.
    pub fn fd(&self) -> Result<BorrowedFd<'_>, Error> {
        self.fd.get().ok_or(Error::Taken)
    }

    /// The number of [`SharedPage::fd`].
    pub fn number(&self) -> Number {
        self.fd
    }

    /// In the child of a fork, before anything else: the same addresses now hold an empty page of the child's own, with open gates,
    /// and its parent's page is out of reach. Async-signal-safe. False if the kernel refused (it has no memory): the child must
    /// then leave the page alone.
    pub fn detach_after_fork(&self) -> bool {
        let (address, length) = (self.mapping.address.as_ptr().cast::<c_void>(), self.mapping.length);
        let flags = MapFlags::PRIVATE | MapFlags::FIXED | MapFlags::NORESERVE;
        // SAFETY: exactly our own mapping is replaced, in one step, by memory that is as readable and writable; zeroes are a valid Page.
        unsafe { rustix::mm::mmap_anonymous(address, length, ProtFlags::READ | ProtFlags::WRITE, flags) }
            .is_ok()
    }
}

impl Drop for SharedPage {
    fn drop(&mut self) {
        self.fd.close();
    }
}

impl GuestPage {
    /// Maps what a guest sent, if it is what [`SharedPage::create`] makes: a sealed memfd of the right size. So reading it can never
    /// fault, whatever the guest does to it later.
    pub fn map(fd: BorrowedFd<'_>) -> Result<GuestPage, Error> {
        check(fd, size_of::<Page>(), SealFlags::SHRINK | SealFlags::GROW)?;
        Mapping::shared(fd, size_of::<Page>(), true).map(GuestPage)
    }
}

impl std::ops::Deref for GuestPage {
    type Target = Page;
    fn deref(&self) -> &Page {
        self.0.get()
    }
}

impl<T> Mapping<T> {
    /// Maps `length` bytes of `fd`, which hold a `T` and can never become fewer.
    pub(crate) fn shared(fd: BorrowedFd<'_>, length: usize, writable: bool) -> Result<Mapping<T>, Error> {
        debug_assert!(length >= size_of::<T>() && align_of::<T>() <= 4096);
        let access = if writable { ProtFlags::READ | ProtFlags::WRITE } else { ProtFlags::READ };
        // SAFETY: a new mapping at an address of the kernel's choice touches no memory of ours.
        let address =
            unsafe { rustix::mm::mmap(std::ptr::null_mut(), length, access, MapFlags::SHARED, fd, 0) }
                .map_err(Error::system("mmap"))?;
        let address =
            NonNull::new(address.cast()).ok_or(Error::System { call: "mmap", errno: Errno::NOMEM })?;
        Ok(Mapping { address, length, keep: false })
    }

    pub(crate) fn get(&self) -> &T {
        // SAFETY: mapped until drop, page-aligned, long enough; T is valid for any content and atomics only (see the type).
        unsafe { self.address.as_ref() }
    }
}

// SAFETY: T is atomics only, and the address is good in every thread.
unsafe impl<T: Sync> Send for Mapping<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for Mapping<T> {}

impl<T> Drop for Mapping<T> {
    fn drop(&mut self) {
        if !self.keep {
            // SAFETY: our own mapping; references into it cannot outlive `self`.
            let _ = unsafe { rustix::mm::munmap(self.address.as_ptr().cast(), self.length) };
        }
    }
}

/// A memfd of this size with these seals; not executable where the kernel knows that.
pub(crate) fn create(name: &CStr, length: usize, seals: SealFlags) -> Result<OwnedFd, Error> {
    // Beyond this limit, ftruncate would send SIGXFSZ, which ends most programs.
    let needed = length as u64;
    if let Some(limit) = getrlimit(Resource::Fsize).current.filter(|limit| *limit < needed) {
        return Err(Error::FileSizeLimit { limit, needed });
    }
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let fd = match rustix::fs::memfd_create(name, flags | MemfdFlags::NOEXEC_SEAL) {
        Err(Errno::INVAL) => rustix::fs::memfd_create(name, flags),
        other => other,
    }
    .map_err(Error::system("memfd_create"))?;
    rustix::fs::ftruncate(&fd, length as u64).map_err(Error::system("ftruncate"))?;
    if !seals.is_empty() {
        rustix::fs::fcntl_add_seals(&fd, seals).map_err(Error::system("fcntl(F_ADD_SEALS)"))?;
    }
    Ok(fd)
}

/// Whether `fd` is memory of exactly this size that is sealed at least so.
pub(crate) fn check(fd: BorrowedFd<'_>, length: usize, seals: SealFlags) -> Result<(), Error> {
    const TMPFS_MAGIC: rustix::fs::FsWord = 0x0102_1994;
    let bad = |why: String| Err(Error::BadPage(why));
    // First, because it never waits, and only memory has seals; the calls below may wait for the owner of another file.
    let has = match rustix::fs::fcntl_get_seals(fd) {
        Ok(has) => has,
        Err(errno) => return bad(format!("it is not a memfd that can be sealed: {errno}")),
    };
    let kind = rustix::fs::fstatfs(fd).map_err(Error::system("fstatfs"))?.f_type;
    if kind != TMPFS_MAGIC {
        return bad(format!("it is a file on a file system of type {kind:#x}, not a memfd"));
    }
    if !has.contains(seals) {
        return bad(format!("it is sealed by {has:?}, which lacks {:?}", seals - has));
    }
    let about = rustix::fs::fstat(fd).map_err(Error::system("fstat"))?;
    let size = about.st_size;
    if u64::try_from(size) != Ok(length as u64) {
        return bad(format!("it has {size} bytes, not {length}"));
    }
    // A file can have memory behind its end, which whoever drops it last has to give back, and that would take its time. The kernel may
    // take memory by 2 MiB.
    const MORE: u64 = 4 << 20;
    let memory = u64::try_from(about.st_blocks).unwrap_or(u64::MAX).saturating_mul(512);
    if memory > length as u64 + MORE {
        return bad(format!("it has {memory} bytes of memory behind {size} bytes"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use xsched_core::Level;
    use xsched_queue::gate::{Epoch, Holder, Verdict};

    #[test]
    fn both_sides_see_the_same_page() {
        let shared = SharedPage::create().unwrap();
        let mapped = GuestPage::map(shared.fd().unwrap()).unwrap();
        shared.page().gate(3).unwrap().start(Epoch::FIRST);
        let verdict = Verdict { suspended: true, awaited: true, windowed: false, deep: false };
        mapped.gate(3).unwrap().decree(Epoch::FIRST, verdict).unwrap();
        assert!(shared.page().gate(3).unwrap().state().is_held_by(Holder::Server));
        let tag = shared.page().occupy(9, 3, Level::Block);
        assert_eq!((mapped.slot(9).unwrap().tag(), mapped.used()), (tag, 10));
    }

    #[test]
    fn a_detached_page_is_empty_and_the_other_side_keeps_what_it_was() {
        let shared = SharedPage::create().unwrap();
        let mapped = GuestPage::map(shared.fd().unwrap()).unwrap();
        let page = shared.page();
        page.gate(0).unwrap().hold(Holder::Local);
        assert!(shared.detach_after_fork());
        assert!(page.gate(0).unwrap().state().is_free());
        page.gate(1).unwrap().hold(Holder::Local);
        assert!(mapped.gate(0).unwrap().state().is_held_by(Holder::Local));
        assert!(mapped.gate(1).unwrap().state().is_free());
    }

    #[test]
    fn what_is_not_a_sealed_memfd_of_the_right_size_is_refused_with_the_reason() {
        let size = size_of::<Page>();
        let reason = |fd: &OwnedFd| GuestPage::map(fd.as_fd()).unwrap_err().to_string();
        let unsealed = create(c"t", size, SealFlags::GROW).unwrap();
        assert!(reason(&unsealed).contains("lacks"), "{}", reason(&unsealed));
        let both = SealFlags::SHRINK | SealFlags::GROW;
        let small = create(c"t", size - 4096, both).unwrap();
        assert!(reason(&small).contains("bytes, not"), "{}", reason(&small));
        let file = OwnedFd::from(tempfile::tempfile().unwrap());
        assert!(GuestPage::map(file.as_fd()).is_err());
        let laden = create(c"t", 0, SealFlags::empty()).unwrap();
        rustix::fs::fallocate(&laden, rustix::fs::FallocateFlags::KEEP_SIZE, 0, 64 << 20).unwrap();
        rustix::fs::ftruncate(&laden, size as u64).unwrap();
        rustix::fs::fcntl_add_seals(&laden, both).unwrap();
        assert!(reason(&laden).contains("bytes of memory behind"), "{}", reason(&laden));
        let read_only = create(c"t", size, both | SealFlags::WRITE).unwrap();
        assert!(reason(&read_only).contains("mmap"), "{}", reason(&read_only));
    }
}
