//! The consensus engine as a process: network, disk, ABCI client, RPC.
