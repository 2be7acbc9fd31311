// What the Level Zero programs of the tests have in common: a context on the first device, and short names for long calls.
#pragma once
#define _GNU_SOURCE
#include <level_zero/ze_api.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

// The program ends when this call fails: only for what every case needs.
#define MUST(call)                                                                                                     \
    do {                                                                                                               \
        ze_result_t must_result = (call);                                                                              \
        if (must_result != ZE_RESULT_SUCCESS) {                                                                        \
            printf("%s: %x\n", #call, must_result);                                                                    \
            exit(3);                                                                                                   \
        }                                                                                                              \
    } while (0)

typedef struct {
    ze_driver_handle_t driver;
    ze_device_handle_t device;
    ze_context_handle_t context;
    ze_module_handle_t module;
} world;

static inline ze_context_handle_t new_context(ze_driver_handle_t driver) {
    ze_context_desc_t desc = {.stype = ZE_STRUCTURE_TYPE_CONTEXT_DESC};
    ze_context_handle_t context;
    MUST(zeContextCreate(driver, &desc, &context));
    return context;
}

static inline world open_world(void) {
    world w;
    uint32_t one = 1;
    MUST(zeInit(0));
    MUST(zeDriverGet(&one, &w.driver));
    one = 1;
    MUST(zeDeviceGet(w.driver, &one, &w.device));
    w.context = new_context(w.driver);
    ze_module_desc_t desc = {.stype = ZE_STRUCTURE_TYPE_MODULE_DESC, .inputSize = 4, .pInputModule = (void *)"sim"};
    MUST(zeModuleCreate(w.context, w.device, &desc, &w.module, NULL));
    return w;
}

static inline ze_kernel_handle_t new_kernel(world w, const char *name) {
    ze_kernel_desc_t desc = {.stype = ZE_STRUCTURE_TYPE_KERNEL_DESC, .pKernelName = name};
    ze_kernel_handle_t kernel;
    MUST(zeKernelCreate(w.module, &desc, &kernel));
    return kernel;
}

// A kernel that takes its time.
static inline ze_kernel_handle_t new_spin(world w, uint64_t micros) {
    ze_kernel_handle_t kernel = new_kernel(w, "spin");
    MUST(zeKernelSetArgumentValue(kernel, 0, sizeof micros, &micros));
    return kernel;
}

// A kernel that adds `what` to each of `count` numbers.
static inline ze_kernel_handle_t new_add(world w, uint32_t *numbers, uint32_t what, uint32_t count, uint32_t micros) {
    ze_kernel_handle_t kernel = new_kernel(w, "add");
    MUST(zeKernelSetArgumentValue(kernel, 0, sizeof numbers, &numbers));
    MUST(zeKernelSetArgumentValue(kernel, 1, sizeof what, &what));
    MUST(zeKernelSetArgumentValue(kernel, 2, sizeof count, &count));
    MUST(zeKernelSetArgumentValue(kernel, 3, sizeof micros, &micros));
    return kernel;
}

static inline ze_command_queue_desc_t queue_desc(ze_command_queue_mode_t mode) {
    return (ze_command_queue_desc_t){.stype = ZE_STRUCTURE_TYPE_COMMAND_QUEUE_DESC, .mode = mode};
}

static inline ze_command_queue_handle_t new_queue(world w, ze_command_queue_mode_t mode) {
    ze_command_queue_desc_t desc = queue_desc(mode);
    ze_command_queue_handle_t queue;
    MUST(zeCommandQueueCreate(w.context, w.device, &desc, &queue));
    return queue;
}

static inline ze_command_list_handle_t new_immediate(world w, ze_command_queue_mode_t mode) {
    ze_command_queue_desc_t desc = queue_desc(mode);
    ze_command_list_handle_t list;
    MUST(zeCommandListCreateImmediate(w.context, w.device, &desc, &list));
    return list;
}

static inline ze_command_list_handle_t new_list(world w) {
    ze_command_list_desc_t desc = {.stype = ZE_STRUCTURE_TYPE_COMMAND_LIST_DESC};
    ze_command_list_handle_t list;
    MUST(zeCommandListCreate(w.context, w.device, &desc, &list));
    return list;
}

static inline ze_fence_handle_t new_fence(ze_command_queue_handle_t queue) {
    ze_fence_desc_t desc = {.stype = ZE_STRUCTURE_TYPE_FENCE_DESC};
    ze_fence_handle_t fence;
    MUST(zeFenceCreate(queue, &desc, &fence));
    return fence;
}

static inline ze_event_pool_handle_t new_pool(world w, uint32_t count) {
    ze_event_pool_desc_t desc = {
        .stype = ZE_STRUCTURE_TYPE_EVENT_POOL_DESC, .flags = ZE_EVENT_POOL_FLAG_HOST_VISIBLE, .count = count};
    ze_event_pool_handle_t pool;
    MUST(zeEventPoolCreate(w.context, &desc, 1, &w.device, &pool));
    return pool;
}

static inline ze_event_handle_t new_event(ze_event_pool_handle_t pool, uint32_t index) {
    ze_event_desc_t desc = {.stype = ZE_STRUCTURE_TYPE_EVENT_DESC,
                            .index = index,
                            .signal = ZE_EVENT_SCOPE_FLAG_HOST,
                            .wait = ZE_EVENT_SCOPE_FLAG_HOST};
    ze_event_handle_t event;
    MUST(zeEventCreate(pool, &desc, &event));
    return event;
}

// Zeroed memory that host and device share.
static inline void *new_memory(world w, size_t size) {
    ze_device_mem_alloc_desc_t device = {.stype = ZE_STRUCTURE_TYPE_DEVICE_MEM_ALLOC_DESC};
    ze_host_mem_alloc_desc_t host = {.stype = ZE_STRUCTURE_TYPE_HOST_MEM_ALLOC_DESC};
    void *memory;
    MUST(zeMemAllocShared(w.context, &device, &host, size, 64, w.device, &memory));
    memset(memory, 0, size);
    return memory;
}

static const ze_group_count_t ONE_GROUP = {1, 1, 1};

static inline ze_result_t append(ze_command_list_handle_t list, ze_kernel_handle_t kernel, ze_event_handle_t signal) {
    return zeCommandListAppendLaunchKernel(list, kernel, &ONE_GROUP, signal, 0, NULL);
}

static inline uint64_t now_us(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}
