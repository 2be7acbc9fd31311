//! Gives the simulation the SONAME of the real library.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libcuda.so.1");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    // As NVIDIA's: calls within the library do not leave it.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-Bsymbolic");
}
