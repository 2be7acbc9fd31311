/* Submits commands instead of launching them: a thread of XSched's launches each as soon as the queue may run, so this one never waits.
 * It works without the stand-in for the vendor's library, too. */
#include "scheduled.h"

#include <stdatomic.h>

enum { COMMANDS = 10 };

static Stream stream;
static atomic_int launched;

static XResult launch_it(HwQueueHandle hwq, void *data) {
    (void)hwq;
    (void)data;
    atomic_fetch_add(&launched, 1);
    return add_one(stream) == 0 ? kXSchedSuccess : kXSchedErrorHardware;
}

int main(void) {
    HwQueueHandle hwq;
    XQueueHandle xq;
    HwCommandHandle commands[COMMANDS];
    device_open();
    stream = stream_open();
    MUST(stream_make_known(&hwq, stream));
    MUST(XQueueCreate(&xq, hwq, kPreemptLevelBlock, kQueueCreateFlagNone));

    MUST(XQueueSuspend(xq, kQueueSuspendFlagNone));
    for (int i = 0; i < COMMANDS; i++) {
        MUST(HwCommandCreateCallback(&commands[i], launch_it, NULL));
        MUST(XQueueSubmit(xq, commands[i]));
    }
    sleep_ms(100);
    printf("%d of %d are launched while the queue is suspended\n", atomic_load(&launched), COMMANDS);

    MUST(XQueueResume(xq, kQueueResumeFlagNone));
    /* Complete on the device, not only launched. */
    MUST(XQueueWait(xq, commands[4]));
    printf("the fifth is complete: %s\n", atomic_load(&launched) >= 5 ? "yes" : "no");
    MUST(XQueueWaitAll(xq));
    printf("all are complete: the device counted %d\n", number_of(stream));

    for (int i = 0; i < COMMANDS; i++) MUST(HwCommandDestroy(commands[i]));
    MUST(XQueueDestroy(xq));
    MUST(HwQueueDestroy(hwq));
    stream_close(stream);
    return 0;
}
