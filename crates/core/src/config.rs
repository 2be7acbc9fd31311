//! Settings: one row of `config!` is one setting, with its environment name, TOML key, command-line flag, default and help.
//!
//! Sources, the later wins: default, TOML file, environment, command line. Nothing that was given is ignored in silence: an
//! unknown `XSCHED_*` name, an unknown TOML key or a bad value becomes a [`Problem`], and the next best source holds. This
//! module parses; reading the environment and files is left to `runtime::config` and `bin/*`.

use crate::hint::{HINTS, Hint, Hints};
use crate::text::{self, Expected, Problem, Value};
use crate::{Level, Size, named_values};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

named_values! {
    /// Who schedules a transparent program.
    pub enum Scheduler {
        /// xserver, for the whole machine.
        Global = "GLB" | "global",
        /// The program itself, through the API; the shim makes no queues of its own.
        App = "APP" | "app",
        /// A scheduler in the program, queue by queue, by the policy of the settings.
        Local = "LCL" | "local",
    }
}

named_values! {
    /// What a program does when there is no xserver.
    pub enum OnNoServer {
        /// Run unscheduled, and attach when a server appears.
        Run = "run",
        /// Wait for the server at the first launch.
        Wait = "wait",
        /// Answer the first launches with an error of the vendor's.
        Fail = "fail",
    }
}

named_values! {
    /// Who uses a setting.
    pub enum Scope {
        /// The scheduled program.
        Program = "program",
        /// xserver.
        Server = "server",
        /// Both, and xcli.
        Both = "both",
    }
}

named_values! {
    /// Where a value came from.
    pub enum Source {
        /// Nobody gave one.
        Default = "default",
        /// The TOML file.
        File = "file",
        /// An environment variable.
        Environment = "environment",
        /// The command line.
        CommandLine = "command line",
    }
}

/// What is fixed about a setting.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// TOML key; on the command line `--<name>` with dashes.
    pub name: &'static str,
    /// Environment variable.
    pub env: &'static str,
    /// Who uses it.
    pub scope: Scope,
    /// What is allowed.
    pub expected: &'static str,
    /// One line of help.
    pub help: &'static str,
}

/// A setting with its value, for people.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Shown {
    /// TOML key.
    pub name: &'static str,
    /// Environment variable.
    pub env: &'static str,
    /// The value that holds, as text.
    pub value: String,
    /// Where it came from.
    pub source: Source,
    /// One line of help.
    pub help: &'static str,
}

macro_rules! config {
    ($($(#[doc = $help:literal])* $field:ident: $ty:ty = $default:expr, $env:literal, $scope:ident;)*) => {
        /// Every setting, typed.
        #[derive(Clone, Debug)]
        pub struct Config {
            $($(#[doc = $help])* pub $field: $ty,)*
            /// Hints that the program starts with.
            pub hints: Hints,
            sources: BTreeMap<&'static str, Source>,
        }

        impl Default for Config {
            fn default() -> Config {
                Config { $($field: $default,)* hints: Hints::default(), sources: BTreeMap::new() }
            }
        }

        /// Every setting but the hints, which have their own table.
        pub const KEYS: &[Key] = &[$(Key {
            name: stringify!($field), env: $env, scope: Scope::$scope, expected: <$ty as Value>::EXPECTED,
            help: concat!($($help),*).trim_ascii(),
        }),*];

        impl Config {
            fn set_key(&mut self, name: &str, text: &str) -> Option<Result<(), Expected>> {
                match name {
                    $(stringify!($field) => Some(<$ty as Value>::parse(text).map(|value| self.$field = value)),)*
                    _ => None,
                }
            }

            fn show_key(&self, name: &str) -> String {
                match name { $(stringify!($field) => self.$field.show(),)* _ => String::new() }
            }
        }
    };
}

config! {
    /// Who schedules the program.
    scheduler: Scheduler = Scheduler::Global, "XSCHED_SCHEDULER", Program;
    /// Policy of the server; of the program, if that schedules itself.
    policy: String = "HPF".into(), "XSCHED_POLICY", Both;
    /// Socket of the server; default: the first of /run/xsched/xserver.sock and $XDG_RUNTIME_DIR/xsched/xserver.sock that is there.
    socket: Option<PathBuf> = None, "XSCHED_SOCKET", Both;
    /// What a program does when there is no server.
    on_no_server: OnNoServer = OnNoServer::Run, "XSCHED_ON_NO_SERVER", Program;
    /// Whether a transparent program's queues are scheduled.
    auto_xqueue: bool = true, "XSCHED_AUTO_XQUEUE", Program;
    /// Highest preemption level to use.
    auto_xqueue_level: Level = Level::Interrupt, "XSCHED_AUTO_XQUEUE_LEVEL", Program;
    /// Most commands in flight while somebody more urgent may come; default: as many as fill the window.
    auto_xqueue_threshold: Option<u32> = None, "XSCHED_AUTO_XQUEUE_THRESHOLD", Program;
    /// Device work in flight while somebody more urgent may come; up to four times as much for a queue that is held back for long each time.
    window: Duration = Duration::from_millis(1), "XSCHED_WINDOW", Program;
    /// Name that joins several processes into one unit of suspension.
    group: Option<String> = None, "XSCHED_GROUP", Program;
    /// Whether processes that hand each other handles of the device's (IPC) are suspended as one: they may wait for each other.
    join_sharers: bool = true, "XSCHED_JOIN_SHARERS", Program;
    /// Whether xserver may stop what runs on a device, by what the program's driver controls it by: of a program, whether it lends that; of xserver, whether it uses it.
    device_control: bool = true, "XSCHED_DEVICE_CONTROL", Both;
    /// The same also under debuggers and checkers (cuda-gdb, compute-sanitizer), which look into the device themselves.
    control_under_tools: bool = false, "XSCHED_CONTROL_UNDER_TOOLS", Program;
    /// The real OpenCL library; default: the one that the program would have got.
    opencl_lib: Option<PathBuf> = None, "XSCHED_OPENCL_LIB", Program;
    /// The real Level Zero loader; default: the one that the program would have got.
    levelzero_lib: Option<PathBuf> = None, "XSCHED_LEVELZERO_LIB", Program;
    /// The real CUDA driver library; default: the one that the program would have got.
    cuda_lib: Option<PathBuf> = None, "XSCHED_CUDA_LIB", Program;
    /// libxsched.so for the Python package and the Rust crate; default: the one in the process, or that of the installation.
    lib: Option<PathBuf> = None, "XSCHED_LIB", Program;
    /// How long a queue must be without work before it counts as idle.
    grace: Duration = Duration::from_micros(200), "XSCHED_GRACE", Server;
    /// How long a ready queue without progress holds others back.
    lease: Duration = Duration::from_secs(1), "XSCHED_LEASE", Server;
    /// Longest time a group is held without getting a turn.
    max_suspend: Duration = Duration::from_secs(2), "XSCHED_MAX_SUSPEND", Server;
    /// Policies of turns: longest time that a turn waits until what the last one launched is done.
    handover: Duration = Duration::from_millis(100), "XSCHED_HANDOVER", Server;
    /// Rules by which programs are classified; default: /etc/xsched/rules.toml if it is there.
    rules: Option<PathBuf> = None, "XSCHED_RULES", Server;
    /// Policy AWF: the X display whose active window counts; default: DISPLAY.
    display: Option<String> = None, "XSCHED_DISPLAY", Server;
    /// Policy AWF: the file with the right to use that display; default: XAUTHORITY, or .Xauthority in HOME.
    xauthority: Option<PathBuf> = None, "XSCHED_XAUTHORITY", Server;
    /// File to record what the scheduler is told and decides, for `xcli sim --trace`; %p in it is the process, %t the time.
    record: Option<PathBuf> = None, "XSCHED_RECORD", Server;
    /// Size at which a recording ends.
    record_limit: Size = Size::from_mib(256), "XSCHED_RECORD_LIMIT", Server;
    /// HTTP interface (JSON, metrics, a page): a loopback address with its port, or the path of a unix socket; default: none.
    http: Option<String> = None, "XSCHED_HTTP", Server;
    /// File with the token that changes over HTTP need, made if it is not there; default: http-token beside the socket.
    http_token: Option<PathBuf> = None, "XSCHED_HTTP_TOKEN", Server;
    /// Highest priority that ordinary users may ask for.
    priority_ceiling: u32 = 0, "XSCHED_PRIORITY_CEILING", Server;
}

/// `XSCHED_*` names that users of other versions set and that mean nothing here, with the reason.
const WITHOUT_EFFECT: &[(&str, &str)] = &[(
    "XSCHED_AUTO_XQUEUE_BATCH_SIZE",
    "has no effect here: launches are not batched, the calling thread launches directly",
)];

impl Config {
    /// Takes the `XSCHED_*` variables out of an environment. Values that are not UTF-8 come in as replaced text and fail as such.
    pub fn apply_env<'a>(&mut self, env: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (name, value) in env.into_iter().filter(|(name, _)| name.starts_with("XSCHED_")) {
            if let Some(key) = KEYS.iter().find(|key| key.env == name) {
                self.apply(key.name, name, value, Source::Environment, &mut problems);
            } else if let Some(hint) = HINTS.iter().find(|hint| hint.env == name) {
                self.apply(hint.name, name, value, Source::Environment, &mut problems);
            } else if let Some((_, why)) = WITHOUT_EFFECT.iter().find(|(known, _)| *known == name) {
                problems.push(Problem { place: name.into(), message: (*why).into() });
            } else {
                problems.push(Problem {
                    place: name.into(),
                    message: format!("is not a setting{}", nearest(name)),
                });
            }
        }
        problems
    }

    /// Takes a TOML text; `place` is its path, for messages. Values may be strings, whole numbers or booleans.
    pub fn apply_toml(&mut self, place: &str, text: &str) -> Vec<Problem> {
        let table: toml::Table = match text.parse() {
            Ok(table) => table,
            Err(e) => {
                return vec![Problem {
                    place: place.into(),
                    message: format!("is not valid TOML: {}", e.message()),
                }];
            }
        };
        let mut problems = Vec::new();
        for (name, value) in &table {
            let here = format!("{place}: {name}");
            let value = match value {
                toml::Value::String(s) => s.clone(),
                toml::Value::Integer(i) => i.to_string(),
                toml::Value::Boolean(b) => b.show(),
                other => {
                    let message = format!(
                        "a {} is not valid; expected a string, a whole number or a boolean",
                        other.type_str()
                    );
                    problems.push(Problem { place: here, message });
                    continue;
                }
            };
            self.apply(name, &here, &value, Source::File, &mut problems);
        }
        problems
    }

    /// Takes one value from the command line: `name` as in [`Key::name`].
    pub fn apply_flag(&mut self, name: &str, value: &str) -> Result<(), Problem> {
        let mut problems = Vec::new();
        self.apply(name, &format!("--{}", name.replace('_', "-")), value, Source::CommandLine, &mut problems);
        problems.pop().map_or(Ok(()), Err)
    }

    /// Every setting with its value and where it came from; hints last.
    pub fn show(&self) -> Vec<Shown> {
        let source = |name: &str| self.sources.get(name).copied().unwrap_or(Source::Default);
        let keys = KEYS.iter().map(|key| Shown {
            name: key.name,
            env: key.env,
            value: self.show_key(key.name),
            source: source(key.name),
            help: key.help,
        });
        let hints = HINTS.iter().map(|hint| Shown {
            name: hint.name,
            env: hint.env,
            value: self.hints.get(hint.kind).to_string(),
            source: source(hint.name),
            help: hint.help,
        });
        keys.chain(hints).collect()
    }

    fn apply(&mut self, name: &str, place: &str, value: &str, source: Source, problems: &mut Vec<Problem>) {
        if let Some(hint) = HINTS.iter().find(|hint| hint.name == name) {
            match Hint::parse(hint.kind, place, value) {
                Ok(parsed) => {
                    self.hints.set(parsed);
                    self.sources.insert(hint.name, source);
                }
                Err(problem) => problems.push(problem),
            }
            return;
        }
        match self.set_key(name, value) {
            Some(Ok(())) => {
                if let Some(key) = KEYS.iter().find(|key| key.name == name) {
                    self.sources.insert(key.name, source);
                }
            }
            Some(Err(expected)) => problems.push(Problem::bad_value(place, value, &expected)),
            None => problems
                .push(Problem { place: place.into(), message: format!("is not a setting{}", nearest(name)) }),
        }
    }
}

/// `; did you mean …?` if some name is close, or is longer than what follows `XSCHED_` by words in front of it.
fn nearest(name: &str) -> String {
    let bare = name.strip_prefix("XSCHED_");
    let names = || {
        let keys = KEYS.iter().map(|k| if bare.is_some() { k.env } else { k.name });
        keys.chain(HINTS.iter().map(|h| if bare.is_some() { h.env } else { h.name }))
    };
    let longer =
        |long: &&str| long.strip_suffix(bare.unwrap_or(name)).is_some_and(|front| front.ends_with('_'));
    match names().filter(longer).min_by_key(|long| long.len()) {
        Some(long) => format!("; did you mean {long}?"),
        None => text::nearest(name, names()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_sources_win_and_are_named() {
        let mut config = Config::default();
        assert!(config.apply_toml("x.toml", "grace = \"1ms\"\nlease = \"2s\"\npriority = 3").is_empty());
        assert!(config.apply_env([("XSCHED_GRACE", "2ms"), ("HOME", "/")]).is_empty());
        config.apply_flag("grace", "3ms").unwrap();
        assert_eq!(config.grace, Duration::from_millis(3));
        let source = |name| config.show().into_iter().find(|s| s.name == name).unwrap().source;
        assert_eq!(
            [source("grace"), source("lease"), source("window"), source("priority")],
            [Source::CommandLine, Source::File, Source::Default, Source::File]
        );
    }

    #[test]
    fn unknown_names_and_bad_values_are_reported_and_change_nothing() {
        let mut config = Config::default();
        let problems = config.apply_env([
            ("XSCHED_GRUOP", "a"),
            ("XSCHED_PRIORITY", "5"),
            ("XSCHED_WINDOW", "5"),
            ("XSCHED_AUTO_XQUEUE_BATCH_SIZE", "8"),
            ("XSCHED_AUTO_XQUEUE_PRIORITY", "high"),
            ("XSCHED_SCHEDULER", "HERE"),
        ]);
        let text: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            text,
            [
                "XSCHED_GRUOP: is not a setting; did you mean XSCHED_GROUP?",
                "XSCHED_PRIORITY: is not a setting; did you mean XSCHED_AUTO_XQUEUE_PRIORITY?",
                "XSCHED_WINDOW: \"5\" is not valid; expected a duration with its unit, such as 200us, 1ms or 2s",
                "XSCHED_AUTO_XQUEUE_BATCH_SIZE: has no effect here: launches are not batched, the calling thread launches directly",
                "XSCHED_AUTO_XQUEUE_PRIORITY: \"high\" is not valid; expected a whole number from -256 to 255",
                "XSCHED_SCHEDULER: \"HERE\" is not valid; expected one of GLB APP LCL",
            ]
        );
        assert!(config.show().iter().all(|s| s.source == Source::Default));
    }

    #[test]
    fn broken_toml_is_one_problem() {
        assert_eq!(Config::default().apply_toml("x.toml", "= 1").len(), 1);
        assert_eq!(Config::default().apply_toml("x.toml", "grace = [1]").len(), 1);
    }

    #[test]
    fn every_default_reads_back() {
        let mut config = Config::default();
        for shown in Config::default().show() {
            config.apply_flag(shown.name, &shown.value).unwrap();
        }
    }
}
