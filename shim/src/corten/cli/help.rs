//! `--help`, from the table.

use super::{
    flags::{self, Flag},
    table::{COMMANDS, Command, GROUPS},
};
use std::fmt::Write;

/// How headings are written: bold on a terminal.
struct Page {
    text: String,
    colour: bool,
}

/// Wide enough for any terminal.
const WIDTH: usize = 80;

impl Page {
    fn heading(&mut self, heading: &str) {
        let (on, off) = if self.colour { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
        let _ = write!(self.text, "\n{on}{heading}{off}\n");
    }

    /// Lines of two columns; the second is wrapped.
    fn columns(&mut self, rows: &[(String, &str)]) {
        let first = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0).min(30);
        for (name, about) in rows {
            let mut lines = wrap(about, WIDTH - first - 4);
            if name.len() > first {
                let _ = writeln!(self.text, "  {name}");
            } else {
                let _ = writeln!(self.text, "  {name:first$}  {}", lines.next().unwrap_or_default());
            }
            for line in lines {
                let _ = writeln!(self.text, "  {:first$}  {line}", "");
            }
        }
    }

    fn flags(&mut self, heading: &str, flags: &'static [Flag]) {
        self.heading(heading);
        let shown = flags.iter().filter(|flag| !flag.help.is_empty());
        let rows: Vec<_> = shown.map(|flag| (spelling(flag), flag.help)).collect();
        self.columns(&rows);
    }

    fn examples(&mut self, examples: &[(&'static str, &'static str)]) {
        self.heading("Examples");
        let rows: Vec<_> = examples.iter().map(|(line, about)| ((*line).to_owned(), *about)).collect();
        for (line, about) in rows {
            let _ = writeln!(self.text, "  {line}\n      {about}");
        }
    }
}

/// The help about all commands.
pub(crate) fn of_all(colour: bool) -> String {
    let mut page = Page { text: String::new(), colour };
    page.text.push_str(
        "corten runs containers as the OCI Runtime Specification says.\n\n\
         Usage: corten [GLOBAL FLAG...] COMMAND [FLAG...] [ID] [...]\n",
    );
    for (group, heading) in GROUPS {
        page.heading(heading);
        let of_group = COMMANDS.iter().filter(|command| command.group == *group);
        let rows: Vec<_> = of_group.map(|command| (command.name.to_owned(), command.about)).collect();
        page.columns(&rows);
    }
    page.flags("Global flags", flags::GLOBAL);
    page.examples(&[
        ("mkdir -p web/rootfs && corten spec --bundle web", "begin a bundle"),
        ("corten run --bundle web web", "create and start it, and wait for its end"),
        ("corten exec -t web sh", "a shell in it"),
        ("corten kill web && corten delete web", "end it and clean up"),
    ]);
    page.text.push_str("\nMore about a command: corten COMMAND --help\n");
    page.text
}

/// The help about one command.
pub(crate) fn of_command(command: &Command, colour: bool) -> String {
    let mut page = Page { text: String::new(), colour };
    let Command { name, words, about, more, .. } = command;
    let flags = if command.flags.is_empty() { "" } else { " [FLAG...]" };
    let space = if words.is_empty() { "" } else { " " };
    let _ = writeln!(page.text, "corten {name}: {about}\n\nUsage: corten {name}{flags}{space}{words}");
    if !more.is_empty() {
        page.text.push('\n');
        for line in wrap(more, WIDTH) {
            let _ = writeln!(page.text, "{line}");
        }
    }
    if !command.flags.is_empty() {
        page.flags("Flags", command.flags);
    }
    if !command.examples.is_empty() {
        page.examples(command.examples);
    }
    page.text.push_str("\nThe global flags are in corten --help.\n");
    page.text
}

/// `-b, --bundle DIR`
fn spelling(flag: &Flag) -> String {
    let short = flag.short.map_or("    ".to_owned(), |letter| format!("-{letter}, "));
    let value = flag.value.map(|value| format!(" {value}")).unwrap_or_default();
    format!("{short}--{}{value}", flag.long)
}

/// The lines of `text`, none longer than `width` where a space allows it.
fn wrap(text: &str, width: usize) -> impl Iterator<Item = String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_and_shown_flag_is_in_the_help() {
        let all = of_all(false);
        for command in COMMANDS {
            assert!(all.contains(&format!("\n  {} ", command.name)), "{}", command.name);
            let page = of_command(command, false);
            for flag in command.flags.iter().filter(|flag| !flag.help.is_empty()) {
                assert!(page.contains(&format!("--{}", flag.long)), "{} --{}", command.name, flag.long);
            }
        }
    }

    #[test]
    fn no_line_is_wider_than_a_terminal() {
        let pages = COMMANDS.iter().map(|command| of_command(command, false)).chain([of_all(false)]);
        for line in pages.flat_map(|page| page.lines().map(str::to_owned).collect::<Vec<_>>()) {
            assert!(line.len() <= WIDTH, "{line}");
        }
    }

    #[test]
    fn only_a_terminal_gets_colour() {
        assert!(!of_all(false).contains('\x1b') && of_all(true).contains("\x1b[1mGlobal flags\x1b[0m"));
    }
}
