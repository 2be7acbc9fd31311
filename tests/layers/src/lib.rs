//! Enforces the layer table of ARCHITECTURE.md.
