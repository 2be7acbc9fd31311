/**
 * @file
 * @brief All of the XSched C interface but the platforms' parts, which are in `xsched/<platform>/hal.h`.
 */
#ifndef XSCHED_XSCHED_H
#define XSCHED_XSCHED_H

#include "xsched/types.h"
#include "xsched/xqueue.h"
#include "xsched/hint.h"

#endif
