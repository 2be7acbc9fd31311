// What a Level Zero program can observe, on the simulated driver: one line for each case, the same whether it is scheduled or not.
#include "ze.h"
#include <dlfcn.h>
#include <level_zero/ze_ddi.h>
#include <pthread.h>
#include <sys/wait.h>

static world w;

static uint32_t sum(const uint32_t *numbers, size_t count) {
    uint32_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum = sum * 31 + numbers[i];
    return sum;
}

static void enumeration(void) {
    uint32_t drivers = 0, devices = 0, groups = 0;
    int a = zeDriverGet(&drivers, NULL), b = zeDeviceGet(w.driver, &devices, NULL);
    ze_device_properties_t device = {.stype = ZE_STRUCTURE_TYPE_DEVICE_PROPERTIES};
    int c = zeDeviceGetProperties(w.device, &device);
    int d = zeDeviceGetCommandQueueGroupProperties(w.device, &groups, NULL);
    ze_api_version_t version = 0;
    int e = zeDriverGetApiVersion(w.driver, &version);
    printf("enumeration %x %x %x %x %x: %u %u %s %u %x\n", a, b, c, d, e, drivers, devices, device.name, groups, version);
}

static void memory(void) {
    uint32_t *numbers = new_memory(w, 4096);
    ze_memory_allocation_properties_t properties = {.stype = ZE_STRUCTURE_TYPE_MEMORY_ALLOCATION_PROPERTIES};
    int a = zeMemGetAllocProperties(w.context, numbers + 10, &properties, NULL);
    void *base;
    size_t size;
    int b = zeMemGetAddressRange(w.context, numbers + 10, &base, &size);
    int c = zeMemFree(w.context, numbers), d = zeMemFree(w.context, numbers);
    printf("memory %x %x %x %x: %d %d %zu\n", a, b, c, d, properties.type, base == numbers, size);
}

static void kernels(void) {
    ze_kernel_desc_t desc = {.stype = ZE_STRUCTURE_TYPE_KERNEL_DESC, .pKernelName = "nothing"};
    ze_kernel_handle_t kernel;
    int a = zeKernelCreate(w.module, &desc, &kernel);
    kernel = new_kernel(w, "spin");
    uint32_t small = 1;
    int b = zeKernelSetArgumentValue(kernel, 0, sizeof small, &small);
    int c = zeKernelSetArgumentValue(kernel, 9, sizeof small, &small);
    ze_command_list_handle_t list = new_immediate(w, ZE_COMMAND_QUEUE_MODE_ASYNCHRONOUS);
    int d = append(list, kernel, NULL);
    int e = zeCommandListDestroy(list), f = zeKernelDestroy(kernel);
    printf("kernels %x %x %x %x %x %x\n", a, b, c, d, e, f);
}

// A list that is recorded once and executed several times, behind fences.
static void regular(void) {
    uint32_t *numbers = new_memory(w, 4 * 64);
    ze_command_queue_handle_t queue = new_queue(w, ZE_COMMAND_QUEUE_MODE_ASYNCHRONOUS);
    ze_command_list_handle_t lists[2] = {new_list(w), new_list(w)};
    ze_kernel_handle_t add = new_add(w, numbers, 3, 64, 500);
    int a = append(lists[0], add, NULL), b = zeCommandListAppendBarrier(lists[0], NULL, 0, NULL);
    int early = zeCommandQueueExecuteCommandLists(queue, 1, lists, NULL);
    int c = zeCommandListClose(lists[0]), d = append(lists[1], add, NULL), e = zeCommandListClose(lists[1]);
    int none = zeCommandQueueExecuteCommandLists(queue, 0, lists, NULL);
    ze_fence_handle_t fence = new_fence(queue);
    int before = zeFenceQueryStatus(fence);
    int f = zeCommandQueueExecuteCommandLists(queue, 2, lists, fence);
    int g = zeFenceHostSynchronize(fence, UINT64_MAX), after = zeFenceQueryStatus(fence);
    uint32_t first = numbers[63];
    int used = zeCommandQueueExecuteCommandLists(queue, 1, lists, fence);
    int h = zeFenceReset(fence);
    for (int i = 0; i < 20; i++)
        h |= zeCommandQueueExecuteCommandLists(queue, 1, lists, NULL);
    int i = zeCommandQueueSynchronize(queue, UINT64_MAX);
    printf("regular %x %x %x %x %x %x %x: %x %x %x %x %x %x %x: %u %u\n", a, b, c, d, e, early, none, before, f, g, after,
           used, h, i, first, numbers[63]);
    int j = zeCommandListReset(lists[0]) | append(lists[0], add, NULL) | zeCommandListClose(lists[0]);
    j |= zeCommandQueueExecuteCommandLists(queue, 1, lists, fence) | zeFenceHostSynchronize(fence, UINT64_MAX);
    int k = zeFenceDestroy(fence) | zeCommandListDestroy(lists[0]) | zeCommandListDestroy(lists[1]);
    printf("regular again %x %x %x: %u\n", j, k, zeCommandQueueDestroy(queue), sum(numbers, 64));
}

// Copies and fills of real bytes, in the order in which they were appended.
static void copies(void) {
    uint8_t *one = new_memory(w, 4096), *other = new_memory(w, 4096);
    for (int i = 0; i < 4096; i++)
        one[i] = (uint8_t)(i * 7);
    ze_command_list_handle_t list = new_immediate(w, ZE_COMMAND_QUEUE_MODE_ASYNCHRONOUS);
    ze_event_pool_handle_t pool = new_pool(w, 1);
    ze_event_handle_t done = new_event(pool, 0);
    uint16_t pattern = 0xabcd;
    ze_copy_region_t from = {0, 1, 0, 16, 8, 1}, to = {4, 2, 0, 16, 8, 1};
    int a = zeCommandListAppendMemoryCopy(list, other, one, 2048, NULL, 0, NULL);
    int b = zeCommandListAppendMemoryFill(list, other + 1000, &pattern, sizeof pattern, 501, NULL, 0, NULL);
    int c = zeCommandListAppendMemoryCopyRegion(list, other + 2048, &to, 64, 0, one, &from, 32, 0, NULL, 0, NULL);
    int d = zeCommandListAppendMemoryPrefetch(list, one, 64);
    int e = zeCommandListAppendMemoryCopyFromContext(list, one, w.context, other, 4096, done, 0, NULL);
    int f = zeEventHostSynchronize(done, UINT64_MAX);
    printf("copies %x %x %x %x %x %x: %u\n", a, b, c, d, e, f, sum((uint32_t *)one, 1024));
    int bad = zeCommandListAppendMemoryCopy(list, other, one, 8, NULL, 2, NULL);
    int g = zeCommandListDestroy(list), h = zeEventDestroy(done), i = zeEventPoolDestroy(pool);
    printf("copies end %x: %x %x %x\n", bad, g, h, i);
}

// Synchronous queues and lists wait inside.
static void synchronous(void) {
    uint32_t *numbers = new_memory(w, 64);
    ze_kernel_handle_t add = new_add(w, numbers, 5, 1, 3000);
    ze_command_list_handle_t list = new_immediate(w, ZE_COMMAND_QUEUE_MODE_SYNCHRONOUS);
    int a = append(list, add, NULL);
    uint32_t first = numbers[0];
    ze_command_queue_handle_t queue = new_queue(w, ZE_COMMAND_QUEUE_MODE_SYNCHRONOUS);
    ze_command_list_handle_t recorded = new_list(w);
    append(recorded, add, NULL);
    zeCommandListClose(recorded);
    int b = zeCommandQueueExecuteCommandLists(queue, 1, &recorded, NULL);
    printf("synchronous %x %x: %u %u\n", a, b, first, numbers[0]);
    zeCommandListDestroy(list);
    zeCommandListDestroy(recorded);
    zeCommandQueueDestroy(queue);
}

// A thousand launches behind an event that this thread sets later.
static void behind_a_host_event(void) {
    uint32_t *numbers = new_memory(w, 64);
    ze_kernel_handle_t add = new_add(w, numbers, 1, 1, 0);
    ze_event_pool_handle_t pool = new_pool(w, 2);
    ze_event_handle_t start = new_event(pool, 0), end = new_event(pool, 1);
    ze_command_list_handle_t list = new_immediate(w, ZE_COMMAND_QUEUE_MODE_ASYNCHRONOUS);
    int a = zeCommandListAppendWaitOnEvents(list, 1, &start), b = 0;
    for (int i = 0; i < 1000; i++)
        b |= append(list, add, NULL);
    int c = zeCommandListAppendSignalEvent(list, end);
    int open = zeEventQueryStatus(end), polled = zeEventHostSynchronize(end, 0);
    uint32_t before = numbers[0];
    int d = zeEventHostSignal(start), e = zeEventHostSynchronize(end, UINT64_MAX);
    int reset = zeEventHostReset(end), again = zeEventQueryStatus(end);
    printf("behind a host event %x %x %x %x %x %x %x %x %x: %u %u\n", a, b, c, open, polled, d, e, reset, again, before,
           numbers[0]);
    zeCommandListDestroy(list);
    zeEventDestroy(start);
    zeEventDestroy(end);
    zeEventPoolDestroy(pool);
}

// One queue waits for another's event.
static void between_queues(void) {
    uint32_t *numbers = new_memory(w, 64);
    ze_kernel_handle_t slow = new_add(w, numbers, 1, 1, 5000), fast = new_add(w, numbers, 10, 1, 0);
    ze_event_pool_handle_t pool = new_pool(w, 20);
    ze_command_list_handle_t one = new_immediate(w, ZE_COMMAND_QUEUE_MODE_ASYNCHRONOUS);
    ze_command_list_handle_t other = new_immediate(w, ZE_COMMAND_QUEUE_MODE_ASYNCHRONOUS);
    int result = 0;
    ze_event_handle_t events[20];
    for (int i = 0; i < 20; i++) {
        events[i] = new_event(pool, (uint32_t)i);
        ze_command_list_handle_t list = i % 2 ? other : one;
        result |= zeCommandListAppendLaunchKernel(list, i % 2 ? fast : slow, &ONE_GROUP, events[i], i > 0,
                                                  i > 0 ? &events[i - 1] : NULL);
    }
    int last = zeEventHostSynchronize(events[19], UINT64_MAX);
    printf("between queues %x %x: %u\n", result, last, numbers[0]);
    for (int i = 0; i < 20; i++)
        zeEventDestroy(events[i]);
    zeEventPoolDestroy(pool);
    zeCommandListDestroy(one);
    zeCommandListDestroy(other);
}

// Handles come again: queues and lists made and destroyed, two hundred times.
static void short_lives(void) {
    uint32_t *numbers = new_memory(w, 64);
    ze_kernel_handle_t add = new_add(w, numbers, 1, 1, 50);
    ze_command_list_handle_t recorded = new_list(w);
    append(recorded, add, NULL);
    zeCommandListClose(recorded);
    int result = 0;
    for (int i = 0; i < 100; i++) {
        ze_command_queue_handle_t queue = new_queue(w, ZE_COMMAND_QUEUE_MODE_ASYNCHRONOUS);
        ze_command_list_handle_t list = new_immediate(w, i % 2 ? ZE_COMMAND_QUEUE_MODE_SYNCHRONOUS : ZE_COMMAND_QUEUE_MODE_DEFAULT);
        result |= zeCommandQueueExecuteCommandLists(queue, 1, &recorded, NULL);
        result |= zeCommandQueueSynchronize(queue, UINT64_MAX) | append(list, add, NULL);
        result |= zeCommandListDestroy(list) | zeCommandQueueDestroy(queue);
    }
    printf("short lives %x %x: %u\n", result, zeCommandListDestroy(recorded), numbers[0]);
}

static void *one_thread(void *argument) {
    uint32_t *number = argument;
    ze_command_list_handle_t list = new_immediate(w, ZE_COMMAND_QUEUE_MODE_ASYNCHRONOUS);
    ze_event_pool_handle_t pool = new_pool(w, 1);
    ze_event_handle_t event = new_event(pool, 0);
    ze_kernel_handle_t add = new_add(w, number, 1, 1, 100);
    for (int i = 0; i < 50; i++) {
        append(list, add, event);
        zeEventHostSynchronize(event, UINT64_MAX);
        zeEventHostReset(event);
    }
    zeCommandListDestroy(list);
    zeEventDestroy(event);
    zeEventPoolDestroy(pool);
    return NULL;
}

static void threads(void) {
    uint32_t *numbers = new_memory(w, 64);
    pthread_t all[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&all[i], NULL, one_thread, &numbers[i]);
    for (int i = 0; i < 4; i++)
        pthread_join(all[i], NULL);
    printf("threads %u %u %u %u\n", numbers[0], numbers[1], numbers[2], numbers[3]);
}

static void second_context(void) {
    world second = w;
    second.context = new_context(w.driver);
    uint32_t *numbers = new_memory(second, 64);
    ze_kernel_handle_t add = new_add(second, numbers, 2, 1, 100);
    ze_command_list_handle_t list = new_immediate(second, ZE_COMMAND_QUEUE_MODE_SYNCHRONOUS);
    int a = append(list, add, NULL), b = zeCommandListDestroy(list), c = zeMemFree(second.context, numbers);
    printf("second context %x %x %x %x\n", a, b, c, zeContextDestroy(second.context));
}

// Functions by other ways than their exports.
static void other_ways(void) {
    uint32_t *numbers = new_memory(w, 64);
    ze_kernel_handle_t add = new_add(w, numbers, 4, 1, 100);
    ze_pfnGetCommandListProcAddrTable_t get = (ze_pfnGetCommandListProcAddrTable_t)dlsym(RTLD_DEFAULT, "zeGetCommandListProcAddrTable");
    ze_command_list_dditable_t table = {0};
    int a = get(ZE_API_VERSION_CURRENT, &table), b = get(ZE_API_VERSION_CURRENT, &table);
    ze_command_queue_desc_t desc = queue_desc(ZE_COMMAND_QUEUE_MODE_SYNCHRONOUS);
    ze_command_list_handle_t list;
    int c = table.pfnCreateImmediate(w.context, w.device, &desc, &list);
    int d = table.pfnAppendLaunchKernel(list, add, &ONE_GROUP, NULL, 0, NULL);
    ze_pfnCommandListAppendBarrier_t barrier = NULL;
    int e = zeDriverGetExtensionFunctionAddress(w.driver, "zeCommandListAppendBarrier", (void **)&barrier);
    int f = barrier(list, NULL, 0, NULL);
    void *nothing = NULL;
    int g = zeDriverGetExtensionFunctionAddress(w.driver, "zeNothing", &nothing);
    printf("other ways %x %x %x %x %x %x %x: %u %x\n", a, b, c, d, e, f, g, numbers[0], table.pfnDestroy(list));
}

// What this process has is not the child's; the child only ends.
static void child(void) {
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        _exit(7);
    int status = 0;
    waitpid(pid, &status, 0);
    uint32_t *numbers = new_memory(w, 64);
    ze_command_list_handle_t list = new_immediate(w, ZE_COMMAND_QUEUE_MODE_SYNCHRONOUS);
    int a = append(list, new_add(w, numbers, 9, 1, 0), NULL);
    printf("child %d %x: %u\n", WEXITSTATUS(status), a, numbers[0]);
    zeCommandListDestroy(list);
}

// The last: the device is lost, and everything says so.
static void fault(void) {
    ze_command_list_handle_t list = new_immediate(w, ZE_COMMAND_QUEUE_MODE_SYNCHRONOUS);
    ze_command_queue_handle_t queue = new_queue(w, ZE_COMMAND_QUEUE_MODE_ASYNCHRONOUS);
    int a = append(list, new_kernel(w, "fault"), NULL), b = append(list, new_spin(w, 10), NULL);
    int c = zeCommandQueueSynchronize(queue, UINT64_MAX), d = zeDeviceGetStatus(w.device);
    printf("fault %x %x %x %x: %x %x\n", a, b, c, d, zeCommandListDestroy(list), zeCommandQueueDestroy(queue));
}

int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    w = open_world();
    int rounds = argc > 1 ? atoi(argv[1]) : 1;
    for (int i = 0; i < rounds; i++) {
        enumeration();
        memory();
        kernels();
        regular();
        copies();
        synchronous();
        behind_a_host_event();
        between_queues();
        short_lives();
        threads();
        second_context();
        other_ways();
        child();
    }
    fault();
    return 0;
}
