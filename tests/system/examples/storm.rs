//! `cargo run -p test-system --example storm -- SOCKET [SEED [DEVICE]]`: suspends everybody on the device (`cpu:0` if none is named) at
//! random, until it is killed.

use std::path::PathBuf;
use test_system::{Rival, Storm};
use xsched_core::DeviceKey;

fn main() {
    let mut arguments = std::env::args_os().skip(1);
    let socket = PathBuf::from(arguments.next().expect("storm SOCKET [SEED [DEVICE]]"));
    let seed = arguments.next().and_then(|text| text.to_str()?.parse().ok()).unwrap_or(1);
    let device = arguments.next().map_or(DeviceKey::cpu(0), |text| {
        DeviceKey::try_from(text.to_string_lossy().into_owned()).expect("a device such as pci:0000:65:00.0")
    });
    let _storm = Storm::of(Rival::attach_on(&socket, 200, &device), seed);
    loop {
        std::thread::park();
    }
}
