//! System tests: real processes, a real xserver, a real OpenCL driver.
