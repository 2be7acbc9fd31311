//! The caller's errno stays as it was.

/// Restores errno when dropped.
#[derive(Debug)]
pub struct Keep(i32);

impl Default for Keep {
    fn default() -> Keep {
        Keep::new()
    }
}

impl Keep {
    /// Restores what is there now.
    pub fn new() -> Keep {
        Keep(errno::errno().0)
    }
}

impl Drop for Keep {
    fn drop(&mut self) {
        errno::set_errno(errno::Errno(self.0));
    }
}
