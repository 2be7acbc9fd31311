/* Commands that call back, submitted from one thread: their order, their results, suspensions with every flag, and the end. */
#include "device.h"

#include <pthread.h>
#include <stdatomic.h>

static Stream stream;
static HwQueueHandle hwq;
static XQueueHandle xq;
static atomic_int called;

static XResult count(HwQueueHandle queue, void *data) {
    (void)data;
    EXPECT(queue == hwq);
    int result = add_one(stream);
    atomic_fetch_add(&called, 1);
    return result == 0 ? kXSchedSuccess : kXSchedErrorHardware;
}

static XResult order(HwQueueHandle queue, void *data) {
    (void)queue;
    EXPECT(atomic_fetch_add(&called, 1) == (int)(intptr_t)data);
    return add_one(stream) == 0 ? kXSchedSuccess : kXSchedErrorHardware;
}

static XResult take_long(HwQueueHandle queue, void *data) {
    (void)queue;
    (void)data;
    return spin(stream, 30000) == 0 ? kXSchedSuccess : kXSchedErrorHardware;
}

static XResult fail(HwQueueHandle queue, void *data) {
    (void)queue;
    (void)data;
    return kXSchedErrorBadResponse;
}

/* Whatever would wait for its own queue is refused; the rest works. */
static XResult look_around(HwQueueHandle queue, void *data) {
    HwCommandHandle own = *(HwCommandHandle *)data;
    int64_t pending;
    ANSWERS(kXSchedErrorNotAllowed, XQueueWait(xq, own));
    ANSWERS(kXSchedErrorNotAllowed, XQueueWaitAll(xq));
    ANSWERS(kXSchedErrorNotAllowed, XQueueDestroy(xq));
    ANSWERS(kXSchedErrorNotAllowed, HwQueueSynchronize(queue));
    ANSWERS(kXSchedErrorNotAllowed, XQueueSuspend(xq, kQueueSuspendFlagSyncHwQueue));
    ANSWERS(kXSchedErrorNotAllowed, XQueueSuspend(xq, kQueueSuspendFlagWaitAll));
    ANSWERS(kXSchedErrorNotAllowed, XQueueSuspend(xq, kQueueSuspendFlagWaitIdle));
    MUST(XQueueSuspend(xq, kQueueSuspendFlagNone));
    MUST(XQueueResume(xq, kQueueResumeFlagNone));
    MUST(XQueueProfileHwCommandCount(xq, &pending));
    MUST(XHintPriority(xq, 3));
    return kXSchedSuccess;
}

static void *resume_soon(void *nothing) {
    (void)nothing;
    sleep_ms(100);
    MUST(XQueueResume(xq, kQueueResumeFlagNone));
    return NULL;
}

int main(void) {
    HwCommandHandle each, failing, looking, longer, in_order[64];
    XQueueState state;
    int64_t left;
    pthread_t thread;
    device_open();
    stream = stream_open();
    MUST(stream_make_known(&hwq, stream));
    MUST(XQueueCreate(&xq, hwq, kPreemptLevelBlock, kQueueCreateFlagNone));
    MUST(XQueueSetLaunchConfig(xq, 8, 4));
    MUST(HwCommandCreateCallback(&each, count, NULL));
    MUST(HwCommandCreateCallback(&failing, fail, NULL));
    MUST(HwCommandCreateCallback(&looking, look_around, &looking));
    MUST(HwCommandCreateCallback(&longer, take_long, NULL));

    /* In order, and complete on the device when waited for. A command may go before it is launched. */
    for (int i = 0; i < 64; i++) {
        MUST(HwCommandCreateCallback(&in_order[i], order, (void *)(intptr_t)i));
        MUST(XQueueSubmit(xq, in_order[i]));
        if (i < 63) MUST(HwCommandDestroy(in_order[i]));
    }
    MUST(XQueueWait(xq, in_order[63]));
    EXPECT(atomic_load(&called) == 64 && number_of(stream) == 64);
    MUST(HwCommandDestroy(in_order[63]));

    /* Results. */
    ANSWERS(kXSchedErrorNotFound, XQueueWait(xq, failing));
    MUST(XQueueSubmit(xq, failing));
    ANSWERS(kXSchedErrorBadResponse, XQueueWait(xq, failing));
    ANSWERS(kXSchedErrorBadResponse, XQueueWaitAll(xq));
    MUST(XQueueWaitAll(xq));
    MUST(XQueueSubmit(xq, looking));
    MUST(XQueueWait(xq, looking));

    /* Suspended: nothing is launched, everything is there afterwards. */
    atomic_store(&called, 0);
    MUST(XQueueSuspend(xq, kQueueSuspendFlagNone));
    for (int i = 0; i < 10; i++) MUST(XQueueSubmit(xq, each));
    sleep_ms(50);
    EXPECT(atomic_load(&called) == 0);
    MUST(XQueueQuery(xq, &state));
    EXPECT(state == kQueueStateReady);
    MUST(XQueueProfileHwCommandCount(xq, &left));
    EXPECT(left == 10);
    MUST(pthread_create(&thread, NULL, resume_soon, NULL));
    MUST(XQueueWait(xq, each));
    MUST(pthread_join(thread, NULL));
    EXPECT(atomic_load(&called) == 10 && number_of(stream) == 74);

    /* Dropped: never launched, and who waits is told. */
    MUST(XQueueSuspend(xq, kQueueSuspendFlagNone));
    for (int i = 0; i < 10; i++) MUST(XQueueSubmit(xq, each));
    MUST(XQueueResume(xq, kQueueResumeFlagDropCommands));
    ANSWERS(kXSchedErrorNotFound, XQueueWait(xq, each));
    (void)XQueueWaitAll(xq);
    EXPECT(number_of(stream) == 74);

    /* SyncHwQueue: what is in flight is done. */
    MUST(XQueueSubmit(xq, longer));
    do MUST(XQueueProfileHwCommandCount(xq, &left));
    while (left == 0);
    MUST(XQueueSuspend(xq, kQueueSuspendFlagSyncHwQueue));
    MUST(XQueueResume(xq, kQueueResumeFlagNone));

    /* WaitAll: all that was submitted comes first. WaitIdle: so does what others submit meanwhile. */
    atomic_store(&called, 0);
    for (int i = 0; i < 20; i++) MUST(XQueueSubmit(xq, each));
    MUST(XQueueSuspend(xq, kQueueSuspendFlagWaitAll));
    EXPECT(atomic_load(&called) == 20);
    MUST(XQueueSubmit(xq, each));
    MUST(XQueueSuspend(xq, kQueueSuspendFlagWaitAll));
    MUST(XQueueSuspend(xq, kQueueSuspendFlagMaskAll));
    sleep_ms(20);
    EXPECT(atomic_load(&called) == 20);
    MUST(XQueueResume(xq, kQueueResumeFlagNone));
    MUST(XQueueSuspend(xq, kQueueSuspendFlagWaitIdle));
    EXPECT(atomic_load(&called) == 21);

    /* Destroyed while it is suspended, with commands: it is resumed, and all are done. */
    for (int i = 0; i < 10; i++) MUST(XQueueSubmit(xq, each));
    MUST(XQueueDestroy(xq));
    EXPECT(atomic_load(&called) == 31 && number_of(stream) == 105);
    ANSWERS(kXSchedErrorNotFound, XQueueSubmit(xq, each));
    ANSWERS(kXSchedErrorNotFound, XQueueDestroy(xq));

    /* Again, with a thread that waits for its launches; and directly. */
    MUST(XQueueCreate(&xq, hwq, kPreemptLevelBlock, kQueueCreateFlagBlockingSubmit));
    MUST(XQueueSubmit(xq, each));
    EXPECT(atomic_load(&called) == 32);
    MUST(HwQueueLaunch(hwq, each));
    EXPECT(atomic_load(&called) == 33);
    MUST(HwQueueSynchronize(hwq));
    EXPECT(number_of(stream) == 107);

    MUST(HwCommandDestroy(each));
    MUST(HwCommandDestroy(failing));
    MUST(HwCommandDestroy(looking));
    MUST(HwCommandDestroy(longer));
    MUST(XQueueDestroy(xq));
    MUST(HwQueueDestroy(hwq));
    stream_close(stream);
    puts("all is well");
    return 0;
}
