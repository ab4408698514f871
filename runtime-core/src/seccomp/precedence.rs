//! Which of several rules with arguments decides a call, where more than one matches.
//!
//! libseccomp keeps the comparisons of a call in a tree and takes the first branch that matches; what it compares
//! first does not follow the profile's order but the arguments'. Profiles have been written against that, so the order
//! is the same here: of two comparisons the one of the later argument comes first, then equality before less before
//! greater, then the greater value (for less: the smaller); of two rules of which one is the beginning of the other,
//! the shorter; and what is alike so far, in the profile's order.

use super::profile::Condition;
use crate::spec::LinuxSeccompOperator as Operator;

/// A rule that matches where all conditions hold, and its action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Guarded {
    pub(super) conditions: Vec<Condition>,
    pub(super) action: u32,
}

/// `rules` in the order in which the first match decides, without those that can never decide.
pub(super) fn order(rules: Vec<Guarded>, words: Words) -> Vec<Guarded> {
    if rules.len() < 2 {
        return rules;
    }
    let mut tree = Vec::new();
    for (at, rule) in rules.iter().enumerate() {
        let path: Vec<Test> = rule.conditions.iter().flat_map(|condition| tests(condition, words)).collect();
        insert(&mut tree, &path, at);
    }
    let mut order = Vec::with_capacity(rules.len());
    collect(&tree, &mut order);
    order.into_iter().filter_map(|at| rules.get(at).cloned()).collect()
}

/// How much of an argument an architecture's calls have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Words {
    /// The lower 32 bits.
    One,
    /// All 64 bits.
    Two,
}

/// The comparison of one 32-bit word of an argument, as a node of libseccomp's tree.
#[derive(Clone, Copy)]
struct Test {
    /// Twice the argument's index, one more for its upper word.
    word: u8,
    class: u8,
    /// What is computed; two tests that differ only in the side they take are one node.
    computes: Computes,
    /// Whether the rule matches where the test is false; never asked of an upper word.
    negated: bool,
    mask: u32,
    value: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Computes {
    Equal,
    MaskedEqual,
    Greater,
    GreaterOrEqual,
}

impl Test {
    fn same_node(&self, other: &Self) -> bool {
        let key = |test: &Self| (test.word, test.class, test.computes, test.mask, test.value, test.negated);
        key(self) == key(other)
    }

    /// Whether `self` is looked at only after `other`.
    fn yields_to(&self, other: &Self) -> bool {
        let descending = self.class == 2;
        (self.word, self.class) < (other.word, other.class)
            || (self.word, self.class) == (other.word, other.class)
                && if descending { self.value > other.value } else { self.value < other.value }
    }
}

fn tests(condition: &Condition, words: Words) -> Vec<Test> {
    let (class, computes, negated) = match condition.operator {
        Operator::ScmpCmpEq => (3, Computes::Equal, false),
        Operator::ScmpCmpNe => (3, Computes::Equal, true),
        Operator::ScmpCmpMaskedEq => (3, Computes::MaskedEqual, false),
        Operator::ScmpCmpLe => (2, Computes::Greater, true),
        Operator::ScmpCmpLt => (2, Computes::GreaterOrEqual, true),
        Operator::ScmpCmpGt => (1, Computes::Greater, false),
        Operator::ScmpCmpGe => (1, Computes::GreaterOrEqual, false),
    };
    let upper_computes = if class == 3 { computes } else { Computes::Greater };
    let low = Test {
        word: condition.index * 2,
        class,
        computes,
        negated,
        mask: low(condition.mask),
        value: low(condition.value),
    };
    let high = Test {
        word: low.word + 1,
        computes: upper_computes,
        negated: false,
        mask: high(condition.mask),
        value: high(condition.value),
        ..low
    };
    if words == Words::Two { vec![high, low] } else { vec![low] }
}

fn low(value: u64) -> u32 {
    u32::try_from(value & u64::from(u32::MAX)).unwrap_or_default()
}

fn high(value: u64) -> u32 {
    low(value >> 32)
}

struct Node {
    test: Test,
    rule: Option<usize>,
    below: Vec<Node>,
}

fn insert(level: &mut Vec<Node>, path: &[Test], rule: usize) {
    let Some((test, rest)) = path.split_first() else { return };
    let at = level.iter().position(|node| node.test.same_node(test) || node.test.yields_to(test));
    let at = at.unwrap_or(level.len());
    if !level.get(at).is_some_and(|node| node.test.same_node(test)) {
        level.insert(at, Node { test: *test, rule: None, below: Vec::new() });
    }
    let Some(node) = level.get_mut(at) else { return };
    if rest.is_empty() {
        node.rule.get_or_insert(rule);
        // What is below matches less than this rule does.
        node.below.clear();
    } else if node.rule.is_none() {
        insert(&mut node.below, rest, rule);
    }
}

fn collect(level: &[Node], order: &mut Vec<usize>) {
    for node in level {
        order.extend(node.rule);
        collect(&node.below, order);
    }
}
