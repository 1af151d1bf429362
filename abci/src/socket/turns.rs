//! How long a thread has a processor at a time, for threads that answer somebody who waits.
//!
//! Linux's scheduler lets a thread of short turns interrupt one of long turns, and gives both the
//! same share: whoever works little is served at once where others work without end. Kernels
//! before 6.12 know one length for all; there nothing changes.

/// The shortest turn that Linux gives, in nanoseconds.
const TURN_NS: u64 = 100_000;

/// Asks for short turns for the calling thread, not for those that it starts. Leaves a thread alone
/// to which an operator gave another policy than the usual one.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "two system calls of which no library has a safe form")]
pub fn take_short_turns() {
    const THIS_THREAD: libc::pid_t = 0;
    let size = size_of::<libc::sched_attr>() as u32;
    let mut attributes = libc::sched_attr {
        size,
        sched_policy: 0,
        sched_flags: 0,
        sched_nice: 0,
        sched_priority: 0,
        sched_runtime: 0,
        sched_deadline: 0,
        sched_period: 0,
    };
    // SAFETY: the kernel writes at most `size` bytes, and the structure has as many.
    let got = unsafe {
        libc::syscall(libc::SYS_sched_getattr, THIS_THREAD, &raw mut attributes, size, 0_u32)
    };
    if got != 0 || attributes.sched_policy != libc::SCHED_OTHER as u32 {
        return;
    }
    attributes.size = size;
    attributes.sched_flags = libc::SCHED_FLAG_RESET_ON_FORK as u64;
    attributes.sched_runtime = TURN_NS;
    // SAFETY: the kernel reads `size` bytes of a whole structure.
    let set = unsafe {
        libc::syscall(libc::SYS_sched_setattr, THIS_THREAD, &raw const attributes, 0_u32)
    };
    if set != 0 {
        tracing::debug!(error = %std::io::Error::last_os_error(), "no short turns");
    }
}

/// Elsewhere a thread takes the turns it gets.
#[cfg(not(target_os = "linux"))]
pub fn take_short_turns() {}
