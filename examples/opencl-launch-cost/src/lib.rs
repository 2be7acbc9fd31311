//! What programs that measure OpenCL's stand-in have in common.

pub mod cl;
