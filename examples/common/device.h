/* A device for small programs, as far as they need one: streams, a kernel that takes some time, and kernels by which order can be told. OpenCL, or
 * (with ON_CUDA) the CUDA driver API, whose few functions are declared here because its header cannot be had everywhere. Nothing here
 * knows of XSched. */
#ifndef DEVICE_H
#define DEVICE_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Ends the program if a call does not answer 0. */
#define MUST(call)                                                                                          \
    do {                                                                                                    \
        long result_ = (long)(call);                                                                        \
        if (result_ != 0) {                                                                                 \
            fprintf(stderr, "%s:%d: %s answered %ld\n", __FILE__, __LINE__, #call, result_);                \
            exit(1);                                                                                        \
        }                                                                                                   \
    } while (0)

static inline void sleep_ms(unsigned ms) {
    struct timespec time = {ms / 1000, (long)(ms % 1000) * 1000000};
    nanosleep(&time, NULL);
}

#ifdef ON_CUDA

typedef struct CUctx_st *CUcontext;
typedef struct CUstream_st *CUstream;
typedef struct CUevent_st *CUevent;
typedef struct CUfunc_st *CUfunction;
typedef struct CUmod_st *CUmodule;
typedef unsigned long long CUdeviceptr;
int cuInit(unsigned);
int cuDeviceGet(int *, int);
int cuDevicePrimaryCtxRetain(CUcontext *, int);
int cuCtxSetCurrent(CUcontext);
int cuCtxSynchronize(void);
int cuModuleLoadData(CUmodule *, const void *);
int cuModuleGetFunction(CUfunction *, CUmodule, const char *);
int cuMemAlloc_v2(CUdeviceptr *, size_t);
int cuMemsetD32_v2(CUdeviceptr, unsigned, size_t);
int cuMemcpyDtoH_v2(void *, CUdeviceptr, size_t);
int cuStreamCreate(CUstream *, unsigned);
int cuStreamDestroy_v2(CUstream);
int cuStreamQuery(CUstream);
int cuStreamSynchronize(CUstream);
int cuStreamWaitEvent(CUstream, CUevent, unsigned);
int cuEventCreate(CUevent *, unsigned);
int cuEventRecord(CUevent, CUstream);
int cuEventQuery(CUevent);
int cuLaunchKernel(CUfunction, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, CUstream, void **, void **);

#define CHANGE(name, operation)                                                                                 \
    ".visible .entry " name "(.param .u64 data, .param .u32 count, .param .u32 value) {\n"                      \
    "  .reg .u64 %a; .reg .u32 %v<4>;\n"                                                                       \
    "  ld.param.u64 %a, [data]; cvta.to.global.u64 %a, %a; ld.param.u32 %v1, [value];\n"                       \
    "  ld.global.u32 %v2, [%a]; " operation " %v3, %v2, %v1; st.global.u32 [%a], %v3;\n"                       \
    "  ret;\n}\n"

/* Of one thread each. A kernel of one's own comes from a compiler; these are written out so that none is needed. */
static const char *kernels =
    ".version 7.0\n.target sm_52\n.address_size 64\n"
    ".visible .entry spin(.param .u64 time) {\n"
    "  .reg .u64 %t<5>; .reg .pred %p;\n"
    "  ld.param.u64 %t1, [time]; mov.u64 %t2, %globaltimer;\n"
    "again: mov.u64 %t3, %globaltimer; sub.u64 %t4, %t3, %t2; setp.lt.u64 %p, %t4, %t1; @%p bra again;\n"
    "  ret;\n}\n"
    CHANGE("add", "add.u32")
    CHANGE("scale", "mul.lo.u32");

typedef struct {
    CUstream handle;
    CUdeviceptr number;
} Stream;

static CUcontext context;
static CUfunction spin_kernel, add_kernel, scale_kernel;

static inline void device_open(void) {
    int device;
    CUmodule module;
    MUST(cuInit(0));
    MUST(cuDeviceGet(&device, 0));
    MUST(cuDevicePrimaryCtxRetain(&context, device));
    MUST(cuCtxSetCurrent(context));
    MUST(cuModuleLoadData(&module, kernels));
    MUST(cuModuleGetFunction(&spin_kernel, module, "spin"));
    MUST(cuModuleGetFunction(&add_kernel, module, "add"));
    MUST(cuModuleGetFunction(&scale_kernel, module, "scale"));
}

static inline void thread_enter(void) { MUST(cuCtxSetCurrent(context)); }

static inline Stream stream_open(void) {
    Stream stream;
    MUST(cuStreamCreate(&stream.handle, 1));
    MUST(cuMemAlloc_v2(&stream.number, 4));
    MUST(cuMemsetD32_v2(stream.number, 0, 1));
    MUST(cuCtxSynchronize());
    return stream;
}

static inline void stream_close(Stream stream) { MUST(cuStreamDestroy_v2(stream.handle)); }
static inline int launch(CUfunction kernel, CUstream stream, void **values) {
    return cuLaunchKernel(kernel, 1, 1, 1, 1, 1, 1, 0, stream, values, NULL);
}

static inline int spin(Stream stream, unsigned us) {
    unsigned long long ns = us * 1000ull;
    void *values[] = {&ns};
    return launch(spin_kernel, stream.handle, values);
}

static inline int change(CUfunction kernel, Stream stream, unsigned value) {
    unsigned count = 1;
    void *values[] = {&stream.number, &count, &value};
    return launch(kernel, stream.handle, values);
}

/* The stream's number grows by one. */
static inline int add_one(Stream stream) { return change(add_kernel, stream, 1); }
/* The stream's number is doubled. */
static inline int twice(Stream stream) { return change(scale_kernel, stream, 2); }
static inline int finish(Stream stream) { return cuStreamSynchronize(stream.handle); }

static inline int number_of(Stream stream) {
    int number;
    MUST(finish(stream));
    MUST(cuMemcpyDtoH_v2(&number, stream.number, 4));
    return number;
}

#else

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>

typedef struct {
    cl_command_queue handle;
    cl_kernel spin, add, twice;
    cl_mem number;
} Stream;

static cl_context context;
static cl_device_id device;
static cl_program program;
/* Turns of the loop in a microsecond. */
static double speed = 100;
/* Work items of the kernel that takes time: enough for all cores of a CPU. */
enum { WIDE = 256 };

static const char *source =
    "kernel void spin(global int *n, int turns) {\n"
    "    int v = n[0];\n"
    "    for (int i = 0; i < turns; i++) v = v * 3 + i;\n"
    "    if (v == 12345) n[1] = v;\n"
    "}\n"
    "kernel void add(global int *n) { n[0] += 1; }\n"
    "kernel void twice(global int *n) { n[0] *= 2; }\n";

static inline void thread_enter(void) {}

static inline Stream stream_open(void) {
    Stream stream;
    cl_int error;
    int zero[2] = {0, 0};
    stream.handle = clCreateCommandQueue(context, device, 0, &error);
    MUST(error);
    stream.spin = clCreateKernel(program, "spin", &error);
    MUST(error);
    stream.add = clCreateKernel(program, "add", &error);
    MUST(error);
    stream.twice = clCreateKernel(program, "twice", &error);
    MUST(error);
    stream.number = clCreateBuffer(context, CL_MEM_READ_WRITE, sizeof zero, NULL, &error);
    MUST(error);
    MUST(clEnqueueWriteBuffer(stream.handle, stream.number, CL_TRUE, 0, sizeof zero, zero, 0, NULL, NULL));
    MUST(clSetKernelArg(stream.spin, 0, sizeof stream.number, &stream.number));
    MUST(clSetKernelArg(stream.add, 0, sizeof stream.number, &stream.number));
    MUST(clSetKernelArg(stream.twice, 0, sizeof stream.number, &stream.number));
    return stream;
}

static inline void stream_close(Stream stream) {
    MUST(clReleaseCommandQueue(stream.handle));
    MUST(clReleaseMemObject(stream.number));
    MUST(clReleaseKernel(stream.spin));
    MUST(clReleaseKernel(stream.add));
    MUST(clReleaseKernel(stream.twice));
}

static inline int launch(Stream stream, cl_kernel kernel, size_t size) {
    cl_int result = clEnqueueNDRangeKernel(stream.handle, kernel, 1, NULL, &size, NULL, 0, NULL, NULL);
    return result != CL_SUCCESS ? result : clFlush(stream.handle);
}

/* One thread at a time for each stream: a kernel's arguments are its own. */
static inline int spin(Stream stream, unsigned us) {
    int turns = (int)(us * speed);
    MUST(clSetKernelArg(stream.spin, 1, sizeof turns, &turns));
    return launch(stream, stream.spin, WIDE);
}

static inline int add_one(Stream stream) { return launch(stream, stream.add, 1); }
static inline int twice(Stream stream) { return launch(stream, stream.twice, 1); }
static inline int finish(Stream stream) { return clFinish(stream.handle); }

static inline int number_of(Stream stream) {
    int number;
    MUST(clEnqueueReadBuffer(stream.handle, stream.number, CL_TRUE, 0, sizeof number, &number, 0, NULL, NULL));
    return number;
}

/* Turns of the loop in a microsecond, by the device's own clock. */
static inline double speed_of(Stream stream) {
    int turns = 100000;
    size_t size = WIDE;
    cl_event event;
    cl_ulong from, to;
    MUST(clSetKernelArg(stream.spin, 1, sizeof turns, &turns));
    MUST(clEnqueueNDRangeKernel(stream.handle, stream.spin, 1, NULL, &size, NULL, 0, NULL, &event));
    MUST(clWaitForEvents(1, &event));
    MUST(clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_START, sizeof from, &from, NULL));
    MUST(clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_END, sizeof to, &to, NULL));
    MUST(clReleaseEvent(event));
    return turns / ((double)(to - from) / 1e3);
}

static inline void device_open(void) {
    cl_platform_id platform;
    cl_int error;
    MUST(clGetPlatformIDs(1, &platform, NULL));
    MUST(clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &device, NULL));
    context = clCreateContext(NULL, 1, &device, NULL, NULL, &error);
    MUST(error);
    program = clCreateProgramWithSource(context, 1, &source, NULL, &error);
    MUST(error);
    MUST(clBuildProgram(program, 1, &device, "", NULL, NULL));
    Stream stream = stream_open();
    MUST(clReleaseCommandQueue(stream.handle));
    stream.handle = clCreateCommandQueue(context, device, CL_QUEUE_PROFILING_ENABLE, &error);
    MUST(error);
    double best = 0;
    /* The fastest: other programs may use the device meanwhile, and the first one warms it up. */
    for (int i = 0; i < 6; i++) {
        double now = speed_of(stream);
        if (now > best) best = now;
    }
    speed = best;
    stream_close(stream);
}

#endif

#endif
