/* The scheduler inside the process: one thread feeds two queues of different priority, and who schedules is changed while they work. */
#include "device.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { GREEDY = 150, URGENT = 40 };

typedef struct {
    Stream stream;
    HwQueueHandle hwq;
    XQueueHandle xq;
    HwCommandHandle command;
    atomic_int launched;
} Lane;

static XResult work(HwQueueHandle hwq, void *data) {
    Lane *lane = data;
    EXPECT(hwq == lane->hwq);
    atomic_fetch_add(&lane->launched, 1);
    return spin(lane->stream, 3000) == 0 ? kXSchedSuccess : kXSchedErrorHardware;
}

static void open_lane(Lane *lane, Priority priority) {
    atomic_store(&lane->launched, 0);
    lane->stream = stream_open();
    MUST(stream_make_known(&lane->hwq, lane->stream));
    MUST(XQueueCreate(&lane->xq, lane->hwq, kPreemptLevelBlock, kQueueCreateFlagNone));
    MUST(XQueueSetLaunchConfig(lane->xq, 2, 1));
    MUST(XHintPriority(lane->xq, priority));
    MUST(HwCommandCreateCallback(&lane->command, work, lane));
}

static void close_lane(Lane *lane) {
    MUST(HwCommandDestroy(lane->command));
    MUST(XQueueDestroy(lane->xq));
    MUST(HwQueueDestroy(lane->hwq));
    stream_close(lane->stream);
}

static void submit(Lane *lane, int times) {
    for (int i = 0; i < times; i++) MUST(XQueueSubmit(lane->xq, lane->command));
}

static void by_priority(Lane *greedy, Lane *urgent) {
    MUST(XHintSetScheduler(kSchedulerLocal, kPolicyHighestPriorityFirst));
    submit(greedy, GREEDY);
    while (atomic_load(&greedy->launched) < 5) sleep_ms(1);
    submit(urgent, URGENT);
    /* By then the scheduler has been heard, however busy the machine is. */
    while (atomic_load(&urgent->launched) < 10) sleep_ms(1);
    int before = atomic_load(&greedy->launched);
    MUST(XQueueWait(urgent->xq, urgent->command));
    int after = atomic_load(&greedy->launched);
    /* Side by side they would be equally many. */
    EXPECT(after - before <= URGENT / 5);
    EXPECT(atomic_load(&urgent->launched) == URGENT && after < GREEDY);
    /* And the other way round, by a hint while they work. */
    submit(urgent, 2 * GREEDY);
    while (atomic_load(&urgent->launched) < URGENT + 3) sleep_ms(1);
    MUST(XHintPriority(greedy->xq, 20));
    MUST(XQueueWait(greedy->xq, greedy->command));
    EXPECT(atomic_load(&urgent->launched) < URGENT + 2 * GREEDY);
    MUST(XQueueWaitAll(urgent->xq));
    MUST(XHintPriority(greedy->xq, 0));
}

/* A queue that the program has suspended itself holds nobody back, however urgent it is. */
static void suspended_by_the_program(Lane *greedy, Lane *urgent) {
    MUST(XQueueSuspend(urgent->xq, kQueueSuspendFlagNone));
    submit(urgent, 3);
    int urgent_before = atomic_load(&urgent->launched);
    submit(greedy, 10);
    MUST(XQueueWait(greedy->xq, greedy->command));
    EXPECT(atomic_load(&urgent->launched) == urgent_before);
    MUST(XQueueResume(urgent->xq, kQueueResumeFlagNone));
    MUST(XQueueWaitAll(urgent->xq));
}

/* One that never runs is let go when another schedules. */
static void never(Lane *greedy) {
    MUST(XHintPriority(greedy->xq, PRIORITY_NO_EXECUTE));
    sleep_ms(50);
    int before = atomic_load(&greedy->launched);
    submit(greedy, 3);
    sleep_ms(50);
    EXPECT(atomic_load(&greedy->launched) == before);
    MUST(XHintSetScheduler(kSchedulerAppManaged, kPolicyUnknown));
    MUST(XQueueWait(greedy->xq, greedy->command));
    MUST(XHintSetScheduler(kSchedulerLocal, kPolicyHighestPriorityFirst));
    sleep_ms(50);
    submit(greedy, 1);
    sleep_ms(50);
    EXPECT(atomic_load(&greedy->launched) == before + 3);
    MUST(XHintPriority(greedy->xq, PRIORITY_DEFAULT));
    MUST(XQueueWait(greedy->xq, greedy->command));
}

static void by_everybody(Lane *greedy, Lane *urgent) {
    static const struct {
        XSchedulerType scheduler;
        XPolicyType policy;
    } all[] = {
        {kSchedulerLocal, kPolicyHighestPriorityFirst}, {kSchedulerAppManaged, kPolicyUnknown},
        {kSchedulerLocal, kPolicyUtilizationPartition}, {kSchedulerGlobal, kPolicyUnknown},
        {kSchedulerLocal, kPolicyKEarliestDeadlineFirst}, {kSchedulerLocal, kPolicyHighestPriorityFirst},
        {kSchedulerGlobal, kPolicyHighestPriorityFirst}, {kSchedulerAppManaged, kPolicyHighestPriorityFirst},
    };
    for (int round = 0; round < 3; round++) {
        submit(greedy, 40);
        submit(urgent, 40);
        for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
            MUST(XHintSetScheduler(all[i].scheduler, all[i].policy));
            sleep_ms(10);
        }
        MUST(XQueueWaitAll(greedy->xq));
        MUST(XQueueWaitAll(urgent->xq));
    }
    ANSWERS(kXSchedErrorInvalidValue, XHintSetScheduler(kSchedulerLocal, kPolicyUnknown));
    ANSWERS(kXSchedErrorInvalidValue, XHintSetScheduler(kSchedulerLocal, kPolicyMax));
    ANSWERS(kXSchedErrorInvalidValue, XHintSetScheduler(kSchedulerUnknown, kPolicyHighestPriorityFirst));
    ANSWERS(kXSchedErrorInvalidValue, XHintSetScheduler(kSchedulerMax, kPolicyHighestPriorityFirst));
}

int main(void) {
    Lane greedy, urgent;
    /* On a busy machine a thread may be late with its next command; that gap is not for the less urgent ones. */
    setenv("XSCHED_GRACE", "20ms", 1);
    device_open();
    open_lane(&greedy, 0);
    open_lane(&urgent, 10);
    by_priority(&greedy, &urgent);
    suspended_by_the_program(&greedy, &urgent);
    never(&greedy);
    by_everybody(&greedy, &urgent);
    close_lane(&greedy);
    close_lane(&urgent);
    puts("all is well");
    return 0;
}
