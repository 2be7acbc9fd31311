//! What the server goes by: command line, environment and file, checked together.
//!
//! Flags derive from `core::config::KEYS`. Unlike a guest, which warns and goes on, the server does not start with a setting that it cannot
//! use: all problems are listed at once.

use crate::rulebook::{self, Rulebook};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use xsched_core::config::{Config, KEYS, Key, Scope};
use xsched_core::text::{Problem, Value};
use xsched_http::Address;
use xsched_sched::{POLICIES, PolicyKind};

/// Read if it is there and `--config` names no other.
pub(crate) const FILE: &str = "/etc/xsched/xserver.toml";

/// What the server goes by.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) config: Config,
    pub(crate) policy: PolicyKind,
    /// Where the socket may be, the best place first.
    pub(crate) sockets: Vec<PathBuf>,
    /// Where HTTP is, if it is wanted.
    pub(crate) http: Option<Address>,
    pub(crate) rules: Rulebook,
    /// The X display to follow.
    pub(crate) display: Option<String>,
}

/// The command line.
pub(crate) fn command() -> Command {
    let policies: String =
        POLICIES.iter().map(|info| format!("\n  {:<6} {}", info.name, info.help)).collect();
    Command::new("xserver")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Decides which programs may use a shared accelerator, and when.")
        .after_help(format!(
            "It stays in the foreground and logs to stderr (RUST_LOG=debug shows each decision).\n\nPolicies:{policies}"
        ))
        .arg(Arg::new("POLICY").help("Policy, as --policy"))
        .arg(Arg::new("PORT").value_parser(value_parser!(u16)).help("Port of HTTP on this machine, as --http 127.0.0.1:PORT"))
        .arg(
            Arg::new("config")
                .long("config")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help(format!("Settings as TOML [default: {FILE} if it exists]")),
        )
        .arg(
            Arg::new("foreground")
                .long("foreground")
                .action(ArgAction::SetTrue)
                .help("Accepted for compatibility: this is the only mode"),
        )
        .args(keys().map(|key| {
            Arg::new(key.name)
                // Once, for the life of the process.
                .long(&*key.name.replace('_', "-").leak())
                .value_name("VALUE")
                .allow_hyphen_values(true)
                .help(format!("{} [{}; {}]", key.help.trim_end_matches('.'), key.expected, key.env))
        }))
}

impl Settings {
    /// Puts everything together; `env` is the environment, `file` the file to look for if `--config` names none.
    pub(crate) fn read(
        matches: &ArgMatches,
        env: impl IntoIterator<Item = (OsString, OsString)>,
        file: &Path,
    ) -> Result<Settings, Vec<Problem>> {
        let mut config = Config::default();
        let mut problems = Vec::new();
        let named = matches.get_one::<PathBuf>("config");
        let path = named.map_or(file, PathBuf::as_path);
        match std::fs::read_to_string(path) {
            Ok(text) => problems.extend(config.apply_toml(&path.display().to_string(), &text)),
            Err(e) if named.is_none() && e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => problems.push(problem(path.display(), format!("cannot be read: {e}"))),
        }
        let env = text(env);
        problems.extend(config.apply_env(env.iter().map(|(name, value)| (name.as_str(), value.as_str()))));

        let positional = matches.get_one::<String>("POLICY").map(|value| ("policy", value));
        let flags = keys().filter_map(|key| Some((key.name, matches.get_one::<String>(key.name)?)));
        for (name, value) in positional.into_iter().chain(flags) {
            problems.extend(config.apply_flag(name, value).err());
        }
        let both = positional.map(|(_, value)| value).zip(matches.get_one::<String>("policy"));
        if let Some((one, other)) = both.filter(|(one, other)| one != other) {
            problems.push(problem("--policy", format!("{other:?} was given, and {one:?} as POLICY")));
        }
        let port = matches.get_one::<u16>("PORT").copied();
        if port.is_some() && config.http.is_some() {
            problems.push(problem("PORT", "http is set too; one of them is enough".into()));
        }
        let http = config
            .http
            .as_deref()
            .map(|text| Address::parse(text).map_err(|expected| Problem::bad_value("http", text, &expected)));
        let http = match http.transpose() {
            Ok(address) => address.or(port.map(Address::of_port)),
            Err(problem) => {
                problems.push(problem);
                None
            }
        };
        let policy = PolicyKind::parse(&config.policy)
            .map_err(|expected| Problem::bad_value(place_of_policy(&config), &config.policy, &expected));
        let runtime_dir = variable(&env, "XDG_RUNTIME_DIR").map(Path::new);
        let sockets = xsched_ipc::address::candidates(config.socket.as_deref(), runtime_dir);
        let rules = Rulebook::open(config.rules.as_deref(), Path::new(rulebook::FILE));
        let of_environment = variable(&env, "DISPLAY").filter(|name| !name.is_empty());
        let display = config.display.clone().or_else(|| of_environment.map(str::to_owned));
        match (policy, rules) {
            (Ok(policy), Ok(rules)) if problems.is_empty() => {
                Ok(Settings { config, policy, sockets, http, rules, display })
            }
            (policy, rules) => {
                problems.extend(policy.err());
                problems.extend(rules.err().into_iter().flatten());
                Err(problems)
            }
        }
    }
}

/// An environment as text; what is not UTF-8 is replaced.
pub(crate) fn text(env: impl IntoIterator<Item = (OsString, OsString)>) -> Vec<(String, String)> {
    env.into_iter()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
        .collect()
}

/// The value of a variable.
pub(crate) fn variable<'a>(env: &'a [(String, String)], name: &str) -> Option<&'a str> {
    env.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

fn keys() -> impl Iterator<Item = &'static Key> {
    KEYS.iter().filter(|key| key.scope != Scope::Program)
}

fn problem(place: impl ToString, message: String) -> Problem {
    Problem { place: place.to_string(), message }
}

/// Where the value of `policy` came from, in words.
fn place_of_policy(config: &Config) -> String {
    let shown = config.show().into_iter().find(|shown| shown.name == "policy");
    shown.map_or_else(|| "policy".into(), |shown| format!("policy ({})", shown.source))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The file that packages install, with all its settings taken in.
    const SHIPPED: &str = include_str!("../../../packaging/xserver.toml");

    #[test]
    fn the_shipped_file_names_every_setting_of_the_server_and_every_default_in_it_is_one() {
        let named = |line: &str| line.strip_prefix('#').is_some_and(|rest| !rest.starts_with(' '));
        let taken_in: String = SHIPPED
            .lines()
            .filter(|line| named(line))
            .map(|line| format!("{}\n", line.trim_start_matches('#')))
            .collect();
        assert!(SHIPPED.lines().all(|line| line.is_empty() || line.starts_with('#')), "it changes nothing");
        let (mut config, default) = (Config::default(), Config::default());
        assert_eq!(config.apply_toml("xserver.toml", &taken_in), []);
        for key in keys() {
            assert!(taken_in.contains(&format!("{} = ", key.name)), "no {}", key.name);
            let value = |config: &Config| config.show().into_iter().find(|shown| shown.name == key.name);
            let (shipped, default) = (value(&config).unwrap().value, value(&default).unwrap().value);
            // Without a value by default there is an example.
            assert!(shipped == default || default.is_empty(), "{}: {default}", key.name);
        }
    }

    use std::time::Duration;

    fn read(args: &[&str], env: &[(&str, &str)], file: &Path) -> Result<Settings, Vec<String>> {
        let matches = command().try_get_matches_from([&["xserver"], args].concat()).unwrap();
        let env = env.iter().map(|(name, value)| (name.into(), value.into()));
        Settings::read(&matches, env, file).map_err(|all| all.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn flags_win_over_the_environment_and_that_over_the_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, "grace = \"1ms\"\nlease = \"3s\"\nmax_suspend = \"4s\"").unwrap();
        let env = [("XSCHED_GRACE", "2ms"), ("XSCHED_LEASE", "5s"), ("XDG_RUNTIME_DIR", "/run/user/1")];
        let settings = read(&["hpf", "50000", "--grace", "9ms"], &env, file.path()).unwrap();
        assert_eq!(settings.config.grace, Duration::from_millis(9));
        assert_eq!(settings.config.lease, Duration::from_secs(5));
        assert_eq!(settings.config.max_suspend, Duration::from_secs(4));
        assert_eq!((settings.policy, settings.http), (PolicyKind::Hpf, Some(Address::of_port(50000))));
        assert_eq!(settings.sockets.len(), 2);
        let only = read(&["--socket", "/tmp/s"], &env, file.path()).unwrap().sockets;
        assert_eq!(only, [PathBuf::from("/tmp/s")]);
    }

    #[test]
    fn all_problems_are_listed_and_none_is_passed_over() {
        let problems = read(
            &["FIFO", "--grace", "5", "--config", "/nonexistent/x.toml"],
            &[("XSCHED_POLCY", "x")],
            Path::new(FILE),
        )
        .unwrap_err();
        let starts = [
            "/nonexistent/x.toml: cannot be read",
            "XSCHED_POLCY: is not",
            "--grace: \"5\"",
            "policy (command line): \"FIFO\"",
        ];
        assert_eq!(problems.len(), starts.len(), "{problems:?}");
        for (problem, start) in problems.iter().zip(starts) {
            assert!(problem.starts_with(start), "{problem}");
        }
        for wrong in [&["--http", "0.0.0.0:80"][..], &["HPF", "80", "--http", "127.0.0.1:80"]] {
            assert!(read(wrong, &[], Path::new("/nonexistent")).is_err(), "{wrong:?}");
        }
        assert!(read(&["HPF", "--policy", "OTHER"], &[], Path::new("/nonexistent")).is_err());
    }

    #[test]
    fn the_command_line_is_consistent_and_a_missing_default_file_is_no_problem() {
        command().debug_assert();
        assert!(read(&["--foreground"], &[], Path::new("/nonexistent")).is_ok());
    }
}
