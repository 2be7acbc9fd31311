//! A frame: lines about the server, a table, and a line for what can be done. Everything that a colour says, a character says too.

use super::Look;
use super::keys::{App, Prompt};
use super::model::Row;
use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use std::time::Duration;
use xsched_core::account::Latency;

/// Width of the bars.
const BAR: usize = 14;
/// Lines above the table, with its heading.
const HEAD: u16 = 4;

/// Draws it.
pub(crate) fn draw(frame: &mut Frame<'_>, app: &mut App, look: Look) {
    let area = frame.area();
    let mut at = area.y;
    let mut put = |frame: &mut Frame<'_>, line: Line<'_>| {
        if at < area.bottom() {
            frame.render_widget(line, Rect { y: at, height: 1, ..area });
        }
        at += 1;
    };
    for line in about(app) {
        put(frame, Line::raw(line));
    }
    let heading = format!(
        "{:<7} {:>7} {:<13} {:<8} {:>4} {:<BAR$} {:>4} {:<5} {:>6} {:>6}",
        "ID",
        "PID",
        "PROGRAM",
        if app.shows_queues { "QUEUE" } else { "DEVICE" },
        "PRIO",
        "RUNS, WAITS",
        "RUN%",
        "STATE",
        "LAUN/s",
        if app.shows_queues { "" } else { "W p99" },
    );
    put(frame, Line::styled(heading, Style::new().add_modifier(Modifier::REVERSED)));
    let rows = app.rows();
    let chosen = app.chosen(&rows);
    let room = usize::from(area.height.saturating_sub(HEAD + 1)).max(1);
    // The chosen one stays in sight.
    app.first = app.first.clamp((chosen + 1).saturating_sub(room), chosen).min(rows.len().saturating_sub(1));
    for (index, row) in rows.iter().enumerate().skip(app.first).take(room) {
        put(frame, line(row, index == chosen, look));
    }
    let last = Rect { y: area.bottom().saturating_sub(1), height: 1.min(area.height), ..area };
    let style = Style::new().add_modifier(Modifier::BOLD);
    frame.render_widget(Line::styled(foot(app), style), last);
}

/// The frame as text, without spaces at the ends of lines.
pub(crate) fn text(buffer: &Buffer) -> String {
    let width = usize::from(buffer.area.width).max(1);
    let lines = buffer.content.chunks(width).map(|cells| {
        let line: String = cells.iter().map(|cell| cell.symbol()).collect();
        line.trim_end().to_owned() + "\n"
    });
    lines.collect::<String>().trim_end().to_owned() + "\n"
}

fn about(app: &App) -> [String; 3] {
    let server = &app.now.server;
    let totals = server.totals.clone().unwrap_or_default();
    let before = app.before.server.totals.clone().unwrap_or_default();
    let seconds = super::model::seconds_between(&app.before, &app.now);
    let rate = |now: u64, then: u64| number(now.saturating_sub(then) as f64 / seconds);
    let up = totals.now.since(totals.started).as_secs();
    [
        format!(
            "xserver {}  policy {}  {} processes  {} queues  up {}:{:02}:{:02}",
            server.version,
            server.policy,
            server.clients,
            server.queues,
            up / 3600,
            up / 60 % 60,
            up % 60
        ),
        format!(
            "suspensions {}/s ({} in all)  events {}/s  decisions {}/s",
            rate(totals.suspensions, before.suspensions),
            totals.suspensions,
            rate(totals.events, before.events),
            rate(totals.decisions, before.decisions),
        ),
        format!(
            "gate closed {}  drained {}  waits {}",
            percentiles(&totals.closing),
            percentiles(&totals.drain),
            percentiles(&totals.waits)
        ),
    ]
}

/// `33us/101us`: half, and 99 of 100.
fn percentiles(latency: &Latency) -> String {
    if latency.count == 0 {
        "-".into()
    } else {
        format!("p50 {} p99 {}", short(latency.p50_ns), short(latency.p99_ns))
    }
}

fn line(row: &Row, is_chosen: bool, look: Look) -> Line<'static> {
    let (run, wait, rest) = if look.is_plain { ('#', '-', ' ') } else { ('█', '░', ' ') };
    let cells = |share: f64| (share * BAR as f64).round() as usize;
    let running = cells(row.running).min(BAR);
    let waiting = cells(row.waiting).min(BAR - running);
    let repeat = |c: char, count: usize| std::iter::repeat_n(c, count).collect::<String>();
    let state = match row.waits_for.filter(|_| row.state == "waits") {
        Some(by) => format!("<{by}"),
        None => row.state.to_owned(),
    };
    let colour = |colour| if look.has_colour { Style::new().fg(colour) } else { Style::new() };
    let mark = if is_chosen { '>' } else { ' ' };
    let head = format!(
        "{mark}{:<6} {:>7} {:<13} {:<8} {:>4} ",
        cut(&row.client.to_string(), 6),
        row.pid,
        cut(&row.program, 13),
        cut_start(&row.what, 8),
        row.priority
    );
    let waits = if row.waits.count > 0 {
        short(row.waits.p99_ns.max(if row.waits.p99_ns == 0 { row.waits.max_ns } else { 0 }))
    } else {
        String::new()
    };
    let tail = format!(
        " {:>3.0}% {:<5} {:>6} {:>6}",
        row.running * 100.0,
        cut(&state, 5),
        number(row.launches),
        waits
    );
    let line = Line::from(vec![
        Span::raw(head),
        Span::styled(repeat(run, running), colour(Color::Green)),
        Span::styled(repeat(wait, waiting), colour(Color::Red)),
        Span::raw(repeat(rest, BAR - running - waiting)),
        Span::raw(tail),
    ]);
    if is_chosen { line.style(Style::new().add_modifier(Modifier::BOLD)) } else { line }
}

fn foot(app: &App) -> String {
    let filter = if app.filter.is_empty() { String::new() } else { format!(": {}", app.filter) };
    match &app.prompt {
        _ if !app.message.is_empty() => app.message.clone(),
        Prompt::None => format!(
            "q quit  p priority  P policy  tab {}  s sort: {}  ? help  / filter{filter}",
            if app.shows_queues { "processes" } else { "queues" },
            app.sort.name()
        ),
        Prompt::Filter => format!("show only rows with: {}_   (enter: keep, esc: all)", app.filter),
        Prompt::Priority { of, text } => format!("new priority for {of}: {text}_   (enter, esc)"),
        Prompt::Policy { at } => {
            let name = app.now.policies.get(*at).map_or("", String::as_str);
            format!("policy: < {name} >   (arrows, enter, esc)")
        }
        Prompt::Sure { question, .. } => format!("{question}  y/n"),
        Prompt::Help => {
            "RUN%: had work, was free to run  <cN: waits for cN  held: without work  W p99: waits".into()
        }
    }
}

fn cut(text: &str, width: usize) -> String {
    text.chars().take(width).collect()
}

/// The end says more: `pci:0000:65:00.0`.
fn cut_start(text: &str, width: usize) -> String {
    let count = text.chars().count();
    text.chars().skip(count.saturating_sub(width)).collect()
}

/// In at most six characters.
fn number(n: f64) -> String {
    match n {
        n if n < 9.95 => format!("{n:.1}"),
        n if n < 99_999.5 => format!("{n:.0}"),
        n if n < 9_999_500.0 => format!("{:.0}k", n / 1e3),
        n => format!("{:.0}M", n / 1e6),
    }
}

/// In at most five characters: `33us`, `1.5ms`, `2.0s`.
fn short(ns: u64) -> String {
    let duration = Duration::from_nanos(ns);
    let seconds = duration.as_secs_f64();
    match ns {
        0..1_000_000 => format!("{}us", ns.div_ceil(1000)),
        1_000_000..10_000_000 => format!("{:.1}ms", seconds * 1e3),
        10_000_000..1_000_000_000 => format!("{:.0}ms", seconds * 1e3),
        1_000_000_000..100_000_000_000 => format!("{seconds:.1}s"),
        _ => format!("{seconds:.0}s"),
    }
}

#[cfg(test)]
mod tests;
