//! What a signal does before this crate heeds it.

use std::io::Result;

/// What becomes of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Disposition {
    /// It ends the process.
    Ends,
    /// Nothing.
    Ignored,
    /// The program has a handler of its own.
    Handled,
}

/// What this signal does now.
#[cfg(unix)]
#[allow(
    unsafe_code,
    reason = "the standard library doesn't ask the system for it, nor does signal-hook"
)]
pub(super) fn disposition(signal: i32) -> Result<Disposition> {
    let mut now = std::mem::MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: without a new action nothing is changed, and the old one is written to memory of its size.
    let status = unsafe { libc::sigaction(signal, std::ptr::null(), now.as_mut_ptr()) };
    if status != 0 {
        return Err(std::io::Error::last_os_error());
    }
    // SAFETY: the call has succeeded, so it is there.
    let now = unsafe { now.assume_init() };
    Ok(match now.sa_sigaction {
        libc::SIG_DFL => Disposition::Ends,
        libc::SIG_IGN => Disposition::Ignored,
        _ => Disposition::Handled,
    })
}

/// Elsewhere nobody tells.
#[cfg(not(unix))]
pub(super) fn disposition(_: i32) -> Result<Disposition> {
    Ok(Disposition::Ends)
}
