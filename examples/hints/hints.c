/* Tells XSched how urgent its queue is, and changes its mind. */
#include "scheduled.h"
#include "xsched/process.h"

/* Goes on when the user presses Enter, so that he can look meanwhile. */
static void pause_here(const char *what) {
    printf("%s\n", what);
    fflush(stdout);
    getchar();
}

int main(void) {
    HwQueueHandle hwq;
    XQueueHandle xq;
    device_open();
    Stream stream = stream_open();
    MUST(stream_make_known(&hwq, stream));
    MUST(XQueueCreate(&xq, hwq, kPreemptLevelBlock, kQueueCreateFlagNone));

    /* For one queue. */
    MUST(XHintPriority(xq, -2));
    MUST(XHintUtilization(xq, 25));
    MUST(spin(stream, 1000));
    pause_here("in the background: priority -2, utilization 25");

    MUST(XHintPriority(xq, 0));
    MUST(spin(stream, 1000));
    pause_here("more urgent for a request: priority 0");

    /* For all queues of the process, those to come included. A hint for one queue goes before it. */
    MUST(XProcessHint(kHintDeadline, 20000));
    pause_here("and everything within 20 ms");

    if (XHintPriority(xq, 1000) == kXSchedErrorInvalidValue) printf("refused: a priority of 1000\n");

    MUST(XQueueDestroy(xq));
    MUST(HwQueueDestroy(hwq));
    stream_close(stream);
    return 0;
}
