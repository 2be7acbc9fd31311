/**
 * @file
 * @brief Level Zero command queues and immediate command lists as hardware queues.
 *
 * The vendor's header is included if it is there; it need not be.
 */
#ifndef XSCHED_LEVELZERO_HAL_H
#define XSCHED_LEVELZERO_HAL_H

#include "xsched/types.h"

#if defined(__has_include)
#if __has_include(<level_zero/ze_api.h>)
#include <level_zero/ze_api.h>
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

struct _ze_device_handle_t;
struct _ze_command_queue_handle_t;
struct _ze_command_list_handle_t;

/**
 * Makes a command queue known. Each call wants its HwQueueDestroy(). Only with XSched's stand-in for the loader, which saw the queue
 * being made; else kXSchedErrorNotFound.
 *
 * @param hwq where the handle goes.
 * @param device the device of the queue.
 * @param queue the queue.
 */
XResult ZeQueueCreate(HwQueueHandle *hwq, struct _ze_device_handle_t *device, struct _ze_command_queue_handle_t *queue);

/** The same for an immediate command list. (The name is spelt so.) */
XResult ZeListreate(HwQueueHandle *hwq, struct _ze_device_handle_t *device, struct _ze_command_list_handle_t *list);

#ifdef __cplusplus
}
#endif

#endif
