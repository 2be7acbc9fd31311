/* Everything wrong: null, stale, foreign, of another kind, twice; then many threads that do whatever comes to their mind.
 * misuse [SECONDS [THREADS]] */
#include "device.h"

#include <pthread.h>
#include <stdatomic.h>

static XResult launch_one(HwQueueHandle hwq, void *data) {
    (void)hwq;
    return add_one(*(Stream *)data) == 0 ? kXSchedSuccess : kXSchedErrorHardware;
}

/* Each function with a handle that is not one of its kind. */
static void wrong_handles(uint64_t bad) {
    uint64_t out = 7;
    int64_t number = 7;
    XQueueState state = kQueueStateUnknown;
    ANSWERS(kXSchedErrorNotFound, XQueueCreate(&out, bad, kPreemptLevelBlock, kQueueCreateFlagNone));
    ANSWERS(kXSchedErrorNotFound, XQueueDestroy(bad));
    ANSWERS(kXSchedErrorNotFound, XQueueGet(&out, bad));
    ANSWERS(kXSchedErrorNotFound, XQueueSetPreemptLevel(bad, kPreemptLevelBlock));
    ANSWERS(kXSchedErrorNotFound, XQueueSetLaunchConfig(bad, 8, 4));
    ANSWERS(kXSchedErrorNotFound, XQueueSubmit(bad, bad));
    ANSWERS(kXSchedErrorNotFound, XQueueWait(bad, bad));
    ANSWERS(kXSchedErrorNotFound, XQueueWaitAll(bad));
    ANSWERS(kXSchedErrorNotFound, XQueueQuery(bad, &state));
    ANSWERS(kXSchedErrorNotFound, XQueueSuspend(bad, kQueueSuspendFlagNone));
    ANSWERS(kXSchedErrorNotFound, XQueueResume(bad, kQueueResumeFlagNone));
    ANSWERS(kXSchedErrorNotFound, XQueueProfileHwCommandCount(bad, &number));
    ANSWERS(kXSchedErrorNotFound, HwQueueDestroy(bad));
    ANSWERS(kXSchedErrorNotFound, HwQueueLaunch(bad, bad));
    ANSWERS(kXSchedErrorNotFound, HwQueueSynchronize(bad));
    ANSWERS(kXSchedErrorNotFound, HwCommandDestroy(bad));
    ANSWERS(kXSchedErrorNotFound, XHintPriority(bad, 0));
    ANSWERS(kXSchedErrorNotFound, XHintUtilization(bad, 50));
    ANSWERS(kXSchedErrorNotFound, XHintLaxity(bad, 1000, 0, 1));
    ANSWERS(kXSchedErrorNotFound, XHintDeadline(bad, 1000));
    EXPECT(out == 7 && number == 7 && state == kQueueStateUnknown);
}

static void one_after_the_other(void) {
    Stream stream = stream_open();
    HwQueueHandle hwq;
    XQueueHandle xq;
    HwCommandHandle command;
    MUST(stream_make_known(&hwq, stream));
    MUST(XQueueCreate(&xq, hwq, kPreemptLevelBlock, kQueueCreateFlagNone));
    MUST(HwCommandCreateCallback(&command, launch_one, &stream));

    wrong_handles(0);
    wrong_handles(1);
    wrong_handles(UINT64_MAX);
    wrong_handles(xq + 1000000);
    wrong_handles((uint64_t)(uintptr_t)&stream);
    /* Of another kind. */
    ANSWERS(kXSchedErrorNotFound, XQueueSuspend(hwq, kQueueSuspendFlagNone));
    ANSWERS(kXSchedErrorNotFound, XQueueSuspend(command, kQueueSuspendFlagNone));
    ANSWERS(kXSchedErrorNotFound, HwQueueDestroy(xq));
    ANSWERS(kXSchedErrorNotFound, HwCommandDestroy(xq));
    ANSWERS(kXSchedErrorNotFound, XQueueSubmit(xq, hwq));
    ANSWERS(kXSchedErrorNotFound, XQueueSubmit(command, xq));
    ANSWERS(kXSchedErrorNotFound, XQueueWait(xq, command));

    /* Null, and values out of their range. */
    uint64_t out;
    ANSWERS(kXSchedErrorInvalidValue, XQueueCreate(NULL, hwq, kPreemptLevelBlock, kQueueCreateFlagNone));
    ANSWERS(kXSchedErrorInvalidValue, XQueueCreate(&out, hwq, 0, kQueueCreateFlagNone));
    ANSWERS(kXSchedErrorInvalidValue, XQueueCreate(&out, hwq, 4, kQueueCreateFlagNone));
    ANSWERS(kXSchedErrorInvalidValue, XQueueCreate(&out, hwq, -1, kQueueCreateFlagNone));
    ANSWERS(kXSchedErrorInvalidValue, XQueueCreate(&out, hwq, kPreemptLevelBlock, 2));
    ANSWERS(kXSchedErrorNotSupported, XQueueCreate(&out, hwq, kPreemptLevelInterrupt, kQueueCreateFlagNone));
    ANSWERS(kXSchedErrorNotSupported, XQueueSetPreemptLevel(xq, kPreemptLevelDeactivate));
    ANSWERS(kXSchedErrorInvalidValue, XQueueSetPreemptLevel(xq, kPreemptLevelUnknown));
    ANSWERS(kXSchedErrorInvalidValue, XQueueSetPreemptLevel(xq, kPreemptLevelMax));
    ANSWERS(kXSchedErrorInvalidValue, XQueueGet(NULL, hwq));
    ANSWERS(kXSchedErrorInvalidValue, XQueueSetLaunchConfig(xq, 0, 0));
    ANSWERS(kXSchedErrorInvalidValue, XQueueSetLaunchConfig(xq, 8, 9));
    ANSWERS(kXSchedErrorInvalidValue, XQueueSetLaunchConfig(xq, 8, 0));
    ANSWERS(kXSchedErrorInvalidValue, XQueueSetLaunchConfig(xq, -1, -1));
    ANSWERS(kXSchedErrorInvalidValue, XQueueQuery(xq, NULL));
    ANSWERS(kXSchedErrorInvalidValue, XQueueProfileHwCommandCount(xq, NULL));
    ANSWERS(kXSchedErrorInvalidValue, XQueueSuspend(xq, 8));
    ANSWERS(kXSchedErrorInvalidValue, XQueueResume(xq, 2));
    ANSWERS(kXSchedErrorInvalidValue, HwCommandCreateCallback(NULL, launch_one, NULL));
    ANSWERS(kXSchedErrorInvalidValue, HwCommandCreateCallback(&out, NULL, NULL));
    ANSWERS(kXSchedErrorInvalidValue, XHintPriority(xq, PRIORITY_MAX + 1));
    ANSWERS(kXSchedErrorInvalidValue, XHintPriority(xq, PRIORITY_NO_EXECUTE - 1));
    ANSWERS(kXSchedErrorInvalidValue, XHintUtilization(xq, UTILIZATION_MAX + 1));
    ANSWERS(kXSchedErrorInvalidValue, XHintTimeslice(TIMESLICE_MIN - 1));
    ANSWERS(kXSchedErrorInvalidValue, XHintTimeslice(TIMESLICE_MAX + 1));
    ANSWERS(kXSchedErrorInvalidValue, XHintLaxity(xq, -2, 0, 0));
    ANSWERS(kXSchedErrorInvalidValue, XHintDeadline(xq, -2));
    ANSWERS(kXSchedErrorInvalidValue, XHintKDeadline(0));
#ifndef ON_CUDA
    ANSWERS(kXSchedErrorInvalidValue, OclQueueCreate(NULL, stream.handle));
    ANSWERS(kXSchedErrorInvalidValue, OclQueueCreate(&out, NULL));
#else
    ANSWERS(kXSchedErrorInvalidValue, CudaQueueCreate(NULL, stream.handle));
    ANSWERS(kXSchedErrorInvalidValue, CudaQueueGet(NULL, stream.handle));
#endif

    /* Twice, and used after the end; suspended when it ends. */
    MUST(XQueueSuspend(xq, kQueueSuspendFlagNone));
    MUST(XQueueSubmit(xq, command));
    MUST(HwQueueDestroy(hwq));
    ANSWERS(kXSchedErrorNotFound, HwQueueDestroy(hwq));
    ANSWERS(kXSchedErrorNotFound, XQueueGet(&out, hwq));
    MUST(XQueueDestroy(xq));
    MUST(HwCommandDestroy(command));
    wrong_handles(xq);
    wrong_handles(hwq);
    wrong_handles(command);
    EXPECT(number_of(stream) == 1);
    stream_close(stream);
}

enum { PLACES = 24 };

/* Handles that all threads know, use and destroy. */
static atomic_uint_fast64_t hw_queues[PLACES], queues[PLACES], commands[PLACES];
static Stream streams[PLACES];
static atomic_int is_over;

static unsigned roll(unsigned *seed, unsigned below) {
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 8) % below;
}

static void whatever(unsigned *seed) {
    unsigned at = roll(seed, PLACES);
    HwQueueHandle hwq = atomic_load(&hw_queues[roll(seed, PLACES)]);
    XQueueHandle xq = atomic_load(&queues[roll(seed, PLACES)]);
    HwCommandHandle command = atomic_load(&commands[roll(seed, PLACES)]);
    uint64_t out;
    int64_t number;
    XQueueState state;
    switch (roll(seed, 24)) {
    case 0:
        if (stream_make_known(&out, streams[at]) == kXSchedSuccess) atomic_store(&hw_queues[at], out);
        break;
    case 1:
    case 2:
        if (XQueueCreate(&out, hwq, kPreemptLevelBlock, roll(seed, 2)) == kXSchedSuccess) atomic_store(&queues[at], out);
        break;
    case 3:
        if (HwCommandCreateCallback(&out, launch_one, &streams[at]) == kXSchedSuccess) atomic_store(&commands[at], out);
        break;
    case 4: (void)HwQueueDestroy(hwq); break;
    case 5: (void)XQueueDestroy(xq); break;
    case 6: (void)HwCommandDestroy(command); break;
    case 7: (void)XQueueSuspend(xq, roll(seed, 4) == 0 ? roll(seed, 8) : 0); break;
    case 8:
    case 9:
    case 10: (void)XQueueResume(xq, roll(seed, 2)); break;
    case 11:
    case 12:
    case 13: (void)XQueueSubmit(xq, command); break;
    case 14: (void)XQueueQuery(xq, &state); break;
    case 15: (void)XQueueProfileHwCommandCount(xq, &number); break;
    case 16: (void)XQueueSetLaunchConfig(xq, 1 + roll(seed, 16), 1); break;
    case 17: (void)XHintPriority(xq, (int)roll(seed, 20)); break;
    case 18: (void)XHintSetScheduler(1 + roll(seed, 3), kPolicyHighestPriorityFirst); break;
    case 19: (void)XQueueGet(&out, hwq); break;
    case 20: (void)XQueueWait(xq, command); break;
    case 21: (void)XQueueWaitAll(xq); break;
    case 22: (void)HwQueueLaunch(hwq, command); break;
    case 23: (void)add_one(streams[at]); break;
    }
}

static void *at_random(void *number) {
    unsigned seed = (unsigned)(uintptr_t)number * 7919u + 1;
    thread_enter();
    while (!atomic_load(&is_over)) whatever(&seed);
    return NULL;
}

/* Whatever was suspended goes on, also what no place knows any more. */
static void resume_everything(void) {
    for (int i = 0; i < PLACES; i++) {
        HwQueueHandle hwq;
        XQueueHandle xq;
        MUST(stream_make_known(&hwq, streams[i]));
        if (XQueueGet(&xq, hwq) == kXSchedSuccess) (void)XQueueResume(xq, kQueueResumeFlagNone);
        (void)HwQueueDestroy(hwq);
    }
}

/* Nobody waits for ever: what one thread suspends, this one resumes. */
static void *resume_all(void *nothing) {
    (void)nothing;
    thread_enter();
    while (!atomic_load(&is_over)) {
        resume_everything();
        sleep_ms(2);
    }
    return NULL;
}

#ifdef RACE
/* A fault that a tool must see, or it sees nothing. */
static int unguarded;

static void *add_up(void *nothing) {
    for (int i = 0; i < 1000; i++) unguarded++;
    return nothing;
}

static void race(void) {
    pthread_t other;
    MUST(pthread_create(&other, NULL, add_up, NULL));
    add_up(NULL);
    MUST(pthread_join(other, NULL));
}
#endif

int main(int argc, char **argv) {
#ifdef RACE
    race();
#endif
    unsigned seconds = argc > 1 ? (unsigned)atoi(argv[1]) : 3, count = argc > 2 ? (unsigned)atoi(argv[2]) : 32;
    pthread_t threads[64], resumer;
    device_open();
    one_after_the_other();
    for (int i = 0; i < PLACES; i++) streams[i] = stream_open();
    EXPECT(count <= 64);
    for (unsigned i = 0; i < count; i++) MUST(pthread_create(&threads[i], NULL, at_random, (void *)(uintptr_t)i));
    MUST(pthread_create(&resumer, NULL, resume_all, NULL));
    sleep_ms(seconds * 1000);
    atomic_store(&is_over, 1);
    /* Until every thread is out of what it is waiting in. */
    for (int i = 0; i < 200; i++) {
        resume_everything();
        sleep_ms(5);
    }
    for (unsigned i = 0; i < count; i++) MUST(pthread_join(threads[i], NULL));
    MUST(pthread_join(resumer, NULL));
    /* Whatever state it left: all works again. */
    MUST(XHintSetScheduler(kSchedulerAppManaged, kPolicyUnknown));
    for (int i = 0; i < PLACES; i++) {
        HwQueueHandle hwq;
        XQueueHandle xq;
        MUST(stream_make_known(&hwq, streams[i]));
        if (XQueueGet(&xq, hwq) == kXSchedSuccess) {
            while (XQueueDestroy(xq) == kXSchedSuccess) {}
        }
        while (HwQueueDestroy(hwq) == kXSchedSuccess) {}
    }
    for (int i = 0; i < PLACES; i++) MUST(finish(streams[i]));
    one_after_the_other();
    puts("all is well");
    return 0;
}
