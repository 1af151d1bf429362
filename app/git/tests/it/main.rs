//! Real, stock git against a gateway in this process, with a host that commits at once.

mod fetch;
mod push;
mod refuse;
mod world;
