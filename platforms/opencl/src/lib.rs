//! OpenCL under XSched: the real library, queues, and what each call means to the scheduler.
