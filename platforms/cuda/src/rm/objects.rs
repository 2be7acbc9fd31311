//! Which RM objects the process has, as far as they lead to channel groups that compute.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::RawFd;
use xsched_cuda_control::abi::{self, Handle};

/// Far more than any program has: a bound, should the driver change.
const MOST: usize = 16 * 1024;

/// Far more classes than any driver has.
const MOST_CLASSES: usize = 1024;

/// The objects, by client and handle.
#[derive(Debug, Default)]
pub(super) struct Objects {
    all: BTreeMap<(Handle, Handle), Object>,
    /// Objects that were ever made.
    last: Serial,
    /// How many of each class were ever made, of whatever class, for whoever looks at a driver that is not known yet.
    classes: BTreeMap<u32, u32>,
}

/// Tells objects apart for good: the library may give a handle again once what had it is gone.
pub(super) type Serial = u64;

#[derive(Debug)]
struct Object {
    class: u32,
    parent: Handle,
    file: RawFd,
    serial: Serial,
}

/// A channel group that computes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Group {
    /// The file that its client belongs to.
    pub(super) file: RawFd,
    pub(super) client: Handle,
    pub(super) subdevice: Handle,
    pub(super) group: Handle,
    pub(super) channels: Vec<Handle>,
    /// Of the GPU as the client sees it, and of the group.
    pub(super) serials: (Serial, Serial),
}

impl Objects {
    /// An object was made. Whether that can make a difference to [`Objects::groups`].
    pub(super) fn add(&mut self, file: RawFd, head: &abi::AllocHead) -> bool {
        let class = head.class;
        if self.classes.len() < MOST_CLASSES || self.classes.contains_key(&class) {
            *self.classes.entry(class).or_default() += 1;
        }
        let is_known = matches!(class, abi::DEVICE | abi::SUBDEVICE | abi::CHANNEL_GROUP)
            || abi::is_channel(class)
            || abi::is_compute(class);
        if !is_known || self.all.len() >= MOST {
            return false;
        }
        self.last += 1;
        let object = Object { class, parent: head.parent, file, serial: self.last };
        self.all.insert((head.root, head.object), object);
        true
    }

    /// How many objects of each class were ever made.
    pub(super) fn classes(&self) -> Vec<(u32, u32)> {
        self.classes.iter().map(|(class, count)| (*class, *count)).collect()
    }

    /// An object is gone, with all under it; a client goes with all it has.
    pub(super) fn remove(&mut self, client: Handle, object: Handle) -> bool {
        let before = self.all.len();
        if client == object {
            self.all.retain(|(owner, _), _| *owner != client);
        }
        let mut gone = BTreeSet::from([object]);
        loop {
            let known = gone.len();
            let under =
                self.all.iter().filter(|((owner, _), it)| *owner == client && gone.contains(&it.parent));
            let under: Vec<Handle> = under.map(|((_, handle), _)| *handle).collect();
            gone.extend(under);
            if gone.len() == known {
                break;
            }
        }
        self.all.retain(|(owner, handle), _| *owner != client || !gone.contains(handle));
        self.all.len() != before
    }

    /// The groups that compute, in the order of their handles.
    pub(super) fn groups(&self) -> Vec<Group> {
        let of = |client, handle, class| self.all.get(&(client, handle)).filter(|it| it.class == class);
        let computing =
            self.all.iter().filter(|(_, it)| abi::is_compute(it.class)).filter_map(|((client, _), it)| {
                let channel = self.all.get(&(*client, it.parent)).filter(|it| abi::is_channel(it.class))?;
                Some((*client, channel.parent))
            });
        let computing: BTreeSet<(Handle, Handle)> = computing.collect();
        let group = |(client, group): (Handle, Handle)| {
            let it = of(client, group, abi::CHANNEL_GROUP)?;
            let within = |parent| {
                self.all.iter().filter(move |((owner, _), it)| *owner == client && it.parent == parent)
            };
            let ((_, subdevice), gpu) = within(it.parent).find(|(_, it)| it.class == abi::SUBDEVICE)?;
            let channels =
                within(group).filter(|(_, it)| abi::is_channel(it.class)).map(|((_, handle), _)| *handle);
            let serials = (gpu.serial, it.serial);
            let (subdevice, channels) = (*subdevice, channels.collect());
            Some(Group { file: it.file, client, subdevice, group, channels, serials })
        };
        computing.into_iter().filter_map(group).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANNEL: u32 = 0xc86f;
    const COMPUTE: u32 = 0xcbc0;
    const COPY: u32 = 0xc8b5;

    fn objects(rows: &[(Handle, Handle, Handle, u32)]) -> Objects {
        let mut objects = Objects::default();
        for &(root, parent, object, class) in rows {
            objects.add(9, &abi::AllocHead { root, parent, object, class, parameters: 0 });
        }
        objects
    }

    /// A client with one GPU, a group that computes on two channels and a group that copies.
    fn context() -> Objects {
        objects(&[
            (1, 1, 0x10, abi::DEVICE),
            (1, 0x10, 0x11, abi::SUBDEVICE),
            (1, 0x10, 0x20, abi::CHANNEL_GROUP),
            (1, 0x20, 0x21, CHANNEL),
            (1, 0x21, 0x31, COMPUTE),
            (1, 0x20, 0x22, CHANNEL),
            (1, 0x22, 0x32, COMPUTE),
            (1, 0x10, 0x40, abi::CHANNEL_GROUP),
            (1, 0x40, 0x41, CHANNEL),
            (1, 0x41, 0x42, COPY),
        ])
    }

    fn the_group() -> Group {
        let channels = vec![0x21, 0x22];
        Group { file: 9, client: 1, subdevice: 0x11, group: 0x20, channels, serials: (2, 3) }
    }

    #[test]
    fn the_group_that_computes_is_found_and_the_one_that_copies_is_not() {
        assert_eq!(context().groups(), [the_group()]);
    }

    #[test]
    fn handles_of_another_client_are_not_mixed_up() {
        let mut objects = context();
        objects
            .add(8, &abi::AllocHead { root: 2, parent: 0x20, object: 0x50, class: CHANNEL, parameters: 0 });
        objects
            .add(8, &abi::AllocHead { root: 2, parent: 0x50, object: 0x51, class: COMPUTE, parameters: 0 });
        assert_eq!(objects.groups(), [the_group()]);
        assert!(objects.remove(2, 2));
        assert_eq!(objects.groups(), [the_group()]);
    }

    #[test]
    fn a_group_on_another_gpu_has_that_ones_subdevice() {
        let mut objects = context();
        for (parent, object, class) in [
            (1, 0x110, abi::DEVICE),
            (0x110, 0x111, abi::SUBDEVICE),
            (0x110, 0x120, abi::CHANNEL_GROUP),
            (0x120, 0x121, CHANNEL),
            (0x121, 0x131, COMPUTE),
        ] {
            objects.add(9, &abi::AllocHead { root: 1, parent, object, class, parameters: 0 });
        }
        let (channels, serials) = (vec![0x121], (11, 12));
        let other = Group { file: 9, client: 1, subdevice: 0x111, group: 0x120, channels, serials };
        assert_eq!(objects.groups(), [the_group(), other]);
    }

    #[test]
    fn what_is_gone_is_gone_with_all_under_it() {
        for (object, is_left) in [(0x10, false), (0x20, false), (0x40, true), (1, false), (0x99, true)] {
            let mut objects = context();
            objects.remove(1, object);
            assert_eq!(objects.groups() == [the_group()], is_left, "0x{object:x}");
        }
        let mut objects = context();
        assert!(objects.remove(1, 1));
        assert!(objects.all.is_empty());
    }

    #[test]
    fn a_channel_that_goes_leaves_the_group_the_rest() {
        let mut objects = context();
        assert!(objects.remove(1, 0x22));
        assert_eq!(objects.groups(), [Group { channels: vec![0x21], ..the_group() }]);
    }

    #[test]
    fn a_handle_that_is_given_again_is_another_group() {
        let mut objects = context();
        assert!(objects.remove(1, 0x20) && objects.groups().is_empty());
        for (parent, object, class) in
            [(0x10, 0x20, abi::CHANNEL_GROUP), (0x20, 0x21, CHANNEL), (0x21, 0x31, COMPUTE)]
        {
            objects.add(9, &abi::AllocHead { root: 1, parent, object, class, parameters: 0 });
        }
        let [again] = &objects.groups()[..] else { panic!() };
        assert_eq!((again.group, again.serials.0), (0x20, the_group().serials.0));
        assert_ne!(again.serials.1, the_group().serials.1);
    }

    #[test]
    fn channels_without_a_group_of_their_own_are_left_alone() {
        let objects = objects(&[
            (1, 1, 0x10, abi::DEVICE),
            (1, 0x10, 0x11, abi::SUBDEVICE),
            (1, 0x10, 0x21, CHANNEL),
            (1, 0x21, 0x31, COMPUTE),
        ]);
        assert!(objects.groups().is_empty());
    }

    #[test]
    fn what_does_not_lead_to_a_group_is_not_kept() {
        let mut objects = Objects::default();
        assert!(
            !objects.add(9, &abi::AllocHead { root: 1, parent: 1, object: 2, class: 0x3e, parameters: 0 })
        );
        assert!(!objects.remove(1, 2));
        assert!(objects.all.is_empty());
        assert_eq!(objects.classes(), [(0x3e, 1)], "but it is counted");
    }
}
