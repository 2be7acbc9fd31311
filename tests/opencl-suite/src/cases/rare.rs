//! Functions that few programs call, so that none of the library is left out.

use super::{BLOCKING, need_images};
use crate::cl::{Bytes, Context, Device, Image, Kernel, Mem, Program, Queue, SHARING, Sampler, now};
use crate::line::{Line, Stop, Verdict};
use crate::work::{Env, Work, build, pattern};
use opencl_sys::{
    CL_ADDRESS_CLAMP, CL_DEVICE_BUILT_IN_KERNELS, CL_FILTER_NEAREST, CL_KERNEL_SUB_GROUP_COUNT_FOR_NDRANGE,
    CL_MEM_COPY_HOST_PTR, CL_MEM_READ_WRITE, CL_SAMPLER_ADDRESSING_MODE, CL_SAMPLER_FILTER_MODE,
    CL_SAMPLER_NORMALIZED_COORDS,
};
use std::sync::mpsc::channel;

pub(super) fn old(env: &Env, line: &mut Line) -> Verdict {
    line.put("icd-function", Device::knows_function("clIcdGetPlatformIDsKHR"));
    line.put("no-function", Device::knows_function("clNoSuchFunction"));
    let work = Work::new(env)?;
    let program = work.program()?;
    let again = line.code("retain-program", program.retain())?;
    line.put("release-program", again.release());
    line.put("unload-compiler", work.device.unload_compiler());
    let rebuilt = line.code("build-after", build(&work.context, work.device))?;
    line.code("kernel", Kernel::new(&rebuilt, "empty"))?;
    Ok(())
}

pub(super) fn graphics_sharing(_env: &Env, line: &mut Line) -> Verdict {
    for (key, function) in SHARING {
        let _ = line.code(key, Queue::null().share(function));
    }
    Ok(())
}

pub(super) fn built_in_kernels(env: &Env, line: &mut Line) -> Verdict {
    let names = env.device.text(CL_DEVICE_BUILT_IN_KERNELS);
    let name = names.split(';').find(|name| !name.is_empty()).ok_or(Stop::Unsupported)?;
    let context = Context::new(&env.device)?;
    let _ = line.code("unknown", Program::built_in(&context, &env.device, "no_such_kernel"));
    line.put("name", name);
    let _ = line.code("make", Program::built_in(&context, &env.device, name));
    Ok(())
}

pub(super) fn version_20(env: &Env, line: &mut Line) -> Verdict {
    env.need_version(200)?;
    let context = Context::new(&env.device)?;
    let properties = [
        [CL_SAMPLER_NORMALIZED_COORDS, 0],
        [CL_SAMPLER_ADDRESSING_MODE, CL_ADDRESS_CLAMP],
        [CL_SAMPLER_FILTER_MODE, CL_FILTER_NEAREST],
    ];
    let list = properties.concat().into_iter().map(u64::from).collect::<Vec<_>>();
    if let Ok(sampler) = line.code("sampler", Sampler::with_properties(&context, &list)) {
        let again = line.code("retain-sampler", sampler.retain())?;
        line.value("references", again.references());
    }
    if let Ok(pipe) = line.code("pipe", Mem::pipe(&context, CL_MEM_READ_WRITE, 16, 4)) {
        line.value("packet", pipe.packet_size());
    }
    Ok(())
}

pub(super) fn version_21(env: &Env, line: &mut Line) -> Verdict {
    env.need_version(210)?;
    let work = Work::new(env)?;
    let first = line.code("timers", work.device.timers());
    let second = line.code("timers-again", work.device.timers());
    if let (Ok(first), Ok(second)) = (first, second) {
        line.check("forward", first.0 <= second.0 && first.1 <= second.1);
    }
    let _ = line.code("host-timer", work.device.host_timer());
    let kernel = work.kernel("empty")?;
    let parameter = CL_KERNEL_SUB_GROUP_COUNT_FOR_NDRANGE;
    let _ = line.code("sub-groups", kernel.sub_group_info(work.device, parameter, 16));
    line.put("default-queue", work.queue.make_default(&work.context, work.device));
    let _ = line.code("no-language", Program::from_il(&work.context, &[1, 2, 3, 4]));
    Ok(())
}

pub(super) fn version_22(env: &Env, line: &mut Line) -> Verdict {
    env.need_version(220)?;
    let work = Work::new(env)?;
    let program = build(&work.context, work.device)?;
    let (send, done) = channel();
    line.put("constant", program.set_constant(0, 1));
    let code = program.on_release(move || _ = send.send(()));
    line.put("callback", code);
    line.put("release", program.release());
    line.put("called", done.recv().is_ok());
    Ok(())
}

pub(super) fn version_30(env: &Env, line: &mut Line) -> Verdict {
    env.need_version(300)?;
    let (send, done) = channel();
    {
        let work = Work::new(env)?;
        let data = pattern(256, 250);
        let flags = CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR;
        let made = Mem::with_properties(&work.context, flags, Bytes::from(&data));
        let buffer = line.code("buffer", made)?;
        let to = Bytes::new(256);
        line.code("read", work.queue.read(&buffer, BLOCKING, 0, 256, Some(to), now()))?;
        line.data("data", to, &data);
        if need_images(env).is_ok() {
            let made = Image::flat(4, 4).make_with_properties(&work.context, CL_MEM_READ_WRITE);
            let _ = line.code("image", made);
        }
        line.put("callback", work.context.on_destroy(move || _ = send.send(())));
        line.put("finish", work.queue.finish());
    }
    done.recv().map_err(|_| Stop::System("callback dropped".to_owned()))?;
    line.put("called", true);
    Ok(())
}
