//! The caller's errno stays as it was.

/// Restores errno when dropped.
pub(crate) struct Keep(i32);

impl Keep {
    pub(crate) fn new() -> Keep {
        Keep(errno::errno().0)
    }
}

impl Drop for Keep {
    fn drop(&mut self) {
        errno::set_errno(errno::Errno(self.0));
    }
}
