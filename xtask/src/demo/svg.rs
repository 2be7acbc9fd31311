//! The picture: for each situation the share of requests that were answered within a time.
//!
//! Plain SVG text with the reader's own sans-serif font: nothing is fetched, any browser shows it.

use std::fmt::Write as _;

use super::report::{Line, Results, Summary};

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 600.0;
/// The frame of the curves.
const LEFT: f64 = 84.0;
const RIGHT: f64 = 930.0;
const TOP: f64 = 112.0;
const BOTTOM: f64 = 430.0;
/// Colours of alone, natively, under XSched: distinct in print and to the colour-blind, by lightness too.
const COLOURS: [&str; 3] = ["#5a5a5a", "#d1495b", "#00589c"];

/// Draws the distributions of latency of all situations.
pub(crate) fn draw(results: &Results, summary: &Summary) -> String {
    let slow = summary.lines().map(|line| line.percentile(0.99)).fold(1.0, f64::max);
    let step = tick_step(slow * 1.08);
    let end = (slow * 1.08 / step).ceil() * step;
    let x = |ms: f64| LEFT + (RIGHT - LEFT) * ms.min(end) / end;
    let y = |share: f64| BOTTOM - (BOTTOM - TOP) * share;

    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" \
         height=\"{HEIGHT}\" font-family=\"sans-serif\" font-size=\"15\" fill=\"#222\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n\
         <text x=\"{LEFT}\" y=\"36\" font-size=\"21\" font-weight=\"bold\">Latency of an urgent request beside hashcat \
         on one device</text>\n\
         <text x=\"{LEFT}\" y=\"62\" fill=\"#555\">{}: one request every {:.0} ms, {} of each situation</text>\n",
        escape(&results.device),
        results.period_ms,
        summary.alone.latencies.len()
    );
    for tick in 0..=(end / step).round() as usize {
        let ms = tick as f64 * step;
        let _ = writeln!(
            svg,
            "<line x1=\"{0:.1}\" x2=\"{0:.1}\" y1=\"{TOP}\" y2=\"{BOTTOM}\" stroke=\"#e4e4e4\"/>",
            x(ms)
        );
        text(&mut svg, (x(ms), BOTTOM + 22.0), "middle", "#444", &format!("{ms}"));
    }
    for share in [0.0, 0.25, 0.5, 0.75, 0.95, 1.0] {
        let at = y(share);
        let _ = writeln!(
            svg,
            "<line x1=\"{LEFT}\" x2=\"{RIGHT}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"#e4e4e4\"/>"
        );
        text(&mut svg, (LEFT - 10.0, at + 5.0), "end", "#444", &format!("{:.0} %", share * 100.0));
    }
    text(&mut svg, ((LEFT + RIGHT) / 2.0, BOTTOM + 48.0), "middle", "#222", "latency from the due time, ms");
    text(&mut svg, (LEFT, TOP - 12.0), "start", "#222", "requests answered within that time");

    for (line, colour) in summary.lines().zip(COLOURS) {
        let _ = writeln!(
            svg,
            "<path d=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2.5\" stroke-linejoin=\"round\"/>",
            curve(line, end, x, y)
        );
    }
    legend(&mut svg, summary, end);
    svg.push_str("</svg>\n");
    svg
}

/// The steps of the cumulative distribution up to `end`.
fn curve(line: &Line, end: f64, x: impl Fn(f64) -> f64, y: impl Fn(f64) -> f64) -> String {
    let mut path = format!("M{:.1} {:.1}", x(0.0), y(0.0));
    let count = line.latencies.len() as f64;
    for (i, ms) in line.latencies.iter().enumerate().take_while(|(_, ms)| **ms <= end) {
        let _ = write!(path, "H{:.1}V{:.1}", x(*ms), y((i + 1) as f64 / count));
    }
    let _ = write!(path, "H{RIGHT}");
    path
}

/// Names, colours and numbers of the curves, below them, where no curve can be.
fn legend(svg: &mut String, summary: &Summary, end: f64) {
    const COLUMNS: [(&str, f64, f64); 3] =
        [("p50, ms", 360.0, 0.5), ("p95, ms", 450.0, 0.95), ("max, ms", 540.0, 1.0)];
    let mut at = BOTTOM + 82.0;
    for (head, offset, _) in COLUMNS {
        text(svg, (LEFT + offset, at), "end", "#555", head);
    }
    for (line, colour) in summary.lines().zip(COLOURS) {
        at += 24.0;
        let bar = at - 5.0;
        let _ = writeln!(
            svg,
            "<line x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{bar:.1}\" y2=\"{bar:.1}\" stroke=\"{colour}\" stroke-width=\"4\"/>",
            LEFT + 26.0
        );
        text(svg, (LEFT + 38.0, at), "start", colour, line.name);
        for (_, offset, share) in COLUMNS {
            text(svg, (LEFT + offset, at), "end", "#222", &format!("{:.1}", line.percentile(share)));
        }
        let beyond = line.latencies.iter().filter(|ms| **ms > end).count();
        if beyond > 0 {
            text(svg, (LEFT + 570.0, at), "start", "#777", &format!("{beyond} beyond the right edge"));
        }
    }
}

fn text(svg: &mut String, (x, y): (f64, f64), anchor: &str, colour: &str, content: &str) {
    let _ = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"{colour}\">{}</text>",
        escape(content)
    );
}

/// A round distance of ticks, so that there are 5 to 12 of them up to `end`.
fn tick_step(end: f64) -> f64 {
    let power = 10f64.powf((end / 5.0).log10().floor());
    [5.0, 2.0, 1.0].into_iter().map(|m| m * power).find(|step| end / step >= 5.0).unwrap_or(power)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::report::tests::results;

    #[test]
    fn ticks_are_round_and_neither_few_nor_many() {
        for end in [0.7, 3.0, 10.0, 45.0, 99.0, 1234.0] {
            let count = end / tick_step(end);
            assert!((5.0..=12.6).contains(&count), "{end}: {count}");
        }
        assert_eq!(tick_step(45.0), 5.0);
    }

    #[test]
    fn every_situation_has_a_curve_and_a_name() {
        let results = results();
        let svg = draw(&results, &Summary::of(&results));
        assert_eq!(svg.matches("<path").count(), 3);
        assert!(svg.contains("under XSched") && svg.ends_with("</svg>\n"));
    }

    #[test]
    fn a_device_name_with_markup_is_escaped() {
        let mut results = results();
        results.device = "A<B & C".into();
        assert!(draw(&results, &Summary::of(&results)).contains("A&lt;B &amp; C"));
    }
}
