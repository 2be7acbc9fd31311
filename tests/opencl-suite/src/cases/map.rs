//! Mapping buffers and images.

use super::{BLOCKING, NON_BLOCKING, need_images};
use crate::cl::{Bytes, Image, after, now};
use crate::line::{Line, Verdict};
use crate::work::{Env, Work, pattern, range, stepped};
use opencl_sys::{
    CL_MAP_READ, CL_MAP_WRITE, CL_MAP_WRITE_INVALIDATE_REGION, CL_MEM_MAP_COUNT, CL_MEM_READ_WRITE,
};

pub(super) fn blocking(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let data = pattern(4096, 30);
    let buffer = work.buffer_of(&data)?;
    let mapped = work.queue.map(&buffer, BLOCKING, CL_MAP_READ | CL_MAP_WRITE, 0, 4096, now());
    let (view, event) = line.code("map", mapped)?;
    line.status("map-status", event.status());
    line.data("read", view, &data);
    line.value("maps", buffer.info::<u32>(CL_MEM_MAP_COUNT));
    view.set(100, &[1, 2, 3, 4]);
    let unmapped = line.code("unmap", work.queue.unmap(&buffer, view, now()))?;
    line.put("wait", unmapped.wait());
    let mut expected = data;
    expected[100..104].copy_from_slice(&[1, 2, 3, 4]);
    work.put_buffer(line, "data", &buffer, &expected)?;
    Ok(())
}

pub(super) fn non_blocking(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let data = pattern(4096, 31);
    let buffer = work.buffer_of(&data)?;
    let kernel = work.step(&buffer, 3, 5)?;
    let first = work.queue.launch(&kernel, range(), now())?;
    let mapped = work.queue.map(&buffer, NON_BLOCKING, CL_MAP_READ | CL_MAP_WRITE, 0, 4096, after(&[&first]));
    let (view, event) = line.code("map", mapped)?;
    line.put("wait", event.wait());
    let once = stepped(&data, 3, 5);
    line.data("read", view, &once);
    view.set(0, &data[..64]);
    line.code("unmap", work.queue.unmap(&buffer, view, now().quiet()))?;
    work.queue.launch(&kernel, range(), now().quiet())?;
    let mut expected = once;
    expected[..64].copy_from_slice(&data[..64]);
    work.put_buffer(line, "data", &buffer, &stepped(&expected, 3, 5))?;
    Ok(())
}

pub(super) fn invalidate(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let (before, written) = (pattern(4096, 32), pattern(1024, 33));
    let buffer = work.buffer_of(&before)?;
    let flags = CL_MAP_WRITE_INVALIDATE_REGION;
    let (view, _event) = line.code("map", work.queue.map(&buffer, BLOCKING, flags, 1024, 1024, now()))?;
    view.set(0, &written);
    line.code("unmap", work.queue.unmap(&buffer, view, now()))?;
    let mut expected = before;
    expected[1024..2048].copy_from_slice(&written);
    work.put_buffer(line, "data", &buffer, &expected)?;
    Ok(())
}

pub(super) fn several_at_once(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let data = pattern(4096, 34);
    let buffer = work.buffer_of(&data)?;
    let mut views = Vec::new();
    for (offset, size) in [(0, 2048), (1024, 2048), (3072, 1024)] {
        let mapped = work.queue.map(&buffer, BLOCKING, CL_MAP_READ, offset, size, now());
        let (view, _event) = line.code("map", mapped)?;
        line.data("read", view, &data[offset..offset + size]);
        views.push(view);
    }
    line.value("maps", buffer.info::<u32>(CL_MEM_MAP_COUNT));
    for view in views {
        let event = line.code("unmap", work.queue.unmap(&buffer, view, now()))?;
        line.put("wait", event.wait());
    }
    line.put("finish", work.queue.finish());
    line.value("maps", buffer.info::<u32>(CL_MEM_MAP_COUNT));
    Ok(())
}

pub(super) fn loop_of_maps(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let mut expected = pattern(4096, 35);
    let buffer = work.buffer_of(&expected)?;
    let kernel = work.step(&buffer, 7, 11)?;
    for round in 0_u8..20 {
        work.queue.launch(&kernel, range(), now().quiet())?;
        let (view, _event) =
            work.queue.map(&buffer, BLOCKING, CL_MAP_READ | CL_MAP_WRITE, 0, 4096, now().quiet())?;
        view.set(usize::from(round) * 16, &[round; 16]);
        work.queue.unmap(&buffer, view, now().quiet())?;
        expected = stepped(&expected, 7, 11);
        expected[usize::from(round) * 16..][..16].fill(round);
    }
    work.put_buffer(line, "data", &buffer, &expected)?;
    Ok(())
}

pub(super) fn image(env: &Env, line: &mut Line) -> Verdict {
    need_images(env)?;
    let work = Work::new(env)?;
    let shape = Image::flat(32, 16);
    let data = pattern(shape.bytes(), 36);
    let image = shape.make(&work.context, CL_MEM_READ_WRITE, None)?;
    work.queue.write_image(&image, BLOCKING, [0; 3], shape.size, Some(Bytes::from(&data)), now().quiet())?;
    for blocking in [BLOCKING, NON_BLOCKING] {
        let flags = CL_MAP_READ | CL_MAP_WRITE;
        let mapped = work.queue.map_image(&image, blocking, flags, [4, 2, 0], [8, 4, 1], now());
        let (view, pitch, event) = line.code(if blocking { "map" } else { "map-later" }, mapped)?;
        line.put("wait", event.wait());
        let rows: Vec<u8> = (0..4).flat_map(|row| view.skip(row * pitch).get()[..32].to_vec()).collect();
        let expected: Vec<u8> =
            (2..6).flat_map(|row| data[row * 128 + 16..row * 128 + 48].to_vec()).collect();
        line.data("rows", Bytes::from(&rows), &expected);
        let unmapped = line.code("unmap", work.queue.unmap(&image, view, now()))?;
        line.put("wait", unmapped.wait());
    }
    Ok(())
}

pub(super) fn image_write(env: &Env, line: &mut Line) -> Verdict {
    need_images(env)?;
    let work = Work::new(env)?;
    let shape = Image::flat(16, 8);
    let mut expected = pattern(shape.bytes(), 37);
    let image = shape.make(&work.context, CL_MEM_READ_WRITE, None)?;
    let from = Some(Bytes::from(&expected));
    work.queue.write_image(&image, BLOCKING, [0; 3], shape.size, from, now().quiet())?;
    let flags = CL_MAP_WRITE_INVALIDATE_REGION;
    let mapped = work.queue.map_image(&image, BLOCKING, flags, [0, 3, 0], [16, 2, 1], now());
    let (view, pitch, _event) = line.code("map", mapped)?;
    for row in 0..2 {
        view.set(row * pitch, &[row as u8 + 1; 64]);
        expected[(row + 3) * 64..][..64].fill(row as u8 + 1);
    }
    line.code("unmap", work.queue.unmap(&image, view, now().quiet()))?;
    let to = Bytes::new(shape.bytes());
    line.code("read", work.queue.read_image(&image, BLOCKING, [0; 3], shape.size, Some(to), now()))?;
    line.data("data", to, &expected);
    Ok(())
}

pub(super) fn bad_arguments(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let buffer = work.buffer(4096)?;
    for (key, flags, offset, size) in [
        ("no-size", CL_MAP_READ, 0, 0),
        ("outside", CL_MAP_READ, 4000, 200),
        ("far-outside", CL_MAP_READ, 1 << 40, 4),
        ("unknown-flag", 1 << 20, 0, 64),
        ("write-and-invalidate", CL_MAP_WRITE | CL_MAP_WRITE_INVALIDATE_REGION, 0, 64),
    ] {
        let _ = line.code(key, work.queue.map(&buffer, BLOCKING, flags, offset, size, now()));
    }
    let null = crate::cl::Mem::null();
    let _ = line.code("map-null", work.queue.map(&null, BLOCKING, CL_MAP_READ, 0, 4, now()));
    let nothing = Bytes::view(std::ptr::null_mut(), 0);
    let _ = line.code("unmap-never-mapped", work.queue.unmap(&buffer, Bytes::new(64), now()));
    let _ = line.code("unmap-null-pointer", work.queue.unmap(&buffer, nothing, now()));
    let _ = line.code("unmap-null", work.queue.unmap(&null, Bytes::new(64), now()));
    Ok(())
}
