/* The time, and what a list of times says. */
#ifndef TIMES_H
#define TIMES_H

#include <stdlib.h>
#include <time.h>

static inline double now_ms(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static inline int ascending(const void *one, const void *other) {
    double difference = *(const double *)one - *(const double *)other;
    return (difference > 0) - (difference < 0);
}

/* The time that this part of all does not exceed: 0.5 for the median. Sorts them. */
static inline double quantile(double *times, int count, double part) {
    qsort(times, (size_t)count, sizeof *times, ascending);
    return times[(int)(part * (count - 1) + 0.5)];
}

#endif
