/**
 * @file
 * @brief Types and values of the XSched C interface.
 *
 * Plain C99, and C++. Handles are numbers: 0 is never one, and a handle that is destroyed, made up, or of another kind is answered with
 * an error wherever it is used. All numbers here are part of the binary interface and do not change.
 */
#ifndef XSCHED_TYPES_H
#define XSCHED_TYPES_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A device, as a number. */
typedef uint64_t XDevice;
/** Which of the devices of one kind. */
typedef uint32_t XDeviceId;
/** A queue that is scheduled. */
typedef uint64_t XQueueHandle;
/** A queue of the vendor's, known to XSched. */
typedef uint64_t HwQueueHandle;
/** A command that can be submitted to a queue. */
typedef uint64_t HwCommandHandle;

/** Larger is more urgent: #PRIORITY_MIN to #PRIORITY_MAX, or #PRIORITY_NO_EXECUTE. */
typedef int32_t Priority;
/** A share of the device in percent: #UTILIZATION_MIN to #UTILIZATION_MAX. */
typedef int32_t Utilization;
/** Length of a turn in microseconds. */
typedef int64_t Timeslice;
/** Microseconds for which a queue may wait without becoming critical, or #NO_LAXITY. */
typedef int64_t Laxity;
/** Microseconds from ready to done, or #NO_DEADLINE. */
typedef int64_t Deadline;

/** What every function answers. */
typedef enum {
    kXSchedSuccess = 0,           /**< Done. */
    kXSchedErrorHardware = 1,     /**< The vendor's library, or the device, failed. */
    kXSchedErrorInvalidValue = 2, /**< An argument is null where it must not be, or out of its range. */
    kXSchedErrorNotFound = 3,     /**< No such thing: a handle that is stale, foreign or of another kind; a stream that is not known. */
    kXSchedErrorNotAllowed = 4,   /**< Not in this state, or not from here: the call would wait for itself. */
    kXSchedErrorNotSupported = 5, /**< The device, or this library, cannot do that. */
    kXSchedErrorBadResponse = 6,  /**< The other side answered something that makes no sense. */
    kXSchedErrorUnknown = 999     /**< Anything else; a line on standard error says what. */
} XResult;

/** Whose interface a queue belongs to. */
typedef enum {
    kPlatformUnknown = 0,
    kPlatformVPI = 1,
    kPlatformCUDA = 2,
    kPlatformCUDLA = 3,
    kPlatformHIP = 4,
    kPlatformAscend = 5,
    kPlatformOpenCL = 6,
    kPlatformLevelZero = 7
} XPlatform;

/** What a device is. */
typedef enum {
    kDeviceTypeUnknown = 0,
    kDeviceTypeCPU = 1,
    kDeviceTypeGPU = 2,
    kDeviceTypeNPU = 3,
    kDeviceTypeFPGA = 4,
    kDeviceTypeASIC = 5,
    kDeviceTypeMCA = 6
} XDeviceType;

/** How far a queue can be held back. Each level includes those before it. */
typedef enum {
    kPreemptLevelUnknown = 0,
    kPreemptLevelBlock = 1,      /**< Commands that are not launched yet. */
    kPreemptLevelDeactivate = 2, /**< Commands that are launched and have not started. */
    kPreemptLevelInterrupt = 3,  /**< The command that runs. */
    kPreemptLevelMax
} XPreemptLevel;

/** Whether a queue has work. */
typedef enum {
    kQueueStateUnknown = 0,
    kQueueStateIdle = 1, /**< All that was launched or submitted is complete. */
    kQueueStateReady = 2 /**< Something waits for its launch, or is not complete. */
} XQueueState;

/** What a queue can do; bits. */
typedef enum {
    kQueueFeatureNone = 0,
    kQueueFeatureAsyncSubmit = 1,
    kQueueFeatureDynamicLevel = 2,
    kQueueFeatureDynamicThreshold = 4,
    kQueueFeatureDynamicBatchSize = 8,
    kQueueFeatureSyncSuspend = 16,
    kQueueFeatureResumeDropCommands = 32,
    kQueueFeatureMaskAll = -1
} XQueueFeature;

/** How a queue is made; bits. */
typedef enum {
    kQueueCreateFlagNone = 0,
    kQueueCreateFlagBlockingSubmit = 1, /**< XQueueSubmit() returns once the command is launched. */
    kQueueCreateFlagMaskAll = -1
} XQueueCreateFlag;

/** How a queue is suspended; bits. */
typedef enum {
    kQueueSuspendFlagNone = 0,
    kQueueSuspendFlagSyncHwQueue = 1, /**< Then wait until nothing of the queue runs on the device. */
    kQueueSuspendFlagWaitAll = 2,     /**< Suspend once all that was launched or submitted so far is complete. */
    kQueueSuspendFlagWaitIdle = 4,    /**< Suspend at the next moment at which the queue has nothing to do. */
    kQueueSuspendFlagMaskAll = -1
} XQueueSuspendFlag;

/** How a queue is resumed; bits. */
typedef enum {
    kQueueResumeFlagNone = 0,
    kQueueResumeFlagDropCommands = 1, /**< Commands that were submitted and are not launched are dropped. */
    kQueueResumeFlagMaskAll = -1
} XQueueResumeFlag;

/** Who schedules the queues of a process. */
typedef enum {
    kSchedulerUnknown = 0,
    kSchedulerAppManaged = 1, /**< The program itself, with XQueueSuspend() and XQueueResume(). */
    kSchedulerLocal = 2,      /**< A scheduler in the process, queue by queue. */
    kSchedulerGlobal = 3,     /**< xserver, for the whole machine. */
    kSchedulerMax
} XSchedulerType;

/** By which rule. */
typedef enum {
    kPolicyUnknown = 0,
    kPolicyHighestPriorityFirst = 1,
    kPolicyHeterogeneousHighestPriorityFirst = 2,
    kPolicyCPUHighestPriorityFirst = 3,
    kPolicyUtilizationPartition = 4,
    kPolicyProcessUtilizationPartition = 5,
    kPolicyStrictProcessUtilizationPartition = 6,
    kPolicyKEarliestDeadlineFirst = 7,
    kPolicyLaxity = 8,
    kPolicyActiveWindowFirst = 9,
    kPolicyCompletelyFairScheduler = 10,
    kPolicyMultiLevelFeedbackQueue = 11,
    kPolicyMax,                                    /**< The end of the numbers that the C++ version knows; more follow. */
    kPolicyEarliestDeadlineFirst = 64,             /**< With admission. */
    kPolicyShortestRemainingTimeFirst = 65,
    kPolicyProportionalShareWithLatencyClass = 66
} XPolicyType;

/** Priority of a queue that never runs. */
#define PRIORITY_NO_EXECUTE (-256)
/** The lowest priority that runs. */
#define PRIORITY_MIN (-255)
/** The priority of a queue that was given none. */
#define PRIORITY_DEFAULT 0
/** The highest priority. */
#define PRIORITY_MAX 255

/** The smallest share. */
#define UTILIZATION_MIN 0
/** The share of a queue that was given none. */
#define UTILIZATION_DEFAULT 100
/** The largest share. */
#define UTILIZATION_MAX 100

/** The shortest turn, in microseconds. */
#define TIMESLICE_MIN 100
/** The turn of a process that asked for none. */
#define TIMESLICE_DEFAULT 5000
/** The longest turn. */
#define TIMESLICE_MAX 10000000
/** As long as possible: counts as #TIMESLICE_MAX. */
#define TIMESLICE_UNLIMITED UINT64_MAX

/** A queue that does not become critical. */
#define NO_LAXITY (-1)
/** A queue without a deadline. */
#define NO_DEADLINE (-1)

/**
 * Launches the work of a command on `hwq`'s stream.
 *
 * Called once for each submission, on a thread of XSched's, while the queue may run. What it launches passes without being held back.
 * It must not wait for its own queue; the waiting functions then answer kXSchedErrorNotAllowed.
 *
 * @param hwq the queue; 0 if it is being destroyed.
 * @param data what HwCommandCreateCallback() was given.
 * @return kXSchedSuccess, or what XQueueWait() is to answer for this command.
 */
typedef XResult (*LaunchCallback)(HwQueueHandle hwq, void *data);

#ifdef __cplusplus
}
#endif

#endif
