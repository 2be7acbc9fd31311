/* Levels above 1: what runs is interrupted by xserver, for the whole process, where the driver can be told to. So the answer goes by who schedules.
 * With INTERRUPTIBLE=1 in the environment the driver can. */
#include "device.h"

static XQueueHandle xq;
static HwQueueHandle hwq;

/* Whether levels above 1 are granted, by both functions that ask for one. */
static void granted(XResult expected) {
    static const XPreemptLevel levels[] = {kPreemptLevelDeactivate, kPreemptLevelInterrupt};
    for (int i = 0; i < 2; i++) {
        XQueueHandle same = 0;
        ANSWERS(expected, XQueueSetPreemptLevel(xq, levels[i]));
        ANSWERS(expected, XQueueCreate(&same, hwq, levels[i], kQueueCreateFlagNone));
        EXPECT(same == (expected == kXSchedSuccess ? xq : 0));
        if (same != 0) MUST(XQueueDestroy(same));
    }
    /* Level 1 is always there, and to ask for it takes nothing away. */
    MUST(XQueueSetPreemptLevel(xq, kPreemptLevelBlock));
}

int main(void) {
    const char *interruptible = getenv("INTERRUPTIBLE");
    XResult expected = interruptible != NULL ? kXSchedSuccess : kXSchedErrorNotSupported;
    device_open();
    Stream stream = stream_open();
    MUST(stream_make_known(&hwq, stream));
    MUST(XQueueCreate(&xq, hwq, kPreemptLevelBlock, kQueueCreateFlagNone));
    MUST(XHintSetScheduler(kSchedulerGlobal, kPolicyUnknown));
    granted(expected);
    MUST(XHintSetScheduler(kSchedulerLocal, kPolicyHighestPriorityFirst));
    granted(kXSchedErrorNotSupported);
    MUST(XHintSetScheduler(kSchedulerAppManaged, kPolicyUnknown));
    granted(kXSchedErrorNotSupported);
    MUST(XHintSetScheduler(kSchedulerGlobal, kPolicyUnknown));
    granted(expected);
    MUST(add_one(stream));
    MUST(finish(stream));
    EXPECT(number_of(stream) == 1);
    MUST(XQueueDestroy(xq));
    MUST(HwQueueDestroy(hwq));
    stream_close(stream);
    puts("all is well");
    return 0;
}
