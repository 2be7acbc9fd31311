//! What a queue and a command are on a device, how far it can be preempted, and a simulated device.
