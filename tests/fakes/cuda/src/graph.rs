//! Graphs: what was captured, run one after the other.

use crate::engine::Work;
use crate::function::*;
use crate::stream::{HANDLES, find};
use std::collections::HashMap;
use std::ffi::c_int;
use std::sync::{Arc, LazyLock, Mutex};

/// Graphs and executable graphs.
static GRAPHS: LazyLock<Mutex<HashMap<usize, Vec<Work>>>> = LazyLock::new(Mutex::default);

/// A new graph's handle.
pub(crate) fn add(works: Vec<Work>) -> usize {
    let handle = HANDLES.take();
    GRAPHS.lock().unwrap().insert(handle, works);
    handle
}

fn works(graph: usize) -> Result<Vec<Work>, c_int> {
    GRAPHS.lock().unwrap().get(&graph).cloned().ok_or(CUDA_ERROR_INVALID_VALUE)
}

fn destroy(graph: usize) -> Outcome {
    GRAPHS.lock().unwrap().remove(&graph).ok_or(CUDA_ERROR_INVALID_VALUE)?;
    HANDLES.give(graph);
    Ok(())
}

functions! {
    plain {
        cuGraphInstantiateWithFlags(place: *mut usize, graph: usize, _flags: u64) { answer(place, add(works(graph)?)) }
        cuGraphDestroy(graph: usize) { destroy(graph) }
        cuGraphExecDestroy(graph: usize) { destroy(graph) }
        cuGraphGetNodes(graph: usize, _nodes: usize, count: *mut usize) { answer(count, works(graph)?.len()) }
    }
    twins {
        cuGraphLaunch | cuGraphLaunch_ptsz (null; graph: usize, stream: usize) {
            let works = works(graph)?;
            let stream = find(null, stream)?;
            stream.submit(Arc::new(move || works.iter().for_each(|work| work()))).map(drop)
        }
    }
}
