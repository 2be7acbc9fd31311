//! Input and output without locks, which the child of a fork could inherit locked.

/// Writes a line in one piece.
pub(crate) fn say(text: &str) {
    let line = format!("{text}\n");
    // SAFETY: the buffer is as long as said.
    unsafe { libc::write(1, line.as_ptr().cast(), line.len()) };
}

/// Waits for a line; false at the end of the input.
pub(crate) fn hear() -> bool {
    let mut byte = 0u8;
    loop {
        // SAFETY: one byte of ours.
        let got = unsafe { libc::read(0, (&raw mut byte).cast(), 1) };
        match got {
            1 if byte == b'\n' => return true,
            1 => {}
            -1 if std::io::Error::last_os_error().kind() == std::io::ErrorKind::Interrupted => {}
            _ => return false,
        }
    }
}
