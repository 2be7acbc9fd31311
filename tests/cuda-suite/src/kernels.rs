//! The kernels, as PTX for a real driver. The simulated one knows them by their names (`tests/fakes/cuda/src/kernel.rs`).

/// `empty()`, `spin(u64 nanoseconds)`, `add(u32 *data, u32 count, u32 value)`, `scale(…)`, and `fault()`.
pub const PTX: &str = concat!(include_str!("kernels.ptx"), "\0");
