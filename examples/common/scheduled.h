/* The streams of device.h as queues that XSched knows. */
#ifndef SCHEDULED_H
#define SCHEDULED_H

#include "device.h"
#include "xsched/xsched.h"

#ifdef ON_CUDA
#include "xsched/cuda/hal.h"
static inline XResult stream_make_known(HwQueueHandle *hwq, Stream stream) { return CudaQueueCreate(hwq, stream.handle); }
#else
#include "xsched/opencl/hal.h"
static inline XResult stream_make_known(HwQueueHandle *hwq, Stream stream) { return OclQueueCreate(hwq, stream.handle); }
#endif

#endif
