//! An urgent program beside a greedy one, at the same period: natively, under MPS with client priorities, under XSched with HPF.
//!
//! All programs are started once and stay; in each round each setting has its turn, in another order every time, and before that the urgent
//! program has run alone and the greedy one too. What is said is the median of the rounds. Programs that run together share no core.

use crate::bundle;
use crate::cores::Cores;
use crate::mps::{Mps, Priority};
use crate::worker::Worker;
use anyhow::{Context, Result, ensure};
use cuda_suite::cu::Api;
use std::collections::BTreeMap;
use std::process::Command;
use std::time::{Duration, Instant};
use test_stats::{Estimate, quantile};
use test_system::Machine;

mod table;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Rounds; what is said is their median.
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: usize,
    /// Seconds that count of each setting in each round.
    #[arg(long, value_name = "S", default_value_t = 4.0)]
    seconds: f64,
    /// Begin no round after so many seconds.
    #[arg(long, value_name = "S", default_value_t = 480)]
    budget: u64,
    /// Beside which: eager or graph, with train or gemm.
    #[arg(long, value_name = "URGENT+GREEDY", value_delimiter = ',', value_parser = mix,
        default_values = ["eager+train", "graph+train", "eager+gemm", "graph+gemm"])]
    mixes: Vec<Mix>,
    /// Settings beside native and XSched at each `--level`.
    #[arg(long)]
    no_mps: bool,
    /// Highest level that XSched uses; give it twice to compare two.
    #[arg(long, value_name = "LEVEL", default_values_t = [1], value_parser = clap::value_parser!(u8).range(1..=3))]
    level: Vec<u8>,
    /// The greedy program's window (`XSCHED_WINDOW`) in microseconds; several to compare them.
    #[arg(long, value_name = "US", num_args = 1..)]
    window: Vec<u32>,
    /// The urgent program alone in every setting, not natively only.
    #[arg(long)]
    alone_everywhere: bool,
    /// Cores of the urgent program, of the greedy one, and of xserver, as `taskset -c` has them.
    #[arg(long, value_name = "LIST", num_args = 3)]
    cores: Option<Vec<Cores>>,
}

/// An urgent program's kind and a greedy one's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Mix {
    urgent: &'static str,
    greedy: &'static str,
}

/// Kinds of urgent programs with their periods in milliseconds, and what they are.
const URGENT: [(&str, f64, &str); 2] = [
    ("eager", 50.0, "ResNet-152, batch 32, eager, a request each 50 ms"),
    ("graph", 20.0, "ResNet-152, batch 4, as one CUDA graph, a request each 20 ms"),
];
/// Kinds of greedy programs, and what they are.
const GREEDY: [(&str, &str); 2] =
    [("train", "training of ResNet-50, batch 128, mixed precision"), ("gemm", "products of 16384³ in bf16")];

fn mix(text: &str) -> Result<Mix> {
    let (urgent, greedy) = text.split_once('+').context("a mix is URGENT+GREEDY")?;
    let urgent = URGENT.iter().find(|kind| kind.0 == urgent).context("URGENT is eager or graph")?.0;
    let greedy = GREEDY.iter().find(|kind| kind.0 == greedy).context("GREEDY is train or gemm")?.0;
    Ok(Mix { urgent, greedy })
}

fn period(kind: &str) -> f64 {
    URGENT.iter().find(|known| known.0 == kind).map_or(f64::NAN, |known| known.1)
}

/// How the two programs share the device.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Setting {
    Native,
    Mps,
    XSched { level: u8, window: Option<u32> },
}

impl std::fmt::Display for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Setting::Native => f.write_str("native"),
            Setting::Mps => f.write_str("MPS with priorities"),
            Setting::XSched { level, window: None } => write!(f, "XSched, Level {level}"),
            Setting::XSched { level, window: Some(us) } => {
                write!(f, "XSched, Level {level}, window of {us} µs")
            }
        }
    }
}

/// Programs of a setting: by the kind of each, all of them idle until they are told.
struct Cast {
    setting: Setting,
    players: BTreeMap<&'static str, Worker>,
}

/// What one turn of a setting showed.
#[derive(Clone, Copy, Debug)]
struct Turn {
    p50: f64,
    p99: f64,
    /// Steps of the greedy program in a second.
    rate: f64,
}

/// All turns, in the order of the rounds, and what they are compared with.
#[derive(Default)]
struct Seen {
    /// Milliseconds of the device that a request takes.
    device: BTreeMap<&'static str, f64>,
    urgent_alone: BTreeMap<(&'static str, Setting), Vec<Turn>>,
    greedy_alone: BTreeMap<&'static str, Vec<f64>>,
    together: BTreeMap<(Mix, Setting), Vec<Turn>>,
}

/// Runs all settings and prints the table.
pub(crate) fn run(options: &Options) -> Result<()> {
    let begun = Instant::now();
    let cu = Api::open("libcuda.so.1").map_err(anyhow::Error::msg)?;
    println!("{}\n", bundle::circumstances(&cu)?);
    let machine = Machine::new();
    let [urgent_cores, greedy_cores, server_cores] = cores(options)?;
    let mut command = machine.server_command(&[]);
    if let Some(cores) = &server_cores {
        cores.pin(&mut command);
    }
    let _server = test_system::Server::start(command, &machine.socket());
    let mps = if options.no_mps { None } else { start_mps(&machine) };
    let mut settings = vec![Setting::Native];
    settings.extend(mps.as_ref().map(|_| Setting::Mps));
    for &level in &options.level {
        let windows =
            options.window.iter().map(|&us| Some(us)).chain(options.window.is_empty().then_some(None));
        settings.extend(windows.map(|window| Setting::XSched { level, window }));
    }
    let mut seen = Seen::default();
    let mut casts = Vec::new();
    let mut starting: Vec<Cast> = Vec::new();
    for setting in settings {
        let play = |kind: &'static str, is_urgent: bool| {
            let command = player_command(&machine, mps.as_ref(), setting, kind, is_urgent)?;
            let cores = if is_urgent { &urgent_cores } else { &greedy_cores };
            anyhow::Ok((kind, Worker::start(format!("{kind} ({setting})"), command, cores.as_ref())))
        };
        let mut players = BTreeMap::new();
        for mix in &options.mixes {
            for (kind, is_urgent) in [(mix.urgent, true), (mix.greedy, false)] {
                if !players.contains_key(kind) {
                    let (kind, player) = play(kind, is_urgent)?;
                    players.insert(kind, player);
                }
            }
        }
        starting.push(Cast { setting, players });
    }
    for mut cast in starting {
        match cast.wait_until_ready() {
            Ok(()) => casts.push(cast),
            // The others are worth having without it.
            Err(why) if cast.setting == Setting::Mps => {
                let said = mps.as_ref().map(Mps::said).unwrap_or_default();
                println!("MPS is left out: {why:#}\n{said}\n");
            }
            Err(why) => return Err(why),
        }
    }
    eprintln!("all programs are ready after {:.0} s", begun.elapsed().as_secs_f64());
    let mut rounds = 0;
    while rounds < options.rounds && (rounds == 0 || begun.elapsed().as_secs() < options.budget) {
        let round = one_round(&mut casts, rounds, options, &mut seen);
        if let Err(why) = round {
            println!("Round {} ended early: {why:#}\n", rounds + 1);
            break;
        }
        rounds += 1;
        eprintln!("round {rounds} is over after {:.0} s", begun.elapsed().as_secs_f64());
    }
    let shown = |cores: &Option<Cores>| cores.as_ref().map_or("any".to_owned(), Cores::to_string);
    println!(
        "{rounds} rounds of {} s for each setting. Cores: urgent {}, greedy {}, xserver {}.\n",
        options.seconds,
        shown(&urgent_cores),
        shown(&greedy_cores),
        shown(&server_cores)
    );
    table::print(&seen, rounds)
}

/// One turn of everything.
fn one_round(casts: &mut [Cast], round: usize, options: &Options, seen: &mut Seen) -> Result<()> {
    let kinds = |of: fn(&Mix) -> &'static str| {
        let mut kinds: Vec<_> = options.mixes.iter().map(of).collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    };
    for kind in kinds(|mix| mix.urgent) {
        for cast in casts.iter_mut() {
            if cast.setting == Setting::Native || options.alone_everywhere {
                if round == 0 && cast.setting == Setting::Native {
                    seen.device.insert(kind, cast.device_time(kind)?);
                }
                let turn = cast.urgent_alone(kind, options.seconds)?;
                eprintln!("{kind}, {}, alone: {turn:.2?}", cast.setting);
                seen.urgent_alone.entry((kind, cast.setting)).or_default().push(turn);
            }
        }
    }
    for kind in kinds(|mix| mix.greedy) {
        let native = casts.iter_mut().find(|cast| cast.setting == Setting::Native);
        let rate = native.context("native is always there")?.greedy_alone(kind, options.seconds / 2.0)?;
        eprintln!("{kind}, alone: {rate:.2}/s");
        seen.greedy_alone.entry(kind).or_default().push(rate);
    }
    for &mix in &options.mixes {
        for at in 0..casts.len() {
            let at = (at + round) % casts.len();
            let cast = casts.get_mut(at).context("it is one of them")?;
            let turn = cast.together(mix, options.seconds)?;
            eprintln!("{}+{}, {}: {turn:.2?}", mix.urgent, mix.greedy, cast.setting);
            seen.together.entry((mix, cast.setting)).or_default().push(turn);
        }
    }
    Ok(())
}

fn start_mps(machine: &Machine) -> Option<Mps> {
    Mps::start(machine.folder()).inspect_err(|why| println!("MPS is left out: {why:#}\n")).ok()
}

/// Cores of the urgent program, the greedy one, and xserver.
fn cores(options: &Options) -> Result<[Option<Cores>; 3]> {
    if let Some(given) = &options.cores {
        let given: [Cores; 3] = given.clone().try_into().ok().context("--cores takes three lists")?;
        return Ok(given.map(Some));
    }
    let mut all = Cores::allowed()?;
    match (all.take(2), all.take(6), all.take(6)) {
        (Some(server), Some(urgent), Some(greedy)) => Ok([Some(urgent), Some(greedy), Some(server)]),
        _ => {
            println!("Fewer than 14 cores: nothing is bound to any, so the programs share them.\n");
            Ok([None, None, None])
        }
    }
}

fn player_command(
    machine: &Machine,
    mps: Option<&Mps>,
    setting: Setting,
    kind: &str,
    is_urgent: bool,
) -> Result<Command> {
    let mut command = match setting {
        Setting::Native | Setting::Mps => machine.command("python3"),
        Setting::XSched { level, window } => {
            let mut command = machine.xcli();
            command.envs(window.map(|us| ("XSCHED_WINDOW", format!("{us}us"))));
            let priority = if is_urgent { "10" } else { "0" };
            command.args(["run", "--priority", priority, "--level", &level.to_string(), "--", "python3"]);
            command
        }
    };
    if setting == Setting::Mps {
        let priority = if is_urgent { Priority::Normal } else { Priority::BelowNormal };
        mps.context("MPS runs")?.serve(&mut command, priority);
    }
    command.arg(bundle::file(if is_urgent { "programs/urgent.py" } else { "programs/greedy.py" })?).arg(kind);
    Ok(command)
}

impl Cast {
    fn wait_until_ready(&mut self) -> Result<()> {
        self.players.values_mut().try_for_each(|player| player.begins("ready").map(drop))
    }

    /// Milliseconds of the device that a request of this kind takes, alone.
    fn device_time(&mut self, kind: &'static str) -> Result<f64> {
        let said = self.player(kind)?.ask("measure", "device", bound(5.0))?;
        said.parse().with_context(|| format!("{kind} says {said:?}"))
    }

    fn player(&mut self, kind: &'static str) -> Result<&mut Worker> {
        self.players.get_mut(kind).with_context(|| format!("no {kind} for {}", self.setting))
    }

    fn urgent_alone(&mut self, kind: &'static str, seconds: f64) -> Result<Turn> {
        let urgent = self.player(kind)?;
        urgent.tell(&format!("run {seconds} {}", period(kind)))?;
        turn(&urgent.hear("took", bound(seconds))?, f64::NAN)
    }

    fn greedy_alone(&mut self, kind: &'static str, seconds: f64) -> Result<f64> {
        let greedy = self.player(kind)?;
        greedy.tell("go")?;
        std::thread::sleep(SETTLE);
        greedy.tell("count")?;
        std::thread::sleep(Duration::from_secs_f64(seconds));
        rate(&greedy.ask("stop", "did", bound(0.0))?)
    }

    fn together(&mut self, mix: Mix, seconds: f64) -> Result<Turn> {
        self.player(mix.greedy)?.tell("go")?;
        std::thread::sleep(SETTLE);
        let urgent = self.player(mix.urgent)?;
        urgent.tell(&format!("run {seconds} {}", period(mix.urgent)))?;
        urgent.hear("begins", bound(seconds))?;
        self.player(mix.greedy)?.tell("count")?;
        let took = self.player(mix.urgent)?.hear("took", bound(seconds))?;
        let rate = rate(&self.player(mix.greedy)?.ask("stop", "did", bound(0.0))?)?;
        turn(&took, rate)
    }
}

/// How long the greedy program works before anything counts.
const SETTLE: Duration = Duration::from_millis(300);

/// How long an answer may take beyond the time that it is about.
fn bound(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds) + Duration::from_secs(20)
}

fn rate(said: &str) -> Result<f64> {
    let (steps, seconds) = said.split_once(' ').context("STEPS SECONDS")?;
    Ok(steps.parse::<f64>()? / seconds.parse::<f64>()?)
}

fn turn(took: &str, rate: f64) -> Result<Turn> {
    let mut times = took.split_whitespace().map(str::parse).collect::<Result<Vec<f64>, _>>()?;
    ensure!(!times.is_empty(), "no request was made");
    times.sort_by(f64::total_cmp);
    Ok(Turn { p50: quantile(&times, 0.5), p99: quantile(&times, 0.99), rate })
}

/// The median, without its interval.
fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    Estimate::median(values.into_iter().collect()).middle
}
