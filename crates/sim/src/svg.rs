//! The timeline as a picture: one lane for each process, coloured by what it was in.
//!
//! Plain SVG text that fetches nothing: any browser shows it, in the colours of light or dark pages, whichever the reader has. Where a column
//! of a lane saw several states, they are stacked, each as high as its part of the time.

use crate::timeline::{COLUMNS, Lane, SHOWN, State, Timeline};
use std::fmt::Write as _;
use std::time::Duration;

/// What stands beside a lane.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// Above all.
    pub title: String,
    /// Below it.
    pub subtitle: String,
    /// One for each lane, at its right end.
    pub notes: Vec<String>,
    /// The timeline is that of a recording, in which only the scheduler is seen and not the device.
    pub is_replay: bool,
}

const LEFT: f64 = 170.0;
const PLOT: f64 = 780.0;
const NOTE: f64 = 170.0;
const TOP: f64 = 104.0;
const LANE: f64 = 26.0;
const GAP: f64 = 8.0;
/// A stack's parts are drawn in so many steps of a lane's height.
const STEPS: f32 = 8.0;

/// Colours by class: distinct to the colour-blind, by lightness too. Dark pages get lighter ones.
const STYLE: &str = "<style>\
.page{fill:#ffffff}.words{fill:#1f2328}.faint{fill:#59636e}.grid{stroke:#d1d9e0}.lane{fill:#f0f2f5}\
.running{fill:#0b6bcb}.ending{fill:#7cc0ff}.ready{fill:#e3b341}.suspended{fill:#c4485a}\
@media (prefers-color-scheme:dark){.page{fill:#0d1117}.words{fill:#e6edf3}.faint{fill:#9198a1}.grid{stroke:#3d444d}\
.lane{fill:#1b2129}.running{fill:#3d9bff}.ending{fill:#1f5a99}.ready{fill:#d4a72c}.suspended{fill:#d6606f}}\
</style>";

/// Draws the timeline.
pub fn draw(timeline: &Timeline, words: &Words) -> String {
    let lanes = timeline.lanes.len();
    let bottom = TOP + lanes as f64 * (LANE + GAP);
    let (width, height) = (LEFT + PLOT + NOTE, bottom + if timeline.left_out > 0 { 62.0 } else { 40.0 });
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"14\" role=\"img\">\n<title>{}</title>\n{STYLE}\n\
         <rect class=\"page\" width=\"{width}\" height=\"{height}\"/>\n",
        escape(&words.title)
    );
    text(&mut svg, (16.0, 30.0), "start", "words\" font-size=\"19\" font-weight=\"bold", &words.title);
    text(&mut svg, (16.0, 53.0), "start", "faint", &words.subtitle);
    legend(&mut svg, words.is_replay);
    ticks(&mut svg, timeline, bottom);
    for (number, lane) in timeline.lanes.iter().enumerate() {
        let y = TOP + number as f64 * (LANE + GAP);
        let _ =
            writeln!(svg, "<rect class=\"lane\" x=\"{LEFT}\" y=\"{y}\" width=\"{PLOT}\" height=\"{LANE}\"/>");
        text(&mut svg, (LEFT - 10.0, y + 18.0), "end", "words", &shortened(&lane.name));
        draw_lane(&mut svg, lane, y);
        if let Some(note) = words.notes.get(number) {
            text(&mut svg, (LEFT + PLOT + 10.0, y + 18.0), "start", "faint\" font-size=\"12", note);
        }
    }
    if timeline.left_out > 0 {
        let more = format!("and {} more", timeline.left_out);
        text(&mut svg, (LEFT, bottom + 48.0), "start", "faint", &more);
    }
    svg.push_str("</svg>\n");
    svg
}

fn draw_lane(svg: &mut String, lane: &Lane, y: f64) {
    let column = PLOT / COLUMNS as f64;
    let mut paths: [String; SHOWN.len()] = Default::default();
    let mut at = 0;
    while at < lane.columns.len() {
        let stack = stacked(&lane.columns[at]);
        let end = (at..lane.columns.len()).find(|&i| stacked(&lane.columns[i]) != stack);
        let end = end.unwrap_or(lane.columns.len());
        let (x, wide) = (LEFT + at as f64 * column, (end - at) as f64 * column);
        // From the bottom up.
        let mut below = 0.0;
        for (path, part) in paths.iter_mut().zip(stack) {
            let high = LANE * f64::from(part) / f64::from(STEPS);
            if part > 0.0 {
                let _ = write!(path, "M{} {}h{}v{}h-{}z", x, y + LANE - below, wide, -high, wide);
            }
            below += high;
        }
        at = end;
    }
    for (state, path) in SHOWN.iter().zip(paths).filter(|(_, path)| !path.is_empty()) {
        let _ = writeln!(svg, "<path class=\"{}\" d=\"{path}\"/>", class(*state));
    }
}

/// How many steps high each state is drawn: what occurs is seen, and no more than there is room for.
fn stacked(column: &[f32; SHOWN.len()]) -> [f32; SHOWN.len()] {
    let mut room = STEPS;
    column.map(|part| {
        let steps = if part > 0.004 { (part * STEPS).round().max(1.0).min(room) } else { 0.0 };
        room -= steps;
        steps
    })
}

fn legend(svg: &mut String, is_replay: bool) {
    let entries: Vec<(&str, &str)> = match is_replay {
        true => vec![("running", "has work and may run"), ("suspended", "suspended")],
        false => SHOWN.iter().map(|&state| (class(state), name(state))).collect(),
    };
    let mut x = LEFT;
    for (class, name) in entries.into_iter().chain([("lane", "idle")]) {
        let _ = writeln!(svg, "<rect class=\"{class}\" x=\"{x}\" y=\"70\" width=\"14\" height=\"14\"/>");
        text(svg, (x + 20.0, 82.0), "start", "words", name);
        x += 44.0 + 7.2 * name.len() as f64;
    }
}

fn ticks(svg: &mut String, timeline: &Timeline, bottom: f64) {
    let length = timeline.to.saturating_sub(timeline.from).as_nanos().max(1) as f64;
    let step = tick_step(length);
    let (unit, size) = match unit_of(step) {
        // Small steps, late: not 104500 µs.
        (_, size) if timeline.to.as_nanos() as f64 >= 1e4 * size => unit_of(step * 1e3),
        unit => unit,
    };
    let first = (timeline.from.as_nanos() as f64 / step).ceil();
    for n in 0..20 {
        let at = (first + f64::from(n)) * step;
        let x = LEFT + PLOT * (at - timeline.from.as_nanos() as f64) / length;
        if x > LEFT + PLOT + 0.01 {
            break;
        }
        let _ = writeln!(
            svg,
            "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{:.1}\" y2=\"{bottom:.1}\"/>",
            TOP - 6.0
        );
        text(
            svg,
            (x, bottom + 18.0),
            "middle",
            "faint",
            &format!("{} {unit}", (at / size * 1e6).round() / 1e6),
        );
    }
}

/// A round distance of ticks, so that there are 5 to 10 of them.
fn tick_step(length: f64) -> f64 {
    let power = 10f64.powf((length / 5.0).log10().floor());
    [5.0, 2.0, 1.0].into_iter().map(|m| m * power).find(|step| length / step >= 5.0).unwrap_or(power)
}

fn unit_of(step: f64) -> (&'static str, f64) {
    let units = [("s", 1e9), ("ms", 1e6), ("µs", 1e3)];
    units.into_iter().find(|(_, size)| step >= *size).unwrap_or(("ns", 1.0))
}

fn class(state: State) -> &'static str {
    match state {
        State::Running => "running",
        State::Ending => "ending",
        State::Ready => "ready",
        State::Suspended => "suspended",
        State::Idle => "lane",
    }
}

fn name(state: State) -> &'static str {
    match state {
        State::Running => "running",
        State::Ending => "runs out (suspended)",
        State::Ready => "ready",
        State::Suspended => "suspended",
        State::Idle => "idle",
    }
}

fn shortened(name: &str) -> String {
    const MOST: usize = 22;
    match name.chars().count() {
        0..=MOST => name.to_owned(),
        _ => name.chars().take(MOST - 1).chain(['…']).collect(),
    }
}

fn text(svg: &mut String, (x, y): (f64, f64), anchor: &str, class: &str, content: &str) {
    let _ = writeln!(
        svg,
        "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{}</text>",
        escape(content)
    );
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A duration with three figures, for people: `1.23 ms`.
pub fn short(time: Duration) -> String {
    let ns = time.as_nanos() as f64;
    let (unit, size) = match time.as_nanos() {
        0 => return "0".into(),
        1..1_000 => ("ns", 1.0),
        1_000..1_000_000 => ("µs", 1e3),
        1_000_000..1_000_000_000 => ("ms", 1e6),
        _ => ("s", 1e9),
    };
    let value = ns / size;
    let digits = if value >= 99.95 {
        0
    } else if value >= 9.995 {
        1
    } else {
        2
    };
    format!("{value:.digits$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeline(names: &[&str]) -> Timeline {
        let lane = |name: &&str| {
            let mut columns = vec![[0.0; SHOWN.len()]; COLUMNS];
            columns[..3].fill([1.0, 0.0, 0.0, 0.0]);
            columns[3] = [0.01, 0.0, 0.0, 0.99];
            Lane { name: (*name).into(), columns }
        };
        let (from, to) = (Duration::ZERO, Duration::from_millis(100));
        Timeline { from, to, lanes: names.iter().map(lane).collect(), left_out: 0 }
    }

    #[test]
    fn each_lane_has_its_name_and_a_path_for_each_state_that_occurs() {
        let words = Words { title: "A < B".into(), notes: vec!["p99".into()], ..Words::default() };
        let svg = draw(&timeline(&["first", "second"]), &words);
        assert_eq!((svg.matches("<path").count(), svg.matches("class=\"running\" d").count()), (4, 2));
        assert!(svg.contains(">first<") && svg.contains("A &lt; B") && svg.contains(">p99<"));
        assert!(svg.contains("prefers-color-scheme:dark") && svg.ends_with("</svg>\n"));
    }

    #[test]
    fn equal_columns_are_one_rectangle_and_the_rarest_state_is_still_seen() {
        let svg = draw(&timeline(&["one"]), &Words::default());
        let path = svg.lines().find(|line| line.contains("class=\"running\" d")).unwrap();
        assert_eq!(path.matches('M').count(), 2, "{path}");
    }

    #[test]
    fn ticks_are_round_and_durations_have_three_figures() {
        for length in [1e3, 7e4, 1e8, 3.3e9, 1e12] {
            let count = length / tick_step(length);
            assert!((5.0..=12.6).contains(&count), "{length}: {count}");
        }
        let shown = [0, 7, 1_500, 12_345, 999_960, 123_456_789].map(|ns| short(Duration::from_nanos(ns)));
        assert_eq!(shown, ["0", "7.00 ns", "1.50 µs", "12.3 µs", "1000 µs", "123 ms"]);
    }
}
