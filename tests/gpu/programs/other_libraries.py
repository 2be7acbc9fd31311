"""CuPy, JAX, Triton, numba and cuda-bindings: each finds the driver in its own way."""
import sys

import common


def cupy():
    import cupy as cp

    x = cp.arange(1 << 16, dtype=cp.float32).reshape(256, 256) / 65536
    kernel = cp.RawKernel("extern \"C\" __global__ void twice(float *x, int n) { int i = blockIdx.x * blockDim.x + threadIdx.x; if (i < n) x[i] *= 2; }", "twice")
    with cp.cuda.Stream(non_blocking=True) as stream:
        for _ in range(50):
            kernel((256,), (256,), (x, x.size))
            x = cp.tanh(x + 0.5)
        stream.synchronize()
    return common.digest(cp.asnumpy(x))


def jax():
    import os

    os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
    os.environ["XLA_FLAGS"] = "--xla_gpu_deterministic_ops=true"
    import jax as j
    import jax.numpy as jnp
    import numpy as np

    step = j.jit(lambda x: jnp.tanh(x @ x.T * 0.01 + 0.1))
    x = jnp.linspace(0, 1, 128 * 128, dtype=jnp.float32).reshape(128, 128)
    for _ in range(50):
        x = step(x)
    return common.digest(np.asarray(x))


def triton():
    torch = common.torch()
    import triton as t


    from triton_kernel import scale

    x = torch.arange(1 << 16, device="cuda", dtype=torch.float32)
    for _ in range(50):
        scale[(t.cdiv(x.numel(), 1024),)](x, x.numel(), BLOCK=1024)
    return common.tensors(x)


def numba():
    import numpy as np
    from numba import cuda

    @cuda.jit
    def add(x, value):
        at = cuda.grid(1)
        if at < x.size:
            x[at] = x[at] * 3 + value

    x = cuda.to_device(np.arange(1 << 16, dtype=np.int64))
    stream = cuda.stream()
    for step in range(30):
        add[256, 256, stream](x, step)
    stream.synchronize()
    return common.digest(x.copy_to_host())


def bindings():
    import ctypes

    import numpy as np
    from cuda.bindings import driver, nvrtc

    def good(answer):
        error, *values = answer
        assert int(error) == 0, error
        return values[0] if values else None

    source = b"extern \"C\" __global__ void step(unsigned *x, int n, unsigned v) { int i = blockIdx.x * blockDim.x + threadIdx.x; if (i < n) x[i] = x[i] * 3 + v; }"
    good(driver.cuInit(0))
    device = good(driver.cuDeviceGet(0))
    good(driver.cuCtxSetCurrent(good(driver.cuDevicePrimaryCtxRetain(device))))
    program = good(nvrtc.nvrtcCreateProgram(source, b"step.cu", 0, [], []))
    good(nvrtc.nvrtcCompileProgram(program, 1, [b"--gpu-architecture=compute_80"]))
    ptx = b" " * good(nvrtc.nvrtcGetPTXSize(program))
    good(nvrtc.nvrtcGetPTX(program, ptx))
    image = np.frombuffer(ptx, dtype=np.uint8)
    kernel = good(driver.cuModuleGetFunction(good(driver.cuModuleLoadData(image.ctypes.data)), b"step"))
    host = np.arange(1 << 16, dtype=np.uint32)
    data = good(driver.cuMemAlloc(host.nbytes))
    stream = good(driver.cuStreamCreate(1))
    good(driver.cuMemcpyHtoDAsync(data, host.ctypes.data, host.nbytes, stream))
    for step in range(200):
        arguments = ((data, host.size, step), (None, ctypes.c_int, ctypes.c_uint))
        good(driver.cuLaunchKernel(kernel, 256, 1, 1, 256, 1, 1, 0, stream, arguments, 0))
    good(driver.cuMemcpyDtoHAsync(host.ctypes.data, data, host.nbytes, stream))
    good(driver.cuStreamSynchronize(stream))
    bad = driver.cuLaunchKernel(kernel, 0, 1, 1, 256, 1, 1, 0, stream, arguments, 0)
    return common.digest(host), int(bad[0])


which = sys.argv[1]
common.say(which, {"cupy": cupy, "jax": jax, "triton": triton, "numba": numba, "bindings": bindings}[which]())
