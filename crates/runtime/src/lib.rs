//! The part that lives in a guest process: registry, attach, gate path, agent, watcher, config.
