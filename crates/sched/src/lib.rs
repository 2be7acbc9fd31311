//! Policies and the scheduler core: events in, operations and the next wake-up out.
