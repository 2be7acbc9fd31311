//! The other picture: how the waiting times are distributed; a panel for each length of the greedy kernels, in it a line for each setting, time logarithmic.

use super::picture::{COLOURS, duration};
use std::fmt::Write as _;

const COLUMNS: usize = 2;
const PANEL: (f64, f64) = (470.0, 250.0);
const TOP: f64 = 110.0;
const INSIDE: (f64, f64) = (360.0, 170.0);
const INDENT: (f64, f64) = (62.0, 30.0);

/// What all settings showed beside kernels of one length: sorted times in µs.
pub(crate) struct Panel {
    pub(crate) name: String,
    pub(crate) settings: Vec<(String, Vec<f64>)>,
}

/// Draws all panels; `alone` are the sorted times without company.
pub(crate) fn draw(title: &str, alone: &[f64], panels: &[Panel]) -> String {
    let times = || panels.iter().flat_map(|panel| &panel.settings).flat_map(|(_, times)| times);
    let low = times().chain(alone).copied().fold(f64::MAX, f64::min).max(1.0).log10().floor();
    let high = times().chain(alone).copied().fold(1.0, f64::max).log10().ceil().max(low + 1.0);
    let (width, height) =
        (COLUMNS as f64 * PANEL.0, TOP + panels.len().div_ceil(COLUMNS) as f64 * PANEL.1 + 20.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"13\" fill=\"#222\">\n<rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n\
         <text x=\"20\" y=\"34\" font-size=\"21\" font-weight=\"bold\">{title}</text>\n\
         <text x=\"20\" y=\"58\" fill=\"#555\">part of the requests that were answered within a time; dashed: alone</text>\n"
    );
    let mut at = 20.0;
    let names = panels.first().into_iter().flat_map(|panel| &panel.settings).map(|(name, _)| name);
    for (name, colour) in names.zip(COLOURS.iter().cycle()) {
        let _ = writeln!(
            svg,
            "<text x=\"{at:.0}\" y=\"84\" fill=\"{colour}\" font-weight=\"bold\">{name}</text>"
        );
        at += 30.0 + 8.0 * name.chars().count() as f64;
    }
    for (index, panel) in panels.iter().enumerate() {
        let (column, row) = (index % COLUMNS, index / COLUMNS);
        let corner = (column as f64 * PANEL.0 + INDENT.0, TOP + row as f64 * PANEL.1 + INDENT.1);
        draw_panel(&mut svg, corner, (low, high), alone, panel);
    }
    svg.push_str("</svg>\n");
    svg
}

fn draw_panel(
    svg: &mut String,
    (left, top): (f64, f64),
    (low, high): (f64, f64),
    alone: &[f64],
    panel: &Panel,
) {
    let (right, bottom) = (left + INSIDE.0, top + INSIDE.1);
    let x = |us: f64| left + INSIDE.0 * (us.max(1.0).log10() - low) / (high - low);
    let y = |part: f64| bottom - INSIDE.1 * part;
    let _ = writeln!(
        svg,
        "<text x=\"{left:.0}\" y=\"{:.0}\" font-weight=\"bold\">beside kernels of {}</text>",
        top - 10.0,
        panel.name
    );
    for percent in [0, 50, 100] {
        let at = y(f64::from(percent) / 100.0);
        let _ = writeln!(
            svg,
            "<line x1=\"{left:.0}\" x2=\"{right:.0}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"#e4e4e4\"/>\n\
             <text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#444\">{percent} %</text>",
            left - 8.0,
            at + 4.0
        );
    }
    for power in low as i32..=high as i32 {
        let us = 10f64.powi(power);
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.0}\" text-anchor=\"middle\" fill=\"#444\">{}</text>",
            x(us),
            bottom + 20.0,
            duration(us)
        );
    }
    let line = |times: &[f64]| {
        // A step at each time: up from the part that was answered before.
        let parts = times.iter().enumerate().flat_map(|(index, &us)| {
            [index, index + 1]
                .map(|count| format!("{:.1},{:.1}", x(us), y(count as f64 / times.len() as f64)))
        });
        parts.collect::<Vec<_>>().join(" ")
    };
    let _ = writeln!(
        svg,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"#222\" stroke-dasharray=\"5 4\"/>",
        line(alone)
    );
    for ((_, times), colour) in panel.settings.iter().zip(COLOURS.iter().cycle()) {
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            line(times)
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_length_is_a_panel_with_a_line_for_each_setting_and_one_for_alone() {
        let panel = |name: &str| Panel {
            name: name.into(),
            settings: vec![("native".into(), vec![500.0, 900.0, 80_000.0]), ("ours".into(), vec![450.0])],
        };
        let svg = draw("title", &[250.0, 260.0], &[panel("1ms"), panel("10ms"), panel("100ms")]);
        assert_eq!(svg.matches("<polyline").count(), 9);
        assert!(svg.contains("beside kernels of 100ms") && svg.contains(">100 ms<") && !svg.contains("NaN"));
    }
}
