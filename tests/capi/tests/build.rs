//! How programs are built with the staged tree: by hand, with CMake, with pkg-config.

use std::path::Path;
use std::process::Command;
use test_capi::{Interface, World, common, sources};

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// The libraries that a program asks the loader for.
fn needed(program: &Path) -> Vec<String> {
    let dynamic = output(Command::new("readelf").arg("-d").arg(program));
    let needed = dynamic.lines().filter(|line| line.contains("(NEEDED)"));
    needed.filter_map(|line| Some(line.split(['[', ']']).nth(1)?.to_owned())).collect()
}

#[test]
fn the_names_of_old_link_lines_then_the_program_asks_for_libxsched() {
    let world = World::new();
    let program = world.compile("usual", Interface::Cuda);
    let needed = needed(&program);
    assert!(needed.iter().any(|name| name == "libxsched.so"), "{needed:?}");
    assert!(needed.iter().any(|name| name == "libcuda.so.1"), "{needed:?}");
    assert!(!needed.iter().any(|name| name.contains("preempt") || name.contains("hal")), "{needed:?}");
}

#[test]
fn a_cmake_project_finds_the_package_and_its_program_runs() {
    let world = World::new();
    let project = world.machine.folder().join("project");
    std::fs::create_dir_all(&project).unwrap();
    let lists = "cmake_minimum_required(VERSION 3.10)
project(user C)
find_package(XSched 0.1 REQUIRED)
find_package(Threads REQUIRED)
foreach(target xsched preempt halopencl halcuda hallevelzero shimopencl shimcuda shimlevelzero)
    if(NOT TARGET XSched::${target})
        message(FATAL_ERROR \"no XSched::${target}\")
    endif()
endforeach()
add_executable(user SOURCES/callbacks.c)
target_include_directories(user PRIVATE COMMON)
target_link_libraries(user PRIVATE XSched::preempt XSched::halopencl Threads::Threads /usr/lib/x86_64-linux-gnu/libOpenCL.so.1)
";
    let lists = lists.replace("SOURCES", sources().to_str().unwrap());
    let lists = lists.replace("COMMON", common().to_str().unwrap());
    std::fs::write(project.join("CMakeLists.txt"), lists).unwrap();
    let build = project.join("build");
    let prefix = format!("-DCMAKE_PREFIX_PATH={}", world.stage().display());
    output(Command::new("cmake").arg("-S").arg(&project).arg("-B").arg(&build).arg(prefix));
    output(Command::new("cmake").arg("--build").arg(&build));
    let program = build.join("user");
    assert!(needed(&program).iter().any(|name| name == "libxsched.so"));
    world.is_well(world.command(&program, Interface::OpenCl, true), &[("XSCHED_SCHEDULER", "APP")]);
}

#[test]
fn pkg_config_says_how_to_compile_and_link() {
    let world = World::new();
    let mut pkg_config = Command::new("pkg-config");
    pkg_config.args(["--cflags", "--libs", "xsched"]);
    let flags = output(pkg_config.env("PKG_CONFIG_PATH", world.stage().join("lib/pkgconfig")));
    let program = world.machine.folder().join("user");
    let mut gcc = Command::new("gcc");
    gcc.args(["-std=gnu11", "-pthread", "-o"]).arg(&program).arg(sources().join("callbacks.c"));
    gcc.arg("-I").arg(common());
    gcc.arg("/usr/lib/x86_64-linux-gnu/libOpenCL.so.1").args(flags.split_whitespace());
    output(&mut gcc);
    world.is_well(world.command(&program, Interface::OpenCl, false), &[("XSCHED_SCHEDULER", "APP")]);
}

#[test]
fn the_headers_compile_as_cpp_with_the_vendors_own() {
    let world = World::new();
    let source = world.machine.folder().join("user.cpp");
    let text = "#define CL_TARGET_OPENCL_VERSION 120
#include <xsched/xsched.h>
#include <xsched/opencl/hal.h>
#include <xsched/levelzero/hal.h>
#include <xsched/cuda/hal.h>
XResult make(HwQueueHandle *hwq, cl_command_queue queue, XQueueHandle *xq) {
    if (OclQueueCreate(hwq, queue) != kXSchedSuccess) return kXSchedErrorUnknown;
    return XQueueCreate(xq, *hwq, kPreemptLevelBlock, kQueueCreateFlagNone);
}
XResult make(HwQueueHandle *hwq, ze_device_handle_t device, ze_command_queue_handle_t queue) {
    return ZeQueueCreate(hwq, device, queue);
}
";
    std::fs::write(&source, text).unwrap();
    let mut gpp = Command::new("g++");
    gpp.args(["-std=c++11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-I"])
        .arg(world.stage().join("include"));
    output(gpp.arg(&source));
}
