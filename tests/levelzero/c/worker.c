// A Level Zero program that is greedy or urgent. worker KIND greedy MICROS, worker KIND urgent MICROS KERNELS PERIOD_MS REQUESTS
//
// KIND: list (an immediate one), queue (with regular lists), table (an immediate list by functions out of the loader's table, not by its exports).
// Greedy: keeps the device busy with kernels of MICROS, some in flight at any time, and says how many are done. Urgent: every PERIOD_MS, some kernels
// that are waited for; says how long each such request took, in microseconds.
#include "ze.h"
#include <dlfcn.h>
#include <level_zero/ze_ddi.h>

static ze_command_list_dditable_t functions;
static int has_functions;

typedef struct {
    int is_list;
    ze_command_list_handle_t list;
    ze_command_queue_handle_t queue;
    ze_fence_handle_t fence;
    ze_event_handle_t event;
    ze_kernel_handle_t kernel;
} place;

static place open_place(world w, int is_list, uint64_t micros, uint32_t kernels) {
    place p = {.is_list = is_list, .kernel = new_spin(w, micros)};
    if (is_list) {
        ze_command_queue_desc_t desc = queue_desc(ZE_COMMAND_QUEUE_MODE_ASYNCHRONOUS);
        MUST((has_functions ? functions.pfnCreateImmediate : zeCommandListCreateImmediate)(w.context, w.device, &desc, &p.list));
        p.event = new_event(new_pool(w, 1), 0);
        return p;
    }
    p.queue = new_queue(w, ZE_COMMAND_QUEUE_MODE_ASYNCHRONOUS);
    p.list = new_list(w);
    p.fence = new_fence(p.queue);
    for (uint32_t i = 0; i < kernels; i++)
        MUST(append(p.list, p.kernel, NULL));
    MUST(zeCommandListClose(p.list));
    return p;
}

static ze_result_t launch(place p, ze_event_handle_t signal) {
    return (has_functions ? functions.pfnAppendLaunchKernel : zeCommandListAppendLaunchKernel)(p.list, p.kernel, &ONE_GROUP,
                                                                                               signal, 0, NULL);
}

// So many kernels, and the end of the last one.
static void request(place p, uint32_t kernels) {
    if (p.is_list) {
        for (uint32_t i = 0; i < kernels; i++)
            MUST(launch(p, i + 1 == kernels ? p.event : NULL));
        MUST(zeEventHostSynchronize(p.event, UINT64_MAX));
        MUST(zeEventHostReset(p.event));
    } else {
        MUST(zeCommandQueueExecuteCommandLists(p.queue, 1, &p.list, p.fence));
        MUST(zeFenceHostSynchronize(p.fence, UINT64_MAX));
        MUST(zeFenceReset(p.fence));
    }
}

static void greedy(place p) {
    uint64_t done = 0;
    for (;;) {
        // Twenty in flight, then the next ones: as programs do that never leave the device idle.
        if (p.is_list) {
            for (int i = 0; i < 20; i++)
                MUST(launch(p, i == 19 ? p.event : NULL));
            MUST(zeEventHostSynchronize(p.event, UINT64_MAX));
            MUST(zeEventHostReset(p.event));
        } else {
            for (int i = 0; i < 20; i++)
                MUST(zeCommandQueueExecuteCommandLists(p.queue, 1, &p.list, NULL));
            MUST(zeCommandQueueSynchronize(p.queue, UINT64_MAX));
        }
        done += 20;
        printf("step %lu\n", (unsigned long)done);
    }
}

int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc < 4)
        return 2;
    int is_list = strcmp(argv[1], "queue") != 0;
    uint64_t micros = strtoull(argv[3], NULL, 10);
    world w = open_world();
    if (!strcmp(argv[1], "table")) {
        ze_pfnGetCommandListProcAddrTable_t get =
            (ze_pfnGetCommandListProcAddrTable_t)dlsym(RTLD_DEFAULT, "zeGetCommandListProcAddrTable");
        MUST(get(ZE_API_VERSION_CURRENT, &functions));
        has_functions = 1;
    }
    if (!strcmp(argv[2], "greedy"))
        greedy(open_place(w, is_list, micros, 1));
    if (argc < 7)
        return 2;
    uint32_t kernels = (uint32_t)atoi(argv[4]);
    uint64_t period = strtoull(argv[5], NULL, 10) * 1000;
    place p = open_place(w, is_list, micros, kernels);
    uint64_t next = now_us();
    for (int i = atoi(argv[6]); i > 0; i--) {
        next += period;
        int64_t early = (int64_t)(next - now_us());
        if (early > 0)
            usleep((useconds_t)early);
        uint64_t start = now_us();
        request(p, kernels);
        printf("request %lu\n", (unsigned long)(now_us() - start));
    }
    return 0;
}
