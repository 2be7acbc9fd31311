//! Hints: what a program or an operator tells the scheduler about a queue.
//!
//! One row of `hints!` is one hint: its wire code, environment name, TOML key, command-line flag, range and help all derive
//! from it. Which policies read a hint is the policy's matter (`sched`); a hint that the current policy does not read is kept
//! and shown.

use crate::named_values;
use crate::text::{Expected, Problem};

/// What is fixed about a hint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HintInfo {
    /// Which hint.
    pub kind: HintKind,
    /// Name in TOML and JSON, and with `-` for `_` on the command line (`--<name>`).
    pub name: &'static str,
    /// Environment variable by which a program is started with it.
    pub env: &'static str,
    /// Unit for help texts.
    pub unit: &'static str,
    /// Smallest value.
    pub min: i64,
    /// Largest value.
    pub max: i64,
    /// The value where nobody gave one.
    pub default: i64,
    /// One line of help.
    pub help: &'static str,
}

macro_rules! hints {
    ($($(#[doc = $help:literal])* $kind:ident = $code:literal, $name:literal, $env:literal, $unit:literal, $min:literal ..= $max:literal, $default:literal;)*) => {
        /// Which hint.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[repr(u8)]
        pub enum HintKind { $($(#[doc = $help])* $kind = $code),* }

        /// Every hint, in the order of `HintKind`.
        pub const HINTS: &[HintInfo] = &[$(HintInfo {
            kind: HintKind::$kind, name: $name, env: $env, unit: $unit, min: $min, max: $max, default: $default,
            help: concat!($($help),*).trim_ascii(),
        }),*];

        impl HintKind {
            /// What is fixed about this hint.
            pub const fn info(self) -> &'static HintInfo {
                match self { $(HintKind::$kind => const { &HintInfo {
                    kind: HintKind::$kind, name: $name, env: $env, unit: $unit, min: $min, max: $max, default: $default,
                    help: concat!($($help),*).trim_ascii(),
                } }),* }
            }

            /// The hint with this wire code.
            pub const fn from_code(code: u8) -> Option<HintKind> {
                match code { $($code => Some(HintKind::$kind),)* _ => None }
            }
        }
    };
}

hints! {
    /// More urgent first; -256 never runs.
    Priority = 1, "priority", "XSCHED_AUTO_XQUEUE_PRIORITY", "", -256..=255, 0;
    /// Share of the device in percent.
    Utilization = 2, "utilization", "XSCHED_AUTO_XQUEUE_UTILIZATION", "%", 0..=100, 100;
    /// Length of a turn.
    Timeslice = 3, "timeslice", "XSCHED_AUTO_XQUEUE_TIMESLICE", "us", 100..=10_000_000, 5_000;
    /// Time after which a waiting queue becomes critical; -1 for none.
    Laxity = 4, "laxity", "XSCHED_AUTO_XQUEUE_LAXITY", "us", -1..=86_400_000_000, -1;
    /// Time from ready to done; -1 for none.
    Deadline = 5, "deadline", "XSCHED_AUTO_XQUEUE_DEADLINE", "us", -1..=86_400_000_000, -1;
    /// Gaps between its commands up to this long are none; -1 for the server's grace.
    Gap = 6, "gap", "XSCHED_AUTO_XQUEUE_GAP", "us", -1..=100_000, -1;
    /// With a laxity: priority until it is over.
    LaxPriority = 7, "lax_priority", "XSCHED_AUTO_XQUEUE_LAX_PRIORITY", "", -255..=255, -255;
    /// With a laxity: priority when it is over; as priority if not given.
    CriticalPriority = 8, "critical_priority", "XSCHED_AUTO_XQUEUE_CRITICAL_PRIORITY", "", -255..=255, 0;
    /// How many deadlines run side by side; the most that anybody on the device gave holds for all.
    Kdeadline = 9, "kdeadline", "XSCHED_AUTO_XQUEUE_KDEADLINE", "", 1..=65_536, 1;
}

named_values! {
    /// Who gave a hint. Of several, the value of the last one in this order holds (docs/hints.md says why).
    pub enum HintSource {
        /// Nobody.
        Default = "default",
        /// The environment that the program was started with.
        Environment = "environment",
        /// The program itself, through the API.
        Program = "program",
        /// Its user, from outside.
        User = "user",
        /// A rule of the operator's.
        Rule = "rule",
        /// The operator, from outside.
        Operator = "operator",
    }
}

/// What to say to whoever gives a hint that the policy in force does not read.
pub fn unread(policy: &str, kind: HintKind) -> String {
    let name = kind.info().name;
    format!("the policy in force, {policy}, does not read {name}: it is kept for policies that do")
}

/// Priority of a queue that never runs.
pub const PRIORITY_NO_EXECUTE: i64 = -256;

/// One hint with its value, known to be in range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
pub struct Hint {
    kind: HintKind,
    value: i64,
}

impl Hint {
    /// The hint, if the value is in range.
    pub fn new(kind: HintKind, value: i64) -> Result<Hint, Expected> {
        let info = kind.info();
        if (info.min..=info.max).contains(&value) {
            Ok(Hint { kind, value })
        } else {
            Err(Expected::new(format!("{} from {} to {}{}", info.name, info.min, info.max, info.unit)))
        }
    }

    /// Reads a value given at `place`.
    pub fn parse(kind: HintKind, place: &str, text: &str) -> Result<Hint, Problem> {
        let info = kind.info();
        let expected =
            Expected::new(format!("a whole number from {} to {}{}", info.min, info.max, info.unit));
        let value = text.trim().parse().map_err(|_| Problem::bad_value(place, text, &expected))?;
        Hint::new(kind, value).map_err(|_| Problem::bad_value(place, text, &expected))
    }

    /// Which hint.
    pub fn kind(self) -> HintKind {
        self.kind
    }

    /// Its value, in the unit of [`HintInfo::unit`].
    pub fn value(self) -> i64 {
        self.value
    }
}

/// All hints of one queue or client: a value for each kind, the default where none was given.
///
/// There is one for each queue, and more for each process: so it is a bit for what was given, and values, rather than options of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Hints {
    /// By kind.
    given: u16,
    /// By kind; zero where none was given, so that equal hints are equal values.
    values: [i64; HINTS.len()],
}

const _: () = assert!(HINTS.len() <= u16::BITS as usize);

impl Hints {
    /// The value that holds.
    pub fn get(&self, kind: HintKind) -> i64 {
        self.given(kind).unwrap_or(kind.info().default)
    }

    /// The value if one was given.
    pub fn given(&self, kind: HintKind) -> Option<i64> {
        let place = kind as usize - 1;
        let value = self.values.get(place).copied()?;
        (self.given & 1 << place != 0).then_some(value)
    }

    /// Sets one.
    pub fn set(&mut self, hint: Hint) {
        let place = hint.kind as usize - 1;
        if let Some(value) = self.values.get_mut(place) {
            (self.given, *value) = (self.given | 1 << place, hint.value);
        }
    }

    /// Takes one back.
    pub fn unset(&mut self, kind: HintKind) {
        let place = kind as usize - 1;
        if let Some(value) = self.values.get_mut(place) {
            (self.given, *value) = (self.given & !(1 << place), 0);
        }
    }

    /// Whether none was given.
    pub fn is_empty(&self) -> bool {
        self.given == 0
    }

    /// Those that were given.
    pub fn iter(&self) -> impl Iterator<Item = Hint> + '_ {
        HINTS.iter().filter_map(|info| self.given(info.kind).map(|value| Hint { kind: info.kind, value }))
    }

    /// The priority that holds.
    pub fn priority(&self) -> i64 {
        self.get(HintKind::Priority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_count_up_from_one_and_read_back() {
        for (i, info) in HINTS.iter().enumerate() {
            assert_eq!(info.kind as usize, i + 1);
            assert_eq!(HintKind::from_code(info.kind as u8), Some(info.kind));
            assert!((info.min..=info.max).contains(&info.default));
            assert!(!info.help.is_empty());
        }
        assert_eq!(HintKind::from_code(0), None);
    }

    #[test]
    fn every_hint_stands_in_its_page_with_its_unit_and_its_range() {
        let page = include_str!("../../../docs/hints.md");
        for info in HINTS {
            let unit = info.unit.replace('u', "µ");
            let start = format!("| `{}` | {unit}", info.name);
            let row = page.lines().find(|line| line.starts_with(&start));
            let row = row.unwrap_or_else(|| panic!("no row begins with {start}")).replace(',', "");
            assert!(row.contains(&format!("| {} to {} |", info.min, info.max)), "{row}");
            let is_so =
                row.contains(&format!("| {} |", info.default)) || info.kind == HintKind::CriticalPriority;
            assert!(is_so, "{row}");
        }
    }

    #[test]
    fn a_value_out_of_range_names_the_place_the_value_and_what_is_allowed() {
        let problem = Hint::parse(HintKind::Priority, "--priority", "300").unwrap_err();
        assert_eq!(
            problem.to_string(),
            "--priority: \"300\" is not valid; expected a whole number from -256 to 255"
        );
    }
}
