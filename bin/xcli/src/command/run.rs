//! `xcli run`: puts XSched in front of a program and becomes it.
//!
//! Invariant: whatever can be wrong on the command line is said before the program starts. Then this process *is* the program
//! (exec): same pid, same terminal, its exit code and signals are its own. Deliberately absent: a connection to xserver that
//! lasts; the program makes its own.

use crate::args::{HintFlags, group, level};
use crate::context::Context;
use crate::failure::{Failure, Kind};
use crate::launch::environment::{self, variable};
use crate::launch::library::Library;
use crate::launch::{advice, diagnose, program, start};
use clap::Args;
use std::ffi::OsString;
use std::path::PathBuf;
use xsched_core::config::OnNoServer;
use xsched_core::{Config, Hints, Level};

/// Run a program under XSched
///
/// The program needs no change and nobody types LD_PRELOAD. The exit code is the program's own; 126 if it cannot be executed,
/// 127 if it is not found. A program that starts others passes on what is set here.
#[derive(Debug, Args)]
#[command(override_usage = "xcli run [OPTIONS] [--] PROGRAM [ARGS]...")]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) hints: HintFlags,

    /// Suspend and resume together with all programs of this group
    #[arg(long, value_name = "NAME", value_parser = group, help_heading = "Scheduling")]
    group: Option<String>,

    /// Highest preemption level to use: 1 (block), 2 (deactivate) or 3 (interrupt)
    #[arg(long, value_name = "LEVEL", value_parser = level, help_heading = "Scheduling")]
    level: Option<Level>,

    /// Without a server, wait for one at the first launch [default: run unscheduled until there is one]
    #[arg(long, conflicts_with = "fail", help_heading = "Scheduling")]
    wait: bool,

    /// Without a server, let launches fail
    #[arg(long, help_heading = "Scheduling")]
    fail: bool,

    /// Set LD_LIBRARY_PATH only, not LD_PRELOAD
    #[arg(long, help_heading = "Loading")]
    no_preload: bool,

    /// Put no layer into the loaders of vendors that have layers
    #[arg(long, help_heading = "Loading")]
    no_layers: bool,

    /// Folder with libxsched.so and the stand-ins [default: ../lib/xsched seen from xcli, else the folder of xcli]
    #[arg(long, value_name = "DIR", help_heading = "Loading")]
    lib_dir: Option<PathBuf>,

    /// The program and its arguments
    #[arg(required = true, trailing_var_arg = true, value_name = "PROGRAM")]
    program: Vec<OsString>,
}

impl Run {
    pub(crate) fn execute(self, context: &Context) -> Result<(), Failure> {
        let library = self.library()?;
        let mut environment: Vec<(&str, OsString)> = self.environment(context)?;
        let (name, arguments) =
            self.program.split_first().ok_or_else(|| Failure::usage("which program is to be run?"))?;
        let search_path = std::env::var_os("PATH");
        let file = program::find(name, search_path.as_deref())?;
        let diagnosis = diagnose::diagnose(&file, search_path.as_deref());
        for warning in &diagnosis.reasons {
            context.output.warning(warning);
        }
        if diagnosis.keep_away {
            environment.extend(environment::kept_away(&library));
        } else {
            environment.extend(environment::loading(&library, !self.no_preload)?);
            environment.extend(if self.no_layers { vec![] } else { environment::layers(&library) });
        }
        for remark in advice::advise(&context.places(), &self.all_hints()) {
            context.output.warning(&remark);
        }
        let error = start::exec(&file, name, arguments, &environment);
        let why = match diagnose::interpreter(&file) {
            Some(missing) if !missing.exists() => {
                format!("it needs {}, which is not there", missing.display())
            }
            Some(other) if !program::is_executable(&other) => {
                format!("it needs {}, which may not be executed", other.display())
            }
            _ => error.to_string(),
        };
        Err(Failure::new(Kind::NotExecutable, format!("cannot execute {}: {why}", file.display())))
    }

    /// The hints that the program starts with: those of the environment, and over them those of the command line.
    fn all_hints(&self) -> Hints {
        let mut config = Config::default();
        // What is wrong with the environment is for the program to say.
        let env = environment::settings();
        let _ = config.apply_env(env.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        self.hints.0.iter().for_each(|hint| config.hints.set(*hint));
        config.hints
    }

    /// The variables to set, but for those of the loader.
    fn environment(&self, context: &Context) -> Result<Vec<(&'static str, OsString)>, Failure> {
        let mut set: Vec<(&'static str, OsString)> = Vec::new();
        for hint in &self.hints.0 {
            set.push((hint.kind().info().env, hint.value().to_string().into()));
        }
        if let Some(group) = &self.group {
            set.push((variable("group"), group.into()));
        }
        if let Some(level) = self.level {
            set.push((variable("auto_xqueue_level"), level.number().to_string().into()));
        }
        let without_server = [(self.wait, OnNoServer::Wait), (self.fail, OnNoServer::Fail)];
        for (_, answer) in without_server.iter().filter(|(given, _)| *given) {
            set.push((variable("on_no_server"), answer.name().into()));
        }
        if let Some(socket) = &context.socket {
            set.push(environment::socket(socket)?);
        }

        Ok(set)
    }

    fn library(&self) -> Result<Library, Failure> {
        let xcli = std::env::current_exe()
            .map_err(|e| Failure::failed(format!("cannot find where xcli itself is: {e}")))?;
        Library::find(self.lib_dir.as_deref(), &xcli)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_that_run_sets_is_in_the_table() {
        for name in ["group", "auto_xqueue_level", "on_no_server", "socket"] {
            assert!(variable(name).starts_with("XSCHED_"), "{name}");
        }
    }
}
