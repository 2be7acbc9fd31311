//! `xcli top`: who has the device, who waits, and for how long, as it goes.

use crate::context::Context;
use crate::failure::Failure;
use crate::top;
use clap::Args;
use std::time::Duration;

/// Show who has the device and who waits, as it goes; steer it by keys
#[derive(Debug, Args)]
pub(crate) struct Top {
    /// Refreshes in a second
    #[arg(short, long, value_name = "HZ", default_value_t = 1.0, value_parser = frequency)]
    frequency: f64,

    /// Print one frame and end
    #[arg(long)]
    once: bool,

    /// No colours (also: NO_COLOR)
    #[arg(long)]
    no_color: bool,

    /// Only plain characters
    #[arg(long)]
    ascii: bool,
}

/// Reads a frequency.
fn frequency(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(hertz) if (0.1..=20.0).contains(&hertz) => Ok(hertz),
        _ => Err("expected a number from 0.1 to 20".into()),
    }
}

impl Top {
    pub(crate) fn execute(self, context: &Context) -> Result<(), Failure> {
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_utf8 =
            ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(std::env::var_os).is_some_and(|locale| {
                let locale = locale.to_string_lossy().to_lowercase();
                locale.contains("utf-8") || locale.contains("utf8")
            });
        let is_dumb = std::env::var_os("TERM").is_none_or(|terminal| terminal == "dumb");
        let look = top::Look {
            has_colour: !(self.no_color || is_set("NO_COLOR") || is_dumb),
            is_plain: self.ascii || !is_utf8,
        };
        let every = Duration::from_secs_f64(1.0 / self.frequency);
        let client = context.connect()?;
        if self.once { top::print_once(client, every, look) } else { top::run(client, every, look) }
    }
}
