//! The machine's devices: one number for each key, for as long as any guest uses it.
//!
//! A guest can make keys up. So the user who was the first to name a device has it on his account until nobody uses it any more, and
//! there are no more than fit into one answer about the server.

use crate::numbers;
use crate::quota::Quota;
use std::collections::BTreeMap;
use xsched_core::{DeviceId, DeviceKey};

/// Devices in use.
#[derive(Debug)]
pub(crate) struct Devices {
    table: BTreeMap<DeviceKey, Entry>,
    quota: Quota,
    last: u32,
}

#[derive(Debug)]
struct Entry {
    id: DeviceId,
    /// Guests.
    users: u32,
    /// The user on whose account it is.
    payer: u32,
}

impl Default for Devices {
    fn default() -> Devices {
        Devices { table: BTreeMap::new(), quota: Quota::new("devices", 512, 64), last: 0 }
    }
}

impl Devices {
    /// The number of the device; one more guest, of user `uid`, uses it. The error says why it may not.
    pub(crate) fn take(&mut self, key: &DeviceKey, uid: u32) -> Result<DeviceId, String> {
        if let Some(entry) = self.table.get_mut(key) {
            entry.users += 1;
            return Ok(entry.id);
        }
        self.quota.take(uid, 1)?;
        let is_used = |number| self.table.values().any(|entry| entry.id.0 == number);
        let id = DeviceId(numbers::next(&mut self.last, is_used));
        self.table.insert(key.clone(), Entry { id, users: 1, payer: uid });
        Ok(id)
    }

    /// One guest less uses it.
    pub(crate) fn put_back(&mut self, key: &DeviceKey) {
        if let Some(entry) = self.table.get_mut(key) {
            entry.users -= 1;
            if entry.users == 0 {
                self.quota.put_back(entry.payer, 1);
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
        let take = |devices: &mut Devices, key: &DeviceKey| devices.take(key, 1000).unwrap();
        let first = take(&mut devices, &cpu);
        assert_eq!((take(&mut devices, &cpu), take(&mut devices, &other)), (first, DeviceId(2)));
        devices.put_back(&cpu);
        assert_eq!(take(&mut devices, &cpu), first);
        devices.put_back(&cpu);
        devices.put_back(&cpu);
        assert_eq!(devices.keys(), [other]);
        assert_eq!(take(&mut devices, &cpu), DeviceId(3));
    }

    #[test]
    fn a_user_can_make_up_some_devices_and_takes_none_from_others() {
        let mut devices = Devices::default();
        let made_up = |number| DeviceKey::named("made up", number);
        let count = (0..1000).take_while(|number| devices.take(&made_up(*number), 1000).is_ok()).count();
        assert_eq!(count, 64);
        devices.take(&DeviceKey::cpu(0), 1001).unwrap();
        devices.take(&DeviceKey::cpu(0), 1000).unwrap();
        (0..count).for_each(|number| devices.put_back(&made_up(number)));
        devices.take(&made_up(0), 1000).unwrap();
    }
}
