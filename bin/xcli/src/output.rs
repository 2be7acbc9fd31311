//! What goes to standard output and standard error: text for people, or one JSON value per command.
//!
//! Invariant: nothing here panics when the reader goes away; a closed pipe ends the output quietly.

use crate::failure::Failure;
use serde::Serialize;
use std::io::{self, ErrorKind, IsTerminal, Write};
use xsched_core::text::is_printable;

pub(crate) use xsched_core::text::printable;

/// Width for text that is wrapped and goes to no terminal.
const PAGE: usize = 80;

/// Where a command writes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    json: bool,
}

/// A table of text: the first row is the heading.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

/// How a column is set.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Column {
    /// Text, never cut.
    Text(&'static str),
    /// A number, aligned right, never cut.
    Number(&'static str),
    /// Text whose end may be cut off when the table is too wide.
    CutEnd(&'static str),
    /// Text whose start may be cut off when the table is too wide.
    CutStart(&'static str),
}

impl Output {
    pub(crate) fn new(json: bool) -> Output {
        Output { json }
    }

    /// Writes the result of a command: `value` for `--json`, else `text`.
    pub(crate) fn result(self, value: &impl Serialize, text: impl FnOnce() -> String) -> Result<(), Failure> {
        let text = if self.json { to_json(value) } else { fit_for_a_terminal(&text()) };
        let mut out = io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Err(e) if e.kind() != ErrorKind::BrokenPipe => {
                Err(Failure::failed(format!("cannot write to standard output: {e}")))
            }
            _ => Ok(()),
        }
    }

    /// Writes a line that does not end the command.
    pub(crate) fn warning(self, message: &str) {
        if self.json {
            write_error(&to_json(&serde_json::json!({ "warning": message })));
        } else {
            write_error(&fit_for_a_terminal(&format!("xcli: {message}\n")));
        }
    }

    /// Writes why the command failed.
    pub(crate) fn failure(self, failure: &Failure) {
        if self.json {
            write_error(&to_json(&serde_json::json!({ "error": failure })));
        } else {
            write_error(&fit_for_a_terminal(&format!("xcli: {}\n", failure.message)));
        }
    }
}

impl Table {
    pub(crate) fn new(columns: &[Column]) -> Table {
        Table { columns: columns.to_vec(), rows: vec![columns.iter().map(|c| c.name().into()).collect()] }
    }

    /// Adds a row: one cell for each column.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        debug_assert_eq!(cells.len(), self.columns.len());
        self.rows.push(cells);
    }

    /// The table as lines. Cells are cut, as far as their columns allow, to make lines of at most `width` characters.
    pub(crate) fn render(&self, width: usize) -> String {
        let mut widths: Vec<usize> = (0..self.columns.len())
            .map(|i| self.rows.iter().map(|row| row[i].chars().count()).max().unwrap_or(0))
            .collect();
        while widths.iter().sum::<usize>() + widths.len().saturating_sub(1) > width {
            let cuttable = self.columns.iter().zip(&mut widths);
            let widest = cuttable.filter(|(c, w)| **w > c.least()).max_by_key(|(_, w)| **w);
            let Some((_, widest)) = widest else { break };
            *widest -= 1;
        }
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for ((column, cell), width) in self.columns.iter().zip(row).zip(&widths) {
                line.push_str(&column.set(cell, *width));
                line.push(' ');
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

impl Column {
    fn name(self) -> &'static str {
        match self {
            Column::Text(name) | Column::Number(name) | Column::CutEnd(name) | Column::CutStart(name) => name,
        }
    }

    /// The width that a column is not cut below.
    fn least(self) -> usize {
        match self {
            Column::Text(_) | Column::Number(_) => usize::MAX,
            Column::CutEnd(name) | Column::CutStart(name) => name.len(),
        }
    }

    fn set(self, cell: &str, width: usize) -> String {
        let length = cell.chars().count();
        if length <= width {
            return match self {
                Column::Number(_) => format!("{cell:>width$}"),
                _ => format!("{cell:<width$}"),
            };
        }
        let keep = width.saturating_sub(1);
        match self {
            Column::CutStart(_) => {
                format!("…{}", cell.chars().skip(length - keep).collect::<String>())
            }
            _ => format!("{}…", cell.chars().take(keep).collect::<String>()),
        }
    }
}

/// Columns of the terminal that standard output is; without limit if it is none, so that nothing is cut for other programs.
pub(crate) fn width() -> usize {
    let stdout = io::stdout();
    if !stdout.is_terminal() {
        return usize::MAX;
    }
    match rustix::termios::tcgetwinsize(&stdout) {
        Ok(size) if size.ws_col > 0 => usize::from(size.ws_col),
        _ => PAGE,
    }
}

/// `1 queue`, `2 queues`.
pub(crate) fn count(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

/// Breaks `text` at spaces into lines that begin with `indent` spaces and fit a page.
pub(crate) fn wrap(text: &str, indent: usize) -> String {
    indented(text, &" ".repeat(indent), indent)
}

/// As `wrap`; the first line begins with `first` instead.
pub(crate) fn indented(text: &str, first: &str, indent: usize) -> String {
    let mut lines = String::new();
    let mut line = first.to_owned();
    let mut is_empty = true;
    for word in text.split_whitespace() {
        if line.chars().count() + word.chars().count() > PAGE && !is_empty {
            lines.push_str(line.trim_end());
            lines.push('\n');
            line = " ".repeat(indent);
        }
        line.push_str(word);
        line.push(' ');
        is_empty = false;
    }
    lines.push_str(line.trim_end());
    lines.push('\n');
    lines
}

/// Lines of ours in which others may have put something: no more than lines.
fn fit_for_a_terminal(lines: &str) -> String {
    lines.chars().map(|c| if c == '\n' || is_printable(c) { c } else { '?' }).collect()
}

fn to_json(value: &impl Serialize) -> String {
    // Our own types: no map with keys that are not text, no serializer that fails.
    serde_json::to_string(value)
        .unwrap_or_else(|e| format!("{{\"error\":{{\"message\":{:?}}}}}", e.to_string()))
        + "\n"
}

/// Nobody is left to be told when standard error is closed.
fn write_error(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_cut_to_the_width_where_its_columns_allow_it() {
        let columns =
            [Column::Number("PID"), Column::CutEnd("PROGRAM"), Column::CutStart("DEVICE"), Column::Text("X")];
        let mut table = Table::new(&columns);
        table.row(vec![
            "4711".into(),
            "a-rather-long-program".into(),
            "pci:0000:65:00.0".into(),
            "abc".into(),
        ]);
        assert_eq!(
            table.render(usize::MAX),
            " PID PROGRAM               DEVICE           X\n4711 a-rather-long-program pci:0000:65:00.0 abc\n"
        );
        assert_eq!(table.render(30), " PID PROGRAM    DEVICE     X\n4711 a-rather-… …0:65:00.0 abc\n");
        assert_eq!(table.render(1), " PID PROGRAM DEVICE X\n4711 a-rath… …:00.0 abc\n");
    }

    #[test]
    fn long_text_is_wrapped_with_its_indent() {
        let text = wrap(&"word ".repeat(30), 4);
        assert!(text.lines().all(|line| line.len() <= PAGE && line.starts_with("    word")), "{text}");
        assert_eq!(text.lines().count(), 2);
    }

    #[test]
    fn control_characters_of_other_processes_do_not_reach_the_terminal() {
        assert_eq!(printable("a\u{1b}[31mb\n"), "a?[31mb?");
        assert_eq!(fit_for_a_terminal("a\u{1b}[31m\u{202e}b\nc\n"), "a?[31m?b\nc\n");
    }
}
