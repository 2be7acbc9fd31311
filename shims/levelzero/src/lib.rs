//! Stand-in for libze_loader.so.1, the Level Zero loader: every export jumps through a table that libxsched.so fills at the first call.
//!
//! Deliberately absent: everything but the list of symbols and what they answer when there is nothing; the rest is `crates/shim`.

mod fallback;

macro_rules! symbols {
    ($($symbols:tt)*) => {
        xsched_shim::stand_in! {
            platform: c"levelzero",
            title: "Level Zero",
            without: "Level Zero programs are told that there is no driver",
            $($symbols)*
        }
    };
}

include!("symbols.rs");
