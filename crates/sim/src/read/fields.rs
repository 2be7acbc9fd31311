//! A table of a workload file whose keys are asked for one by one, and where each of them stands.
//!
//! A [`Problem`] names the file, the line, the key with the tables it stands in, the value as it was written, and what is allowed.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::ops::{Range, RangeInclusive};
use std::rc::Rc;
use std::time::Duration;
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use xsched_core::{Problem, Value};

/// The file, and what is wrong with it so far.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    source: Rc<Source<'a>>,
}

#[derive(Debug)]
struct Source<'a> {
    name: &'a str,
    text: &'a str,
    problems: RefCell<Vec<(usize, Problem)>>,
}

/// A table that is being read.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    source: Rc<Source<'a>>,
    table: DeTable<'a>,
    /// The tables it stands in, with a dot at the end.
    path: String,
    span: Range<usize>,
    known: BTreeSet<&'static str>,
}

/// A place in the file, to complain about.
#[derive(Clone, Debug)]
pub(super) struct Spot<'a> {
    source: Rc<Source<'a>>,
    key: String,
    span: Range<usize>,
    is_missing: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(name: &'a str, text: &'a str) -> Reader<'a> {
        Reader { source: Rc::new(Source { name, text, problems: RefCell::default() }) }
    }

    /// The whole file, if it is TOML.
    pub(super) fn root(&self) -> Option<Fields<'a>> {
        let source = self.source.clone();
        match DeTable::parse(source.text) {
            Ok(table) => {
                let span = 0..0;
                Some(Fields {
                    source,
                    table: table.into_inner(),
                    path: String::new(),
                    span,
                    known: BTreeSet::new(),
                })
            }
            Err(error) => {
                let at = error.span().map_or(0, |span| span.start);
                let place = format!("{}:{}", source.name, source.line(at));
                let message = format!("is not valid TOML: {}", error.message());
                source.problems.borrow_mut().push((at, Problem { place, message }));
                None
            }
        }
    }

    pub(super) fn is_clean(&self) -> bool {
        self.source.problems.borrow().is_empty()
    }

    /// All that was wrong, in the order of the file.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.source.problems.take();
        problems.sort_by_key(|(at, _)| *at);
        problems.into_iter().map(|(_, problem)| problem).collect()
    }
}

impl Source<'_> {
    fn line(&self, at: usize) -> usize {
        1 + self.text.bytes().take(at).filter(|byte| *byte == b'\n').count()
    }

    /// What stands there, on one line.
    fn written(&self, span: &Range<usize>) -> String {
        const MOST: usize = 60;
        let text = self.text.get(span.clone()).unwrap_or_default();
        let mut short = String::new();
        for word in text.split_whitespace() {
            let _ = write!(short, "{}{word}", if short.is_empty() { "" } else { " " });
        }
        match short.char_indices().nth(MOST) {
            Some((end, _)) => format!("{}…", &short[..end]),
            None => short,
        }
    }
}

impl<'a> Spot<'a> {
    /// Notes that what stands here (or does not) is not allowed; `expected` says what is.
    pub(super) fn refuse<T>(&self, expected: &str) -> Option<T> {
        let message = if self.is_missing {
            format!("is missing; expected {expected}")
        } else {
            format!("{} is not valid; expected {expected}", self.source.written(&self.span))
        };
        self.note(message)
    }

    fn note<T>(&self, message: String) -> Option<T> {
        let line = self.source.line(self.span.start);
        let place = format!("{}:{line}: {}", self.source.name, self.key);
        self.source.problems.borrow_mut().push((self.span.start, Problem { place, message }));
        None
    }

    fn of(&self, key: &str, span: Range<usize>) -> Spot<'a> {
        Spot { key: format!("{}{key}", self.key), span, ..self.clone() }
    }
}

impl<'a> Fields<'a> {
    /// Where a key stands, or would.
    pub(super) fn spot(&self, key: &str) -> Spot<'a> {
        let found = self.table.iter().find(|(name, _)| name.get_ref() == key);
        let span = found.map_or(self.span.clone(), |(_, value)| value.span());
        let key = format!("{}{key}", self.path);
        Spot { source: self.source.clone(), key, span, is_missing: found.is_none() }
    }

    fn take(&mut self, key: &'static str) -> Option<(Spanned<DeValue<'a>>, Spot<'a>)> {
        self.known.insert(key);
        let spot = self.spot(key);
        // Looked for in this way because a key is a `Cow` with its place.
        let value =
            self.table.iter().find(|(name, _)| name.get_ref() == key).map(|(_, value)| value.clone())?;
        Some((value, spot))
    }

    /// A value of any kind, as text; `parse` says whether it is allowed.
    pub(super) fn parsed<T>(
        &mut self,
        key: &'static str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let (value, spot) = self.take(key)?;
        plain(value.get_ref()).and_then(|text| parse(&text)).or_else(|| spot.refuse(expected))
    }

    /// A value that reads as settings do.
    pub(super) fn value<T: Value>(&mut self, key: &'static str) -> Option<T> {
        self.parsed(key, T::EXPECTED, |text| T::parse(text).ok())
    }

    pub(super) fn text(&mut self, key: &'static str) -> Option<String> {
        let (value, spot) = self.take(key)?;
        let text = value.get_ref().as_str().filter(|text| is_name(text)).map(str::to_owned);
        text.or_else(|| spot.refuse(NAME))
    }

    pub(super) fn needed_text(&mut self, key: &'static str) -> Option<String> {
        self.must_have(key, NAME);
        self.text(key)
    }

    /// One text or an array of them.
    pub(super) fn texts(&mut self, key: &'static str) -> Option<Vec<(String, Spot<'a>)>> {
        let (value, spot) = self.take(key)?;
        let all: Vec<&Spanned<DeValue<'_>>> = match value.get_ref() {
            DeValue::Array(all) => all.iter().collect(),
            _ => vec![&value],
        };
        let texts = all.into_iter().filter_map(|value| {
            let spot = spot.of("", value.span());
            match value.get_ref().as_str() {
                Some(text) => Some((text.to_owned(), spot)),
                None => spot.refuse(NAME),
            }
        });
        Some(texts.collect())
    }

    pub(super) fn whole(&mut self, key: &'static str, range: RangeInclusive<u64>) -> Option<u64> {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        let (value, spot) = self.take(key)?;
        let number = value.get_ref().as_integer().and_then(|n| n.as_str().parse().ok());
        number.filter(|number| range.contains(number)).or_else(|| spot.refuse(&expected))
    }

    pub(super) fn number(&mut self, key: &'static str, expected: &str) -> Option<f64> {
        let (value, spot) = self.take(key)?;
        let number = plain(value.get_ref()).filter(|_| !value.get_ref().is_str());
        let number = number.and_then(|text| text.parse::<f64>().ok());
        number.filter(|n| n.is_finite() && *n >= 0.0).or_else(|| spot.refuse(expected))
    }

    pub(super) fn time(&mut self, key: &'static str) -> Option<Duration> {
        let (value, spot) = self.take(key)?;
        time(value.get_ref()).or_else(|| spot.refuse(Duration::EXPECTED))
    }

    pub(super) fn needed_time(&mut self, key: &'static str) -> Option<Duration> {
        self.must_have(key, Duration::EXPECTED);
        self.time(key)
    }

    pub(super) fn positive(&mut self, key: &'static str) -> Option<Duration> {
        self.time_of_at_least(key, Duration::from_nanos(1))
    }

    pub(super) fn time_of_at_least(&mut self, key: &'static str, least: Duration) -> Option<Duration> {
        let (value, spot) = self.take(key)?;
        let least_of_all =
            if least.is_zero() { String::new() } else { format!(", at least {}", least.show()) };
        let expected = format!("{}{least_of_all}", Duration::EXPECTED);
        time(value.get_ref()).filter(|time| *time >= least).or_else(|| spot.refuse(&expected))
    }

    /// An array of times.
    pub(super) fn times(&mut self, key: &'static str) -> Option<(Vec<Duration>, Spot<'a>)> {
        let (value, spot) = self.take(key)?;
        let expected = format!("an array of durations, each {}", Duration::EXPECTED);
        let Some(all) = value.get_ref().as_array().filter(|all| !all.is_empty()) else {
            return spot.refuse(&expected);
        };
        let read = |value: &Spanned<DeValue<'_>>| {
            time(value.get_ref()).or_else(|| spot.of("", value.span()).refuse(Duration::EXPECTED))
        };
        let times: Vec<Duration> = all.iter().filter_map(read).collect();
        (times.len() == all.len()).then_some((times, spot))
    }

    pub(super) fn table(&mut self, key: &'static str) -> Option<Fields<'a>> {
        let (value, spot) = self.take(key)?;
        let (span, path) = (value.span(), format!("{}{key}.", self.path));
        match value.into_inner() {
            DeValue::Table(table) => Some(self.inner(table, path, span)),
            _ => spot.refuse("a table"),
        }
    }

    /// `[[key]]`, any number of times.
    pub(super) fn tables(&mut self, key: &'static str) -> Vec<Fields<'a>> {
        let Some((value, spot)) = self.take(key) else { return Vec::new() };
        let DeValue::Array(all) = value.into_inner() else {
            let _: Option<()> = spot.refuse(&format!("tables, each under [[{key}]]"));
            return Vec::new();
        };
        let table = |value: Spanned<DeValue<'a>>| {
            let (span, path) = (value.span(), format!("{key}."));
            match value.into_inner() {
                DeValue::Table(table) => Some(self.inner(table, path, span)),
                _ => spot.of("", span).refuse("a table"),
            }
        };
        all.into_iter().filter_map(table).collect()
    }

    /// The value of a key as it is, for what may be written in several ways.
    pub(super) fn either(&mut self, key: &'static str) -> Option<Either<'a>> {
        let (value, spot) = self.take(key)?;
        let (span, path) = (value.span(), format!("{}{key}.", self.path));
        Some(match value.into_inner() {
            DeValue::Table(table) => Either::Table(self.inner(table, path, span), spot),
            value => Either::Time(time(&value), spot),
        })
    }

    /// Complains of keys that nobody asked for.
    pub(super) fn finish(self) {
        let known: Vec<&str> = self.known.iter().copied().collect();
        for (name, _) in self.table.iter().filter(|(name, _)| !self.known.contains(name.get_ref().as_ref())) {
            let key = format!("{}{}", self.path, name.get_ref());
            let spot = Spot { source: self.source.clone(), key, span: name.span(), is_missing: false };
            let _: Option<()> = spot.note(format!("is not a key; expected one of {}", known.join(" ")));
        }
    }

    /// How many keys it has.
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.table.iter().any(|(name, _)| name.get_ref() == key)
    }

    fn must_have(&self, key: &str, expected: &str) {
        let spot = self.spot(key);
        if spot.is_missing {
            let _: Option<()> = spot.refuse(expected);
        }
    }

    fn inner(&self, table: DeTable<'a>, path: String, span: Range<usize>) -> Fields<'a> {
        Fields { source: self.source.clone(), table, path, span, known: BTreeSet::new() }
    }
}

/// A duration, or a table.
pub(super) enum Either<'a> {
    /// `None` if it is neither.
    Time(Option<Duration>, Spot<'a>),
    Table(Fields<'a>, Spot<'a>),
}

const NAME: &str = "a name: text of 1 to 64 printable characters";

fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.chars().count()) && text.chars().all(xsched_core::text::is_printable)
}

fn time(value: &DeValue<'_>) -> Option<Duration> {
    Duration::parse(value.as_str()?).ok()
}

/// A text, a number or a boolean, as text.
fn plain(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.as_ref().to_owned()),
        DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().to_owned()),
        DeValue::Float(number) => Some(number.as_str().to_owned()),
        DeValue::Boolean(is) => Some(is.to_string()),
        _ => None,
    }
}
