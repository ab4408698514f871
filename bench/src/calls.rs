//! Which system calls a run's time is spent in, of those that do not wait for another process.

use crate::{compare::quantile, ftrace::Event};
use corten_trace::calls;
use serde::Serialize;
use std::collections::BTreeMap;

/// The calls of one name.
#[derive(Clone, Debug, Serialize)]
pub struct Spent {
    /// The call's name.
    pub call: String,
    /// How many a run makes: the median of all runs.
    pub count: f64,
    /// How long they take together, in microseconds: the median of all runs.
    pub takes_us: f64,
}

/// Calls that mostly wait for another process. So does clone3 in part: a parent waits for the execve of its child.
const WAITS: [&str; 9] =
    ["accept4", "epoll_wait", "futex", "poll", "ppoll", "recvmsg", "select", "wait4", "waitid"];

/// For each call its count, and its time in microseconds.
pub(crate) type Sums = BTreeMap<i64, (f64, f64)>;

/// Adds up the calls of all processes but `ours`.
pub(crate) fn sums(events: &[Event], ours: i32) -> Sums {
    let mut begun: BTreeMap<i32, (i64, f64)> = BTreeMap::new();
    let mut sums = Sums::new();
    for event in events.iter().filter(|event| event.pid != ours) {
        match event.answer {
            None => drop(begun.insert(event.pid, (event.number, event.at))),
            Some(_) => {
                if let Some((number, at)) = begun.remove(&event.pid) {
                    let sum = sums.entry(number).or_default();
                    *sum = (sum.0 + 1.0, sum.1 + event.at - at);
                }
            }
        }
    }
    sums
}

/// The medians of all runs, the dearest first.
pub(crate) fn medians(runs: &[&Sums]) -> Vec<Spent> {
    let mut numbers: Vec<i64> = runs.iter().flat_map(|sums| sums.keys().copied()).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let of = |number: &i64, value: fn(&(f64, f64)) -> f64| {
        let values: Vec<_> = runs.iter().map(|sums| sums.get(number).map_or(0.0, value)).collect();
        quantile(&values, 0.5)
    };
    let spent = numbers.iter().map(|number| Spent {
        call: calls::name(*number),
        count: of(number, |sum| sum.0),
        takes_us: of(number, |sum| sum.1),
    });
    let mut all: Vec<_> = spent.filter(|spent| !WAITS.contains(&spent.call.as_str())).collect();
    all.sort_by(|one, other| other.takes_us.total_cmp(&one.takes_us));
    all
}

/// A table in Markdown of the dearest calls of the first, beside what the others spend in them.
#[must_use]
pub fn table(all: &[(&str, &[Spent])], rows: usize) -> String {
    let mut text = "| call |".to_owned();
    text += &all.iter().map(|(name, _)| format!(" {name} calls | µs |")).collect::<String>();
    text += &format!("\n|---|{}\n", "--:|--:|".repeat(all.len()));
    let first = all.first().map(|(_, spent)| *spent).unwrap_or_default();
    for Spent { call, .. } in first.iter().take(rows) {
        text += &format!("| {call} |");
        for (_, spent) in all {
            let same = spent.iter().find(|other| other.call == *call);
            text += &same.map_or_else(
                || " | |".to_owned(),
                |spent| format!(" {:.0} | {:.0} |", spent.count, spent.takes_us),
            );
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_added_up_by_process() {
        let event = |pid, at, number, answer| Event { pid, at, number, answer };
        let events = [
            event(1, 0.0, libc::SYS_read, None),
            event(2, 1.0, libc::SYS_read, None),
            event(2, 4.0, libc::SYS_read, Some(0)),
            event(1, 5.0, libc::SYS_read, Some(1)),
            event(9, 6.0, libc::SYS_read, None),
            event(2, 7.0, libc::SYS_exit_group, None),
        ];
        let sums = sums(&events, 9);
        assert_eq!(sums.len(), 1);
        let spent = medians(&[&sums]);
        assert_eq!((spent[0].call.as_str(), spent[0].count.to_bits()), ("read", 2.0_f64.to_bits()));
        assert_eq!(table(&[("a", &spent)], 9), "| call | a calls | µs |\n|---|--:|--:|\n| read | 2 | 8 |\n");
    }
}
