//! The table of all settings.
//!
//! *What is left* to the greedy program is what the urgent one, alone, does not take of its period. Two readings, which differ where the urgent program is
//! bound by its host: the time outside its requests, and all time in which its requests leave the device idle, the gaps between its kernels included. Who keeps the device free
//! during requests can get all of the former only.

use super::{GREEDY, Seen, Setting, Turn, URGENT, median, period};
use anyhow::Result;

pub(super) fn print(seen: &Seen, rounds: usize) -> Result<()> {
    for (kind, device) in &seen.device {
        let what = URGENT.iter().find(|known| known.0 == *kind).map_or("", |known| known.2);
        println!("- urgent, {kind}: {what}; {device:.2} ms of the device each.");
    }
    for (kind, rates) in &seen.greedy_alone {
        let what = GREEDY.iter().find(|known| known.0 == *kind).map_or("", |known| known.1);
        println!("- greedy, {kind}: {what}; alone {:.2} /s.", median(rates.iter().copied()));
    }
    println!(
        "\n| urgent | greedy | setting | p50 ms | × alone | p99 ms | × alone [least, most] | greedy /s | of alone | of what is left outside requests | of what is left of the device |\n|---|---|---|--:|--:|--:|--:|--:|--:|--:|--:|"
    );
    for ((kind, setting), turns) in &seen.urgent_alone {
        let turns = whole(turns, rounds);
        println!(
            "| {kind} | – | {setting} | {:.2} | {} | {:.2} | {} | | | | |",
            median(turns.iter().map(|turn| turn.p50)),
            against_alone(seen, kind, turns, |turn| turn.p50, false),
            median(turns.iter().map(|turn| turn.p99)),
            against_alone(seen, kind, turns, |turn| turn.p99, true),
        );
    }
    for ((mix, setting), turns) in &seen.together {
        let turns = whole(turns, rounds);
        let alone = seen.greedy_alone.get(mix.greedy).map_or(f64::NAN, |rates| median(rates.iter().copied()));
        let rate = median(turns.iter().map(|turn| turn.rate));
        let left = |taken: f64| 1.0 - taken / period(mix.urgent);
        let of_device = left(seen.device.get(mix.urgent).copied().unwrap_or(f64::NAN));
        let requests = seen.urgent_alone.get(&(mix.urgent, Setting::Native));
        let outside = left(requests.map_or(f64::NAN, |turns| median(turns.iter().map(|turn| turn.p50))));
        println!(
            "| {} | {} | {setting} | {:.2} | {} | {:.2} | {} | {rate:.2} | {:.1} % | {:.1} % | {:.1} % |",
            mix.urgent,
            mix.greedy,
            median(turns.iter().map(|turn| turn.p50)),
            against_alone(seen, mix.urgent, turns, |turn| turn.p50, false),
            median(turns.iter().map(|turn| turn.p99)),
            against_alone(seen, mix.urgent, turns, |turn| turn.p99, true),
            100.0 * rate / alone,
            100.0 * rate / (alone * outside),
            100.0 * rate / (alone * of_device),
        );
    }
    Ok(())
}

/// The turns of rounds that came to their end.
fn whole(turns: &[Turn], rounds: usize) -> &[Turn] {
    turns.get(..rounds.max(1).min(turns.len())).unwrap_or(turns)
}

/// The median over the rounds of this setting's value over that of the same round alone, and its range.
fn against_alone(
    seen: &Seen,
    kind: &'static str,
    turns: &[Turn],
    of: fn(&Turn) -> f64,
    with_range: bool,
) -> String {
    let Some(alone) = seen.urgent_alone.get(&(kind, Setting::Native)) else { return "?".into() };
    let ratios: Vec<f64> = turns.iter().zip(alone).map(|(turn, alone)| of(turn) / of(alone)).collect();
    let middle = median(ratios.iter().copied());
    if !with_range {
        return format!("{middle:.2}");
    }
    let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
    let most = ratios.iter().copied().fold(0.0, f64::max);
    format!("{middle:.2} [{least:.2}, {most:.2}]")
}
