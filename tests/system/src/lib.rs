//! What the system tests play with: machines, servers, programs, and rivals that take the device away.
//!
//! A [`Machine`] is a private corner of this one: its own socket and folder, one at a time, so that tests do not compete for
//! the device. All that a test starts ends with it. Deliberately absent: exact times; bounds are generous, see [`wait`].

pub mod browser;
pub mod driver;
pub mod http;
pub mod machine;
pub mod process;
pub mod rival;
pub mod screen;
pub mod server;
pub mod storm;
pub mod trace;
pub mod wait;

pub use browser::Browser;
pub use driver::Driver;
pub use http::Http;
pub use machine::Machine;
pub use process::{End, Program};
pub use rival::Rival;
pub use screen::Screen;
pub use server::Server;
pub use storm::Storm;
pub use wait::{eventually, stays};
