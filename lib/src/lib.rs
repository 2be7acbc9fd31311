//! libxsched.so: the one place of state in a guest process; binds the shims.
