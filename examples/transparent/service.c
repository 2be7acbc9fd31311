/* Somebody waits for this one: a request of about 2 ms every 20 ms. It knows nothing of XSched.
 * service [REQUESTS] */
#include "device.h"
#include "times.h"

int main(int argc, char **argv) {
    int requests = argc > 1 ? atoi(argv[1]) : 100;
    double *times = calloc((size_t)requests, sizeof *times);
    if (times == NULL || requests < 1) return 1;
    device_open();
    Stream stream = stream_open();
    for (int i = 0; i < requests; i++) {
        double begun = now_ms();
        MUST(spin(stream, 2000));
        MUST(finish(stream));
        times[i] = now_ms() - begun;
        sleep_ms(20);
    }
    printf("%d requests, median %.1f ms, p95 %.1f ms\n", requests, quantile(times, requests, 0.5), quantile(times, requests, 0.95));
    free(times);
    stream_close(stream);
    return 0;
}
