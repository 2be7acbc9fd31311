//! A real xserver process, with guests and control clients made of `xsched_ipc`.

mod accounts;
mod control;
mod guest;
mod harness;
mod hostile;
mod http;
mod interrupt;
mod lives;
mod manager;
mod rules;
mod scheduling;
mod somebody;
mod storm;
mod strangers;
mod unit;
mod users;
