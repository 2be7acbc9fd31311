//! Distributions and arrivals, as a file writes them: `"2ms"`, `{ exponential = "2ms" }`, `{ poisson = "10ms" }`.

use super::fields::{Either, Fields, Spot};
use crate::law::Law;
use crate::workload::Arrivals;
use std::time::Duration;

const LAW: &str = "a duration such as \"2ms\", or one of { uniform = [\"1ms\", \"3ms\"] }, { exponential = \"2ms\" }, \
                   { median = \"2ms\", sigma = 0.5 } (lognormal), { list = [\"1ms\", \"2ms\"] }";
const ARRIVALS: &str = "one of { every = \"10ms\" }, { every = \"10ms\", burst = 4 }, { poisson = \"10ms\" }, { closed = \"0ms\" }, \
                        { at = [\"1ms\", \"5ms\"] }";

/// A distribution. One of lengths (`is_length`) is needed, and may not be zero all the time.
pub(super) fn law(fields: &mut Fields<'_>, key: &'static str, is_length: bool) -> Option<Law> {
    let spot = fields.spot(key);
    let law = match fields.either(key) {
        None if is_length => return spot.refuse(LAW),
        None => return None,
        Some(Either::Time(Some(time), _)) => Law::Constant(time),
        Some(Either::Time(None, spot)) => return spot.refuse(LAW),
        Some(Either::Table(fields, spot)) => table(fields, &spot)?,
    };
    let is_zero = match &law {
        Law::Constant(time) | Law::Exponential(time) | Law::Uniform(_, time) => time.is_zero(),
        Law::Lognormal { median, .. } => median.is_zero(),
        Law::List(all) => all.iter().any(Duration::is_zero),
    };
    if is_length && is_zero { spot.refuse("a length above 0ms") } else { Some(law) }
}

fn table(mut fields: Fields<'_>, whole: &Spot<'_>) -> Option<Law> {
    let keys = fields.len();
    let uniform = fields.times("uniform");
    let exponential = fields.time("exponential");
    let median = fields.time("median");
    let sigma = fields.number("sigma", "a number of at least 0, such as 0.5");
    let list = fields.times("list");
    let lognormal = [fields.has("median"), fields.has("sigma")];
    fields.finish();
    if keys != 1 + usize::from(lognormal == [true; 2])
        || lognormal == [true, false]
        || lognormal == [false, true]
    {
        return whole.refuse(LAW);
    }
    match (uniform, exponential, median.zip(sigma), list) {
        (Some((bounds, spot)), ..) => match bounds[..] {
            [least, most] if least <= most => Some(Law::Uniform(least, most)),
            _ => spot.refuse("two durations, the first not above the second"),
        },
        (_, Some(mean), ..) => Some(Law::Exponential(mean)),
        (_, _, Some((median, sigma)), _) => Some(Law::Lognormal { median, sigma }),
        (.., Some((all, _))) => Some(Law::List(all)),
        // What is wrong has been said.
        _ => None,
    }
}

/// When requests come.
pub(super) fn arrivals(fields: &mut Fields<'_>) -> Option<Arrivals> {
    let spot = fields.spot("arrivals");
    let mut fields = match fields.either("arrivals") {
        Some(Either::Table(fields, _)) => fields,
        Some(Either::Time(..)) | None => return spot.refuse(ARRIVALS),
    };
    let keys = fields.len();
    let every = fields.positive("every");
    let burst = fields.whole("burst", 1..=1_000_000);
    let poisson = fields.positive("poisson");
    let closed = law(&mut fields, "closed", false);
    let at = fields.times("at");
    let is_burst = fields.has("burst");
    let is_half = is_burst && !fields.has("every");
    fields.finish();
    if keys != 1 + usize::from(is_burst) || is_half {
        return spot.refuse(ARRIVALS);
    }
    match (every, poisson, closed, at) {
        (Some(every), ..) => Some(Arrivals::Periodic { every, burst: burst.unwrap_or(1) as u32 }),
        (_, Some(mean), ..) => Some(Arrivals::Poisson(mean)),
        (_, _, Some(think), _) => Some(Arrivals::Closed(think)),
        (.., Some((times, _))) if times.is_sorted() => Some(Arrivals::At(times)),
        (.., Some((_, spot))) => spot.refuse("times in ascending order"),
        _ => None,
    }
}
