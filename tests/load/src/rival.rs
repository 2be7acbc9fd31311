//! A guest that has work all the time and is less urgent than others, so that somebody waits for them.

use crate::member::{Member, socket};
use anyhow::{Context, Result};
use std::io::Read as _;
use xsched_core::{DeviceKey, Value};

/// Options.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The device that it wants, by its key.
    #[arg(long, value_name = "KEY", default_value = "cpu:0")]
    device: String,
}

/// Has work until its input ends.
pub(crate) fn run(args: &Args) -> Result<()> {
    let device =
        DeviceKey::parse(&args.device).ok().with_context(|| format!("{:?} is no device key", args.device))?;
    let member = Member::on(&device, -1, 1)?;
    let attached = member.attach(&socket()?)?;
    attached.launch(0)?;
    println!("attached");
    std::io::stdin().read_to_end(&mut Vec::new()).context("waiting for the end of the input")?;
    Ok(())
}
