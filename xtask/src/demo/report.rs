//! What was measured, and what it says: the table, the goals, the numbers for others.

use std::fmt::Write as _;

use anyhow::Result;
use serde_json::json;

use super::urgent::Request;

/// All measurements of one demo, one entry per round.
pub(crate) struct Results {
    /// The device asked for.
    pub(crate) device: String,
    /// Time between requests.
    pub(crate) period_ms: f64,
    /// Size of a request (`opencl-requests --work`).
    pub(crate) work: usize,
    /// The urgent program alone.
    pub(crate) alone: Vec<Vec<Request>>,
    /// Both programs, without XSched.
    pub(crate) native: Vec<Together>,
    /// Both programs under XSched; empty if that was left out.
    pub(crate) scheduled: Vec<Together>,
}

/// Both programs at once, in one round.
pub(crate) struct Together {
    /// The urgent program's requests.
    pub(crate) requests: Vec<Request>,
    /// How often hashcat was suspended meanwhile; only under XSched.
    pub(crate) suspensions: Option<u64>,
    /// Candidates per second of hashcat before the urgent program came.
    pub(crate) greedy_alone: f64,
    /// Candidates per second of hashcat while the requests were made.
    pub(crate) greedy: f64,
    /// Kernel times of hashcat by itself, milliseconds.
    pub(crate) kernel_ms: Vec<f64>,
}

/// One line of the table.
pub(crate) struct Line {
    /// The situation.
    pub(crate) name: &'static str,
    /// Latencies in milliseconds, sorted.
    pub(crate) latencies: Vec<f64>,
    /// Requests per second.
    pub(crate) requests_per_s: f64,
    /// Candidates per second of hashcat, if it ran.
    pub(crate) greedy: Option<f64>,
}

/// The three situations, and the goals that follow from the first two.
pub(crate) struct Summary {
    /// The urgent program alone.
    pub(crate) alone: Line,
    /// Both, natively.
    pub(crate) native: Line,
    /// Both, under XSched.
    pub(crate) scheduled: Option<Line>,
    /// hashcat by itself, natively: candidates per second.
    pub(crate) greedy_alone: f64,
    /// One kernel of hashcat by itself, milliseconds.
    pub(crate) kernel_ms: f64,
    /// Share of time in which the urgent program, alone, is at work.
    pub(crate) active: f64,
}

/// Greatest p50 under XSched, as a multiple of the p50 alone.
const P50_GOAL: f64 = 1.10;
/// Greatest p95 under XSched beyond one kernel of the greedy program, as a multiple of the p95 alone.
const P95_GOAL: f64 = 1.10;
/// Smallest share that the greedy program keeps of what the urgent one leaves.
const KEPT_GOAL: f64 = 0.85;

impl Line {
    fn new(name: &'static str, rounds: &[&[Request]], greedy: Option<f64>) -> Self {
        let mut latencies: Vec<f64> = rounds.iter().copied().flatten().map(Request::latency_ms).collect();
        latencies.sort_by(f64::total_cmp);
        let rates = rounds.iter().filter_map(|requests| {
            let nanos = requests.last()?.finished - requests.first()?.due;
            Some(requests.len() as f64 / (nanos as f64 / 1e9))
        });
        Self { name, latencies, requests_per_s: mean(rates), greedy }
    }

    /// The latency, in milliseconds, that `share` (0 to 1) of the requests do not exceed (nearest rank).
    pub(crate) fn percentile(&self, share: f64) -> f64 {
        let rank = (self.latencies.len() as f64 * share).ceil() as usize;
        self.latencies.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
    }
}

impl Summary {
    /// Pools the rounds.
    pub(crate) fn of(results: &Results) -> Self {
        let together = |name, rounds: &[Together]| {
            let requests: Vec<&[Request]> = rounds.iter().map(|round| round.requests.as_slice()).collect();
            Line::new(name, &requests, Some(mean(rounds.iter().map(|round| round.greedy))))
        };
        let alone: Vec<&[Request]> = results.alone.iter().map(Vec::as_slice).collect();
        let mut kernels: Vec<f64> =
            results.native.iter().flat_map(|round| &round.kernel_ms).copied().collect();
        kernels.sort_by(f64::total_cmp);
        Self {
            alone: Line::new("alone", &alone, None),
            native: together("together, natively", &results.native),
            scheduled: (!results.scheduled.is_empty())
                .then(|| together("together, under XSched", &results.scheduled)),
            greedy_alone: mean(results.native.iter().map(|round| round.greedy_alone)),
            kernel_ms: kernels.get(kernels.len() / 2).copied().unwrap_or(f64::NAN),
            active: mean(results.alone.iter().flatten().map(Request::service_ms)) / results.period_ms,
        }
    }

    /// The lines that there are.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &Line> {
        [&self.alone, &self.native].into_iter().chain(&self.scheduled)
    }

    /// The greatest p95 that meets the goal, milliseconds.
    pub(crate) fn p95_goal(&self) -> f64 {
        P95_GOAL * self.alone.percentile(0.95) + self.kernel_ms
    }

    /// What the urgent program leaves of the device, in candidates per second of hashcat.
    fn left(&self) -> f64 {
        self.greedy_alone * (1.0 - self.active)
    }

    /// The goals, each with its numbers and whether it is met; none without XSched.
    fn verdicts(&self) -> Vec<(bool, String)> {
        let Some(line) = &self.scheduled else { return Vec::new() };
        let (p50, p95) = (line.percentile(0.5), line.percentile(0.95));
        let ratio = p50 / self.alone.percentile(0.5);
        let kept = line.greedy.unwrap_or(0.0) / self.left();
        vec![
            (ratio <= P50_GOAL, format!("p50 is {ratio:.2} × the one alone (goal: at most {P50_GOAL:.2} ×)")),
            (
                p95 <= self.p95_goal(),
                format!(
                    "p95 is {p95:.2} ms (goal: at most {:.2} ms, that is alone + 10 % + one kernel of {:.2} ms)",
                    self.p95_goal(),
                    self.kernel_ms
                ),
            ),
            (
                kept >= KEPT_GOAL,
                format!(
                    "hashcat keeps {:.0} % of what is left (goal: at least {:.0} %)",
                    kept * 100.0,
                    KEPT_GOAL * 100.0
                ),
            ),
        ]
    }
}

/// The table and the verdicts, for a terminal.
pub(crate) fn table(results: &Results, summary: &Summary) -> String {
    let mut text = String::from("\n");
    let rule = "─".repeat(82);
    let _ = writeln!(text, "{:24}{:^27}{:>10}{:>21}", "", "latency of a request, ms", "requests", "hashcat");
    let _ = writeln!(
        text,
        "{:24}{:>9}{:>9}{:>9}{:>10}{:>9}{:>12}\n{rule}",
        "", "p50", "p95", "max", "per s", "MH/s", "of the rest"
    );
    for line in summary.lines() {
        let _ = write!(
            text,
            "{:24}{:>9.2}{:>9.2}{:>9.2}{:>10.1}",
            line.name,
            line.percentile(0.5),
            line.percentile(0.95),
            line.percentile(1.0),
            line.requests_per_s
        );
        let _ = match line.greedy {
            Some(rate) => writeln!(text, "{:>9.1}{:>10.0} %", rate / 1e6, rate / summary.left() * 100.0),
            None => writeln!(text, "{:>9}{:>12}", "–", "–"),
        };
    }
    let _ = writeln!(text, "{:24}{:>37}{:>9.1}\n{rule}", "hashcat alone", "", summary.greedy_alone / 1e6);
    let _ = writeln!(
        text,
        "{} requests per situation in {} rounds, one every {:.0} ms; the rest is hashcat's rate alone × {:.2},\n\
         the share of time in which the urgent program alone does nothing. One kernel of hashcat: {:.2} ms.",
        summary.alone.latencies.len(),
        results.alone.len(),
        results.period_ms,
        1.0 - summary.active,
        summary.kernel_ms
    );
    if !results.scheduled.is_empty() {
        let suspensions: u64 = results.scheduled.iter().filter_map(|round| round.suspensions).sum();
        let alone = mean(results.scheduled.iter().map(|round| round.greedy_alone)) / summary.greedy_alone;
        let _ = writeln!(
            text,
            "Under XSched hashcat was suspended {suspensions} times; before the urgent program came, it ran at \
             {:.0} % of\nits native rate.\n",
            alone * 100.0
        );
    }
    for (met, verdict) in summary.verdicts() {
        let _ = writeln!(text, "{}  {verdict}", if met { "met    " } else { "NOT met" });
    }
    text
}

/// Everything as JSON: the summary, the goals, and all stamps by round.
pub(crate) fn json(results: &Results) -> Result<String> {
    let summary = Summary::of(results);
    let line = |line: &Line| {
        json!({
            "situation": line.name,
            "latency_ms": {
                "p50": line.percentile(0.5), "p95": line.percentile(0.95),
                "p99": line.percentile(0.99), "max": line.percentile(1.0),
            },
            "requests_per_s": line.requests_per_s,
            "hashcat_per_s": line.greedy,
        })
    };
    let latencies = |requests: &[Request]| requests.iter().map(Request::latency_ms).collect::<Vec<_>>();
    let together = |round: &Together| {
        json!({
            "latency_ms": latencies(&round.requests),
            "hashcat_alone_per_s": round.greedy_alone,
            "hashcat_per_s": round.greedy,
            "hashcat_kernel_ms": round.kernel_ms,
            "hashcat_suspensions": round.suspensions,
        })
    };
    let document = json!({
        "device": results.device,
        "period_ms": results.period_ms,
        "work": results.work,
        "situations": summary.lines().map(line).collect::<Vec<_>>(),
        "hashcat_alone_per_s": summary.greedy_alone,
        "hashcat_kernel_ms": summary.kernel_ms,
        "urgent_active_share": summary.active,
        "goals": summary.verdicts().iter()
            .map(|(met, text)| json!({ "met": met, "text": text })).collect::<Vec<_>>(),
        "rounds": {
            "alone": results.alone.iter().map(|round| json!({ "latency_ms": latencies(round) })).collect::<Vec<_>>(),
            "native": results.native.iter().map(together).collect::<Vec<_>>(),
            "xsched": results.scheduled.iter().map(together).collect::<Vec<_>>(),
        },
    });
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}

/// The mean; not a number where there are no values.
fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    sum / count
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A hundred requests at 10/s with latencies `first`, `first` + 0.01, … ms.
    fn requests(first: f64) -> Vec<Request> {
        let request = |i: u64| {
            let due = i * 100_000_000;
            Request { due, started: due, finished: due + (first * 1e6) as u64 + i * 10_000 }
        };
        (0..100).map(request).collect()
    }

    /// A demo in which XSched does well.
    pub(in super::super) fn results() -> Results {
        let together = |first, greedy| Together {
            requests: requests(first),
            suspensions: None,
            greedy_alone: 200.0,
            greedy,
            kernel_ms: vec![1.0],
        };
        Results {
            device: "some device".into(),
            period_ms: 100.0,
            work: 30,
            alone: vec![requests(20.0)],
            native: vec![together(35.0, 120.0)],
            scheduled: vec![together(20.5, 150.0)],
        }
    }

    #[test]
    fn goals_within_their_bounds_are_met_and_named_with_numbers() {
        let verdicts = Summary::of(&results()).verdicts();
        assert_eq!(verdicts.len(), 3);
        assert!(verdicts.iter().all(|(met, _)| *met), "{verdicts:?}");
        assert!(verdicts[0].1.contains("1.02"), "{verdicts:?}");
    }

    #[test]
    fn goals_out_of_their_bounds_are_not_met() {
        let mut results = results();
        results.scheduled = results.native.drain(..).collect();
        results.native = self::results().native;
        let verdicts = Summary::of(&results).verdicts();
        assert!(verdicts.iter().all(|(met, _)| !met), "{verdicts:?}");
    }

    #[test]
    fn without_xsched_there_is_a_table_and_no_verdict() {
        let mut results = results();
        results.scheduled.clear();
        let summary = Summary::of(&results);
        assert!(summary.verdicts().is_empty());
        assert!(!table(&results, &summary).contains("under XSched"));
    }

    #[test]
    fn all_lines_of_the_table_end_within_the_rule() {
        let results = results();
        let table = table(&results, &Summary::of(&results));
        let head: Vec<&str> =
            table.lines().take_while(|line| !line.contains("requests per situation")).collect();
        assert!(head.iter().all(|line| line.chars().count() <= 82), "{table}");
    }
}
