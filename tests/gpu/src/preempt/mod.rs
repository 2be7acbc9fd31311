//! How soon an urgent kernel runs beside a greedy program of kernels of a given length: natively, under MPS with client priorities, under XSched.
//!
//! The programs are this one ([`player`]): the urgent one asks for ten kernels of 20 µs every 20 ms; the greedy one keeps two kernels in
//! flight that fill the device, and checks at the end of each turn that all their threads did all they should, each thing once.

pub(crate) mod contexts;
mod distribution;
mod picture;
pub(crate) mod player;

use crate::bundle;
use crate::mps::{Mps, Priority};
use crate::worker::Worker;
use anyhow::{Context, Result};
use cuda_suite::cu::Api;
use distribution::Panel;
use picture::Point;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use test_stats::quantile;
use test_system::Machine;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Urgent requests for each row.
    #[arg(long, value_name = "N", default_value_t = 150)]
    requests: usize,
    /// Lengths of the greedy kernels in µs.
    #[arg(long, value_name = "µs", value_delimiter = ',', default_values_t = [100, 1000, 10_000, 100_000])]
    lengths: Vec<u64>,
    /// Beside a kernel that does not end, too; with Level 3 only.
    #[arg(long)]
    endless: bool,
    /// Draw the table there, too, as SVG.
    #[arg(long, value_name = "FILE")]
    picture: Option<PathBuf>,
    /// Draw there how the times are distributed, as SVG.
    #[arg(long, value_name = "FILE")]
    distributions: Option<PathBuf>,
    /// Measure nothing and draw the table that is in this file.
    #[arg(long, value_name = "FILE", requires = "picture")]
    table: Option<PathBuf>,
    /// Without MPS.
    #[arg(long)]
    no_mps: bool,
    /// Highest levels that XSched uses, each a setting.
    #[arg(long, value_name = "LEVEL", value_delimiter = ',', default_values_t = [1, 3], value_parser = clap::value_parser!(u8).range(1..=3))]
    level: Vec<u8>,
}

/// Between two urgent requests.
const PERIOD_MS: u64 = 20;
/// How long the greedy program works before anything counts.
const SETTLE: Duration = Duration::from_millis(300);
/// As good as for ever.
const ENDLESS_US: u64 = 3_600_000_000;

struct Setting {
    name: String,
    level: Option<u8>,
    urgent: Worker,
    greedy: Worker,
    seen: Vec<Point>,
}

/// Runs all and prints the table.
pub(crate) fn run(options: &Options) -> Result<()> {
    if let (Some(table), Some(file)) = (&options.table, &options.picture) {
        let table = std::fs::read_to_string(table).with_context(|| format!("reading {}", table.display()))?;
        return draw_table(&table).and_then(|picture| write(file, &picture));
    }
    let cu = Api::open("libcuda.so.1").map_err(anyhow::Error::msg)?;
    println!("{}\n", bundle::circumstances(&cu)?);
    let machine = Machine::new();
    let _server = machine.server(&[]);
    let mps = if options.no_mps { None } else { Mps::start(machine.folder()).ok() };
    let mut settings =
        vec![start("native", None, &machine, |machine, _| machine.command(crate::player::this()))?];
    if let Some(mps) = &mps {
        let serve = |machine: &Machine, is_urgent: bool| {
            let mut command = machine.command(crate::player::this());
            mps.serve(&mut command, if is_urgent { Priority::Normal } else { Priority::BelowNormal });
            command
        };
        settings.push(start("MPS with priorities", None, &machine, serve)?);
    }
    for &level in &options.level {
        let run = |machine: &Machine, is_urgent: bool| {
            let mut command = machine.xcli();
            let priority = if is_urgent { "10" } else { "0" };
            command
                .args(["run", "--priority", priority, "--level", &level.to_string(), "--"])
                .arg(crate::player::this());
            command
        };
        settings.push(start(&format!("XSched, Level {level}"), Some(level), &machine, run)?);
    }
    let first = settings.first_mut().context("native is always there")?;
    let alone = first.urgent(options.requests)?;
    println!(
        "Urgent: {} kernels of {} µs, every {PERIOD_MS} ms.\n",
        player::KERNELS,
        player::KERNEL.as_micros()
    );
    println!(
        "| greedy kernels | setting | urgent µs p50 | p99 | most | added p50 | added p99 | greedy work of alone |"
    );
    println!("|---|---|--:|--:|--:|--:|--:|--:|");
    row("none", "native, alone", &alone, &alone, None);
    let mut panels = Vec::new();
    for &length in &options.lengths {
        let name = format!("{:?}", Duration::from_micros(length));
        let mut panel = Panel { name: name.clone(), settings: Vec::new() };
        let first = settings.first_mut().context("native is always there")?;
        let rate = first.greedy_alone(length)?;
        for setting in &mut settings {
            // A request may have to wait for a kernel or two.
            let requests = options.requests.min((8_000_000 / length.max(PERIOD_MS * 1000)) as usize);
            let (times, kept) = setting.together(length, requests)?;
            let [p50, p99] = [0.5, 0.99].map(|share| quantile(&times, share));
            setting.seen.push(Point { length_us: length, p50, p99 });
            row(&name, &setting.name, &times, &alone, Some(kept / rate));
            panel.settings.push((setting.name.clone(), times));
        }
        panels.push(panel);
    }
    if let Some(file) = &options.distributions {
        let (_, name, _) = bundle::device(&cu)?;
        write(file, &distribution::draw(&title(&name), &alone, &panels))?;
    }
    if let Some(file) = &options.picture {
        let (_, name, _) = bundle::device(&cu)?;
        let seen: Vec<_> =
            settings.iter_mut().map(|it| (it.name.clone(), std::mem::take(&mut it.seen))).collect();
        let title = title(&name);
        write(file, &picture::draw(&title, &seen, quantile(&alone, 0.5)))?;
    }
    for setting in settings.iter_mut().filter(|it| options.endless && it.level == Some(3)) {
        setting.greedy.tell(&format!("go {ENDLESS_US}"))?;
        std::thread::sleep(SETTLE);
        let times = setting.urgent(options.requests)?;
        row("one without end", &setting.name, &times, &alone, None);
    }
    Ok(())
}

fn start(
    name: &str,
    level: Option<u8>,
    machine: &Machine,
    command: impl Fn(&Machine, bool) -> Command,
) -> Result<Setting> {
    let play = |kind: &str, is_urgent: bool| {
        let mut command = command(machine, is_urgent);
        command.args(["player", kind]);
        Worker::start(format!("{kind} ({name})"), command, None)
    };
    let (mut urgent, mut greedy) = (play("urgent", true), play("greedy", false));
    urgent.begins("ready")?;
    greedy.begins("ready")?;
    Ok(Setting { name: name.into(), level, urgent, greedy, seen: Vec::new() })
}

impl Setting {
    fn urgent(&mut self, requests: usize) -> Result<Vec<f64>> {
        let said =
            self.urgent.ask(&format!("run {requests} {PERIOD_MS}"), "took", Duration::from_secs(60))?;
        let mut times = said.split_whitespace().map(str::parse).collect::<Result<Vec<f64>, _>>()?;
        times.sort_by(f64::total_cmp);
        Ok(times)
    }

    fn greedy_alone(&mut self, length: u64) -> Result<f64> {
        self.greedy.tell(&format!("go {length}"))?;
        std::thread::sleep(SETTLE);
        self.greedy.tell("count")?;
        std::thread::sleep(Duration::from_millis(700));
        self.stop()
    }

    /// The greedy program's rate.
    fn stop(&mut self) -> Result<f64> {
        Ok(self.greedy.ask("stop", "did", Duration::from_secs(60))?.parse()?)
    }

    fn together(&mut self, length: u64, requests: usize) -> Result<(Vec<f64>, f64)> {
        self.greedy.tell(&format!("go {length}"))?;
        std::thread::sleep(SETTLE);
        // The first ones teach whoever learns.
        self.urgent(5)?;
        self.greedy.tell("count")?;
        let times = self.urgent(requests)?;
        Ok((times, self.stop()?))
    }
}

fn title(device: &str) -> String {
    format!("An urgent request beside a greedy program, on one {device}")
}

fn write(file: &Path, picture: &str) -> Result<()> {
    std::fs::write(file, picture).with_context(|| format!("writing {}", file.display()))
}

/// The picture of a table that was printed earlier, with the line above it that says where.
fn draw_table(table: &str) -> Result<String> {
    let (mut settings, mut alone): (Vec<(String, Vec<Point>)>, Option<f64>) = (Vec::new(), None);
    for line in table.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let &[length, setting, p50, p99, ..] = cells.as_slice() else { continue };
        let (Ok(p50), Ok(p99)) = (p50.parse(), p99.parse()) else { continue };
        if length == "none" {
            alone = Some(p50);
        }
        let Some(length_us) = micros(length) else { continue };
        let at = settings.iter().position(|(name, _)| name == setting).unwrap_or(settings.len());
        if at == settings.len() {
            settings.push((setting.to_owned(), Vec::new()));
        }
        settings[at].1.push(Point { length_us, p50, p99 });
    }
    let device = table.split_once(" on one ").and_then(|(_, rest)| rest.split(',').next()).unwrap_or("GPU");
    let alone = alone.context("the table has no row of the urgent program alone")?;
    Ok(picture::draw(&title(device), &settings, alone))
}

/// A length as the table has it.
fn micros(length: &str) -> Option<u64> {
    let unit = [("µs", 1.0), ("ms", 1e3), ("s", 1e6)].into_iter().find(|(unit, _)| length.ends_with(unit))?;
    Some((length.strip_suffix(unit.0)?.parse::<f64>().ok()? * unit.1) as u64)
}

fn row(length: &str, setting: &str, times: &[f64], alone: &[f64], kept: Option<f64>) {
    let kept = kept.map_or_else(|| "–".into(), |kept| format!("{:.1} %", kept * 100.0));
    let [p50, p99, most] = [0.5, 0.99, 1.0].map(|share| quantile(times, share));
    let [more50, more99] = [(p50, 0.5), (p99, 0.99)].map(|(time, share)| time - quantile(alone, share));
    println!(
        "| {length} | {setting} | {p50:.0} | {p99:.0} | {most:.0} | {more50:.0} | {more99:.0} | {kept} |"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_drawn_with_a_line_for_each_setting() {
        let table = "Measured 2026-12-01 on one NVIDIA H200, driver 580.\n\n\
            | greedy kernels | setting | urgent µs p50 | p99 |\n|---|---|--:|--:|\n\
            | none | native, alone | 250 | 430 |\n| 100µs | native | 512 | 553 |\n| 10ms | native | 1400 | 2500 |\n\
            | 10ms | XSched, Level 3 | 461 | 490 |\n| one without end | XSched, Level 3 | 485 | 591 |\n";
        let picture = draw_table(table).unwrap();
        assert_eq!((picture.matches("<polyline").count(), picture.matches("<circle").count()), (2, 3));
        assert!(
            picture.contains("on one NVIDIA H200<")
                && picture.contains("10 ms")
                && picture.contains("XSched, Level 3")
        );
        assert_eq!(
            [micros("100µs"), micros("1.5ms"), micros("2s"), micros("none")],
            [Some(100), Some(1500), Some(2_000_000), None]
        );
        assert!(draw_table("nothing").is_err());
    }
}
