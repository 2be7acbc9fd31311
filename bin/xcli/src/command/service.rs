//! `xcli service`: makes xserver a service of systemd, and unmakes it.

use crate::context::Context;
use crate::failure::Failure;
use crate::service::files::{self, FILES, State};
use crate::service::{self, UNITS, tools};
use clap::{Args, Subcommand};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Make xserver a service of systemd, where no package does
///
/// The programs stay where they are; moving or replacing them, run `install` again. Programs that are scheduled run on while the
/// service is restarted.
#[derive(Debug, Args)]
pub(crate) struct Service {
    #[command(subcommand)]
    what: What,

    /// Folder that stands for / ; nothing is started or stopped then
    #[arg(long, global = true, value_name = "DIR", default_value = "/")]
    root: PathBuf,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Write units, user and settings, and start the service; or bring them up to date
    Install,
    /// Show what is there and how the service is
    Status,
    /// Stop the service and remove what `install` made
    Remove {
        /// Settings that were changed and recordings too
        #[arg(long)]
        purge: bool,
    },
}

/// What was done, or left alone.
#[derive(Debug, Default, Serialize)]
struct Done {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    written: Vec<PathBuf>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    removed: Vec<PathBuf>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    kept: Vec<PathBuf>,
}

/// How it is.
#[derive(Debug, Serialize)]
struct Shown {
    files: BTreeMap<PathBuf, State>,
    units: BTreeMap<&'static str, BTreeMap<String, String>>,
}

impl Service {
    pub(crate) fn execute(self, context: &Context) -> Result<(), Failure> {
        let root = self.root.canonicalize();
        let root = root.map_err(|e| files::failed("find", &self.root, &e))?;
        match self.what {
            What::Install => {
                let done = install(&root)?;
                context.output.result(&done, || text(&done) + "xserver is a service of this system\n")
            }
            What::Status => {
                let shown = status(&root)?;
                context.output.result(&shown, || match tools::is_booted(&root) {
                    true => shown.text(),
                    false => shown.text() + "this machine is not run by systemd\n",
                })
            }
            What::Remove { purge } => {
                let done = remove(&root, purge)?;
                context.output.result(&done, || match done.removed.is_empty() {
                    true => text(&done) + "there was nothing to remove\n",
                    false => text(&done),
                })
            }
        }
    }
}

fn install(root: &Path) -> Result<Done, Failure> {
    let bin = service::bin()?;
    // Another root has folders of its own.
    if root == Path::new("/") {
        service::check_place(&bin)?;
    }
    service::check_no_package(root)?;
    tools::check_booted(root)?;
    files::check_foreign(root, &bin)?;
    let mut done = Done::default();
    for file in &FILES {
        if file.write(root, &bin)? {
            done.written.push(file.path(root));
        } else {
            done.kept.push(file.path(root));
        }
    }
    tools::install(root)?;
    Ok(done)
}

fn status(root: &Path) -> Result<Shown, Failure> {
    let bin = service::bin()?;
    let files = FILES.iter().map(|file| Ok((file.path(root), file.state(root, &bin)?)));
    let units = UNITS.iter().filter_map(|unit| Some((*unit, tools::show(root, unit)?.into_iter().collect())));
    Ok(Shown { files: files.collect::<Result<_, Failure>>()?, units: units.collect() })
}

fn remove(root: &Path, purge: bool) -> Result<Done, Failure> {
    let bin = service::bin()?;
    service::check_no_package(root)?;
    let mut done = Done::default();
    let [sysusers, ..] = FILES;
    // What is not written in a file is ours to remove only if a file is that says so.
    let has_user = sysusers.is_ours(root, &bin)?;
    let mut is_installed = false;
    for file in &FILES {
        is_installed |= file.is_ours(root, &bin)?;
    }
    if FILES.iter().any(|file| file.place.starts_with("etc/systemd") && file.path(root).exists()) {
        tools::stop(root)?;
    }
    for file in FILES.iter().rev() {
        if file.remove(root, &bin, purge)? {
            done.removed.push(file.path(root));
        } else if file.path(root).exists() {
            done.kept.push(file.path(root));
        }
    }
    if is_installed {
        tools::forget(root)?;
    }
    // Another server's socket may be in there.
    for (folder, is_disposable) in
        [("run/xsched", is_installed), ("var/lib/xsched", purge), ("etc/xsched", false)]
    {
        let path = root.join(folder);
        let result = if is_disposable { std::fs::remove_dir_all(&path) } else { std::fs::remove_dir(&path) };
        match result {
            Ok(()) => done.removed.push(path),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) if e.kind() == std::io::ErrorKind::DirectoryNotEmpty => done.kept.push(path),
            Err(e) => return Err(files::failed("remove", &path, &e)),
        }
    }
    if has_user {
        tools::remove_user(root)?;
    }
    Ok(done)
}

fn text(done: &Done) -> String {
    let mut text = String::new();
    for (what, paths) in [("wrote", &done.written), ("removed", &done.removed), ("kept", &done.kept)] {
        paths.iter().for_each(|path| text += &format!("{what:8}{}\n", path.display()));
    }
    text
}

impl Shown {
    fn text(&self) -> String {
        let mut text = String::new();
        for (path, state) in &self.files {
            let state = match state {
                State::Absent => "absent",
                State::Current => "current",
                State::Different => "changed",
                State::Foreign => "not ours",
            };
            text += &format!("{state:9}{}\n", path.display());
        }
        for (unit, values) in &self.units {
            let value = |name: &str| values.get(name).map_or("", String::as_str);
            text += &format!(
                "{unit}: {} ({}), {}",
                value("ActiveState"),
                value("SubState"),
                value("UnitFileState")
            );
            let status = value("StatusText");
            text += &if status.is_empty() { "\n".into() } else { format!("; {status}\n") };
        }
        text
    }
}
