/**
 * @file
 * @brief OpenCL command queues as hardware queues.
 *
 * The vendor's header is included if it is there; it need not be.
 */
#ifndef XSCHED_OPENCL_HAL_H
#define XSCHED_OPENCL_HAL_H

#include "xsched/types.h"

#if defined(__has_include)
#if __has_include(<CL/cl.h>)
#include <CL/cl.h>
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

struct _cl_command_queue;

/**
 * Makes a command queue known. Each call wants its HwQueueDestroy(); until then the command queue is retained.
 *
 * @param hwq where the handle goes.
 * @param queue a `cl_command_queue` on the host.
 */
XResult OclQueueCreate(HwQueueHandle *hwq, struct _cl_command_queue *queue);

#ifdef __cplusplus
}
#endif

#endif
