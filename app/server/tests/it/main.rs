//! Four nodes in one process, a small engine that drives them block by block over their ABCI
//! sockets, and stock git.

#[cfg(test)]
mod api;
#[cfg(test)]
mod engine;
#[cfg(test)]
mod program;
#[cfg(test)]
mod prune;
#[cfg(test)]
mod push;
#[cfg(test)]
mod replay;
#[cfg(test)]
mod simulate;
#[cfg(test)]
mod slow;
#[cfg(test)]
mod tools;
#[cfg(test)]
mod world;
