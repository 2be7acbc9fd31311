//! `xcli doctor`: what is installed, what works, what does not, and how to mend it.

use crate::context::Context;
use crate::doctor::report::Report;
use crate::doctor::{environment, installation, platforms, process, server, system};
use crate::failure::Failure;
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// Find out why programs are not scheduled, and how to mend that
///
/// Looks at the installation, at each platform (the real library, its drivers and devices, each in a process of its own), at the
/// environment, the server and this system; or, with --pid, at a program that runs. Each finding is ok, a note, or a problem; the exit
/// code is 1 if there is a problem. Nothing is changed.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Look at this process instead of the platforms: whether it is scheduled, and why not
    #[arg(long, value_name = "PID")]
    pid: Option<u32>,

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
        match (self.pid, &survey) {
            (Some(pid), Some(survey)) => {
                process::examine(pid, survey, context, &mut report);
                server::examine(context, &mut report);
            }
            (Some(_), None) => {}
            (None, survey) => {
                if let Some(survey) = survey {
                    platforms::examine(survey, patience, &mut report);
                }
                environment::examine(survey.as_ref(), &mut report);
                server::examine(context, &mut report);
                system::examine(&mut report);
            }
        }
        context.output.result(&report, || report.text())?;
        match report.failure() {
            Some(problems) => Err(Failure::failed(problems)),
            None => Ok(()),
        }
    }
}
