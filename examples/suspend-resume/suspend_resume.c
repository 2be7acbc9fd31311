/* Holds a queue back and lets it go. The thread that launches on it knows nothing of that: it waits in its launch. */
#include "scheduled.h"

#include <pthread.h>
#include <stdatomic.h>

static Stream stream;
static atomic_int done, is_over;

static void *work(void *nothing) {
    (void)nothing;
    thread_enter();
    while (!atomic_load(&is_over)) {
        MUST(spin(stream, 1000));
        MUST(finish(stream));
        atomic_fetch_add(&done, 1);
    }
    return NULL;
}

static void wait_for_more(int count) {
    int before = atomic_load(&done);
    while (atomic_load(&done) < before + count) sleep_ms(1);
}

int main(void) {
    HwQueueHandle hwq;
    XQueueHandle xq;
    pthread_t thread;
    device_open();
    stream = stream_open();
    MUST(stream_make_known(&hwq, stream));
    MUST(XQueueCreate(&xq, hwq, kPreemptLevelBlock, kQueueCreateFlagNone));
    MUST(pthread_create(&thread, NULL, work, NULL));
    wait_for_more(3);
    puts("runs");

    /* Returns when nothing of the queue runs on the device any more. */
    MUST(XQueueSuspend(xq, kQueueSuspendFlagSyncHwQueue));
    /* The thread may be about to count what was the last. */
    sleep_ms(100);
    int before = atomic_load(&done);
    sleep_ms(300);
    printf("suspended: %d kernels in 300 ms\n", atomic_load(&done) - before);

    MUST(XQueueResume(xq, kQueueResumeFlagNone));
    wait_for_more(3);
    puts("resumed: it runs again");

    atomic_store(&is_over, 1);
    MUST(pthread_join(thread, NULL));
    MUST(XQueueDestroy(xq));
    MUST(HwQueueDestroy(hwq));
    stream_close(stream);
    return 0;
}
