//! Every way to launch, on every kind of stream.

use crate::work::{LEGACY, Line, NON_BLOCKING, PER_THREAD, Work};
use cuda_suite::cu::{Handle, LaunchConfig, done, parameters};
use std::ptr::null;

pub(crate) fn made(work: &Work) -> Line {
    on(work, work.stream(NON_BLOCKING)?)
}

pub(crate) fn legacy(work: &Work) -> Line {
    on(work, LEGACY)
}

pub(crate) fn per_thread(work: &Work) -> Line {
    on(work, PER_THREAD)
}

fn on(work: &Work, stream: Handle) -> Line {
    let data = work.data(1000)?;
    for value in 0..50 {
        work.add(&data, value, stream)?;
    }
    work.sync(stream)?;
    let hash = data.hash()?;
    if stream as usize > 2 {
        // SAFETY: made by this case.
        done(unsafe { (work.cu.cuStreamDestroy_v2)(stream) })?;
    }
    Ok(format!("data={hash}"))
}

/// Null in a function of per-thread default streams.
pub(crate) fn ptsz_null(work: &Work) -> Line {
    let data = work.data(1000)?;
    let change = data.change(3);
    for _ in 0..20 {
        // SAFETY: the kernel's parameters; so below.
        done(unsafe {
            (work.cu.cuLaunchKernel_ptsz)(
                work.kernels.add,
                4,
                1,
                1,
                64,
                1,
                1,
                0,
                LEGACY,
                parameters(&change).as_ptr(),
                null(),
            )
        })?;
    }
    // SAFETY: as above.
    done(unsafe { (work.cu.cuStreamSynchronize_ptsz)(LEGACY) })?;
    let mut host = vec![0u32; 1000];
    // SAFETY: room for all of it.
    done(unsafe { (work.cu.cuMemcpyDtoH_v2_ptds)(host.as_mut_ptr().cast(), data.address, 4000) })?;
    Ok(format!("data={}", crate::work::hash(&host)))
}

pub(crate) fn ex(work: &Work) -> Line {
    let data = work.data(1000)?;
    let change = data.change(5);
    let mut said = String::new();
    for stream in [work.stream(NON_BLOCKING)?, LEGACY, PER_THREAD] {
        let config = LaunchConfig {
            grid: [4, 1, 1],
            block: [64, 1, 1],
            shared: 0,
            stream,
            attributes: null(),
            count: 0,
        };
        // SAFETY: the kernel's parameters.
        done(unsafe {
            (work.cu.cuLaunchKernelEx)(
                &raw const config,
                work.kernels.add,
                parameters(&change).as_ptr(),
                null(),
            )
        })?;
        work.sync(stream)?;
        said += &format!("{} ", data.hash()?);
    }
    Ok(said)
}

pub(crate) fn cooperative(work: &Work) -> Line {
    let (data, stream) = (work.data(500)?, work.stream(0)?);
    let change = data.change(2);
    // SAFETY: the kernel's parameters.
    done(unsafe {
        (work.cu.cuLaunchCooperativeKernel)(
            work.kernels.add,
            4,
            1,
            1,
            64,
            1,
            1,
            0,
            stream,
            parameters(&change).as_ptr(),
        )
    })?;
    work.sync(stream)?;
    Ok(format!("data={}", data.hash()?))
}

/// Eight threads, each with four streams of its own and its default stream.
pub(crate) fn many(work: &Work) -> Line {
    let parts = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8u32)
            .map(|thread| {
                scope.spawn(move || {
                    work.enter()?;
                    let mut streams = vec![PER_THREAD];
                    for _ in 0..4 {
                        streams.push(work.stream(NON_BLOCKING)?);
                    }
                    let data: Vec<_> = streams.iter().map(|_| work.data(300)).collect::<Result<_, _>>()?;
                    for step in 0..40 {
                        for (stream, data) in streams.iter().zip(&data) {
                            work.add(data, thread + step, *stream)?;
                            work.scale(data, 3, *stream)?;
                        }
                    }
                    for stream in &streams {
                        work.sync(*stream)?;
                    }
                    data.iter().map(|data| data.hash()).collect::<Result<Vec<_>, _>>()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or(Err(-1))).collect::<Result<Vec<_>, _>>()
    })?;
    let same = parts.iter().all(|hashes| hashes.iter().all(|hash| *hash == hashes[0]));
    Ok(format!("same={same} {}", parts.iter().map(|hashes| hashes[0].as_str()).collect::<Vec<_>>().join(" ")))
}
