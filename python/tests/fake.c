/* A libxsched that does nothing but take note: a line for each call, in the file FAKE_LOG. Handles count up from 1; 13 is a stream that is
 * not known, and priority 999 is out of range. Callbacks run on a thread of their own, one at a time. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t last;

static void note(const char *call, long long a, long long b) {
    FILE *file = fopen(getenv("FAKE_LOG"), "a");
    if (!file) return;
    fprintf(file, "%s %lld %lld\n", call, a, b);
    fclose(file);
}

static int make(const char *call, uint64_t *handle, long long of) {
    note(call, of, 0);
    if (of == 13) return 3;
    *handle = ++last;
    return 0;
}

int CudaQueueCreate(uint64_t *hwq, void *stream) { return make("CudaQueueCreate", hwq, (intptr_t)stream); }
int OclQueueCreate(uint64_t *hwq, void *queue) { return make("OclQueueCreate", hwq, (intptr_t)queue); }
int XQueueCreate(uint64_t *xq, uint64_t hwq, int64_t level, int64_t flags) {
    (void)hwq;
    if (level == 3) return note("XQueueCreate", level, flags), 5;
    return make("XQueueCreate", xq, level);
}
int XQueueDestroy(uint64_t xq) { return note("XQueueDestroy", (long long)xq, 0), 0; }
int HwQueueDestroy(uint64_t hwq) { return note("HwQueueDestroy", (long long)hwq, 0), 0; }
int XQueueSuspend(uint64_t xq, int64_t flags) { return note("XQueueSuspend", (long long)xq, flags), 0; }
int XQueueResume(uint64_t xq, int64_t flags) { return note("XQueueResume", (long long)xq, flags), 0; }
int XQueueWaitAll(uint64_t xq) { return note("XQueueWaitAll", (long long)xq, 0), 0; }
int XQueueQuery(uint64_t xq, int *state) { return (void)xq, *state = 2, 0; }
int XQueueProfileHwCommandCount(uint64_t xq, int64_t *count) { return (void)xq, *count = 7, 0; }
int XQueueSetPreemptLevel(uint64_t xq, int level) { return note("XQueueSetPreemptLevel", (long long)xq, level), 0; }
int XHintSetScheduler(int scheduler, int policy) { return note("XHintSetScheduler", scheduler, policy), 0; }
int XHintPriority(uint64_t xq, int32_t priority) {
    if (priority == 999) return 2;
    return note("XHintPriority", (long long)xq, priority), 0;
}
int XHintUtilization(uint64_t xq, int32_t value) { return note("XHintUtilization", (long long)xq, value), 0; }
int XHintTimeslice(int64_t value) { return note("XHintTimeslice", value, 0), 0; }
int XHintDeadline(uint64_t xq, int64_t value) { return note("XHintDeadline", (long long)xq, value), 0; }
int XHintLaxity(uint64_t xq, int64_t laxity, int32_t lax, int32_t critical) {
    note("XHintLaxity", (long long)xq, laxity);
    return note("lax, critical", lax, critical), 0;
}
int XProcessHint(uint32_t kind, int64_t value) { return note("XProcessHint", kind, value), 0; }
int XProcessUnhint(uint32_t kind) { return note("XProcessUnhint", kind, 0), 0; }

struct command {
    int (*launch)(uint64_t, void *);
    void *data;
    int answer;
    pthread_t thread;
};
static struct command *commands[1000];

int HwCommandCreateCallback(uint64_t *cmd, int (*launch)(uint64_t, void *), void *data) {
    int answer = make("HwCommandCreateCallback", cmd, 0);
    struct command *command = calloc(1, sizeof *command);
    *command = (struct command){.launch = launch, .data = data};
    commands[*cmd % 1000] = command;
    return answer;
}
int HwCommandDestroy(uint64_t cmd) { return note("HwCommandDestroy", (long long)cmd, 0), 0; }
static void *run(void *of) {
    struct command *command = of;
    command->answer = command->launch(1, command->data);
    return NULL;
}
int XQueueSubmit(uint64_t xq, uint64_t cmd) {
    note("XQueueSubmit", (long long)xq, (long long)cmd);
    return xq ? pthread_create(&commands[cmd % 1000]->thread, NULL, run, commands[cmd % 1000]) : 3;
}
int XQueueWait(uint64_t xq, uint64_t cmd) {
    note("XQueueWait", (long long)xq, (long long)cmd);
    pthread_join(commands[cmd % 1000]->thread, NULL);
    return commands[cmd % 1000]->answer;
}
