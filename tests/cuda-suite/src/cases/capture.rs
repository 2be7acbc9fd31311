//! Stream capture: what is recorded, and what breaks it.

use crate::work::{Line, NON_BLOCKING, PER_THREAD, Work};
use cuda_suite::cu::{Handle, done};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, Ordering};

const GLOBAL: i32 = 0;
const RELAXED: i32 = 2;

/// Ends a capture; the graph with its number of nodes.
fn end(work: &Work, stream: Handle) -> Result<(Handle, usize), i32> {
    let (mut graph, mut nodes) = (null_mut(), 0);
    // SAFETY: places for the answers.
    unsafe {
        done((work.cu.cuStreamEndCapture)(stream, &raw mut graph))?;
        done((work.cu.cuGraphGetNodes)(graph, null_mut(), &raw mut nodes))?;
    }
    Ok((graph, nodes))
}

/// Launches a graph so often, and takes it away.
fn launch(work: &Work, graph: Handle, stream: Handle, times: usize) -> Result<(), i32> {
    let mut exec = null_mut();
    // SAFETY: a graph of this case.
    unsafe {
        done((work.cu.cuGraphInstantiateWithFlags)(&raw mut exec, graph, 0))?;
        for _ in 0..times {
            done((work.cu.cuGraphLaunch)(exec, stream))?;
        }
        work.sync(stream)?;
        done((work.cu.cuGraphExecDestroy)(exec))?;
        done((work.cu.cuGraphDestroy)(graph))
    }
}

fn begin(work: &Work, stream: Handle, mode: i32) -> Result<(), i32> {
    // SAFETY: a stream of this case.
    done(unsafe { (work.cu.cuStreamBeginCapture_v2)(stream, mode) })
}

pub(crate) fn relaxed(work: &Work) -> Line {
    let (data, stream) = (work.data(500)?, work.stream(NON_BLOCKING)?);
    begin(work, stream, RELAXED)?;
    for step in 0..10 {
        work.add(&data, step, stream)?;
        work.scale(&data, 3, stream)?;
    }
    let (graph, nodes) = end(work, stream)?;
    let before = data.hash()?;
    launch(work, graph, stream, 30)?;
    Ok(format!("nodes={nodes} before={before} after={}", data.hash()?))
}

/// While one thread captures in global mode, others launch, record events and wait for nothing.
pub(crate) fn global_beside_others(work: &Work) -> Line {
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let others: Vec<_> = (0..3)
            .map(|_| {
                // What may break a capture is done before.
                let made = work.data(200).and_then(|data| Ok((data, work.stream(NON_BLOCKING)? as usize)));
                let is_over = &is_over;
                scope.spawn(move || {
                    work.enter()?;
                    let (data, stream) = made?;
                    let mut steps = 0u32;
                    while !is_over.load(Ordering::Relaxed) || steps < 50 {
                        work.add(&data, 1, stream as Handle)?;
                        steps += 1;
                        std::thread::sleep(std::time::Duration::from_micros(200));
                    }
                    work.sync(stream as Handle)?;
                    // Every element has counted the launches.
                    let mut host = vec![0u32; 200];
                    // SAFETY: room for all of it.
                    done(unsafe { (work.cu.cuMemcpyDtoH_v2)(host.as_mut_ptr().cast(), data.address, 800) })?;
                    Ok(host.iter().all(|count| *count == steps))
                })
            })
            .collect();
        let (data, stream) = (work.data(500)?, work.stream(NON_BLOCKING)?);
        let mut sizes = Vec::new();
        let mut graphs = Vec::new();
        for _ in 0..10 {
            begin(work, stream, GLOBAL)?;
            for step in 0..20 {
                work.add(&data, step, stream)?;
                std::thread::sleep(std::time::Duration::from_micros(200));
            }
            let (graph, nodes) = end(work, stream)?;
            sizes.push(nodes);
            graphs.push(graph);
        }
        is_over.store(true, Ordering::Relaxed);
        let counted: Result<Vec<bool>, i32> =
            others.into_iter().map(|other| other.join().unwrap_or(Err(-1))).collect();
        let counted = counted?;
        for graph in graphs {
            launch(work, graph, stream, 2)?;
        }
        Ok(format!("nodes={sizes:?} counted={counted:?} data={}", data.hash()?))
    })
}

/// While one thread captures in global mode, another makes, waits for and destroys streams, and asks an event: what each call answers,
/// and what the capture has come to then.
pub(crate) fn global_what_others_may(work: &Work) -> Line {
    let (data, other) = (work.data(100)?, work.data(100)?);
    let (stream, side, event) = (work.stream(NON_BLOCKING)?, work.stream(NON_BLOCKING)?, work.event()?);
    // SAFETY: an event and a stream of this case.
    done(unsafe { (work.cu.cuEventRecord)(event, side) })?;
    work.sync(side)?;
    let (event, side) = (event as usize, side as usize);
    let calls: [(&str, &(dyn Fn() -> i32 + Sync)); 5] = [
        ("launch", &|| work.add(&other, 1, side as Handle).err().unwrap_or(0)),
        ("create", &|| {
            let mut made = null_mut();
            // SAFETY: a place for the answer, and a stream that nobody else knows; so below.
            unsafe {
                let create = (work.cu.cuStreamCreate)(&raw mut made, NON_BLOCKING);
                if create == 0 { (work.cu.cuStreamDestroy_v2)(made) } else { create }
            }
        }),
        // SAFETY: a stream of this case.
        ("wait", &|| unsafe { (work.cu.cuStreamSynchronize)(side as Handle) }),
        // SAFETY: an event and a stream of this case.
        ("record", &|| unsafe { (work.cu.cuEventRecord)(event as Handle, side as Handle) }),
        // SAFETY: as above.
        ("ask", &|| unsafe { (work.cu.cuStreamQuery)(side as Handle) }),
    ];
    let mut said = String::new();
    for (name, call) in calls {
        begin(work, stream, GLOBAL)?;
        work.add(&data, 1, stream)?;
        let code = std::thread::scope(|scope| {
            let thread = scope.spawn(|| work.enter().err().unwrap_or_else(call));
            thread.join().unwrap_or(-1)
        });
        let captured = end(work, stream);
        said += &format!("{name}={code} {:?} ", captured.map(|(_, nodes)| nodes));
        if let Ok((graph, _)) = captured {
            launch(work, graph, stream, 2)?;
        }
        work.sync(side as Handle)?;
    }
    Ok(format!("{said}data={} other={}", data.hash()?, other.hash()?))
}

pub(crate) fn fork_and_join(work: &Work) -> Line {
    let (data, other) = (work.data(500)?, work.data(500)?);
    let (stream, side) = (work.stream(NON_BLOCKING)?, work.stream(NON_BLOCKING)?);
    let (fork, join) = (work.event()?, work.event()?);
    // The side stream has launched before, so it is known.
    work.add(&other, 1, side)?;
    work.sync(side)?;
    begin(work, stream, RELAXED)?;
    work.add(&data, 2, stream)?;
    // SAFETY: events and streams of this case.
    unsafe {
        done((work.cu.cuEventRecord)(fork, stream))?;
        done((work.cu.cuStreamWaitEvent)(side, fork, 0))?;
    }
    work.add(&other, 3, side)?;
    work.scale(&other, 5, side)?;
    // SAFETY: as above.
    unsafe {
        done((work.cu.cuEventRecord)(join, side))?;
        done((work.cu.cuStreamWaitEvent)(stream, join, 0))?;
    }
    work.scale(&data, 7, stream)?;
    let (graph, nodes) = end(work, stream)?;
    launch(work, graph, stream, 10)?;
    work.add(&other, 1, side)?;
    work.sync(side)?;
    Ok(format!("nodes={nodes} data={} other={}", data.hash()?, other.hash()?))
}

pub(crate) fn per_thread(work: &Work) -> Line {
    let data = work.data(500)?;
    work.add(&data, 1, PER_THREAD)?;
    work.sync(PER_THREAD)?;
    begin(work, PER_THREAD, RELAXED)?;
    work.add(&data, 2, PER_THREAD)?;
    work.scale(&data, 3, PER_THREAD)?;
    let (graph, nodes) = end(work, PER_THREAD)?;
    launch(work, graph, PER_THREAD, 10)?;
    Ok(format!("nodes={nodes} data={}", data.hash()?))
}

/// A query of the capturing stream ends the capture, and all says so.
pub(crate) fn broken(work: &Work) -> Line {
    let (data, stream) = (work.data(100)?, work.stream(NON_BLOCKING)?);
    begin(work, stream, RELAXED)?;
    work.add(&data, 1, stream)?;
    // SAFETY: a stream of this case.
    let query = unsafe { (work.cu.cuStreamQuery)(stream) };
    let launch = work.add(&data, 1, stream).err();
    let end = end(work, stream).err();
    // The stream is an ordinary one again.
    work.add(&data, 4, stream)?;
    work.sync(stream)?;
    Ok(format!("query={query} launch={launch:?} end={end:?} data={}", data.hash()?))
}

/// A stream that is destroyed takes its capture along; others, and their captures, are as before.
pub(crate) fn destroyed(work: &Work) -> Line {
    let (data, stream) = (work.data(100)?, work.stream(NON_BLOCKING)?);
    begin(work, stream, RELAXED)?;
    work.add(&data, 1, stream)?;
    // SAFETY: a stream of this case.
    let destroy = unsafe { (work.cu.cuStreamDestroy_v2)(stream) };
    let next = work.stream(NON_BLOCKING)?;
    for _ in 0..20 {
        work.add(&data, 3, next)?;
    }
    work.sync(next)?;
    Ok(format!("destroy={destroy} data={}", data.hash()?))
}
