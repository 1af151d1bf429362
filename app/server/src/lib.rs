//! The Guts application: core wired to disk, socket, git and gateway.
