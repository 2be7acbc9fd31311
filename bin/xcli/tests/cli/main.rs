//! xcli as its users see it: the built program, run with an environment of its own. Most servers are made up here, on the real
//! socket protocol, so that each answer can be had; `real` asks xserver itself.

mod config;
mod diagnose;
mod doctor;
mod http;
mod real;
mod run;
mod server;
mod service;
mod sim;
mod support;
mod usage;
