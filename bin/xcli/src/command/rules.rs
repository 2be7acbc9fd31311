//! `xcli rules`: the rules by which the server classifies programs; has it read them again, or checks a file before it does.

use crate::context::Context;
use crate::failure::{Failure, Kind};
use crate::output::{Column, Table, count, printable, width, wrap};
use clap::{Args, Subcommand};
use std::path::PathBuf;
use xsched_client::peer;
use xsched_core::Problem;
use xsched_core::status::{RuleStatus, RulesStatus};
use xsched_rules::{Rules as File, check_size};

/// Show the rules by which the server classifies programs, have it read them again, or check a file
///
/// docs/hints.md describes the file. All rules that match a program hold; of two that give the same thing, the later one.
#[derive(Debug, Args)]
pub(crate) struct Rules {
    #[command(subcommand)]
    command: Option<What>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Have the server read its rules again; programs that run get what they say at once
    ///
    /// If anything is wrong with the file, all of it is said, and the rules stay as they were. SIGHUP to xserver does the same.
    Reload,
    /// Say what is wrong with a rules file, without a server
    Check {
        /// The file
        #[arg(value_name = "FILE", default_value = "/etc/xsched/rules.toml")]
        file: PathBuf,
    },
}

const COLUMNS: &[Column] =
    &[Column::Number("LINE"), Column::CutEnd("WHOM"), Column::Text("GIVES"), Column::Number("PROCESSES")];

impl Rules {
    pub(crate) fn execute(self, context: &Context) -> Result<(), Failure> {
        let rules = match self.command {
            Some(What::Check { file }) => check(&file)?,
            Some(What::Reload) => context.connect()?.reload_rules()?,
            None => context.connect()?.rules()?,
        };
        context.output.result(&rules, || text(&rules))
    }
}

fn check(path: &std::path::Path) -> Result<RulesStatus, Failure> {
    let place = path.display().to_string();
    let cannot = |why: String| Failure::failed(format!("{place}: cannot be read: {why}"));
    let bytes = std::fs::metadata(path).map_err(|e| cannot(e.to_string()))?.len();
    check_size(bytes).map_err(|e| cannot(e.to_string()))?;
    let text = std::fs::read_to_string(path).map_err(|e| cannot(e.to_string()))?;
    let rules = File::parse(&place, &text, peer::user).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
        Failure { kind: Kind::Failed, message: lines.join("\nxcli: "), problems }
    })?;
    let rules = rules.iter().map(|rule| RuleStatus {
        line: rule.line(),
        whom: rule.whom(),
        what: rule.what(),
        processes: 0,
    });
    Ok(RulesStatus { file: Some(place), rules: rules.collect(), notes: Vec::new() })
}

fn text(status: &RulesStatus) -> String {
    let Some(file) = &status.file else {
        return "No rules: the server has no rules file (/etc/xsched/rules.toml, or as its setting `rules` says).\n".into();
    };
    let mut table = Table::new(COLUMNS);
    for rule in &status.rules {
        let cells = [printable(&rule.whom), printable(&rule.what)];
        let [whom, what] = cells;
        table.row(vec![rule.line.to_string(), whom, what, rule.processes.to_string()]);
    }
    let table = if status.rules.is_empty() { String::new() } else { table.render(width()) };
    let notes: String = status.notes.iter().map(|note| wrap(&printable(note), 0)).collect();
    format!("{} in {}\n{table}{notes}", count(status.rules.len(), "rule"), printable(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_shown_with_the_lines_that_they_begin_in() {
        let rule = RuleStatus {
            line: 3,
            whom: "program = \"hash*\"".into(),
            what: "priority = -5".into(),
            processes: 2,
        };
        let status =
            RulesStatus { file: Some("/r.toml".into()), rules: vec![rule], notes: vec!["mind".into()] };
        assert_eq!(
            text(&status),
            "1 rule in /r.toml\nLINE WHOM              GIVES         PROCESSES\n   3 program = \"hash*\" priority = -5         2\nmind\n"
        );
        assert!(text(&RulesStatus::default()).starts_with("No rules"));
    }
}
