//! What driver-API programs of this workspace share: the driver's functions, found as programs find them, and a few kernels.

#![allow(clippy::missing_safety_doc, clippy::not_unsafe_ptr_arg_deref)]

pub mod cu;
pub mod kernels;
