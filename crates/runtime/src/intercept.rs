//! What a platform's handlers are made of: rows, real functions, and the filling of a stand-in's table.
//!
//! A platform has one table, made by [`rows!`](crate::rows): a row for each function that reaches a queue and for each from which we learn that
//! commands are done. A row says how the function is handled, or why it is not. A handler is handed out only when its real function
//! is known. Functions without a row go to the real library untouched.

use crate::library::Library;
use std::ffi::{CStr, c_void};
use std::sync::atomic::{AtomicPtr, Ordering};

/// The real function behind a handler.
#[derive(Debug)]
pub struct Real(AtomicPtr<c_void>);

impl Real {
    /// Not known yet, for a `static`.
    pub const fn new() -> Real {
        Real(AtomicPtr::new(std::ptr::null_mut()))
    }

    /// The address; a handler is handed out only after it is known.
    #[inline]
    pub fn address(&self) -> *mut c_void {
        self.0.load(Ordering::Relaxed)
    }

    /// Makes it known.
    pub fn set(&self, address: *mut c_void) {
        self.0.store(address, Ordering::Release);
    }

    /// Whether this is, or now has become, the real function at that address.
    pub fn stands_for(&self, address: *mut c_void) -> bool {
        match self.0.compare_exchange(std::ptr::null_mut(), address, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => true,
            Err(known) => known == address,
        }
    }
}

impl Default for Real {
    fn default() -> Real {
        Real::new()
    }
}

/// The address of a handler.
#[derive(Clone, Copy, Debug)]
pub struct Handler(pub *const c_void);

// SAFETY: the address of a function.
unsafe impl Sync for Handler {}

/// How a function is handled.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The function.
    pub name: &'static CStr,
    /// Our handlers, each for one real function of that name: the library's own first, then what it hands out by name. Empty: the
    /// real function is called directly.
    pub handlers: &'static [(Handler, &'static Real)],
    /// Why there is no handler.
    pub bypass: Option<&'static str>,
}

impl Row {
    /// Our handler for the function of this name that the vendor has at `address`; `None` if all are in use for others.
    pub fn handler_for(&self, address: *mut c_void) -> Option<*mut c_void> {
        self.handlers
            .iter()
            .find(|(_, real)| real.stands_for(address))
            .map(|(handler, _)| handler.0.cast_mut())
    }
}

/// Looks a function up.
pub fn find(rows: &'static [Row], name: &CStr) -> Option<&'static Row> {
    rows.iter().find(|row| row.name == name)
}

/// Our handler for what the real library has at `address`, under whichever name.
pub fn handler_at(rows: &'static [Row], address: *mut c_void) -> Option<*mut c_void> {
    let all = rows.iter().flat_map(|row| row.handlers);
    all.into_iter().find(|(_, real)| real.address() == address).map(|(handler, _)| handler.0.cast_mut())
}

/// The address of the real function at a place.
pub fn at(reals: &[Real], place: usize) -> *mut c_void {
    reals.get(place).map_or(std::ptr::null_mut(), Real::address)
}

/// Fills a stand-in's table: for each name our handler, or the real function itself. Slots of functions that the real library lacks stay
/// as they are.
///
/// # Safety
/// Each slot of `table` belongs to the function of that name, and the handlers in `rows` have the signatures of theirs.
pub unsafe fn fill(rows: &'static [Row], library: Library, table: &[(&CStr, &AtomicPtr<c_void>)]) {
    // Every handler finds its real function before the first handler can be called.
    for row in rows {
        if let (Some((_, real)), Some(address)) = (row.handlers.first(), library.function(row.name)) {
            real.set(address);
        }
    }
    for (name, slot) in table {
        let Some(real) = library.function(name) else { continue };
        let handler = find(rows, name).and_then(|row| row.handlers.first());
        slot.store(handler.map_or(real, |(handler, _)| handler.0.cast_mut()), Ordering::Release);
    }
}

/// Fills a stand-in's table with the real functions.
pub fn pass(library: Library, table: &[(&CStr, &AtomicPtr<c_void>)]) {
    // SAFETY: without rows there are no handlers.
    unsafe { fill(&[], library, table) };
}

/// A C string of an identifier.
#[macro_export]
macro_rules! c_name {
    ($name:ident) => {
        match ::std::ffi::CStr::from_bytes_with_nul(concat!(stringify!($name), "\0").as_bytes()) {
            Ok(name) => name,
            Err(_) => c"",
        }
    };
}

/// Declares `ROWS`, the table of a platform.
///
/// - `by path { name(arguments) => call; }`: plain commands, whose arguments are machine words (integers and pointers). Each gets a handler
///   that calls `path(&real, call, |real| …)`, with `call` an expression of the arguments and the closure forwarding them all.
/// - `handled { name => handler, REAL; }`: handlers of their own, for instance by [`handlers!`](crate::handlers).
/// - `placed { name => handler, REALS; }`: the same, by [`handlers!`](crate::handlers) with places.
/// - `bypass { "why": names; }`: functions that are the real ones.
///
/// `places [0 1 …]`: how many real functions of one name can be told apart, where plain commands and placed handlers are concerned.
#[macro_export]
macro_rules! rows {
    (
        places $places:tt;
        $(by $submit:path { $($name:ident($($arg:ident)*) => $call:expr;)* })*
        $(placed { $($placed:ident => $($function:ident)::+, $($reals:ident)::+;)* })?
        handled { $($special:ident => $handler:path, $real:path;)* }
        bypass { $($why:literal: $($free:ident)*;)* }
    ) => {
        $($(
            #[allow(non_snake_case)]
            mod $name {
                use super::*;

                pub(super) static REALS: [$crate::intercept::Real; $crate::rows!(@count $places)] =
                    [const { $crate::intercept::Real::new() }; $crate::rows!(@count $places)];

                pub(super) unsafe extern "C" fn handler<const PLACE: usize>($($arg: usize),*) -> usize {
                    let Some(real) = REALS.get(PLACE) else { return 0 };
                    // SAFETY: the real function of that name takes so many words; the program's own are passed on.
                    unsafe {
                        $submit(real, $call, |real| {
                            ::std::mem::transmute::<
                                usize,
                                unsafe extern "C" fn($($crate::rows!(@word $arg)),*) -> usize,
                            >(real)($($arg),*)
                        })
                    }
                }
            }
        )*)*

        /// Every row.
        pub(crate) static ROWS: &[$crate::intercept::Row] = &[
            $($($crate::intercept::Row {
                name: $crate::c_name!($name),
                handlers: $crate::rows!(@handlers $name $places),
                bypass: None,
            },)*)*
            $($($crate::intercept::Row {
                name: $crate::c_name!($placed),
                handlers: $crate::rows!(@placed [$($function)::+] [$($reals)::+] $places),
                bypass: None,
            },)*)?
            $($crate::intercept::Row {
                name: $crate::c_name!($special),
                handlers: &[($crate::intercept::Handler($handler as *const ::std::ffi::c_void), &$real)],
                bypass: None,
            },)*
            $($($crate::intercept::Row { name: $crate::c_name!($free), handlers: &[], bypass: Some($why) },)*)*
        ];
    };
    (@word $arg:ident) => { usize };
    (@count [$($place:literal)*]) => { [$($place),*].len() };
    (@handlers $name:ident [$($place:literal)*]) => {
        &[$((
            $crate::intercept::Handler($name::handler::<$place> as *const ::std::ffi::c_void),
            &$name::REALS[$place],
        )),*]
    };
    (@placed $function:tt $reals:tt [$($place:literal)*]) => {
        &[$((
            $crate::intercept::Handler($crate::rows!(@at $function $place) as *const ::std::ffi::c_void),
            $crate::rows!(@real $reals $place),
        )),*]
    };
    (@at [$($function:tt)*] $place:literal) => { $($function)*::<$place> };
    (@real [$($reals:tt)*] $place:literal) => { &$($reals)*[$place] };
}

/// Declares handlers that call their real function by its own type: `name(arguments) -> result, REAL => body;`. The body is a closure that
/// gets the real call, and the arguments. Calls that the vendor's library itself makes go straight to the real function.
///
/// With `places N;` in front, each handler is generic over its place and `REAL` is an array: for functions that the vendor has at more
/// addresses than one.
#[macro_export]
macro_rules! handlers {
    (places $places:expr; $($(#[$doc:meta])* $name:ident($($arg:ident: $ty:ty),*) -> $ret:ty, $real:ident => $body:expr;)*) => { $(
        pub(crate) static $real: [$crate::intercept::Real; $places] = [const { $crate::intercept::Real::new() }; $places];

        $(#[$doc])*
        pub(crate) unsafe extern "C" fn $name<const PLACE: usize>($($arg: $ty),*) -> $ret {
            let call = || {
                let real = $crate::intercept::at(&$real, PLACE);
                // SAFETY: the vendor's function of that signature, with the program's own arguments.
                unsafe {
                    ::std::mem::transmute::<*mut ::std::ffi::c_void, unsafe extern "C" fn($($ty),*) -> $ret>(real)($($arg),*)
                }
            };
            let body: fn(&dyn Fn() -> $ret, $($ty),*) -> $ret = $body;
            if $crate::is_nested() { call() } else { body(&call, $($arg),*) }
        }
    )* };
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $ty:ty),*) -> $ret:ty, $real:ident => $body:expr;)*) => { $(
        pub(crate) static $real: $crate::intercept::Real = $crate::intercept::Real::new();

        $(#[$doc])*
        pub(crate) unsafe extern "C" fn $name($($arg: $ty),*) -> $ret {
            let call = || {
                let real = $real.address();
                // SAFETY: the vendor's function of that signature, with the program's own arguments.
                unsafe {
                    ::std::mem::transmute::<*mut ::std::ffi::c_void, unsafe extern "C" fn($($ty),*) -> $ret>(real)($($arg),*)
                }
            };
            let body: fn(&dyn Fn() -> $ret, $($ty),*) -> $ret = $body;
            if $crate::is_nested() { call() } else { body(&call, $($arg),*) }
        }
    )* };
}
