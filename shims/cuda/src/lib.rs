//! Stand-in for libcuda.so.1: every export jumps through a table that libxsched.so fills at the first call.
//!
//! Deliberately absent: everything but the list of symbols and what they answer when there is nothing; the rest is `crates/shim`.

mod fallback;

macro_rules! symbols {
    ($($symbols:tt)*) => {
        xsched_shim::stand_in! {
            platform: c"cuda",
            title: "CUDA",
            without: "CUDA programs are told that there is no device",
            $($symbols)*
        }
    };
}

include!("symbols.rs");
