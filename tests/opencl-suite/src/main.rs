//! OpenCL correctness suite: prints one line per case, the same natively and under the shim.

fn main() {}
