//! What goes from one process to another comes out as it went in, and nothing else comes out.

use proptest::prelude::*;
use std::fs::File;
use std::os::fd::AsFd;
use xsched_core::DeviceKey;
use xsched_cuda_control::{Channels, Control, MAX_CHANNELS, MAX_GROUPS, Refusal, decode, encode};

fn channels(client: u32) -> impl Strategy<Value = Channels> {
    let handles = prop::collection::vec(any::<u32>(), 1..=MAX_CHANNELS);
    (any::<(u8, u8, u32, u32)>(), handles).prop_map(move |((bus, slot, subdevice, group), channels)| {
        Channels { device: DeviceKey::pci(0, bus, slot, 0), client, subdevice, group, channels }
    })
}

proptest! {
    #[test]
    fn groups_come_out_as_they_went_in(groups in prop::collection::vec(channels(7), 0..8)) {
        prop_assert_eq!(decode(&encode(&groups)), Ok(groups));
    }

    #[test]
    fn what_is_cut_off_is_refused(groups in prop::collection::vec(channels(7), 1..3), cut in any::<prop::sample::Index>()) {
        let bytes = encode(&groups);
        let ends: Vec<usize> = (0..=groups.len()).map(|n| encode(&groups[..n]).len()).collect();
        let at = cut.index(bytes.len());
        prop_assert_eq!(decode(&bytes[..at]).is_ok(), ends.contains(&at));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        if let Ok(groups) = decode(&bytes) {
            prop_assert!(groups.len() <= MAX_GROUPS);
            prop_assert_eq!(encode(&groups), bytes);
        }
    }

    #[test]
    fn two_clients_do_not_go_with_one_file(one in channels(1), other in channels(2)) {
        prop_assert!(decode(&encode(&[one, other])).is_err());
    }
}

#[test]
fn groups_that_do_not_fit_are_left_out() {
    let one =
        Channels { device: DeviceKey::pci(0, 1, 2, 0), client: 1, subdevice: 2, group: 3, channels: vec![4] };
    let large = Channels { channels: vec![4; MAX_CHANNELS + 1], ..one.clone() };
    assert_eq!(decode(&encode(&[large, one.clone()])), Ok(vec![one.clone()]));
    assert_eq!(decode(&encode(&vec![one.clone(); MAX_GROUPS + 1])).map(|all| all.len()), Ok(MAX_GROUPS));
}

#[test]
fn another_file_is_refused() {
    for path in ["/dev/null", "/proc/self/exe"] {
        let file = File::open(path).expect("it is there");
        assert_eq!(Control::new(file.as_fd()).map(|_| ()), Err(Refusal::File), "{path}");
    }
}
