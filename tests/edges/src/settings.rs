//! Settings from a file, the environment and the command line. Whatever comes of them is shown such that it reads the same.

use crate::Seed;
use crate::input::Input;
use xsched_core::Config;
use xsched_core::config::KEYS;

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let kind = input.byte() % 3;
    let rest = String::from_utf8_lossy(input.take(usize::MAX)).into_owned();
    let mut config = Config::default();
    let problems = match kind {
        0 => config.apply_toml("x.toml", &rest),
        1 => config.apply_env(rest.lines().filter_map(|line| line.split_once('='))),
        _ => rest
            .lines()
            .filter_map(|line| line.split_once('='))
            .filter_map(|(name, value)| config.apply_flag(name, value).err())
            .collect(),
    };
    assert!(problems.iter().all(|problem| !problem.to_string().is_empty()));
    let mut again = Config::default();
    for shown in config.show() {
        let read = again.apply_flag(shown.name, &shown.value);
        assert!(read.is_ok(), "{}: {read:?}", shown.name);
    }
    let values = |config: &Config| config.show().into_iter().map(|shown| shown.value).collect::<Vec<_>>();
    assert_eq!(values(&again), values(&config));
}

pub(crate) fn seeds() -> Vec<Seed> {
    let defaults = Config::default().show();
    let lines = |line: &dyn Fn(&xsched_core::config::Shown) -> String| -> String {
        defaults.iter().map(line).collect()
    };
    let seed = |kind: u8, text: String| [&[kind], text.as_bytes()].concat();
    let longest: Vec<&str> = KEYS.iter().map(|key| key.expected).collect();
    vec![
        ("file", seed(0, lines(&|shown| format!("{} = {:?}\n", shown.name, shown.value)))),
        (
            "file-numbers",
            seed(0, "priority = 3\nauto_xqueue = false\ngrace = \"1ms\"\nwindow = [1]\n".into()),
        ),
        ("environment", seed(1, lines(&|shown| format!("{}={}\n", shown.env, shown.value)))),
        ("environment-typo", seed(1, "XSCHED_GRUOP=a\nXSCHED_AUTO_XQUEUE_BATCH_SIZE=8\nHOME=/\n".into())),
        ("flags", seed(2, lines(&|shown| format!("{}={}\n", shown.name, shown.value)))),
        ("flags-wrong", seed(2, longest.iter().map(|what| format!("grace={what}\n")).collect())),
    ]
}
