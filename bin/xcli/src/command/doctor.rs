//! `xcli doctor`: what is installed, what works, what does not, and how to mend it.

use crate::context::Context;
use crate::doctor::report::Report;
use crate::doctor::{environment, installation, platforms, server, system};
use crate::failure::Failure;
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// Find out why programs are not scheduled, and how to mend that
///
/// Looks at the installation, at each platform (the real library, its drivers and devices, each in a process of its own), at the
/// environment, the server and this system. Each finding is ok, a note, or a problem; the exit code is 1 if there is a problem.
/// Nothing is changed.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Folder with libxsched.so and the stand-ins [default: ../lib/xsched seen from xcli, else the folder of xcli]
    #[arg(long, value_name = "DIR")]
    lib_dir: Option<PathBuf>,

    /// How long one look at a vendor's library may take
    #[arg(long, value_name = "SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=3600))]
    patience: u64,
}

impl Doctor {
    pub(crate) fn execute(self, context: &Context) -> Result<(), Failure> {
        let mut report = Report::new();
        let patience = Duration::from_secs(self.patience);
        let survey =
            installation::examine(self.lib_dir.as_deref(), context.socket.as_deref(), patience, &mut report);
        if let Some(survey) = &survey {
            platforms::examine(survey, patience, &mut report);
        }
        environment::examine(survey.as_ref(), &mut report);
        server::examine(context, &mut report);
        system::examine(&mut report);
        context.output.result(&report, || report.text())?;
        match report.failure() {
            Some(problems) => Err(Failure::failed(problems)),
            None => Ok(()),
        }
    }
}
