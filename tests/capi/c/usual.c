/* The usual program: streams as ever, an XQueue on each, hints, launches as ever; another thread suspends and resumes. */
#include "device.h"

#include <pthread.h>
#include <stdatomic.h>

enum { LAUNCHES = 400 };

static Stream stream;
static atomic_int launched;

static void *work(void *nothing) {
    (void)nothing;
    thread_enter();
    for (int i = 0; i < LAUNCHES; i++) {
        MUST(add_one(stream));
        atomic_fetch_add(&launched, 1);
        sleep_ms(1);
    }
    return NULL;
}

int main(void) {
    HwQueueHandle hwq, same;
    XQueueHandle xq, found;
    XQueueState state;
    int64_t count;
    pthread_t thread;
    device_open();
    stream = stream_open();
    MUST(stream_make_known(&hwq, stream));
    MUST(XQueueCreate(&xq, hwq, kPreemptLevelBlock, kQueueCreateFlagNone));
    MUST(XQueueSetLaunchConfig(xq, 8, 4));
    MUST(XQueueSetPreemptLevel(xq, kPreemptLevelBlock));
    MUST(XHintPriority(xq, 1));
    MUST(XHintUtilization(xq, 50));
    MUST(XHintTimeslice(TIMESLICE_DEFAULT));
    MUST(XHintTimeslice((Timeslice)TIMESLICE_UNLIMITED));
    MUST(XHintLaxity(xq, 1000, 0, 10));
    MUST(XHintDeadline(xq, 10000));
    MUST(XHintKDeadline(2));
    MUST(XQueueGet(&found, hwq));
    EXPECT(found == xq);
    MUST(stream_make_known(&same, stream));
    EXPECT(same == hwq);
    MUST(HwQueueDestroy(same));

    MUST(pthread_create(&thread, NULL, work, NULL));
    while (atomic_load(&launched) < 20) sleep_ms(1);
    for (int round = 0; round < 5; round++) {
        MUST(XQueueSuspend(xq, kQueueSuspendFlagSyncHwQueue));
        MUST(XQueueSuspend(xq, kQueueSuspendFlagNone));
        /* One that had passed the gate before may be on its way back. */
        sleep_ms(20);
        int before = atomic_load(&launched);
        sleep_ms(50);
        EXPECT(atomic_load(&launched) == before);
        MUST(XQueueQuery(xq, &state));
        EXPECT(state == kQueueStateReady);
        MUST(XQueueResume(xq, kQueueResumeFlagNone));
        MUST(XQueueResume(xq, kQueueResumeFlagNone));
        while (atomic_load(&launched) == before) sleep_ms(1);
    }
    /* Suspended for good, as far as the program says; its end resumes it. */
    MUST(XQueueSuspend(xq, kQueueSuspendFlagNone));
    sleep_ms(20);
    MUST(XQueueDestroy(xq));
    MUST(pthread_join(thread, NULL));
    EXPECT(number_of(stream) == LAUNCHES);

    MUST(XQueueCreate(&xq, hwq, kPreemptLevelBlock, kQueueCreateFlagNone));
    MUST(spin(stream, 20000));
    MUST(XQueueQuery(xq, &state));
    EXPECT(state == kQueueStateReady);
    MUST(XQueueProfileHwCommandCount(xq, &count));
    EXPECT(count > 0);
    MUST(XQueueWaitAll(xq));
    MUST(XQueueQuery(xq, &state));
    EXPECT(state == kQueueStateIdle);
    MUST(XQueueProfileHwCommandCount(xq, &count));
    EXPECT(count == 0);
    MUST(XQueueSuspend(xq, kQueueSuspendFlagWaitIdle | kQueueSuspendFlagWaitAll | kQueueSuspendFlagSyncHwQueue));
    MUST(XQueueDestroy(xq));
    MUST(HwQueueSynchronize(hwq));
    MUST(HwQueueDestroy(hwq));
    stream_close(stream);
    puts("all is well");
    return 0;
}
