//! The preemptible queue: gate, activity word, soft window, deferred mode.
