//! Four engines as processes of their own, each with the reference application: agreement, and
//! what survives kill -9 of one, of all, and of the application.

mod agree;
mod crash;
mod home;
mod network;
