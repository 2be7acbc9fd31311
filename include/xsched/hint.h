/**
 * @file
 * @brief What a program tells the scheduler: which one it wants, and what its queues are like.
 *
 * A hint that the policy in force does not read is kept for those that do. Under kSchedulerGlobal, xserver may refuse what the user is not
 * entitled to (a priority above the configured ceiling, as with nice(1)); it then holds as far as it is allowed.
 */
#ifndef XSCHED_HINT_H
#define XSCHED_HINT_H

#include "xsched/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Says who schedules this process from now on. May be called at any time; no queue is lost, and none stays held back by the scheduler of
 * before. Queues that the program itself has suspended stay suspended.
 *
 * @param scheduler kSchedulerAppManaged, kSchedulerLocal or kSchedulerGlobal.
 * @param policy with kSchedulerLocal: by which rule. With the others it is not looked at: xserver's policy is the machine's, see xcli.
 * @return kXSchedErrorNotSupported for a policy that this library does not have.
 */
XResult XHintSetScheduler(XSchedulerType scheduler, XPolicyType policy);

/** Gives the queue a priority. */
XResult XHintPriority(XQueueHandle xq, Priority priority);

/** Gives the queue a share of the device. */
XResult XHintUtilization(XQueueHandle xq, Utilization utilization);

/** Sets the length of a turn, for all queues of the process. */
XResult XHintTimeslice(Timeslice timeslice);

/**
 * Says for how long the queue may wait, once it is ready, until it is critical.
 *
 * @param laxity microseconds, or #NO_LAXITY.
 * @param lax_prio its priority until then.
 * @param crit_prio its priority from then on.
 */
XResult XHintLaxity(XQueueHandle xq, Laxity laxity, Priority lax_prio, Priority crit_prio);

/** Says how long the queue may take from ready to done. */
XResult XHintDeadline(XQueueHandle xq, Deadline deadline);

/** Says how many queues run at a time under kPolicyKEarliestDeadlineFirst; at least 1. */
XResult XHintKDeadline(size_t k);

#ifdef __cplusplus
}
#endif

#endif
