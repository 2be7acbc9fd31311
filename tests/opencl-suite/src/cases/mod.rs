//! The list of all cases, in the order in which they run. A new case is a function and a row here.

mod badargs;
mod buffer;
mod callback;
mod extension;
mod image;
mod kernel;
mod lifetime;
mod map;
mod order;
mod process;
mod program;
mod queues;
mod rare;
mod rect;
mod subbuffer;
mod svm;
mod threads;
mod userevent;

use crate::line::{Line, Stop, Verdict};
use crate::work::Env;
use opencl_sys::CL_DEVICE_IMAGE_SUPPORT;

/// The call returns when its command has completed.
const BLOCKING: bool = true;
/// The call returns at once.
const NON_BLOCKING: bool = false;

/// One case: a name, and a function that puts what it sees into a line.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&Env, &mut Line) -> Verdict,
}

/// Stops the case on devices without images.
fn need_images(env: &Env) -> Result<(), Stop> {
    env.need(env.device.info::<u32>(CL_DEVICE_IMAGE_SUPPORT).unwrap_or(0) != 0)
}

macro_rules! cases {
    ($($name:literal $topic:ident::$function:ident,)*) => {
        &[$(Case { name: $name, run: $topic::$function }),*]
    };
}

/// All cases. Those that end a process run last.
pub(crate) const CASES: &[Case] = cases![
    "buffer-blocking" buffer::blocking,
    "buffer-non-blocking" buffer::non_blocking,
    "buffer-without-events" buffer::without_events,
    "buffer-copy" buffer::copy,
    "buffer-fill" buffer::fill,
    "buffer-read-ends-chain" buffer::read_ends_chain,
    "buffer-source-free-after-write" buffer::source_is_free_after_blocking_write,
    "buffer-host-pointers" buffer::host_pointers,
    "buffer-add" buffer::add,
    "buffer-many-small-writes" buffer::many_small_writes,
    "buffer-large" buffer::large,
    "buffer-bad-creation" buffer::bad_creation,
    "rect-blocking" rect::blocking,
    "rect-non-blocking" rect::non_blocking,
    "rect-copy" rect::copy,
    "rect-packed" rect::packed,
    "rect-bad-arguments" rect::bad_arguments,
    "map-blocking" map::blocking,
    "map-non-blocking" map::non_blocking,
    "map-invalidate" map::invalidate,
    "map-several-at-once" map::several_at_once,
    "map-loop" map::loop_of_maps,
    "map-image" map::image,
    "map-image-write" map::image_write,
    "map-bad-arguments" map::bad_arguments,
    "image-write-read" image::write_read,
    "image-copy" image::copy,
    "image-fill" image::fill,
    "image-with-buffers" image::with_buffers,
    "image-kernel" image::kernel,
    "image-other-shapes" image::other_shapes,
    "image-old-creation" image::old_creation,
    "image-bad-arguments" image::bad_arguments,
    "subbuffer-parts" subbuffer::parts,
    "subbuffer-overlapping" subbuffer::overlapping,
    "subbuffer-outlives-parent" subbuffer::outlives_parent,
    "subbuffer-bad-creation" subbuffer::bad_creation,
    "svm-kernel" svm::kernel,
    "svm-map" svm::map,
    "svm-copy-and-fill" svm::copy_and_fill,
    "svm-free" svm::free,
    "svm-migrate" svm::migrate,
    "svm-bad-arguments" svm::bad_arguments,
    "kernel-ranges" kernel::ranges,
    "kernel-local-memory" kernel::local_memory,
    "kernel-arguments-taken-at-launch" kernel::arguments_are_taken_at_launch,
    "kernel-kinds-of-arguments" kernel::kinds_of_arguments,
    "kernel-information" kernel::information,
    "kernel-copy" kernel::copy_of_kernel,
    "kernel-task" kernel::task,
    "kernel-long-chain" kernel::long_chain,
    "kernel-atomics" kernel::atomics,
    "native-kernel" kernel::native,
    "native-between-kernels" kernel::native_between_kernels,
    "native-bad-arguments" kernel::native_bad_arguments,
    "migration" kernel::migration,
    "release-kernel" lifetime::kernel,
    "release-buffer" lifetime::buffer,
    "release-event" lifetime::event,
    "release-program" lifetime::program,
    "release-queue" lifetime::queue,
    "release-image" lifetime::image,
    "release-user-event" lifetime::user_event,
    "release-everything" lifetime::everything,
    "release-destructor-callback" lifetime::destructor_callback,
    "release-retained-queue" lifetime::retained_queue,
    "bad-launch" badargs::launch,
    "bad-empty-range" badargs::empty_range,
    "bad-kernel-arguments" badargs::arguments,
    "bad-other-context" badargs::other_context,
    "bad-wait-lists" badargs::wait_lists,
    "bad-transfers" badargs::transfers,
    "bad-null-queue" badargs::null_queue,
    "bad-events" badargs::events,
    "bad-queue-creation" badargs::queue_creation,
    "user-event-same-thread" userevent::same_thread,
    "user-event-other-thread" userevent::other_thread,
    "user-event-opened-while-enqueueing" userevent::opened_while_enqueueing,
    "user-event-blocking-read-behind" userevent::blocking_read_behind,
    "user-event-failed" userevent::failed,
    "user-event-failed-for-many" process::fail_many,
    "user-event-several-gates" userevent::several_gates,
    "user-event-two-queues" userevent::two_queues_behind,
    "user-event-copies-behind" userevent::copies_behind,
    "user-event-wrong-use" userevent::wrong_use,
    "callback-complete" callback::complete,
    "callback-every-status" callback::every_status,
    "callback-many-on-one-event" callback::many_on_one_event,
    "callback-enqueues-more" callback::enqueue_more,
    "callback-enqueues-on-other-queue" callback::enqueue_on_other_queue,
    "callback-enqueues-at-begin" callback::enqueue_at_begin,
    "callback-other-context" callback::other_context,
    "callback-on-user-event" callback::on_user_event,
    "callback-opens-gate" callback::opens_gate,
    "callback-releases" callback::releases,
    "order-unflushed-cross-queue-wait" order::unflushed_cross_queue_wait,
    "order-ping-pong" order::ping_pong,
    "order-diamond-of-queues" order::diamond_of_queues,
    "order-free-chain" order::free_chain,
    "order-free-graph" order::free_graph,
    "order-free-barriers" order::free_barriers,
    "order-free-behind-gate" order::free_behind_gate,
    "order-markers" order::markers,
    "order-old-markers" order::old_markers,
    "order-old-wait" process::old_wait,
    "order-polling" order::polling,
    "order-flush-and-finish" order::flush_and_finish,
    "order-wait-for-many" order::wait_for_many,
    "threads-one-queue" threads::one_queue,
    "threads-queue-each" threads::queue_each,
    "threads-context-each" threads::context_each,
    "threads-short-lived" threads::short_lived,
    "threads-wait-for-same-event" threads::wait_for_same_event,
    "threads-finish-beside-launches" threads::finish_beside_launches,
    "contexts-side-by-side" threads::contexts_side_by_side,
    "contexts-in-a-loop" threads::contexts_in_a_loop,
    "context-information" threads::context_information,
    "queues-made-and-released" queues::made_and_released,
    "queues-used-and-released" queues::used_and_released,
    "queues-many-alive" queues::many_alive,
    "queue-information" queues::information,
    "queue-properties" queues::properties,
    "queue-set-property" process::set_property,
    "queue-property-list" queues::property_list,
    "queue-profiling" queues::profiling,
    "queue-command-types" queues::command_types,
    "queue-sub-devices" queues::sub_devices,
    "program-build-failure" program::build_failure,
    "program-unbuilt" program::unbuilt,
    "program-compile-and-link" program::compile_and_link,
    "program-binary" program::binary,
    "program-build-callback" program::build_callback,
    "program-built-while-commands-run" program::built_while_commands_run,
    "extension-addresses" extension::addresses,
    "extension-core-function" extension::core_function_by_address,
    "extension-command-buffer" extension::command_buffer,
    "extension-command-buffer-between" extension::command_buffer_between_commands,
    "extension-command-buffer-bad-arguments" extension::command_buffer_bad_arguments,
    "extension-unified-memory" extension::unified_memory,
    "rare-old" rare::old,
    "rare-graphics-sharing" rare::graphics_sharing,
    "rare-built-in-kernels" rare::built_in_kernels,
    "rare-2.0" rare::version_20,
    "rare-2.1" rare::version_21,
    "rare-2.2" rare::version_22,
    "rare-3.0" rare::version_30,
    "process-printf" process::printf,
    "process-fork-before" process::fork_before,
    "process-fork-after" process::fork_after,
    "process-copy-beside" process::copy_beside,
    "process-exec-in-flight" process::exec_in_flight,
    "process-exit-from-thread" process::exit_from_thread,
    "process-exit-behind-gate" process::exit_behind_gate,
    "process-quick-exit-in-flight" process::quick_exit_in_flight,
    "process-kill-in-flight" process::kill_in_flight,
    "process-exit-in-flight" process::exit_in_flight,
    "process-exit-unreleased" process::exit_unreleased,
];

#[cfg(test)]
mod tests {
    use super::CASES;

    #[test]
    fn every_case_then_a_name_of_its_own() {
        let mut names: Vec<_> = CASES.iter().map(|case| case.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), CASES.len());
    }
}
