//! How streams, threads, contexts and processes end, and what comes after.

use super::in_child;
use crate::work::{LEGACY, Line, NON_BLOCKING, PER_THREAD, Work};
use cuda_suite::cu::{Api, Handle, done};
use std::ptr::null_mut;

/// Streams come and go, and their handles come again.
pub(crate) fn handles_again(work: &Work) -> Line {
    let data = work.data(200)?;
    for round in 0..60 {
        let flags = if round % 2 == 0 { NON_BLOCKING } else { 0 };
        let streams = [work.stream(flags)?, work.stream(NON_BLOCKING)?];
        work.add(&data, round, streams[0])?;
        work.sync(streams[0])?;
        work.scale(&data, 3, streams[1])?;
        work.sync(streams[1])?;
        for stream in streams {
            // SAFETY: streams of this case.
            done(unsafe { (work.cu.cuStreamDestroy_v2)(stream) })?;
        }
    }
    Ok(format!("data={}", data.hash()?))
}

/// What was launched runs to its end although its stream is gone.
pub(crate) fn destroyed_at_work(work: &Work) -> Line {
    let data = work.data(200)?;
    for _ in 0..20 {
        let stream = work.stream(NON_BLOCKING)?;
        work.spin(200, stream)?;
        work.add(&data, 1, stream)?;
        // SAFETY: a stream of this case; so below.
        unsafe {
            done((work.cu.cuStreamDestroy_v2)(stream))?;
            done((work.cu.cuCtxSynchronize)())?;
        }
        work.scale(&data, 3, LEGACY)?;
        work.sync(LEGACY)?;
    }
    Ok(format!("data={}", data.hash()?))
}

/// The same for threads with their default streams.
pub(crate) fn threads_end(work: &Work) -> Line {
    let data = work.data(200)?;
    for _ in 0..10 {
        let ended = std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                work.enter()?;
                work.spin(500, PER_THREAD)?;
                work.add(&data, 1, PER_THREAD)
            });
            thread.join().unwrap_or(Err(-1))
        });
        ended?;
        // SAFETY: no arguments.
        done(unsafe { (work.cu.cuCtxSynchronize)() })?;
        work.scale(&data, 3, LEGACY)?;
    }
    Ok(format!("data={}", data.hash()?))
}

pub(crate) fn second_context(work: &Work) -> Line {
    let mut said = String::new();
    for _ in 0..3 {
        let mut context = null_mut();
        // SAFETY: a place for the answer; the context is used until it is destroyed; so below.
        done(unsafe { (work.cu.cuCtxCreate_v2)(&raw mut context, 0, 0) })?;
        let second = Work { cu: work.cu, context: context as usize, kernels: work.cu.kernels()? };
        let data = second.data(300)?;
        let stream = second.stream(0)?;
        for step in 0..20 {
            second.add(&data, step, stream)?;
            second.scale(&data, 3, LEGACY)?;
            second.add(&data, 1, PER_THREAD)?;
            // Only the legacy stream orders the other two; without this, the next step races with what the thread's own stream does.
            second.scale(&data, 1, LEGACY)?;
        }
        second.sync(LEGACY)?;
        said += &format!("{} ", data.hash()?);
        drop(data);
        second.spin(300, stream)?;
        // SAFETY: as above.
        done(unsafe { (work.cu.cuCtxDestroy_v2)(context) })?;
        work.enter()?;
        let own = work.data(100)?;
        work.add(&own, 9, LEGACY)?;
        said += &format!("{} ", own.hash()?);
    }
    Ok(said)
}

pub(crate) fn primary_reset(_: &Work) -> Line {
    in_child("reset")
}

pub(crate) fn reset_child(work: &Work) -> Line {
    let mut said = String::new();
    let mut work = *work;
    for _ in 0..3 {
        let stream = work.stream(NON_BLOCKING)?;
        let data = work.data(100)?;
        work.add(&data, 4, stream)?;
        work.sync(stream)?;
        said += &format!("{} ", data.hash()?);
        work.spin(200, stream)?;
        std::mem::forget(data);
        // SAFETY: nothing of the context is used afterwards.
        done(unsafe { (work.cu.cuDevicePrimaryCtxReset_v2)(0) })?;
        work = Work::new(work.cu)?;
    }
    Ok(said)
}

pub(crate) fn fork_before_init(_: &Work) -> Line {
    in_child("fork-before-init")
}

/// Parent and child each begin on their own.
pub(crate) fn fork_before_init_child(cu: Api) -> Line {
    let compute = || {
        let work = Work::new(cu)?;
        let data = work.data(100)?;
        work.add(&data, 6, LEGACY)?;
        data.hash()
    };
    let (status, _) = in_fork(|| i32::from(compute().is_err()));
    Ok(format!("child={status} parent={}", compute()?))
}

pub(crate) fn fork_after_init(_: &Work) -> Line {
    in_child("fork-after-init")
}

/// The child of a process that has used CUDA may only leave; the parent goes on.
pub(crate) fn fork_after_init_child(work: &Work) -> Line {
    let (data, stream) = (work.data(100)?, work.stream(0)?);
    for _ in 0..5 {
        work.spin(300, stream)?;
        work.add(&data, 6, stream)?;
        let (status, _) = in_fork(|| 0);
        if status != 0 {
            return Ok(format!("child={status}"));
        }
    }
    work.sync(stream)?;
    Ok(format!("child=0 parent={}", data.hash()?))
}

/// Runs `child` in a fork and waits for it.
fn in_fork(child: impl FnOnce() -> i32) -> (i32, Handle) {
    // SAFETY: the child calls what it is given, and leaves; an alarm ends it if it hangs.
    unsafe {
        let pid = libc::fork();
        if pid == 0 {
            libc::alarm(30);
            libc::_exit(child());
        }
        let mut status = -1;
        libc::waitpid(pid, &raw mut status, 0);
        (status, null_mut())
    }
}
