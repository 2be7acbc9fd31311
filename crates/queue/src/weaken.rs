//! Orderings and steps that a proof depends on, by name, so that the proof can be tested.
//!
//! `cargo xtask loom` runs the loom tests as the code stands (they must pass) and once with each name below weakened
//! (`--cfg xsched_weaken="name"`; they must fail). A name is declared beside the code it stands for, with [`crate::weakenable!`].

/// Declares `const NAME: Ordering` that becomes `Relaxed`, or `const NAME: bool` that becomes `false`, when weakened.
#[macro_export]
macro_rules! weakenable {
    ($(#[$doc:meta])* $vis:vis const $name:ident: Ordering = $ordering:ident, $weak:literal) => {
        $(#[$doc])*
        $vis const $name: $crate::weaken::Ordering =
            if cfg!(xsched_weaken = $weak) { $crate::weaken::Ordering::Relaxed } else { $crate::weaken::Ordering::$ordering };
    };
    ($(#[$doc:meta])* $vis:vis const $name:ident: bool, $weak:literal) => {
        $(#[$doc])*
        $vis const $name: bool = !cfg!(xsched_weaken = $weak);
    };
}

pub use xsched_core::sync::Ordering;
