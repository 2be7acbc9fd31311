//! The rules of `xsched_hal::conformance`, on a command queue and on an immediate list of the real loader with the simulated driver.

use super::*;
use crate::driver::{ListDesc, ZE_STRUCTURE_TYPE_COMMAND_QUEUE_DESC, ZE_STRUCTURE_TYPE_CONTEXT_DESC};
use std::ffi::{c_char, c_int, c_void};
use std::sync::OnceLock;
use xsched_hal::conformance::{Subject, run_all};

/// Calls a function of the loader's with machine words.
macro_rules! ze {
    ($name:ident($($arg:expr),*)) => {{
        let real = driver().library.function(xsched_runtime::c_name!($name)).expect(stringify!($name));
        // SAFETY: the loader's function of that name takes so many integers and pointers (level_zero/ze_api.h).
        unsafe { std::mem::transmute::<*mut c_void, unsafe extern "C" fn($(ze!(@word $arg)),*) -> ZeResult>(real)($($arg as usize),*) }
    }};
    (@word $arg:expr) => { usize };
}

/// A call that succeeds.
macro_rules! ok {
    ($name:ident($($arg:expr),*)) => { assert_eq!(ze!($name($($arg),*)), ZE_RESULT_SUCCESS, stringify!($name)) };
}

fn driver() -> &'static Driver {
    static ENVIRONMENT: OnceLock<()> = OnceLock::new();
    ENVIRONMENT.get_or_init(|| {
        let test = std::env::current_exe().expect("own path");
        let fake = test.with_file_name("libfake_levelzero.so");
        assert!(fake.exists(), "cargo test builds the simulated driver: {}", fake.display());
        // SAFETY: no other test of this crate reads or writes the environment.
        unsafe { std::env::set_var("ZE_ENABLE_ALT_DRIVERS", fake) };
    });
    crate::driver::load(std::path::Path::new("/no/stand-in")).expect("install libze1 (Debian)")
}

/// A context on the one device.
#[derive(Clone, Copy)]
struct Place {
    context: usize,
    device: usize,
    module: usize,
}

fn place() -> Place {
    static PLACE: OnceLock<Place> = OnceLock::new();
    *PLACE.get_or_init(|| {
        let (mut one, mut driver, mut device, mut context, mut module) =
            (1_u32, 0_usize, 0_usize, 0_usize, 0_usize);
        ok!(zeInit(0));
        ok!(zeDriverGet(&raw mut one, &raw mut driver));
        ok!(zeDeviceGet(driver, &raw mut one, &raw mut device));
        let desc = [ZE_STRUCTURE_TYPE_CONTEXT_DESC as usize, 0, 0];
        ok!(zeContextCreate(driver, &raw const desc, &raw mut context));
        ok!(zeModuleCreate(context, device, &raw const desc, &raw mut module, 0));
        Place { context, device, module }
    })
}

fn kernel(place: Place) -> usize {
    #[repr(C)]
    struct Desc {
        stype: c_int,
        next: *const c_void,
        flags: u32,
        name: *const c_char,
    }
    let desc = Desc { stype: 0x1d, next: std::ptr::null(), flags: 0, name: c"log".as_ptr() };
    let mut kernel = 0_usize;
    ok!(zeKernelCreate(place.module, &raw const desc, &raw mut kernel));
    kernel
}

struct ZeSubject {
    queue: Arc<ZeQueue>,
    kernel: Arc<Mutex<usize>>,
    log: Box<[u64; 512]>,
}

fn subject(is_list: bool) -> ZeSubject {
    let (place, driver) = (place(), driver());
    let stype = ZE_STRUCTURE_TYPE_COMMAND_QUEUE_DESC;
    let desc =
        QueueDesc { stype, next: std::ptr::null(), ordinal: 0, index: 0, flags: 0, mode: 2, priority: 0 };
    let mut handle: Handle = std::ptr::null_mut();
    let owner = Owner { context: place.context, device: place.device, key: DeviceKey::cpu(0) };
    let queue = if is_list {
        ok!(zeCommandListCreateImmediate(place.context, place.device, &raw const desc, &raw mut handle));
        ZeQueue::of_list(driver, owner, Turn::new(), handle)
    } else {
        ok!(zeCommandQueueCreate(place.context, place.device, &raw const desc, &raw mut handle));
        ZeQueue::of_queue(driver, owner, desc, handle)
    };
    ZeSubject { queue: Arc::new(queue), kernel: Arc::new(Mutex::new(kernel(place))), log: Box::new([0; 512]) }
}

/// Logs its number when it has run.
struct Logged {
    /// Arguments are set and taken under the lock.
    kernel: Arc<Mutex<usize>>,
    arguments: Option<[u64; 3]>,
    fresh: bool,
}

impl Logged {
    fn append(&self, list: usize) -> Result<(), Error> {
        let shared = self.kernel.lock().expect("no test panics with it");
        // A kernel without arguments cannot be launched.
        let kernel = if self.fresh { kernel(place()) } else { *shared };
        for (index, argument) in self.arguments.iter().flatten().enumerate() {
            ok!(zeKernelSetArgumentValue(kernel, index, 8, std::ptr::from_ref(argument)));
        }
        let groups = [1_u32; 3];
        check(
            "zeCommandListAppendLaunchKernel",
            Some(ze!(zeCommandListAppendLaunchKernel(list, kernel, &raw const groups, 0, 0, 0))),
        )
    }
}

impl HwCommand for Logged {
    fn launch(&mut self, queue: &dyn HwQueue) -> Result<(), Error> {
        let queue = (queue as &dyn std::any::Any).downcast_ref::<ZeQueue>().expect("made for this");
        match queue.native {
            Native::List(list, turn) => turn.during(|| self.append(list)),
            Native::Queue(handle, ordinal) => {
                let (place, desc) = (place(), ListDesc::new(ordinal));
                let mut list = 0_usize;
                ok!(zeCommandListCreate(place.context, place.device, &raw const desc, &raw mut list));
                self.append(list)?;
                ok!(zeCommandListClose(list));
                check(
                    "zeCommandQueueExecuteCommandLists",
                    Some(ze!(zeCommandQueueExecuteCommandLists(handle, 1, &raw const list, 0))),
                )
            }
        }
    }
}

impl Subject for ZeSubject {
    fn queue(&self) -> Arc<dyn HwQueue> {
        self.queue.clone()
    }

    fn command(&self, id: u64, duration: Duration) -> Box<dyn HwCommand> {
        let log = self.log.as_ptr().expose_provenance() as u64;
        let micros = u64::try_from(duration.as_micros()).expect("a short time");
        Box::new(Logged { kernel: self.kernel.clone(), arguments: Some([log, id, micros]), fresh: false })
    }

    fn finished(&self) -> Vec<u64> {
        // SAFETY: the device writes here while this looks: numbers first, then their count.
        let at = |i: usize| unsafe { self.log.as_ptr().add(i).read_volatile() };
        (1..=at(0) as usize).map(at).collect()
    }

    fn failing_command(&self) -> Option<Box<dyn HwCommand>> {
        Some(Box::new(Logged { kernel: self.kernel.clone(), arguments: None, fresh: true }))
    }
}

#[test]
fn a_command_queue_keeps_every_rule() {
    assert_eq!(run_all(|| subject(false)), Ok(()));
}

#[test]
fn an_immediate_list_keeps_every_rule() {
    assert_eq!(run_all(|| subject(true)), Ok(()));
}

#[test]
fn the_key_of_the_simulated_device_is_its_pci_address() {
    // SAFETY: a device of the loader's.
    let key = unsafe { crate::device::key(driver(), place().device as Handle) };
    assert_eq!(key.as_str(), "pci:ffff:5a:00.0");
}

#[test]
fn marks_use_the_same_few_native_objects_again() {
    for is_list in [false, true] {
        let subject = subject(is_list);
        for id in 0..50 {
            subject.queue.launch(subject.command(id, Duration::ZERO).as_mut()).expect("a launch");
            subject.queue.mark().expect("a mark").wait().expect("the mark completes");
        }
        assert_eq!(subject.queue.signals.count(), 1);
        // Dropped before they are complete: they come back later.
        for _ in 0..3 {
            subject.queue.launch(subject.command(7, subject.unit()).as_mut()).expect("a launch");
            drop(subject.queue.mark().expect("a mark"));
        }
        subject.queue.synchronize().expect("it ends");
        let before = subject.queue.signals.count();
        // To synchronize may take a mark of its own.
        assert!(before <= 4, "{before}");
        subject.queue.mark().expect("a mark").wait().expect("the mark completes");
        assert_eq!(subject.queue.signals.count(), before);
    }
}
