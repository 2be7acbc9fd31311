//! Client side of the control socket, used by xcli.
