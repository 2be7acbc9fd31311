//! Extension functions, which programs reach by address.

use crate::cl::{Bytes, CommandBuffers, Context, Event, Queue, Usm, after, now};
use crate::line::{Line, Stop, Verdict};
use crate::work::{COUNT, Env, Work, pattern, range, set_step, stepped};

pub(super) fn addresses(env: &Env, line: &mut Line) -> Verdict {
    let names = [
        "clIcdGetPlatformIDsKHR",
        "clCreateCommandQueueWithPropertiesKHR",
        "clGetKernelSubGroupInfoKHR",
        "clGetKernelSuggestedLocalWorkSizeKHR",
        "clCreateCommandBufferKHR",
        "clEnqueueCommandBufferKHR",
        "clCommandNDRangeKernelKHR",
        "clEnqueueSVMMemcpyARM",
        "clEnqueueMemcpyINTEL",
        "clEnqueueMemFillINTEL",
        "clEnqueueMigrateMemINTEL",
        "clHostMemAllocINTEL",
        "clEnqueueWaitSemaphoresKHR",
        "clEnqueueMigrateMemObjectEXT",
        "clSetContentSizeBufferPoCL",
        "clNoSuchFunction",
        "",
    ];
    for name in names {
        let known = !env.device.function(name).is_null();
        line.put(if name.is_empty() { "no-name" } else { name }, known);
    }
    Ok(())
}

fn command_buffers(env: &Env) -> Result<CommandBuffers, Stop> {
    CommandBuffers::of(&env.device).ok_or(Stop::Unsupported)
}

pub(super) fn command_buffer(env: &Env, line: &mut Line) -> Verdict {
    let functions = command_buffers(env)?;
    let work = Work::new(env)?;
    let data = pattern(COUNT * 4, 220);
    let (a, b) = (work.buffer_of(&data)?, work.buffer_of(&vec![0; COUNT * 4])?);
    let (kernel, second) = (work.step(&a, 3, 1)?, work.step(&a, 5, 2)?);
    let recorded = line.code("make", functions.make(&work.queue))?;
    line.value("state", recorded.state());
    line.value("references", recorded.references_retained());
    line.put("record", recorded.launch(&kernel, range()));
    line.put("record", recorded.launch(&second, range()));
    line.put("record-copy", recorded.copy(&a, &b, COUNT * 4));
    let _ = line.code("enqueue-unfinalized", recorded.enqueue(now()));
    line.put("finalize", recorded.finalize());
    line.value("state", recorded.state());
    line.put("record-finalized", recorded.launch(&kernel, range()));
    let mut expected = data;
    for _round in 0..3 {
        let event = line.code("enqueue", recorded.enqueue(now()))?;
        line.put("wait", event.wait());
        line.status("status", event.status());
        expected = stepped(&stepped(&expected, 3, 1), 5, 2);
    }
    line.put("finish", work.queue.finish());
    work.put_buffer(line, "data", &a, &expected)?;
    work.put_buffer(line, "copy", &b, &expected)?;
    Ok(())
}

pub(super) fn command_buffer_between_commands(env: &Env, line: &mut Line) -> Verdict {
    let functions = command_buffers(env)?;
    let work = Work::new(env)?;
    let data = pattern(COUNT * 4, 221);
    let buffer = work.buffer_of(&data)?;
    let (before, inside, behind) =
        (work.step(&buffer, 3, 1)?, work.step(&buffer, 5, 2)?, work.step(&buffer, 7, 3)?);
    let recorded = functions.make(&work.queue)?;
    recorded.launch(&inside, range()).ok()?;
    recorded.finalize().ok()?;
    let gate = Event::user(&work.context)?;
    line.code("before", work.queue.launch(&before, range(), after(&[&gate])))?;
    let event = line.code("enqueue", recorded.enqueue(now()))?;
    line.code("behind", work.queue.launch(&behind, range(), now()))?;
    line.put("open", gate.set_status(0));
    line.put("wait", event.wait());
    let expected = stepped(&stepped(&stepped(&data, 3, 1), 5, 2), 7, 3);
    work.put_buffer(line, "data", &buffer, &expected)?;
    Ok(())
}

pub(super) fn command_buffer_bad_arguments(env: &Env, line: &mut Line) -> Verdict {
    let functions = command_buffers(env)?;
    let work = Work::new(env)?;
    let kernel = work.kernel("empty")?;
    let _ = line.code("null-buffer", functions.enqueue_null(now()));
    let recorded = functions.make(&work.queue)?;
    line.put("record", recorded.launch(&kernel, range()));
    line.put("finalize", recorded.finalize());
    let _ = line.code("count-without-list", recorded.enqueue(now().with_count(1)));
    let other = Context::new(work.device)?;
    let foreign = Queue::new(&other, work.device, 0)?;
    let _ = line.code("other-context", recorded.enqueue_on(Some(&foreign), now()));
    let sibling = work.another_queue()?;
    if let Ok(event) = line.code("other-queue", recorded.enqueue_on(Some(&sibling), now())) {
        line.put("wait", event.wait());
    }
    Ok(())
}

/// The address of a core function, where the platform gives it, must behave as the function itself.
pub(super) fn core_function_by_address(env: &Env, line: &mut Line) -> Verdict {
    type Finish = unsafe extern "C" fn(*mut std::ffi::c_void) -> i32;
    let address = env.device.function("clFinish");
    line.put("known", !address.is_null());
    if address.is_null() {
        return Ok(());
    }
    let work = Work::new(env)?;
    let data = pattern(COUNT * 4, 222);
    let buffer = work.buffer_of(&data)?;
    let to = Bytes::new(COUNT * 4);
    work.queue.read(&buffer, super::NON_BLOCKING, 0, COUNT * 4, Some(to), now().quiet())?;
    // SAFETY: the platform's own answer for the function of this name and type; a live handle.
    let code = unsafe {
        let finish = std::mem::transmute::<*mut std::ffi::c_void, Finish>(address);
        finish(work.queue.raw())
    };
    line.put("finish", crate::cl::Code(code));
    line.data("data", to, &data);
    Ok(())
}

/// Unified shared memory of `cl_intel_unified_shared_memory`: its own enqueue functions in order with others.
pub(super) fn unified_memory(env: &Env, line: &mut Line) -> Verdict {
    let usm = Usm::of(&env.device).ok_or(Stop::Unsupported)?;
    let work = Work::new(env)?;
    let (queue, data) = (&work.queue, pattern(COUNT * 4, 223));
    let (a, b) = (line.code("a", usm.allocate(&work.context, COUNT * 4))?, Bytes::new(COUNT * 4));
    let mut kernel = work.kernel("affine")?;
    line.put("argument", usm.set_argument(&mut kernel, 0, a));
    set_step(&mut kernel, 3, 1)?;
    let gate = Event::user(&work.context)?;
    let from = Bytes::from(&data);
    line.code("copy", usm.copy(queue, super::NON_BLOCKING, a, from, after(&[&gate])))?;
    line.code("launch", queue.launch(&kernel, range(), now().quiet()))?;
    let back = line.code("back", usm.copy(queue, super::NON_BLOCKING, b, a, now()))?;
    line.put("flush", queue.flush());
    line.put("open", gate.set_status(0));
    line.put("wait", back.wait());
    line.data("data", b, &stepped(&data, 3, 1));
    let filled = line.code("fill", usm.fill(queue, a, &[1, 2, 3, 4], now()))?;
    line.code("blocking", usm.copy(queue, super::BLOCKING, b, a, after(&[&filled])))?;
    line.data("filled", b, &[1, 2, 3, 4].repeat(COUNT));
    let _ = line.code("null-queue", usm.fill(&Queue::null(), a, &[1], now()));
    line.put("free", usm.free(&work.context, a));
    Ok(())
}
