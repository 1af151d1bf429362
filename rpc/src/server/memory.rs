//! Freed memory of a process that serves blocks: an option of the allocator of both halves.

/// `mi_option_purge_delay` of mimalloc's version 2, and its value in milliseconds: how long freed
/// memory waits before it goes back to the system. What a full block needs is freed and wanted
/// again with every block; after the default of 10 ms the system clears the pages each time, a
/// fifth of all CPU of an engine.
pub const PURGE_DELAY: (i32, i64) = (15, 250);
