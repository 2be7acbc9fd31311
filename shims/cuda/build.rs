//! Gives the stand-in the SONAME and the link flags of a system `libcuda.so.1`, whose symbols have no versions.

include!("../../crates/shim/link.rs");

fn main() {
    link_stand_in("libcuda.so.1", None);
}
