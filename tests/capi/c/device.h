/* The device of the examples, with what tests need besides. */
#ifndef TEST_DEVICE_H
#define TEST_DEVICE_H

#include "scheduled.h"

#define EXPECT(what)                                                                                        \
    do {                                                                                                    \
        if (!(what)) {                                                                                      \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what);                              \
            exit(1);                                                                                        \
        }                                                                                                   \
    } while (0)

#define ANSWERS(code, call)                                                                                 \
    do {                                                                                                    \
        long result_ = (long)(call);                                                                        \
        if (result_ != (long)(code)) {                                                                      \
            fprintf(stderr, "%s:%d: %s answered %ld, not %s\n", __FILE__, __LINE__, #call, result_, #code); \
            exit(1);                                                                                        \
        }                                                                                                   \
    } while (0)

#endif
