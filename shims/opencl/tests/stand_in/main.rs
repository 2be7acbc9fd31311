//! The stand-in as the loader and C programs see it: built by cargo, put in front of programs built by gcc.

mod calls;
mod exports;
mod stage;
