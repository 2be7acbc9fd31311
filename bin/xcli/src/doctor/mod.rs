//! What `xcli doctor` looks at, one file a topic. Each makes findings; nothing here changes anything.
//!
//! Invariant: a vendor's library is loaded in a child process only (`child`), so whatever it does, the report comes.

pub(crate) mod child;
pub(crate) mod environment;
pub(crate) mod installation;
pub(crate) mod platforms;
pub(crate) mod process;
pub(crate) mod report;
pub(crate) mod server;
pub(crate) mod shell;
pub(crate) mod socket;
pub(crate) mod system;
