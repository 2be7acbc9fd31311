//! Socket, messages, shared page and event ring between guests, xserver and xcli.
