//! A small request loop on OpenCL that time-stamps every request.

fn main() {}
