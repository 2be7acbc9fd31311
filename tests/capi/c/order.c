/* Order on one queue: whatever reaches the stream directly comes behind what was submitted before. Needs the stand-in. */
#include "device.h"

#include <pthread.h>
#include <stdatomic.h>

static Stream stream;
static XQueueHandle xq;
static atomic_int done;

static XResult add(HwQueueHandle hwq, void *data) {
    (void)hwq;
    (void)data;
    return add_one(stream) == 0 ? kXSchedSuccess : kXSchedErrorHardware;
}

static void *launch_directly(void *nothing) {
    (void)nothing;
    thread_enter();
    MUST(twice(stream));
    atomic_store(&done, 1);
    return NULL;
}

static void *wait_directly(void *nothing) {
    (void)nothing;
    thread_enter();
    MUST(finish(stream));
    atomic_store(&done, 1);
    return NULL;
}

/* Ten commands that wait for their launch, and then this. */
static void behind_ten(HwCommandHandle command, void *(*what)(void *)) {
    pthread_t thread;
    MUST(XQueueSuspend(xq, kQueueSuspendFlagNone));
    for (int i = 0; i < 10; i++) MUST(XQueueSubmit(xq, command));
    atomic_store(&done, 0);
    MUST(pthread_create(&thread, NULL, what, NULL));
    sleep_ms(50);
    EXPECT(atomic_load(&done) == 0);
    MUST(XQueueResume(xq, kQueueResumeFlagNone));
    MUST(pthread_join(thread, NULL));
}

int main(void) {
    HwQueueHandle hwq;
    HwCommandHandle command;
    device_open();
    stream = stream_open();
    MUST(stream_make_known(&hwq, stream));
    MUST(XQueueCreate(&xq, hwq, kPreemptLevelBlock, kQueueCreateFlagNone));
    MUST(HwCommandCreateCallback(&command, add, NULL));
    behind_ten(command, launch_directly);
    EXPECT(number_of(stream) == 20);
    behind_ten(command, wait_directly);
    EXPECT(number_of(stream) == 30);
#ifdef ON_CUDA
    CUevent event;
    HwQueueHandle known;
    MUST(CudaQueueGet(&known, stream.handle));
    EXPECT(known == hwq);
    MUST(cuEventCreate(&event, 0));
    MUST(XQueueSuspend(xq, kQueueSuspendFlagNone));
    for (int i = 0; i < 10; i++) MUST(XQueueSubmit(xq, command));
    ANSWERS(600, cuStreamQuery(stream.handle));
    MUST(XQueueResume(xq, kQueueResumeFlagNone));
    MUST(cuEventRecord(event, stream.handle));
    MUST(cuStreamWaitEvent(stream.handle, event, 0));
    MUST(twice(stream));
    EXPECT(number_of(stream) == 80);
    MUST(cuStreamQuery(stream.handle));
    /* The stream goes while it is suspended and has commands: they are launched before. */
    MUST(XQueueSuspend(xq, kQueueSuspendFlagNone));
    for (int i = 0; i < 10; i++) MUST(XQueueSubmit(xq, command));
    stream_close(stream);
    MUST(cuCtxSynchronize());
    int number;
    MUST(cuMemcpyDtoH_v2(&number, stream.number, 4));
    EXPECT(number == 90);
    ANSWERS(kXSchedErrorNotFound, XQueueSubmit(xq, command));
    ANSWERS(kXSchedErrorNotFound, XQueueSuspend(xq, kQueueSuspendFlagNone));
    ANSWERS(kXSchedErrorNotFound, CudaQueueGet(&known, (struct CUstream_st *)0x1234560));
    MUST(XQueueDestroy(xq));
    MUST(HwQueueDestroy(hwq));
#else
    /* The program gives the queue back while the XQueue is there: it lives as long as the hardware queue. */
    MUST(XQueueSuspend(xq, kQueueSuspendFlagNone));
    for (int i = 0; i < 10; i++) MUST(XQueueSubmit(xq, command));
    MUST(clRetainMemObject(stream.number));
    MUST(clReleaseCommandQueue(stream.handle));
    MUST(XQueueDestroy(xq));
    EXPECT(number_of(stream) == 40);
    MUST(HwQueueDestroy(hwq));
#endif
    MUST(HwCommandDestroy(command));
    puts("all is well");
    return 0;
}
