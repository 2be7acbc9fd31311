/**
 * @file
 * @brief Hints for the whole process, those of its queues that are still to come included. Other implementations of this interface do not have it.
 *
 * A hint for one queue (`xsched/hint.h`) goes before one for its process.
 */
#ifndef XSCHED_PROCESS_H
#define XSCHED_PROCESS_H

#include "xsched/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Which hint. */
typedef enum {
    kHintPriority = 1,         /**< See XHintPriority(). */
    kHintUtilization = 2,      /**< See XHintUtilization(). */
    kHintTimeslice = 3,        /**< See XHintTimeslice(). */
    kHintLaxity = 4,           /**< See XHintLaxity(). */
    kHintDeadline = 5,         /**< See XHintDeadline(). */
    kHintGap = 6,              /**< Microseconds: gaps between commands up to this long are none; -1 for the server's grace. */
    kHintLaxPriority = 7,      /**< See XHintLaxity(). */
    kHintCriticalPriority = 8, /**< See XHintLaxity(). */
    kHintKDeadline = 9         /**< See XHintKDeadline(). */
} XHintKind;

/**
 * Gives all queues of the process a hint.
 *
 * @param kind which one.
 * @param value in the unit of the function of that name.
 * @return kXSchedErrorInvalidValue if there is no such hint, or the value is out of its range.
 */
XResult XProcessHint(XHintKind kind, int64_t value);

/** Takes the hint back: what the program was started with holds again. */
XResult XProcessUnhint(XHintKind kind);

#ifdef __cplusplus
}
#endif
#endif
