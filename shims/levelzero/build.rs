//! Gives the stand-in the SONAME and the link flags of a system `libze_loader.so.1`, which has no symbol versions.

include!("../../crates/shim/link.rs");

fn main() {
    link_stand_in("libze_loader.so.1", None);
}
