//! Four engines as processes of their own, each with the reference application: agreement, and
//! what survives kill -9 of one, of all, and of the application.

#[cfg(test)]
mod agree;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod home;
#[cfg(test)]
mod network;
