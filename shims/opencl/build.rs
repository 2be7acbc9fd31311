//! Gives the stand-in the SONAME, the symbol versions and the link flags of a system `libOpenCL.so.1`.

include!("../../crates/shim/link.rs");

fn main() {
    link_stand_in("libOpenCL.so.1", Some("versions.map"));
}
