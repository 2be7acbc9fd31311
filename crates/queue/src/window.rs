//! The soft window.
