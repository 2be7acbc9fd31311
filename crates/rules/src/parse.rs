//! A rules file as text: each thing that is wrong with it is named with its line, its key, its value and what is allowed.

use crate::identity::Condition;
use crate::{Rule, Rules};
use glob::Pattern;
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use xsched_core::hint::HINTS;
use xsched_core::limits::Limits;
use xsched_core::text::{Expected, Problem, Value, nearest};
use xsched_core::{Hint, Level};

/// Rules in a file. Each may be looked at for each process.
pub const MOST_RULES: usize = 1000;
/// Bytes of a file.
const MOST_BYTES: u64 = 1 << 20;
/// Bytes of a pattern: as long as a path.
const LONGEST: usize = 4096;
/// Patterns of one key.
const MOST_PATTERNS: usize = 100;

/// Keys that say whom a rule matches.
const WHOM: &[&str] = &["program", "exe", "user", "cgroup", "container"];
/// Keys that say what it gives, beside the hints.
const LIMITS: &[&str] = &["level", "threshold"];

/// What is wrong with a file of so many bytes, if anything is.
pub fn check_size(bytes: u64) -> Result<(), Expected> {
    if bytes > MOST_BYTES { Err(Expected::new(format!("at most {MOST_BYTES} bytes"))) } else { Ok(()) }
}

impl Rules {
    /// Reads a file. `place` is its path, for messages; `user` knows the numbers of users.
    pub fn parse(place: &str, text: &str, user: impl Fn(&str) -> Option<u32>) -> Result<Rules, Vec<Problem>> {
        let mut reader = Reader { place, text, user: &user, problems: Vec::new() };
        let rules = reader.file();
        if reader.problems.is_empty() { Ok(Rules(rules)) } else { Err(reader.problems) }
    }
}

struct Reader<'a> {
    place: &'a str,
    text: &'a str,
    user: &'a dyn Fn(&str) -> Option<u32>,
    problems: Vec<Problem>,
}

type Entry<'a> = (&'a Spanned<std::borrow::Cow<'a, str>>, &'a Spanned<DeValue<'a>>);

impl Reader<'_> {
    fn file(&mut self) -> Vec<Rule> {
        let table = match DeTable::parse(self.text) {
            Ok(table) => table,
            Err(error) => {
                let at = error.span().map_or(0, |span| span.start);
                self.problem(at, "", format!("is not valid TOML: {}", error.message()));
                return Vec::new();
            }
        };
        let mut rules = Vec::new();
        for (key, value) in table.get_ref() {
            let at = key.span().start;
            match (&**key.get_ref(), value.get_ref()) {
                ("rule", DeValue::Array(tables)) => {
                    if tables.len() > MOST_RULES {
                        let message =
                            format!("{} rules are too many; expected at most {MOST_RULES}", tables.len());
                        self.problem(at, "rule", message);
                    }
                    for table in tables.iter().take(MOST_RULES) {
                        match table.get_ref() {
                            DeValue::Table(entries) => rules.extend(self.rule(table.span().start, entries)),
                            other => self.wrong_type(
                                table.span().start,
                                "rule",
                                other,
                                "a table, written [[rule]]",
                            ),
                        }
                    }
                }
                ("rule", other) => self.wrong_type(at, "rule", other, "tables, each written [[rule]]"),
                (name, _) => {
                    let message = "is not known; a rules file holds [[rule]] tables only".into();
                    self.problem(at, name, message);
                }
            }
        }
        rules
    }

    fn rule(&mut self, at: usize, entries: &DeTable<'_>) -> Option<Rule> {
        let problems = self.problems.len();
        let mut rule = Rule {
            line: self.line(at),
            conditions: Vec::new(),
            hints: Vec::new(),
            limits: Limits::default(),
        };
        for entry in entries {
            self.entry(entry, &mut rule);
        }
        if self.problems.len() > problems {
            return None;
        }
        if rule.conditions.is_empty() {
            let message = format!(
                "matches nobody; expected one or more of {} (program = \"*\" is everybody)",
                WHOM.join(" ")
            );
            self.problem(at, "rule", message);
        }
        if rule.hints.is_empty() && rule.limits == Limits::default() {
            let message = format!("gives nothing; expected one or more of {}", gives().join(" "));
            self.problem(at, "rule", message);
        }
        rule.conditions.sort_by_key(Condition::order);
        rule.hints.sort_by_key(|hint| hint.kind());
        Some(rule)
    }

    fn entry(&mut self, (key, value): Entry<'_>, rule: &mut Rule) {
        let (at, name) = (value.span().start, &**key.get_ref());
        let condition = match name {
            "program" => self.patterns(name, value).map(Condition::Program),
            "exe" => self.patterns(name, value).map(Condition::Exe),
            "cgroup" => self.patterns(name, value).map(Condition::Cgroup),
            "container" => self.patterns(name, value).map(Condition::Container),
            "user" => self.users(value).map(Condition::User),
            "level" => {
                rule.limits.level =
                    self.scalar(name, value).and_then(|text| self.value::<Level>(at, name, &text));
                None
            }
            "threshold" => {
                rule.limits.threshold = self.scalar(name, value).and_then(|text| self.threshold(at, &text));
                None
            }
            _ => {
                match HINTS.iter().find(|hint| hint.name == name) {
                    Some(info) => {
                        let Some(text) = self.scalar(name, value) else { return };
                        match Hint::parse(info.kind, &self.place(at, name), &text) {
                            Ok(hint) => rule.hints.push(hint),
                            Err(problem) => self.problems.push(problem),
                        }
                    }
                    None => {
                        let all = [WHOM, &gives()].concat();
                        let guess = nearest(name, all.iter().copied());
                        let message =
                            format!("is not a key of a rule{guess}; expected one of {}", all.join(" "));
                        self.problem(key.span().start, name, message);
                    }
                }
                None
            }
        };
        rule.conditions.extend(condition);
    }

    fn threshold(&mut self, at: usize, text: &str) -> Option<u32> {
        match text.trim().parse() {
            Ok(threshold) if threshold > 0 => Some(threshold),
            _ => {
                let expected = Expected::new("a whole number from 1 to 4294967295");
                self.problems.push(Problem::bad_value(self.place(at, "threshold"), text, &expected));
                None
            }
        }
    }

    fn value<T: Value>(&mut self, at: usize, name: &str, text: &str) -> Option<T> {
        let bad = |expected| Problem::bad_value(self.place(at, name), text, &expected);
        T::parse(text).map_err(bad).map_err(|problem| self.problems.push(problem)).ok()
    }

    /// A number or a text, as text.
    fn scalar(&mut self, name: &str, value: &Spanned<DeValue<'_>>) -> Option<String> {
        match value.get_ref() {
            DeValue::String(text) => Some(text.to_string()),
            DeValue::Integer(number) => Some(whole(number)),
            other => {
                self.wrong_type(value.span().start, name, other, "a whole number or text");
                None
            }
        }
    }

    fn patterns(&mut self, name: &str, value: &Spanned<DeValue<'_>>) -> Option<Vec<Pattern>> {
        let mut patterns = Vec::new();
        for (at, item) in self.items(name, value)? {
            let DeValue::String(text) = item else {
                self.wrong_type(at, name, item, "text, or a list of texts");
                continue;
            };
            let read = match text.len() {
                0 => Err("expected a name or a pattern".into()),
                1..=LONGEST => Pattern::new(text).map_err(|error| {
                    format!(
                        "expected a pattern of * ? [a-z] [!a-z], and ** as a part of a path: {}",
                        error.msg
                    )
                }),
                _ => Err(format!("expected at most {LONGEST} bytes")),
            };
            match read {
                Ok(pattern) => patterns.push(pattern),
                Err(why) => {
                    let shown: String = text.chars().take(64).collect();
                    self.problem(at, name, format!("{shown:?} is not valid; {why}"));
                }
            }
        }
        Some(patterns)
    }

    fn users(&mut self, value: &Spanned<DeValue<'_>>) -> Option<Vec<(String, u32)>> {
        let mut users = Vec::new();
        for (at, item) in self.items("user", value)? {
            let (written, number) = match item {
                DeValue::String(name) => {
                    (format!("{:?}", &**name), (self.user)(name).or_else(|| name.parse().ok()))
                }
                DeValue::Integer(number) => {
                    let number = whole(number);
                    (number.clone(), number.parse().ok())
                }
                other => {
                    self.wrong_type(at, "user", other, "a name, a number, or a list of these");
                    continue;
                }
            };
            match number {
                Some(number) => users.push((written, number)),
                None => {
                    let message =
                        format!("{written} is not valid; expected a name in /etc/passwd, or a number");
                    self.problem(at, "user", message);
                }
            }
        }
        Some(users)
    }

    /// A value, or those of a list that has some.
    fn items<'v>(
        &mut self,
        name: &str,
        value: &'v Spanned<DeValue<'v>>,
    ) -> Option<Vec<(usize, &'v DeValue<'v>)>> {
        let DeValue::Array(list) = value.get_ref() else {
            return Some(vec![(value.span().start, value.get_ref())]);
        };
        if !(1..=MOST_PATTERNS).contains(&list.len()) {
            let message = format!("a list of {} is not valid; expected 1 to {MOST_PATTERNS}", list.len());
            self.problem(value.span().start, name, message);
            return None;
        }
        Some(list.iter().map(|item| (item.span().start, item.get_ref())).collect())
    }

    fn wrong_type(&mut self, at: usize, name: &str, value: &DeValue<'_>, expected: &str) {
        self.problem(at, name, format!("a {} is not valid; expected {expected}", value.type_str()));
    }

    fn problem(&mut self, at: usize, name: &str, message: String) {
        self.problems.push(Problem { place: self.place(at, name), message });
    }

    /// `FILE:LINE: KEY`
    fn place(&self, at: usize, name: &str) -> String {
        let colon = if name.is_empty() { "" } else { ": " };
        format!("{}:{}{colon}{name}", self.place, self.line(at))
    }

    fn line(&self, at: usize) -> u32 {
        let before = self.text.as_bytes().iter().take(at);
        u32::try_from(1 + before.filter(|byte| **byte == b'\n').count()).unwrap_or(u32::MAX)
    }
}

impl Condition {
    fn order(&self) -> usize {
        match self {
            Condition::Program(_) => 0,
            Condition::Exe(_) => 1,
            Condition::User(_) => 2,
            Condition::Cgroup(_) => 3,
            Condition::Container(_) => 4,
        }
    }
}

/// All that a rule can give.
fn gives() -> Vec<&'static str> {
    HINTS.iter().map(|hint| hint.name).chain(LIMITS.iter().copied()).collect()
}

/// As it counts, whichever way it was written.
fn whole(number: &toml::de::DeInteger<'_>) -> String {
    i64::from_str_radix(number.as_str(), number.radix())
        .map_or_else(|_| number.as_str().into(), |n| n.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        let read = Rules::parse("r.toml", text, |_| None);
        read.unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_problem_names_line_key_value_and_what_is_allowed() {
        let all = problems(
            "[[rule]]\nprogram = \"x\"\npriority = 300\nlevel = 4\nthreshold = 0\n\n\
             [[rule]]\nprogam = \"x\"\nuser = \"nobody-of-that-name\"\n\n\
             [[rule]]\nexe = [\"/a**b\", 7]\npriority = true\n\n\
             [[rule]]\nprogram = []\ncgroup = \"\"\n\n[[rule]]\npriority = 1\n\n[[rule]]\nprogram = \"x\"\n\n[rules]\n",
        );
        let starts = [
            "r.toml:3: priority: \"300\" is not valid; expected a whole number from -256 to 255",
            "r.toml:4: level: \"4\" is not valid; expected 1 (block), 2 (deactivate) or 3 (interrupt)",
            "r.toml:5: threshold: \"0\" is not valid; expected a whole number from 1 to 4294967295",
            "r.toml:8: progam: is not a key of a rule; did you mean program?; expected one of program exe user",
            "r.toml:9: user: \"nobody-of-that-name\" is not valid; expected a name in /etc/passwd, or a number",
            "r.toml:12: exe: \"/a**b\" is not valid; expected a pattern of",
            "r.toml:12: exe: a integer is not valid; expected text, or a list of texts",
            "r.toml:13: priority: a boolean is not valid; expected a whole number or text",
            "r.toml:16: program: a list of 0 is not valid; expected 1 to 100",
            "r.toml:17: cgroup: \"\" is not valid; expected a name or a pattern",
            "r.toml:19: rule: matches nobody; expected one or more of program exe user cgroup container",
            "r.toml:22: rule: gives nothing; expected one or more of priority utilization",
            "r.toml:25: rules: is not known; a rules file holds [[rule]] tables only",
        ];
        assert_eq!(all.len(), starts.len(), "{all:#?}");
        for start in starts {
            assert!(all.iter().any(|problem| problem.starts_with(start)), "{start}\n{all:#?}");
        }
    }

    #[test]
    fn what_is_not_toml_is_one_problem_with_its_line() {
        let all = problems("[[rule]]\nprogram = \"x\"\npriority =\n");
        assert!(all.len() == 1 && all[0].starts_with("r.toml:3: is not valid TOML: "), "{all:?}");
    }

    #[test]
    fn numbers_may_be_written_in_any_way_and_users_by_their_numbers() {
        let text = "[[rule]]\nuser = ['7', 0x10]\npriority = '-5'\nutilization = 1_0\n";
        let rules = Rules::parse("r.toml", text, |_| None).unwrap();
        let rule = rules.iter().next().unwrap();
        assert_eq!(
            (rule.whom(), rule.what()),
            ("user = [\"7\", 16]".into(), "priority = -5, utilization = 10".into())
        );
        assert!(Rules::parse("r.toml", "", |_| None).unwrap().is_empty());
    }

    #[test]
    fn too_many_rules_are_one_problem() {
        let all = problems(&"[[rule]]\nprogram = 'x'\npriority = 1\n".repeat(MOST_RULES + 1));
        assert_eq!(all.len(), 1, "{all:?}");
        assert!(check_size(1 << 20).is_ok() && check_size((1 << 20) + 1).is_err());
    }
}
