//! A little of each target, the same inputs each time.

use corten_fuzz::{TARGETS, fuzz, seeds};

#[test]
fn no_input_ends_in_a_panic() {
    for target in TARGETS {
        assert!(!seeds(target.corpus).is_empty(), "{}", target.name);
        let count = if target.name == "plan" { 150 } else { 700 };
        assert_eq!(fuzz(target, 1, |done| done < count), count);
    }
}
