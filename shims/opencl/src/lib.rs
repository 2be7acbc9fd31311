//! Stand-in for libOpenCL.so.1: every export jumps through a table that libxsched.so fills at the first call.
