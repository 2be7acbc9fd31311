/* Two queues of one process: an urgent one with a request now and then, and a greedy one that is always busy. A scheduler inside the process
 * lets the urgent one go first; no server is needed. */
#include "scheduled.h"
#include "times.h"

#include <pthread.h>
#include <stdatomic.h>

enum { REQUESTS = 50 };

static Stream greedy;
static atomic_int is_over;

static void *be_greedy(void *nothing) {
    (void)nothing;
    thread_enter();
    while (!atomic_load(&is_over)) {
        for (int i = 0; i < 4; i++) MUST(spin(greedy, 4000));
        MUST(finish(greedy));
    }
    return NULL;
}

static void measure(const char *how, Stream urgent) {
    double times[REQUESTS];
    for (int i = 0; i < REQUESTS; i++) {
        double begun = now_ms();
        MUST(spin(urgent, 2000));
        MUST(finish(urgent));
        times[i] = now_ms() - begun;
        sleep_ms(8);
    }
    printf("%-24s median %.1f ms, p95 %.1f ms\n", how, quantile(times, REQUESTS, 0.5), quantile(times, REQUESTS, 0.95));
    fflush(stdout);
}

int main(void) {
    HwQueueHandle hwq[2];
    XQueueHandle xq[2];
    pthread_t thread;
    device_open();
    Stream urgent = stream_open();
    greedy = stream_open();
    MUST(stream_make_known(&hwq[0], urgent));
    MUST(stream_make_known(&hwq[1], greedy));
    for (int i = 0; i < 2; i++) MUST(XQueueCreate(&xq[i], hwq[i], kPreemptLevelBlock, kQueueCreateFlagNone));
    MUST(XHintPriority(xq[0], 10));
    MUST(XHintPriority(xq[1], -10));

    MUST(XHintSetScheduler(kSchedulerAppManaged, kPolicyUnknown));
    measure("alone:", urgent);
    MUST(pthread_create(&thread, NULL, be_greedy, NULL));
    measure("together:", urgent);
    MUST(XHintSetScheduler(kSchedulerLocal, kPolicyHighestPriorityFirst));
    measure("with a local scheduler:", urgent);

    atomic_store(&is_over, 1);
    MUST(pthread_join(thread, NULL));
    for (int i = 0; i < 2; i++) MUST(XQueueDestroy(xq[i]));
    for (int i = 0; i < 2; i++) MUST(HwQueueDestroy(hwq[i]));
    stream_close(urgent);
    stream_close(greedy);
    return 0;
}
