//! The commands, one file each: flags, help, and what it does.

pub(crate) mod cdi;
pub(crate) mod config;
pub(crate) mod doctor;
pub(crate) mod hint;
pub(crate) mod list;
mod of_a_queue;
pub(crate) mod policy;
pub(crate) mod probe;
pub(crate) mod rules;
pub(crate) mod run;
pub(crate) mod service;
pub(crate) mod sim;
pub(crate) mod status;
pub(crate) mod top;
pub(crate) mod trace;
