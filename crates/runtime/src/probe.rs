//! What `xcli doctor` asks of a platform: answered in a process that is there for nothing else, with the environment of a
//! scheduled program.
//!
//! [`Probe::looks`] loads nothing of the vendor's. Each of its looks is then taken in a process of its own, so [`Probe::look`] may
//! call the vendor's library as a program would, and may come to grief.

use crate::guest;
use crate::library::{Library, Wanted};
use rustix::fd::BorrowedFd;
use std::ffi::CStr;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use xsched_core::probe::{Finding, Line, Look};

/// What a platform tells about itself.
pub trait Probe: Sync {
    /// The platform's name for people.
    fn title(&self) -> &'static str;

    /// File names under which programs open the vendor's library. The first one is its soname, and the stand-in's file name.
    fn libraries(&self) -> &'static [&'static str];

    /// A function that every version of that library has.
    fn function(&self) -> &'static CStr;

    /// The real library, as the binding looks for it.
    fn wanted<'a>(&self, stand_in: &'a Path) -> Wanted<'a>;

    /// What to type to get the real library. None where it would be of no use.
    fn install(&self) -> Option<&'static str>;

    /// What there is to look at: each driver that can break a process by itself, and last the whole as programs get it.
    fn looks(&self) -> Vec<Look>;

    /// Takes one look. `folder` is that of the stand-ins.
    fn look(&self, key: &str, folder: &Path, report: &Report<'_>);
}

/// Where findings go, one line each, at once.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    to: BorrowedFd<'a>,
}

impl<'a> Report<'a> {
    /// To this fd.
    pub fn new(to: BorrowedFd<'a>) -> Report<'a> {
        Report { to }
    }

    /// Says what is done next, in words that fit behind "while".
    pub fn doing(&self, what: impl Into<String>) {
        self.line(&Line::Doing(what.into()));
    }

    /// Says what was found.
    pub fn found(&self, finding: Finding) {
        self.line(&Line::Found(finding));
    }

    /// Any line.
    pub fn line(&self, line: &Line) {
        let Ok(mut text) = serde_json::to_vec(line) else { return };
        text.push(b'\n');
        let mut rest = text.as_slice();
        // Who asked is gone if this fails, and then nobody is left to be told.
        while let Some(written) = rustix::io::write(self.to, rest).ok().filter(|_| !rest.is_empty()) {
            rest = rest.get(written..).unwrap_or_default();
        }
    }

    /// Opens the vendor's library by its name alone, as a program does. `None` if that is not the stand-in, or nothing; that has been
    /// said then.
    pub fn open_stand_in(&self, soname: &str, any_function: &CStr, folder: &Path) -> Option<Library> {
        self.doing(format!("loading {soname} as programs do"));
        let library = match Library::open_at(Path::new(soname)) {
            Ok(library) => library,
            Err(why) => {
                self.found(Finding::problem("stand_in", format!("programs cannot load {soname}: {why}")));
                return None;
            }
        };
        let file = library.file_with(any_function);
        let identity = |path: &Path| std::fs::metadata(path).ok().map(|m| (m.dev(), m.ino()));
        let ours = identity(&folder.join(soname));
        if ours.is_some() && file.as_deref().and_then(identity) == ours {
            return Some(library);
        }
        let file = file.map_or_else(|| "something else".into(), |file| file.display().to_string());
        let text = format!("programs that ask for {soname} get {file} instead of the stand-in");
        self.found(Finding::problem("stand_in", text));
        None
    }

    /// Says whether the queues that were made so far made this process a guest of a server.
    pub fn attachment(&self) {
        match guest::existing().map(|guest| guest.link().is_some()) {
            Some(true) => {
                self.found(Finding::ok("attached", "a program with a queue is taken in by xserver"));
            }
            Some(false) => {
                self.found(Finding::note(
                    "attached",
                    "a program with a queue runs unscheduled: no xserver took it in",
                ));
            }
            None => {}
        }
    }
}
