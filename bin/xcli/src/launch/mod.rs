//! What `xcli run` does before the program takes over: finds the stand-ins, finds the program, says what will not work, and
//! makes the environment.

pub(crate) mod advice;
pub(crate) mod diagnose;
pub(crate) mod elf;
pub(crate) mod environment;
pub(crate) mod library;
pub(crate) mod privilege;
pub(crate) mod program;
pub(crate) mod start;
