//! Rectangles in buffers.
//!
//! Deliberately missing: rectangles that end outside the buffer, which one driver accepts and follows.

use super::{BLOCKING, NON_BLOCKING};
use crate::cl::{Bytes, Mem, Rect, after, now};
use crate::line::{Line, Verdict};
use crate::work::{Env, Work, pattern};

/// Three slices of 16 rows of 64 bytes: the layout of all memory here.
const ROW: usize = 64;
const SLICE: usize = 16 * ROW;
const SIZE: usize = 3 * SLICE;

/// A box of 20 × 5 × 2 bytes, at different places in the two memories.
const PART: Rect = Rect {
    buffer_origin: [4, 3, 1],
    host_origin: [8, 1, 0],
    region: [20, 5, 2],
    buffer_pitch: [ROW, SLICE],
    host_pitch: [ROW, SLICE],
};

/// What the processor makes of `to` when the box is copied.
fn copied(from: &[u8], from_at: [usize; 3], to: &[u8], to_at: [usize; 3], region: [usize; 3]) -> Vec<u8> {
    let place =
        |at: [usize; 3], row: usize, slice: usize| (at[2] + slice) * SLICE + (at[1] + row) * ROW + at[0];
    let mut result = to.to_vec();
    for slice in 0..region[2] {
        for row in 0..region[1] {
            let (source, target) = (place(from_at, row, slice), place(to_at, row, slice));
            result[target..target + region[0]].copy_from_slice(&from[source..source + region[0]]);
        }
    }
    result
}

pub(super) fn blocking(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let (inside, outside) = (pattern(SIZE, 20), pattern(SIZE, 21));
    let buffer = work.buffer_of(&inside)?;
    let written = work.queue.write_rect(&buffer, BLOCKING, &PART, Bytes::from(&outside), now());
    let written = line.code("write", written)?;
    line.put("wait", written.wait());
    let now_inside = copied(&outside, PART.host_origin, &inside, PART.buffer_origin, PART.region);
    work.put_buffer(line, "buffer", &buffer, &now_inside)?;
    let to = Bytes::from(&outside);
    let moved = Rect { host_origin: [0, 9, 1], ..PART };
    line.code("read", work.queue.read_rect(&buffer, BLOCKING, &moved, to, now()))?;
    let expected = copied(&now_inside, moved.buffer_origin, &outside, moved.host_origin, moved.region);
    line.data("host", to, &expected);
    Ok(())
}

pub(super) fn non_blocking(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let (inside, outside) = (pattern(SIZE, 22), pattern(SIZE, 23));
    let buffer = work.buffer_of(&inside)?;
    let to = Bytes::new(SIZE);
    let from = Bytes::from(&outside);
    let written = line.code("write", work.queue.write_rect(&buffer, NON_BLOCKING, &PART, from, now()))?;
    let order = after(&[&written]);
    let read = line.code("read", work.queue.read_rect(&buffer, NON_BLOCKING, &PART, to, order))?;
    line.put("wait", read.wait());
    line.status("status", read.status());
    let expected = copied(&outside, PART.host_origin, &vec![0; SIZE], PART.host_origin, PART.region);
    line.data("host", to, &expected);
    Ok(())
}

pub(super) fn copy(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let (source, target) = (pattern(SIZE, 24), pattern(SIZE, 25));
    let (from, to) = (work.buffer_of(&source)?, work.buffer_of(&target)?);
    let copied_between = line.code("copy", work.queue.copy_rect(&from, &to, &PART, now()))?;
    line.put("wait", copied_between.wait());
    let first = copied(&source, PART.buffer_origin, &target, PART.host_origin, PART.region);
    work.put_buffer(line, "data", &to, &first)?;
    let within = Rect { buffer_origin: [0, 0, 0], host_origin: [32, 8, 1], ..PART };
    line.code("within", work.queue.copy_rect(&to, &to, &within, now()))?;
    let second = copied(&first, within.buffer_origin, &first, within.host_origin, within.region);
    work.put_buffer(line, "data", &to, &second)?;
    let overlap = Rect { buffer_origin: [0, 0, 0], host_origin: [4, 1, 0], ..PART };
    let _ = line.code("overlap", work.queue.copy_rect(&to, &to, &overlap, now()));
    Ok(())
}

pub(super) fn packed(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let data = pattern(SIZE, 26);
    let (buffer, to) = (work.buffer_of(&data)?, Bytes::new(24));
    let rect = Rect {
        buffer_origin: [1, 2, 0],
        host_origin: [0; 3],
        region: [8, 3, 1],
        buffer_pitch: [ROW, 0],
        host_pitch: [0, 0],
    };
    line.code("read", work.queue.read_rect(&buffer, BLOCKING, &rect, to, now()))?;
    let expected: Vec<u8> = (2..5).flat_map(|row| data[row * ROW + 1..row * ROW + 9].to_vec()).collect();
    line.data("data", to, &expected);
    Ok(())
}

pub(super) fn bad_arguments(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let (buffer, host) = (work.buffer(SIZE)?, Bytes::new(SIZE));
    for (key, rect) in [
        ("empty", Rect { region: [0, 1, 1], ..PART }),
        ("row-too-short", Rect { buffer_pitch: [8, SLICE], ..PART }),
        ("slice-too-short", Rect { buffer_pitch: [ROW, ROW], ..PART }),
        ("host-row-too-short", Rect { host_pitch: [8, SLICE], ..PART }),
    ] {
        let _ =
            line.code(&format!("read-{key}"), work.queue.read_rect(&buffer, BLOCKING, &rect, host, now()));
        let _ =
            line.code(&format!("write-{key}"), work.queue.write_rect(&buffer, BLOCKING, &rect, host, now()));
        let other = work.buffer(SIZE)?;
        let _ = line.code(&format!("copy-{key}"), work.queue.copy_rect(&buffer, &other, &rect, now()));
    }
    let _ = line.code("null-buffer", work.queue.read_rect(&Mem::null(), BLOCKING, &PART, host, now()));
    Ok(())
}
