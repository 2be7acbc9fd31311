//! Buffers: write, read, copy, fill, host pointers, and their order with kernels.

use super::{BLOCKING, NON_BLOCKING};
use crate::cl::{Bytes, Mem, after, now};
use crate::line::{Line, Verdict};
use crate::work::{Env, Work, bytes_of, numbers_of, pattern, range, set_step, stepped};
use opencl_sys::{
    CL_MEM_ALLOC_HOST_PTR, CL_MEM_COPY_HOST_PTR, CL_MEM_HOST_NO_ACCESS, CL_MEM_READ_ONLY, CL_MEM_READ_WRITE,
    CL_MEM_USE_HOST_PTR, CL_MEM_WRITE_ONLY,
};

pub(super) fn blocking(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let data = pattern(4096, 1);
    let buffer = work.buffer(4096)?;
    let written =
        line.code("write", work.queue.write(&buffer, BLOCKING, 0, 4096, Some(Bytes::from(&data)), now()))?;
    // A blocking write may return when it has taken the data, so its status is not known yet.
    line.put("wait", written.wait());
    let to = Bytes::new(4096);
    let read = line.code("read", work.queue.read(&buffer, BLOCKING, 0, 4096, Some(to), now()))?;
    line.status("read-status", read.status());
    line.data("data", to, &data);
    let part = Bytes::new(100);
    line.code("read-part", work.queue.read(&buffer, BLOCKING, 1001, 100, Some(part), now()))?;
    line.data("part", part, &data[1001..1101]);
    Ok(())
}

pub(super) fn non_blocking(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let data = pattern(65536, 2);
    let (buffer, to) = (work.buffer(65536)?, Bytes::new(65536));
    let from = Some(Bytes::from(&data));
    let written = line.code("write", work.queue.write(&buffer, NON_BLOCKING, 0, 65536, from, now()))?;
    let order = after(&[&written]);
    let read = line.code("read", work.queue.read(&buffer, NON_BLOCKING, 0, 65536, Some(to), order))?;
    line.put("wait", read.wait());
    line.status("write-status", written.status());
    line.status("read-status", read.status());
    line.data("data", to, &data);
    Ok(())
}

pub(super) fn without_events(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let data = pattern(4096, 3);
    let (a, b, to) = (work.buffer(4096)?, work.buffer(4096)?, Bytes::new(4096));
    let kernel = work.step(&b, 3, 1)?;
    let queue = &work.queue;
    let write =
        queue.write(&a, NON_BLOCKING, 0, 4096, Some(Bytes::from(&data)), now().quiet()).map(|e| e.is_null());
    line.value("write-has-no-event", write);
    line.code("copy", queue.copy((&a, 0), (&b, 0), 4096, now().quiet()))?;
    line.code("launch", queue.launch(&kernel, range(), now().quiet()))?;
    line.code("fill", queue.fill(&b, &[7], 0, 64, now().quiet()))?;
    line.code("read", queue.read(&b, NON_BLOCKING, 0, 4096, Some(to), now().quiet()))?;
    line.put("finish", queue.finish());
    let mut expected = stepped(&data, 3, 1);
    expected[..64].fill(7);
    line.data("data", to, &expected);
    Ok(())
}

pub(super) fn copy(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let data = pattern(4096, 4);
    let (from, to) = (work.buffer_of(&data)?, work.buffer_of(&[0; 4096])?);
    let whole = line.code("whole", work.queue.copy((&from, 0), (&to, 0), 4096, now()))?;
    let part = line.code("part", work.queue.copy((&from, 0), (&to, 2048), 1024, after(&[&whole])))?;
    line.put("wait", part.wait());
    let within = line.code("within", work.queue.copy((&to, 0), (&to, 3072), 512, now()))?;
    line.put("wait-within", within.wait());
    let overlap = work.queue.copy((&to, 0), (&to, 100), 512, now());
    let _ = line.code("overlap", overlap);
    let mut expected = data.clone();
    expected.copy_within(..1024, 2048);
    expected.copy_within(..512, 3072);
    work.put_buffer(line, "data", &to, &expected)?;
    Ok(())
}

pub(super) fn fill(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let buffer = work.buffer_of(&[0xee; 4096])?;
    let mut expected = vec![0xee; 4096];
    for (index, size) in [1, 2, 4, 8, 16, 32, 64, 128].into_iter().enumerate() {
        let pattern = pattern(size, index as u32 + 5);
        let offset = index * 512 + 128;
        let filled = work.queue.fill(&buffer, &pattern, offset, 256, now());
        line.code(&format!("fill-{size}"), filled)?;
        let repeated: Vec<u8> = pattern.iter().copied().cycle().take(256).collect();
        expected[offset..offset + 256].copy_from_slice(&repeated);
    }
    work.put_buffer(line, "data", &buffer, &expected)?;
    for (key, size, offset, length) in [
        ("pattern-3", 3, 0, 12),
        ("pattern-256", 256, 0, 256),
        ("odd-offset", 4, 2, 8),
        ("odd-size", 4, 0, 6),
    ] {
        let _ = line.code(key, work.queue.fill(&buffer, &vec![1; size], offset, length, now()));
    }
    Ok(())
}

pub(super) fn read_ends_chain(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let mut expected = pattern(4096, 6);
    let buffer = work.buffer_of(&expected)?;
    let mut kernel = work.step(&buffer, 1, 0)?;
    for step in 0..100 {
        set_step(&mut kernel, 2 * step + 1, step)?;
        work.queue.launch(&kernel, range(), now().quiet())?;
        expected = stepped(&expected, 2 * step + 1, step);
    }
    work.put_buffer(line, "data", &buffer, &expected)?;
    Ok(())
}

pub(super) fn source_is_free_after_blocking_write(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let buffer = work.buffer(4096)?;
    let from = Bytes::new(4096);
    let mut expected = vec![0; 4096];
    let mut kernel = work.step(&buffer, 1, 0)?;
    for round in 0..20 {
        let data = pattern(4096, 100 + round);
        from.set(0, &data);
        set_step(&mut kernel, 3, round)?;
        work.queue.write(&buffer, BLOCKING, 0, 4096, Some(from), now().quiet())?;
        from.set(0, &[0xff; 4096]);
        work.queue.launch(&kernel, range(), now().quiet())?;
        expected = stepped(&data, 3, round);
    }
    work.put_buffer(line, "data", &buffer, &expected)?;
    Ok(())
}

pub(super) fn host_pointers(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let data = pattern(4096, 7);
    let expected = stepped(&data, 5, 9);
    for (key, flags, host) in [
        ("copy-host", CL_MEM_COPY_HOST_PTR, true),
        ("use-host", CL_MEM_USE_HOST_PTR, true),
        ("alloc-host", CL_MEM_ALLOC_HOST_PTR, false),
        ("alloc-copy-host", CL_MEM_ALLOC_HOST_PTR | CL_MEM_COPY_HOST_PTR, true),
    ] {
        let from = host.then(|| Bytes::from(&data));
        let made = Mem::buffer(&work.context, CL_MEM_READ_WRITE | flags, 4096, from);
        let buffer = line.code(key, made)?;
        if !host {
            work.queue.write(&buffer, BLOCKING, 0, 4096, Some(Bytes::from(&data)), now().quiet())?;
        }
        let kernel = work.step(&buffer, 5, 9)?;
        work.queue.launch(&kernel, range(), now().quiet())?;
        work.put_buffer(line, "data", &buffer, &expected)?;
    }
    Ok(())
}

pub(super) fn add(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let (a, b) = (pattern(4096, 8), pattern(4096, 9));
    let (left, right, sum) = (work.buffer_of(&a)?, work.buffer_of(&b)?, work.buffer(4096)?);
    let mut kernel = work.kernel("add")?;
    for (index, memory) in [&left, &right, &sum].into_iter().enumerate() {
        line.put("argument", kernel.set_mem(index as u32, memory));
    }
    let launched = line.code("launch", work.queue.launch(&kernel, range(), now()))?;
    line.put("wait", launched.wait());
    line.status("status", launched.status());
    let expected = bytes_of(numbers_of(&a).zip(numbers_of(&b)).map(|(a, b)| a.wrapping_add(b)));
    work.put_buffer(line, "data", &sum, &expected)?;
    Ok(())
}

pub(super) fn many_small_writes(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let data = pattern(4096, 10);
    let buffer = work.buffer_of(&[0; 4096])?;
    let from = Bytes::from(&data);
    for (index, offset) in (0..4096).step_by(16).enumerate() {
        let blocking = index % 8 == 7;
        work.queue.write(&buffer, blocking, offset, 16, Some(from.skip(offset)), now().quiet())?;
    }
    work.put_buffer(line, "data", &buffer, &data)?;
    Ok(())
}

pub(super) fn bad_creation(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let data = Some(Bytes::from(&[1; 64]));
    for (key, flags, size, host) in [
        ("size-0", CL_MEM_READ_WRITE, 0, None),
        ("two-accesses", CL_MEM_READ_ONLY | CL_MEM_WRITE_ONLY, 64, None),
        ("host-without-flag", CL_MEM_READ_WRITE, 64, data),
        ("flag-without-host", CL_MEM_USE_HOST_PTR, 64, None),
        ("use-and-copy", CL_MEM_USE_HOST_PTR | CL_MEM_COPY_HOST_PTR, 64, data),
        ("too-large", CL_MEM_READ_WRITE, usize::MAX / 2, None),
        ("unknown-flag", 1 << 40, 64, None),
    ] {
        let _ = line.code(key, Mem::buffer(&work.context, flags, size, host));
    }
    let _ = line.code("null-context", Mem::buffer(&crate::cl::Context::null(), 1, 64, None));
    let hidden = Mem::buffer(&work.context, CL_MEM_READ_WRITE | CL_MEM_HOST_NO_ACCESS, 64, None)?;
    let _ = line.code("read-hidden", work.queue.read(&hidden, BLOCKING, 0, 64, data, now()));
    let _ = line.code("write-hidden", work.queue.write(&hidden, BLOCKING, 0, 64, data, now()));
    Ok(())
}

pub(super) fn large(env: &Env, line: &mut Line) -> Verdict {
    const SIZE: usize = 1 << 20;
    let work = Work::new(env)?;
    let data = pattern(SIZE, 11);
    let (a, b, to) = (work.buffer(SIZE)?, work.buffer(SIZE)?, Bytes::new(SIZE));
    let kernel = work.step(&b, 3, 1)?;
    let queue = &work.queue;
    line.code("write", queue.write(&a, NON_BLOCKING, 0, SIZE, Some(Bytes::from(&data)), now().quiet()))?;
    line.code("copy", queue.copy((&a, 0), (&b, 0), SIZE, now().quiet()))?;
    line.code("launch", queue.launch(&kernel, crate::cl::Nd::one(SIZE / 4), now().quiet()))?;
    let read = line.code("read", queue.read(&b, NON_BLOCKING, 0, SIZE, Some(to), now()))?;
    line.put("wait", read.wait());
    line.data("data", to, &stepped(&data, 3, 1));
    Ok(())
}
