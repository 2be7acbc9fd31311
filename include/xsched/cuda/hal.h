/**
 * @file
 * @brief CUDA streams as hardware queues.
 *
 * The vendor's header is included if it is there; it need not be.
 */
#ifndef XSCHED_CUDA_HAL_H
#define XSCHED_CUDA_HAL_H

#include "xsched/types.h"

#if defined(__has_include)
#if __has_include(<cuda.h>)
#include <cuda.h>
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

struct CUstream_st;

/**
 * Makes a stream known. Each call wants its HwQueueDestroy().
 *
 * @param hwq where the handle goes.
 * @param stream a `CUstream`; null and the names of the default streams mean those of the current context. Commands cannot be submitted
 *        to the default stream of a thread.
 */
XResult CudaQueueCreate(HwQueueHandle *hwq, struct CUstream_st *stream);

/**
 * Looks up the hardware queue of a stream: one that was created, or one that the stand-in schedules without being asked. The handle needs no
 * HwQueueDestroy().
 */
XResult CudaQueueGet(HwQueueHandle *hwq, struct CUstream_st *stream);

#ifdef __cplusplus
}
#endif

#endif
