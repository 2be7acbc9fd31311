//! Images: write, read, copy, fill, to and from buffers, in kernels.

use super::{BLOCKING, NON_BLOCKING, need_images};
use crate::cl::{Bytes, Image, Mem, Nd, Sampler, after, now};
use crate::line::{Line, Verdict};
use crate::work::{Env, Work, pattern};
use opencl_sys::{
    CL_ADDRESS_CLAMP_TO_EDGE, CL_FILTER_NEAREST, CL_IMAGE_ELEMENT_SIZE, CL_IMAGE_HEIGHT, CL_IMAGE_WIDTH,
    CL_MEM_READ_WRITE,
};

/// An image with `data` in it.
fn image_of(work: &Work<'_>, shape: Image, data: &[u8]) -> crate::cl::Result<Mem> {
    let image = shape.make(&work.context, CL_MEM_READ_WRITE, None)?;
    work.queue.write_image(&image, BLOCKING, [0; 3], shape.size, Some(Bytes::from(data)), now().quiet())?;
    Ok(image)
}

/// Reads the whole image and puts its hash and whether it is right.
fn put_image(
    line: &mut Line,
    work: &Work<'_>,
    image: &Mem,
    shape: Image,
    expected: &[u8],
) -> crate::cl::Result<()> {
    let to = Bytes::new(shape.bytes());
    work.queue.read_image(image, BLOCKING, [0; 3], shape.size, Some(to), now().quiet())?;
    line.data("data", to, expected);
    Ok(())
}

/// Bytes of the pixels from `at` on in an image that is 16 pixels wide, for `size` pixels a row.
fn block(at: [usize; 2], size: [usize; 2]) -> impl Iterator<Item = std::ops::Range<usize>> {
    (at[1]..at[1] + size[1]).map(move |row| {
        let first = (row * 16 + at[0]) * Image::PIXEL;
        first..first + size[0] * Image::PIXEL
    })
}

pub(super) fn write_read(env: &Env, line: &mut Line) -> Verdict {
    need_images(env)?;
    let work = Work::new(env)?;
    let shape = Image::flat(16, 16);
    let data = pattern(shape.bytes(), 40);
    let image = line.code("make", shape.make(&work.context, CL_MEM_READ_WRITE, None))?;
    let (from, to) = (Some(Bytes::from(&data)), Bytes::new(shape.bytes()));
    let queue = &work.queue;
    let written =
        line.code("write", queue.write_image(&image, NON_BLOCKING, [0; 3], shape.size, from, now()))?;
    let order = after(&[&written]);
    let read =
        line.code("read", queue.read_image(&image, NON_BLOCKING, [0; 3], shape.size, Some(to), order))?;
    line.put("wait", read.wait());
    line.data("data", to, &data);
    let part = Bytes::new(3 * 2 * Image::PIXEL);
    line.code("read-part", queue.read_image(&image, BLOCKING, [5, 6, 0], [3, 2, 1], Some(part), now()))?;
    let expected: Vec<u8> = block([5, 6], [3, 2]).flat_map(|range| data[range].to_vec()).collect();
    line.data("part", part, &expected);
    for (key, parameter) in
        [("width", CL_IMAGE_WIDTH), ("height", CL_IMAGE_HEIGHT), ("pixel", CL_IMAGE_ELEMENT_SIZE)]
    {
        line.value(key, image.image_info(parameter));
    }
    Ok(())
}

pub(super) fn copy(env: &Env, line: &mut Line) -> Verdict {
    need_images(env)?;
    let work = Work::new(env)?;
    let shape = Image::flat(16, 16);
    let (source, mut target) = (pattern(shape.bytes(), 41), pattern(shape.bytes(), 42));
    let (from, to) = (image_of(&work, shape, &source)?, image_of(&work, shape, &target)?);
    let copied = work.queue.copy_image((&from, [1, 2, 0]), (&to, [8, 9, 0]), [4, 5, 1], now());
    let copied = line.code("copy", copied)?;
    line.put("wait", copied.wait());
    for (read, write) in block([1, 2], [4, 5]).zip(block([8, 9], [4, 5])) {
        target[write].copy_from_slice(&source[read]);
    }
    put_image(line, &work, &to, shape, &target)?;
    let overlap = work.queue.copy_image((&to, [0; 3]), (&to, [1, 1, 0]), [4, 5, 1], now());
    let _ = line.code("overlap", overlap);
    Ok(())
}

pub(super) fn fill(env: &Env, line: &mut Line) -> Verdict {
    need_images(env)?;
    let work = Work::new(env)?;
    let shape = Image::flat(16, 16);
    let mut expected = pattern(shape.bytes(), 43);
    let image = image_of(&work, shape, &expected)?;
    let filled = work.queue.fill_image(&image, [1, 20, 250, 7], [3, 4, 0], [6, 2, 1], now());
    let filled = line.code("fill", filled)?;
    line.put("wait", filled.wait());
    for range in block([3, 4], [6, 2]) {
        expected[range].chunks_exact_mut(4).for_each(|pixel| pixel.copy_from_slice(&[1, 20, 250, 7]));
    }
    put_image(line, &work, &image, shape, &expected)?;
    Ok(())
}

pub(super) fn with_buffers(env: &Env, line: &mut Line) -> Verdict {
    need_images(env)?;
    let work = Work::new(env)?;
    let shape = Image::flat(16, 16);
    let (pixels, bytes) = (pattern(shape.bytes(), 44), pattern(1024, 45));
    let (image, buffer) = (image_of(&work, shape, &pixels)?, work.buffer_of(&bytes)?);
    let queue = &work.queue;
    let out =
        line.code("to-buffer", queue.image_to_buffer((&image, [2, 3, 0]), (&buffer, 64), [5, 4, 1], now()))?;
    let mut in_buffer = bytes;
    for (index, range) in block([2, 3], [5, 4]).enumerate() {
        in_buffer[64 + index * 20..][..20].copy_from_slice(&pixels[range]);
    }
    let order = after(&[&out]);
    let back = queue.buffer_to_image((&buffer, 60), (&image, [9, 9, 0]), [5, 4, 1], order);
    let back = line.code("to-image", back)?;
    line.put("wait", back.wait());
    work.put_buffer(line, "buffer", &buffer, &in_buffer)?;
    let mut in_image = pixels;
    for (index, range) in block([9, 9], [5, 4]).enumerate() {
        in_image[range].copy_from_slice(&in_buffer[60 + index * 20..][..20]);
    }
    put_image(line, &work, &image, shape, &in_image)?;
    Ok(())
}

pub(super) fn kernel(env: &Env, line: &mut Line) -> Verdict {
    need_images(env)?;
    let work = Work::new(env)?;
    let shape = Image::flat(16, 16);
    let data = pattern(shape.bytes(), 46);
    let (from, to) = (image_of(&work, shape, &data)?, image_of(&work, shape, &data)?);
    let sampler = Sampler::new(&work.context, CL_ADDRESS_CLAMP_TO_EDGE, CL_FILTER_NEAREST);
    let sampler = line.code("sampler", sampler)?;
    line.value("sampler-references", sampler.references());
    let mut kernel = work.kernel("mirror")?;
    line.put("from", kernel.set_mem(0, &from));
    line.put("to", kernel.set_mem(1, &to));
    line.put("how", kernel.set_sampler(2, &sampler));
    line.code("launch", work.queue.launch(&kernel, Nd::two(16, 16), now()))?;
    let rows = data.chunks_exact(64);
    let expected: Vec<u8> = rows
        .flat_map(|row| {
            row.chunks_exact(4).rev().flatten().map(|byte| byte.wrapping_add(1)).collect::<Vec<u8>>()
        })
        .collect();
    put_image(line, &work, &to, shape, &expected)?;
    Ok(())
}

pub(super) fn other_shapes(env: &Env, line: &mut Line) -> Verdict {
    need_images(env)?;
    let work = Work::new(env)?;
    for (key, shape) in
        [("line", Image::line(64)), ("layers", Image::layers(8, 4, 3)), ("solid", Image::solid(8, 4, 5))]
    {
        let data = pattern(shape.bytes(), 47);
        if let Ok(image) = line.code(key, shape.make(&work.context, CL_MEM_READ_WRITE, None)) {
            let from = Some(Bytes::from(&data));
            line.code("write", work.queue.write_image(&image, BLOCKING, [0; 3], shape.size, from, now()))?;
            put_image(line, &work, &image, shape, &data)?;
        }
    }
    Ok(())
}

pub(super) fn old_creation(env: &Env, line: &mut Line) -> Verdict {
    need_images(env)?;
    let work = Work::new(env)?;
    for (key, shape) in [("image-2d", Image::flat(16, 16)), ("image-3d", Image::solid(8, 8, 4))] {
        let data = pattern(shape.bytes(), 48);
        let image = line.code(key, shape.make_old(&work.context, CL_MEM_READ_WRITE))?;
        let from = Some(Bytes::from(&data));
        line.code("write", work.queue.write_image(&image, BLOCKING, [0; 3], shape.size, from, now()))?;
        put_image(line, &work, &image, shape, &data)?;
    }
    Ok(())
}

pub(super) fn bad_arguments(env: &Env, line: &mut Line) -> Verdict {
    need_images(env)?;
    let work = Work::new(env)?;
    let shape = Image::flat(16, 16);
    let (image, buffer) = (image_of(&work, shape, &pattern(1024, 49))?, work.buffer(1024)?);
    let host = Some(Bytes::new(1024));
    let queue = &work.queue;
    for (key, origin, region) in [
        ("outside", [10, 10, 0], [10, 10, 1]),
        ("empty", [0, 0, 0], [0, 1, 1]),
        ("depth", [0, 0, 1], [1, 1, 1]),
        ("depth-2", [0, 0, 0], [1, 1, 2]),
    ] {
        let _ = line
            .code(&format!("read-{key}"), queue.read_image(&image, BLOCKING, origin, region, host, now()));
        let _ = line
            .code(&format!("write-{key}"), queue.write_image(&image, BLOCKING, origin, region, host, now()));
        let _ = line.code(&format!("fill-{key}"), queue.fill_image(&image, [0; 4], origin, region, now()));
        // Some drivers accept a flat image as a deep one here, and would read behind it.
        if region[2] == 1 {
            let to_buffer = queue.image_to_buffer((&image, origin), (&buffer, 0), region, now());
            let _ = line.code(&format!("to-buffer-{key}"), to_buffer);
        }
    }
    let whole = shape.size;
    let _ = line.code("null-host", queue.read_image(&image, BLOCKING, [0; 3], whole, None, now()));
    let _ = line.code("null-image", queue.read_image(&Mem::null(), BLOCKING, [0; 3], whole, host, now()));
    let _ = line.code("past-buffer", queue.image_to_buffer((&image, [0; 3]), (&buffer, 8), whole, now()));
    let _ = line.code("from-past", queue.buffer_to_image((&buffer, 8), (&image, [0; 3]), whole, now()));
    let other = Image { order: opencl_sys::CL_R, ..shape }.make(&work.context, CL_MEM_READ_WRITE, None)?;
    let _ = line.code("format", queue.copy_image((&image, [0; 3]), (&other, [0; 3]), whole, now()));
    let _ = line.code("size-0", Image::flat(0, 4).make(&work.context, CL_MEM_READ_WRITE, None));
    let huge = Image::flat(1 << 40, 4);
    let _ = line.code("huge", huge.make(&work.context, CL_MEM_READ_WRITE, None));
    line.check("formats", Image::formats(&work.context, CL_MEM_READ_WRITE)? > 0);
    Ok(())
}
