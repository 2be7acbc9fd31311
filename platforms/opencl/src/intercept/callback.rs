//! Callbacks of the program's: they run on a vendor's thread, or inside a vendor's call, so nothing in them may wait at a gate.
//!
//! Each is wrapped: the vendor gets our function with a box that holds the program's function and user data, and the box is freed when
//! the callback is called, which the vendor does once. If the call that registers it fails, it is never called, and the box
//! is freed at once.

use super::submit::{Call, submit};
use crate::driver::{CL_SUCCESS, Handle};
use std::ffi::{c_char, c_int, c_void};
use xsched_runtime::in_callback;
use xsched_runtime::intercept::Real;

type User = *mut c_void;

/// The program's callback with its user data.
struct Wrapped<F> {
    callback: F,
    user: User,
}

impl<F> Wrapped<F> {
    /// The box as user data of ours.
    fn boxed(callback: F, user: User) -> User {
        Box::into_raw(Box::new(Wrapped { callback, user })).cast()
    }

    /// # Safety
    /// `user` came from `boxed` with the same `F`, and is not used again.
    unsafe fn unboxed(user: User) -> Wrapped<F> {
        // SAFETY: by the caller.
        *unsafe { Box::from_raw(user.cast::<Wrapped<F>>()) }
    }
}

type OnObject = unsafe extern "C" fn(Handle, User);
type OnEvent = unsafe extern "C" fn(Handle, c_int, User);
type OnFree = unsafe extern "C" fn(Handle, u32, *mut *mut c_void, User);

unsafe extern "C" fn on_object(object: Handle, user: User) {
    // SAFETY: registered below with this type; the vendor calls once, with what the program's function expects. So below.
    let it = unsafe { Wrapped::<OnObject>::unboxed(user) };
    // SAFETY: as above.
    in_callback(|| unsafe { (it.callback)(object, it.user) });
}

unsafe extern "C" fn on_event(event: Handle, status: c_int, user: User) {
    // SAFETY: as above.
    let it = unsafe { Wrapped::<OnEvent>::unboxed(user) };
    // SAFETY: as above.
    in_callback(|| unsafe { (it.callback)(event, status, it.user) });
}

unsafe extern "C" fn on_free(queue: Handle, count: u32, pointers: *mut *mut c_void, user: User) {
    // SAFETY: as above.
    let it = unsafe { Wrapped::<OnFree>::unboxed(user) };
    // SAFETY: as above.
    in_callback(|| unsafe { (it.callback)(queue, count, pointers, it.user) });
}

/// Calls with the wrapped callback in the place of the program's; a callback of null stays null.
fn wrap<F: Copy>(
    callback: Option<F>,
    ours: F,
    user: User,
    call: impl FnOnce(Option<F>, User) -> c_int,
) -> c_int {
    let Some(callback) = callback else { return call(None, user) };
    let boxed = Wrapped::boxed(callback, user);
    let result = call(Some(ours), boxed);
    if result != CL_SUCCESS {
        // SAFETY: a callback whose registration failed is never called.
        let _ = unsafe { Wrapped::<F>::unboxed(boxed) };
    }
    result
}

/// Handlers of functions that take a callback and its user data; the words between and around them are forwarded.
macro_rules! handlers {
    ($($name:ident($($before:ident: $before_ty:ty),*; $callback:ty = $ours:ident; $($after:ident: $after_ty:ty),*), $real:ident;)*) => { $(
        pub(crate) static $real: Real = Real::new();

        pub(crate) unsafe extern "C" fn $name($($before: $before_ty,)* callback: Option<$callback>, user: User $(, $after: $after_ty)*) -> c_int {
            type F = unsafe extern "C" fn($($before_ty,)* Option<$callback>, User $(, $after_ty)*) -> c_int;
            // SAFETY: the vendor's function of that signature (CL/cl.h).
            let real = unsafe { std::mem::transmute::<Handle, F>($real.address()) };
            // SAFETY: the program's arguments, the callback wrapped.
            wrap(callback, $ours, user, |callback, user| unsafe { real($($before,)* callback, user $(, $after)*) })
        }
    )* };
}

handlers! {
    set_event(event: Handle, kind: c_int; OnEvent = on_event; ), SET_EVENT;
    set_mem_destructor(object: Handle; OnObject = on_object; ), SET_MEM_DESTRUCTOR;
    set_context_destructor(context: Handle; OnObject = on_object; ), SET_CONTEXT_DESTRUCTOR;
    set_program_release(program: Handle; OnObject = on_object; ), SET_PROGRAM_RELEASE;
}

pub(crate) static BUILD: Real = Real::new();
pub(crate) static COMPILE: Real = Real::new();

type Build = unsafe extern "C" fn(Handle, u32, *const Handle, *const c_char, Option<OnObject>, User) -> c_int;
type Compile = unsafe extern "C" fn(
    Handle,
    u32,
    *const Handle,
    *const c_char,
    u32,
    *const Handle,
    *const *const c_char,
    Option<OnObject>,
    User,
) -> c_int;

/// `clBuildProgram`. The vendor may call back before it returns an error of the *build*, so the box is given up, not freed, then.
pub(crate) unsafe extern "C" fn build(
    program: Handle,
    count: u32,
    devices: *const Handle,
    options: *const c_char,
    callback: Option<OnObject>,
    user: User,
) -> c_int {
    // SAFETY: the vendor's function of that name.
    let real = unsafe { std::mem::transmute::<Handle, Build>(BUILD.address()) };
    let (ours, user) = notify(callback, user);
    // SAFETY: the program's arguments, the callback wrapped.
    unsafe { real(program, count, devices, options, ours, user) }
}

/// `clCompileProgram`, likewise.
pub(crate) unsafe extern "C" fn compile(
    program: Handle,
    count: u32,
    devices: *const Handle,
    options: *const c_char,
    headers: u32,
    header_programs: *const Handle,
    names: *const *const c_char,
    callback: Option<OnObject>,
    user: User,
) -> c_int {
    // SAFETY: the vendor's function of that name.
    let real = unsafe { std::mem::transmute::<Handle, Compile>(COMPILE.address()) };
    let (ours, user) = notify(callback, user);
    // SAFETY: the program's arguments, the callback wrapped.
    unsafe { real(program, count, devices, options, headers, header_programs, names, ours, user) }
}

fn notify(callback: Option<OnObject>, user: User) -> (Option<OnObject>, User) {
    match callback {
        None => (None, user),
        Some(callback) => (Some(on_object), Wrapped::boxed(callback, user)),
    }
}

/// Handlers of `clEnqueueSVMFree` and its ARM twin: a command with a callback.
macro_rules! svm_free {
    ($($name:ident, $real:ident;)*) => { $(
        pub(crate) static $real: Real = Real::new();

        pub(crate) unsafe extern "C" fn $name(
            queue: usize, count: usize, pointers: usize, callback: Option<OnFree>, user: User, waits: usize, wait_list: usize, event: usize,
        ) -> usize {
            type F = unsafe extern "C" fn(usize, usize, usize, Option<OnFree>, User, usize, usize, usize) -> usize;
            let info = Call { queue, blocking: 0, event, error: None };
            let result = wrap(callback, on_free, user, |callback, user| {
                // SAFETY: the vendor's function of that signature, with the program's arguments, the callback wrapped.
                (unsafe {
                    submit(&$real, info, |real| {
                        std::mem::transmute::<usize, F>(real)(queue, count, pointers, callback, user, waits, wait_list, event)
                    })
                }) as c_int
            });
            result as usize
        }
    )* };
}

svm_free! {
    svm_free, SVM_FREE;
    svm_free_arm, SVM_FREE_ARM;
}
