//! The Guts application: core wired to disk, socket, git and gateway.
//!
//! | module | does |
//! |---|---|
//! | [`program`] | the command line |
//! | [`config`], [`identity`] | node settings; the key that pays for pushes |
//! | [`node`] | puts a node together, runs its two servers, and ends it in time |
//! | [`gateway`] | the server of git and of everything else over HTTP, with bounds |
//! | [`application`] | the engine's calls: blocks on one side, reads on the other |
//! | [`verified`] | stateless checks, in parallel, remembered |
//! | [`chain`] | the newest committed state, swapped at Commit |
//! | [`follower`] | bare repositories follow the state; what this node missed is fetched |
//! | [`catch_up`] | fetches what repositories lack |
//! | [`gateways`] | whom to ask for packs and objects, and in which order |
//! | [`checker`] | background checks of pushes, for the vote extensions |
//! | [`submit`], [`host`] | the way of a push to the chain and back |
//! | [`api`] | typed, proved reads over JSON-RPC, and their OpenRPC description |
//! | [`trials`] | how many transactions are tried for who only wants to know |
//! | [`pruner`] | gives up the state of old heights in the background |
//! | [`tools`] | a node that does not run: audit, export, inspect, compact, rollback |
//! | [`metrics`], [`timings`] | `GET /metrics`; how long calls take |
//! | [`page`] | `GET /` and `GET /health` |
//!
//! Locks are held for a look-up, never across a wait; a commit never waits for git, nor CheckTx
//! or a query for a block.
#![forbid(unsafe_code)]

pub mod api;
pub mod application;
pub mod catch_up;
pub mod chain;
pub mod checker;
pub mod config;
pub mod follower;
pub mod gateway;
pub mod gateways;
pub mod held;
pub mod host;
pub mod identity;
pub mod kept;
pub mod memory;
pub mod metrics;
pub mod node;
pub mod page;
pub mod program;
pub mod pruner;
pub mod submit;
pub mod timings;
pub mod tools;
pub mod trials;
pub mod verified;
