//! Words of the project: ids, device keys, units, levels, hints, events, operations, status, config.
