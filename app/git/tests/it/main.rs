//! Real, stock git against a gateway in this process, with a host that commits at once.

#[cfg(test)]
mod crowd;
#[cfg(test)]
mod fetch;
#[cfg(test)]
mod push;
#[cfg(test)]
mod raw;
#[cfg(test)]
mod refuse;
#[cfg(test)]
mod verify;
#[cfg(test)]
mod world;
