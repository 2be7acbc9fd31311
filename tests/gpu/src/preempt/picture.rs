//! The picture: what an urgent request waits, by the length of the greedy kernels; one line for each setting, both axes logarithmic.

use std::fmt::Write as _;
use std::time::Duration;

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 520.0;
const LEFT: f64 = 96.0;
const RIGHT: f64 = 720.0;
const TOP: f64 = 96.0;
const BOTTOM: f64 = 440.0;
/// Colours of the settings in their order: distinct to the colour-blind, by lightness too.
pub(super) const COLOURS: [&str; 4] = ["#d1495b", "#8a6d00", "#5a5a5a", "#00589c"];

/// What one setting showed beside kernels of one length: µs at the median and the 99th percentile.
pub(crate) struct Point {
    pub(crate) length_us: u64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

/// Draws all settings; `alone` is the median without company.
pub(crate) fn draw(title: &str, settings: &[(String, Vec<Point>)], alone: f64) -> String {
    let points = || settings.iter().flat_map(|(_, points)| points);
    let decade = |value: f64, up: bool| if up { value.log10().ceil() } else { value.log10().floor() };
    let low = decade(alone, false);
    let high = decade(points().map(|point| point.p99).fold(alone, f64::max), true);
    let lengths = || points().map(|point| (point.length_us as f64).log10());
    let (first, last) = (lengths().fold(f64::MAX, f64::min), lengths().fold(f64::MIN, f64::max));
    let x = |us: f64| LEFT + 30.0 + (RIGHT - LEFT - 60.0) * (us.log10() - first) / (last - first).max(0.1);
    let y = |us: f64| BOTTOM - (BOTTOM - TOP) * (us.log10() - low) / (high - low).max(1.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"15\" fill=\"#222\">\n<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n"
    );
    let text = |svg: &mut String, (x, y): (f64, f64), anchor: &str, rest: &str, content: &str| {
        let _ =
            writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" {rest}>{content}</text>");
    };
    text(&mut svg, (LEFT, 34.0), "start", "font-size=\"21\" font-weight=\"bold\"", title);
    text(
        &mut svg,
        (LEFT, 60.0),
        "start",
        "fill=\"#555\"",
        "ten kernels of 20 µs every 20 ms; line: median, whisker: 99th percentile",
    );
    for power in low as i32..=high as i32 {
        let at = y(10f64.powi(power));
        let _ = writeln!(
            svg,
            "<line x1=\"{LEFT}\" x2=\"{RIGHT}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"#e4e4e4\"/>"
        );
        text(&mut svg, (LEFT - 10.0, at + 5.0), "end", "fill=\"#444\"", &duration(10f64.powi(power)));
    }
    let mut ticks: Vec<u64> = points().map(|point| point.length_us).collect();
    ticks.sort_unstable();
    ticks.dedup();
    for us in ticks {
        text(&mut svg, (x(us as f64), BOTTOM + 24.0), "middle", "fill=\"#444\"", &duration(us as f64));
    }
    text(
        &mut svg,
        ((LEFT + RIGHT) / 2.0, BOTTOM + 54.0),
        "middle",
        "",
        "length of the greedy program's kernels",
    );
    let at = y(alone);
    let _ = writeln!(
        svg,
        "<line x1=\"{LEFT}\" x2=\"{RIGHT}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"#222\" stroke-dasharray=\"6 5\"/>"
    );
    text(&mut svg, (RIGHT + 12.0, at + 18.0), "start", "", "alone");
    let mut ends: Vec<(f64, &str, &str)> = Vec::new();
    for ((name, points), colour) in settings.iter().zip(COLOURS.iter().cycle()) {
        let line: Vec<String> =
            points.iter().map(|it| format!("{:.1},{:.1}", x(it.length_us as f64), y(it.p50))).collect();
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2.5\"/>",
            line.join(" ")
        );
        for point in points {
            let (at, middle, most) = (x(point.length_us as f64), y(point.p50), y(point.p99));
            let _ = writeln!(
                svg,
                "<line x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{middle:.1}\" y2=\"{most:.1}\" stroke=\"{colour}\"/>\n\
                 <circle cx=\"{at:.1}\" cy=\"{middle:.1}\" r=\"4\" fill=\"{colour}\"/>"
            );
        }
        if let Some(last) = points.last() {
            ends.push((y(last.p50), colour, name));
        }
    }
    // Names beside the ends of their lines, none over another.
    ends.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut free = TOP;
    for (at, colour, name) in ends {
        let at = at.max(free);
        free = at + 20.0;
        text(
            &mut svg,
            (RIGHT + 12.0, at + 5.0),
            "start",
            &format!("fill=\"{colour}\" font-weight=\"bold\""),
            name,
        );
    }
    svg.push_str("</svg>\n");
    svg
}

/// As a text.
pub(super) fn duration(us: f64) -> String {
    format!("{:?}", Duration::from_micros(us.round() as u64)).replace("µs", " µs").replace("ms", " ms")
}
