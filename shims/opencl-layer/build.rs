//! Gives the layer its link flags.

include!("../../crates/shim/link.rs");

fn main() {
    link_stand_in("libxsched_opencl_layer.so", None);
}
