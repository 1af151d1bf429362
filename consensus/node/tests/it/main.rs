//! Four engines as processes of their own, each with the reference application: agreement, and
//! what survives kill -9 of one, of all, and of the application, full disks and hostile peers.

#[cfg(test)]
mod agree;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod crowd;
#[cfg(test)]
mod flood;
#[cfg(test)]
mod full;
#[cfg(test)]
mod home;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod live;
#[cfg(test)]
mod metrics;
#[cfg(test)]
mod network;
#[cfg(test)]
mod operator;
#[cfg(test)]
mod recorded;
#[cfg(test)]
#[path = "../../../../tests/vectors/requests.rs"]
mod requests;
#[cfg(test)]
mod rollback;
#[cfg(test)]
mod rounds;
#[cfg(test)]
mod search;
#[cfg(test)]
mod stop;
#[cfg(test)]
mod subscribe;
