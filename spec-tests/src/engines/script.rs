//! The cases of an engine as they stand in its shell script: `#begin`, `#end`, `#lib` and `#case NAME` lines part it.

/// One engine's script.
pub(super) struct Script {
    /// What goes before each of the other parts.
    pub(super) lib: String,
    /// Starts the engine.
    pub(super) begin: String,
    /// Ends it.
    pub(super) end: String,
    /// Names and bodies.
    pub(super) cases: Vec<(String, String)>,
}

impl Script {
    /// Reads a script; `lib` is what it has in common with others.
    pub(super) fn parse(lib: &str, text: &str) -> Self {
        let mut script =
            Self { lib: lib.to_owned(), begin: String::new(), end: String::new(), cases: Vec::new() };
        let mut rest = text;
        while let Some((line, tail)) = rest.split_once('\n') {
            let at = tail.match_indices('#').map(|(at, _)| at).find(|at| starts_part(tail, *at));
            let (body, next) = tail.split_at(at.unwrap_or(tail.len()));
            match line.split_once(' ') {
                Some(("#case", name)) => script.cases.push((name.to_owned(), body.to_owned())),
                _ if line == "#lib" => script.lib.push_str(body),
                _ if line == "#begin" => script.begin.push_str(body),
                _ if line == "#end" => script.end.push_str(body),
                _ => {}
            }
            rest = next;
        }
        script
    }
}

/// Whether a line of ours begins at `at`.
fn starts_part(text: &str, at: usize) -> bool {
    let own_line = at == 0 || text.as_bytes().get(at - 1) == Some(&b'\n');
    let line = text.get(at..).unwrap_or_default().lines().next().unwrap_or_default();
    own_line && (line.starts_with("#case ") || ["#lib", "#begin", "#end"].contains(&line))
}

#[cfg(test)]
mod tests {
    use super::Script;

    #[test]
    fn parts_go_from_line_to_line() {
        let script = Script::parse(
            "a\n",
            "#lib\nb\n#begin\nc # d\n#not ours\n#end\n#case x\necho '#case'\n\n#case y\ny\n",
        );
        assert_eq!(
            (script.lib.as_str(), script.begin.as_str(), script.end.as_str()),
            ("a\nb\n", "c # d\n#not ours\n", "")
        );
        let cases: Vec<_> = script.cases.iter().map(|(name, body)| (name.as_str(), body.as_str())).collect();
        assert_eq!(cases, [("x", "echo '#case'\n\n"), ("y", "y\n")]);
    }
}
