//! The machine's devices: one number for each key, for as long as any guest uses it.

use std::collections::BTreeMap;
use xsched_core::{DeviceId, DeviceKey};

/// Devices in use.
#[derive(Debug, Default)]
pub(crate) struct Devices {
    table: BTreeMap<DeviceKey, Entry>,
    last: u32,
}

#[derive(Debug)]
struct Entry {
    id: DeviceId,
    users: u32,
}

impl Devices {
    /// The number of the device; one more guest uses it.
    pub(crate) fn take(&mut self, key: &DeviceKey) -> DeviceId {
        let entry = self.table.entry(key.clone()).or_insert_with(|| {
            self.last += 1;
            Entry { id: DeviceId(self.last), users: 0 }
        });
        entry.users += 1;
        entry.id
    }

    /// One guest less uses it.
    pub(crate) fn put_back(&mut self, key: &DeviceKey) {
        if let Some(entry) = self.table.get_mut(key) {
            entry.users -= 1;
            if entry.users == 0 {
                self.table.remove(key);
            }
        }
    }

    /// The keys of all.
    pub(crate) fn keys(&self) -> Vec<DeviceKey> {
        self.table.keys().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_keeps_its_number_while_it_is_used_and_gets_a_new_one_later() {
        let mut devices = Devices::default();
        let (cpu, other) = (DeviceKey::cpu(0), DeviceKey::cpu(1));
        let first = devices.take(&cpu);
        assert_eq!((devices.take(&cpu), devices.take(&other)), (first, DeviceId(2)));
        devices.put_back(&cpu);
        assert_eq!(devices.take(&cpu), first);
        devices.put_back(&cpu);
        devices.put_back(&cpu);
        assert_eq!(devices.keys(), [other]);
        assert_eq!(devices.take(&cpu), DeviceId(3));
    }
}
