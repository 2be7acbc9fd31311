/**
 * @file
 * @brief Queues that are scheduled, and commands.
 *
 * A *hardware queue* is a stream of the vendor's that XSched knows; a platform's `hal.h` has the function that makes one known. An
 * *XQueue* is the same stream as something that is scheduled: suspended, resumed, given hints. Launches go on as ever: with XSched's
 * stand-in for the vendor's library on the library path, every call that reaches the stream passes the XQueue. Where there is no stand-in,
 * or where one thread feeds several queues, commands are submitted instead (XQueueSubmit()).
 *
 * Order on one queue: while commands that were submitted are waiting for their launch, any other call on the stream comes behind them.
 *
 * All functions may be called from all threads. A handle that is 0 or not valid (any more) is answered with kXSchedErrorNotFound, a null
 * pointer with kXSchedErrorInvalidValue. A child of fork() starts without queues: its parent's handles are not valid there.
 */
#ifndef XSCHED_XQUEUE_H
#define XSCHED_XQUEUE_H

#include "xsched/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Makes an XQueue of a hardware queue. If it has one already, answers that, which is destroyed by as many calls of
 * XQueueDestroy() as there were calls of this function.
 *
 * @param xq where the handle goes.
 * @param hwq the hardware queue.
 * @param level how far it must be possible to preempt it, an XPreemptLevel; see XQueueSetPreemptLevel().
 * @param flags XQueueCreateFlag bits.
 * @return kXSchedErrorNotSupported if that is not possible; a line on standard error says what is, and why not more.
 */
XResult XQueueCreate(XQueueHandle *xq, HwQueueHandle hwq, int64_t level, int64_t flags);

/** Resumes the queue, waits until all that was submitted is complete, and ends the XQueue. The stream and the hardware queue stay. */
XResult XQueueDestroy(XQueueHandle xq);

/** Looks up the XQueue of a hardware queue: one that was created, or the one that a stand-in schedules without being asked. */
XResult XQueueGet(XQueueHandle *xq, HwQueueHandle hwq);

/**
 * Asks whether the queue can be preempted so far, as things are. It is a demand, not a bound: what can be done is done, also beyond it (a bound is
 * `xcli run --level`, or XSCHED_AUTO_XQUEUE_LEVEL).
 *
 * Levels above kPreemptLevelBlock are those of the process as a whole: xserver interrupts all that it runs on a device. So they are granted while xserver
 * schedules (kSchedulerGlobal) and where the device's driver can be told to; a scheduler in the process, or the program itself, holds single queues back, at
 * kPreemptLevelBlock. What XQueueSuspend() does is the same at all levels.
 *
 * @return kXSchedErrorNotSupported if not; a line on standard error says why.
 */
XResult XQueueSetPreemptLevel(XQueueHandle xq, XPreemptLevel level);

/**
 * Sets how much of the queue may be in flight.
 *
 * @param threshold the most commands in flight, at least 1. For direct launches it counts while somebody more urgent may come.
 * @param batch_size submitted commands that are launched in a row, from 1 to `threshold`.
 */
XResult XQueueSetLaunchConfig(XQueueHandle xq, int64_t threshold, int64_t batch_size);

/**
 * Puts a command behind all others of the queue and returns. It is launched by a thread of XSched's as soon as the queue may run. A command
 * may be submitted again, and may be destroyed right after this call.
 */
XResult XQueueSubmit(XQueueHandle xq, HwCommandHandle cmd);

/**
 * Waits until the device has completed the latest submission of the command to this queue; while the queue is suspended, until it is resumed.
 *
 * @return what the command's callback answered; kXSchedErrorNotFound if the command was never submitted to this queue, or was dropped;
 *         kXSchedErrorNotAllowed inside a callback of the same queue.
 */
XResult XQueueWait(XQueueHandle xq, HwCommandHandle cmd);

/** Waits until all that was launched or submitted so far is complete. The error is the first of a submitted command since the last call. */
XResult XQueueWaitAll(XQueueHandle xq);

/** Looks whether the queue has work. Does not wait. */
XResult XQueueQuery(XQueueHandle xq, XQueueState *state);

/**
 * Suspends the queue: nothing more is launched until XQueueResume(). Without a flag that waits, commands in flight go on. Threads that launch
 * directly wait in their call. To suspend a suspended queue again changes nothing, but flags that wait do wait.
 *
 * @param flags XQueueSuspendFlag bits.
 */
XResult XQueueSuspend(XQueueHandle xq, int64_t flags);

/**
 * Takes back what XQueueSuspend() did, however often it was called; a scheduler may hold the queue back nevertheless.
 *
 * @param flags XQueueResumeFlag bits.
 */
XResult XQueueResume(XQueueHandle xq, int64_t flags);

/** How many commands wait for their launch or are not known to be complete. */
XResult XQueueProfileHwCommandCount(XQueueHandle xq, int64_t *count);

/** Gives the hardware queue up. Its XQueue, if it has one, lives on. Destroy it before the vendor's stream. */
XResult HwQueueDestroy(HwQueueHandle hwq);

/** Launches a command on the calling thread, as a direct launch on the stream would be: it may have to wait. */
XResult HwQueueLaunch(HwQueueHandle hwq, HwCommandHandle cmd);

/** Waits until everything that was launched on the stream is complete. */
XResult HwQueueSynchronize(HwQueueHandle hwq);

/**
 * Makes a command that is launched by a callback.
 *
 * @param cmd where the handle goes.
 * @param launch see LaunchCallback.
 * @param data passed to it; must be valid as long as submissions of the command are not launched.
 */
XResult HwCommandCreateCallback(HwCommandHandle *cmd, LaunchCallback launch, void *data);

/** Gives the command up. Submissions of it that are not launched yet still will be. */
XResult HwCommandDestroy(HwCommandHandle cmd);

#ifdef __cplusplus
}
#endif

#endif
