//! Parts of buffers.

use crate::cl::{Mem, Nd, now};
use crate::line::{Line, Verdict};
use crate::work::{Env, Work, pattern, stepped};
use opencl_sys::{
    CL_DEVICE_MEM_BASE_ADDR_ALIGN, CL_MEM_ASSOCIATED_MEMOBJECT, CL_MEM_OFFSET, CL_MEM_READ_ONLY,
    CL_MEM_READ_WRITE, CL_MEM_SIZE, CL_MEM_WRITE_ONLY,
};

/// Where parts may begin, in bytes.
fn alignment(env: &Env) -> crate::cl::Result<usize> {
    Ok(env.device.info::<u32>(CL_DEVICE_MEM_BASE_ADDR_ALIGN)? as usize / 8)
}

pub(super) fn parts(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let unit = alignment(env)?;
    let data = pattern(unit * 4, 50);
    let whole = work.buffer_of(&data)?;
    let part = line.code("part", whole.sub_buffer(CL_MEM_READ_WRITE, unit, unit * 2))?;
    line.check("offset", part.info::<usize>(CL_MEM_OFFSET)? == unit);
    line.check("size", part.info::<usize>(CL_MEM_SIZE)? == unit * 2);
    let parent: *mut std::ffi::c_void = part.info(CL_MEM_ASSOCIATED_MEMOBJECT)?;
    line.check("parent", parent == whole.raw());
    let kernel = work.step(&part, 3, 4)?;
    line.code("launch", work.queue.launch(&kernel, Nd::one(unit / 2), now()))?;
    let mut expected = data;
    let changed = stepped(&expected[unit..unit * 3], 3, 4);
    expected[unit..unit * 3].copy_from_slice(&changed);
    work.put_buffer(line, "part-data", &part, &changed)?;
    work.put_buffer(line, "data", &whole, &expected)?;
    Ok(())
}

pub(super) fn overlapping(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let unit = alignment(env)?;
    let mut expected = pattern(unit * 4, 51);
    let whole = work.buffer_of(&expected)?;
    let left = line.code("left", whole.sub_buffer(CL_MEM_READ_WRITE, 0, unit * 3))?;
    let right = line.code("right", whole.sub_buffer(CL_MEM_READ_WRITE, unit, unit * 3))?;
    let (on_left, on_right) = (work.step(&left, 3, 1)?, work.step(&right, 5, 2)?);
    for _round in 0..10 {
        work.queue.launch(&on_left, Nd::one(unit * 3 / 4), now().quiet())?;
        let changed = stepped(&expected[..unit * 3], 3, 1);
        expected[..unit * 3].copy_from_slice(&changed);
        work.queue.launch(&on_right, Nd::one(unit * 3 / 4), now().quiet())?;
        let changed = stepped(&expected[unit..], 5, 2);
        expected[unit..].copy_from_slice(&changed);
    }
    work.put_buffer(line, "data", &whole, &expected)?;
    let _ = line.code("copy-overlap", work.queue.copy((&left, 0), (&right, 0), unit * 2, now()));
    Ok(())
}

pub(super) fn outlives_parent(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let unit = alignment(env)?;
    let data = pattern(unit * 4, 52);
    let whole = work.buffer_of(&data)?;
    let part = whole.sub_buffer(CL_MEM_READ_WRITE, unit, unit)?;
    let kernel = work.step(&part, 7, 7)?;
    line.code("launch", work.queue.launch(&kernel, Nd::one(unit / 4), now()))?;
    line.put("release-parent", whole.release());
    work.put_buffer(line, "data", &part, &stepped(&data[unit..unit * 2], 7, 7))?;
    Ok(())
}

pub(super) fn bad_creation(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let unit = alignment(env)?;
    let whole = work.buffer(unit * 4)?;
    let read_only = Mem::buffer(&work.context, CL_MEM_READ_ONLY, unit * 4, None)?;
    let _ = line.code("misaligned", whole.sub_buffer(CL_MEM_READ_WRITE, 1, unit));
    let _ = line.code("size-0", whole.sub_buffer(CL_MEM_READ_WRITE, 0, 0));
    let _ = line.code("outside", whole.sub_buffer(CL_MEM_READ_WRITE, unit * 3, unit * 2));
    let _ = line.code("more-access", read_only.sub_buffer(CL_MEM_WRITE_ONLY, 0, unit));
    let _ = line.code("null-buffer", Mem::null().sub_buffer(CL_MEM_READ_WRITE, 0, unit));
    let part = whole.sub_buffer(CL_MEM_READ_WRITE, 0, unit * 2)?;
    let _ = line.code("part-of-part", part.sub_buffer(CL_MEM_READ_WRITE, 0, unit));
    Ok(())
}
