//! Enforces the layer table of `ARCHITECTURE.md` and what each layer promises.
//!
//! [`table`] is data: the layers, and every exception with its reason. [`workspace`] reads the members and their dependencies,
//! [`source`] their files as tokens, [`rules`] holds one against the other. The tests are in `tests/`. What a rule says when it
//! is broken is written for somebody who sees the project for the first time.

pub mod others;
pub mod rules;
pub mod source;
pub mod table;
pub mod workspace;
