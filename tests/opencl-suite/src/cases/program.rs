//! Programs: failures of the compiler, compile and link, binaries, callbacks, kernels of a program.

use crate::cl::{Context, Kernel, Program, now};
use crate::line::{Line, Stop, Verdict};
use crate::work::{COUNT, Env, Work, build, pattern, range, set_step, stepped};
use opencl_sys::{CL_PROGRAM_NUM_DEVICES, CL_PROGRAM_NUM_KERNELS};
use std::sync::mpsc::channel;

const SOURCE: &str = "kernel void affine(global uint *data, uint factor, uint addend)
{ size_t i = get_global_id(0); data[i] = data[i] * factor + addend; }";

/// Runs the program's kernel once and puts the result.
fn put_step(line: &mut Line, work: &Work<'_>, program: &Program) -> Verdict {
    let data = pattern(COUNT * 4, 210);
    let buffer = work.buffer_of(&data)?;
    let mut kernel = line.code("kernel", Kernel::new(program, "affine"))?;
    kernel.set_mem(0, &buffer).ok()?;
    set_step(&mut kernel, 3, 1)?;
    line.code("launch", work.queue.launch(&kernel, range(), now()))?;
    work.put_buffer(line, "data", &buffer, &stepped(&data, 3, 1))?;
    Ok(())
}

pub(super) fn build_failure(env: &Env, line: &mut Line) -> Verdict {
    let context = Context::new(&env.device)?;
    let broken = Program::from_source(&context, "kernel void broken(global int *x) { x[0] = nowhere; }")?;
    line.value("status-before", broken.build_status(&env.device));
    line.put("build", broken.build(&env.device, ""));
    line.value("status", broken.build_status(&env.device));
    line.check("log", !broken.build_log(&env.device)?.is_empty());
    let _ = line.code("kernel", Kernel::new(&broken, "broken"));
    let options = Program::from_source(&context, SOURCE)?;
    line.put("bad-option", options.build(&env.device, "--no-such-option"));
    line.put("good-option", options.build(&env.device, "-D UNUSED=1 -cl-mad-enable"));
    line.put("null-program", Program::null().build(&env.device, ""));
    let _ = line.code("null-context", Program::from_source(&Context::null(), SOURCE));
    Ok(())
}

pub(super) fn unbuilt(env: &Env, line: &mut Line) -> Verdict {
    let context = Context::new(&env.device)?;
    let program = line.code("make", Program::from_source(&context, SOURCE))?;
    line.value("references", program.references());
    line.value("devices", program.info::<u32>(CL_PROGRAM_NUM_DEVICES));
    line.value("kernels", program.info::<usize>(CL_PROGRAM_NUM_KERNELS));
    let _ = line.code("kernel", Kernel::new(&program, "affine"));
    line.put("build", program.build(&env.device, ""));
    line.value("kernels", program.info::<usize>(CL_PROGRAM_NUM_KERNELS));
    line.value("kernels-listed", program.kernel_count());
    line.value("status", program.build_status(&env.device));
    let _kernel = line.code("kernel", Kernel::new(&program, "affine"))?;
    line.put("build-with-kernel", program.build(&env.device, ""));
    Ok(())
}

pub(super) fn compile_and_link(env: &Env, line: &mut Line) -> Verdict {
    env.need_version(120)?;
    let work = Work::new(env)?;
    let part = Program::from_source(&work.context, SOURCE)?;
    line.put("compile", part.compile(work.device));
    let linked = line.code("link", Program::link(&work.context, work.device, &[&part]))?;
    put_step(line, &work, &linked)
}

pub(super) fn binary(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let first = build(&work.context, work.device)?;
    let binary = line.code("get", first.binary())?;
    line.check("not-empty", !binary.is_empty());
    let second = line.code("make", Program::from_binary(&work.context, work.device, &binary))?;
    line.put("build", second.build(work.device, ""));
    put_step(line, &work, &second)?;
    let _ = line.code("garbage", Program::from_binary(&work.context, work.device, &[1, 2, 3, 4]));
    Ok(())
}

pub(super) fn build_callback(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let program = Program::from_source(&work.context, SOURCE)?;
    let (send, done) = channel();
    line.put("build", program.build_then(work.device, move || _ = send.send(())));
    done.recv().map_err(|_| Stop::System("callback dropped".to_owned()))?;
    line.value("status", program.build_status(work.device));
    put_step(line, &work, &program)
}

pub(super) fn built_while_commands_run(env: &Env, line: &mut Line) -> Verdict {
    let work = Work::new(env)?;
    let mut expected = pattern(COUNT * 4, 211);
    let buffer = work.buffer_of(&expected)?;
    let kernel = work.step(&buffer, 3, 1)?;
    for _launch in 0..50 {
        work.queue.launch(&kernel, range(), now().quiet())?;
        expected = stepped(&expected, 3, 1);
    }
    work.queue.flush().ok()?;
    let program = Program::from_source(&work.context, SOURCE)?;
    line.put("build", program.build(work.device, ""));
    work.put_buffer(line, "data", &buffer, &expected)?;
    put_step(line, &work, &program)
}
