//! The word that was probably meant.

/// The one of `known` that is nearest to `word`, where one is near enough to be meant.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word: Vec<char> = word.chars().take(64).collect();
    let near = |name: &str| {
        let name: Vec<char> = name.chars().collect();
        let far = distance(&word, &name);
        let begun = word.len() >= 3 && name.starts_with(&word);
        (begun || far <= name.len().max(word.len()) / 3 || far == 1 && name.len() > 2)
            .then_some((!begun, far))
    };
    known.into_iter().filter_map(|name| Some((near(name)?, name))).min().map(|(_, name)| name)
}

/// How many letters must be put in, taken out, changed or exchanged with their neighbour to make `a` of `b`.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let changed = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = changed.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn what_was_meant_is_found() {
        let known = ["create", "start", "state", "delete", "kill", "list", "console-socket"];
        for (word, meant) in [
            ("crate", Some("create")),
            ("satrt", Some("start")),
            ("stat", Some("state")),
            ("rm", None),
            ("consol-socket", Some("console-socket")),
            ("console", Some("console-socket")),
            ("bogus", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known), meant, "{word}");
        }
    }
}
