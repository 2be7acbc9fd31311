//! xcli as its users see it: the built program, run with an environment of its own. Servers are made up here, on the real
//! socket protocol; `tests/system` has the real one.

mod config;
mod diagnose;
mod run;
mod server;
mod support;
mod usage;
