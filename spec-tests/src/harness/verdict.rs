//! What comes of a case.

use std::{error::Error, fmt};

/// Why a case did not pass.
#[derive(Clone, Debug)]
pub(crate) enum Stop {
    /// The runtime departs from the clause.
    Fail(String),
    /// The case cannot be tried here, and why.
    Skip(String),
}

/// A case passes with `Ok`.
pub(crate) type Verdict<T = ()> = Result<T, Stop>;

/// A failure in words.
pub(crate) fn fail<T>(words: impl fmt::Display) -> Verdict<T> {
    Err(Stop::Fail(words.to_string()))
}

/// A skip and its reason.
pub(crate) fn skip<T>(reason: impl fmt::Display) -> Verdict<T> {
    Err(Stop::Skip(reason.to_string()))
}

impl<E: Error> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Fail(format!("the suite itself: {error}"))
    }
}

/// Fails the case with the words that follow unless the condition holds.
macro_rules! check {
    ($condition:expr, $($words:tt)+) => {
        if !$condition {
            return $crate::harness::fail(format!($($words)+));
        }
    };
}

/// Fails the case unless the first value equals the second, saying what it is.
macro_rules! check_eq {
    ($got:expr, $want:expr, $($what:tt)+) => {
        // A match, so that what the two borrow from lives as long as they.
        match (&$got, &$want) {
            (got, want) if got != want => {
                return $crate::harness::fail(format!("{}: got {:?}, not {:?}", format!($($what)+), got, want));
            }
            _ => {}
        }
    };
}
pub(crate) use {check, check_eq};
