//! `xcli status`: the server as a whole.

use crate::context::Context;
use crate::failure::Failure;
use clap::Args;
use xsched_core::status::ServerStatus;

/// Show the server: version, policy, how many clients, queues and devices
#[derive(Debug, Args)]
pub(crate) struct Status {}

impl Status {
    pub(crate) fn execute(self, context: &Context) -> Result<(), Failure> {
        let mut client = context.connect()?;
        let status = client.status()?;
        let socket = client.path().display().to_string();
        context.output.result(&status, || text(&status, &socket))
    }
}

fn text(status: &ServerStatus, socket: &str) -> String {
    let devices: Vec<&str> = status.devices.iter().map(|key| key.as_str()).collect();
    let devices = if devices.is_empty() { "none seen yet".into() } else { devices.join(" ") };
    let ServerStatus { version, pid, policy, clients, queues, .. } = status;
    format!(
        "xserver  {version}, pid {pid}\nsocket   {socket}\npolicy   {policy}\nclients  {clients}\nqueues   {queues}\ndevices  {devices}\n"
    )
}
