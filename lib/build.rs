//! The library is never unloaded: the C library keeps addresses of its handlers, and threads run in it.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libxsched.so");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
}
