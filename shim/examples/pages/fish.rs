//! Completion for fish.

use super::{COMMANDS, Flag, SIGNALS, Value, Word, flags::GLOBAL, shown, value, words};
use std::fmt::Write;

const HEAD: &str = "\
# Completion of corten(8) for fish, made from its own table of commands.

complete -c corten -f
";

/// The script.
pub(super) fn script() -> String {
    let mut text = HEAD.to_owned();
    let names: Vec<_> = COMMANDS.iter().map(|command| command.name).collect();
    let names = names.join(" ");
    for flag in shown(GLOBAL) {
        entry(&mut text, None, flag);
    }
    for command in COMMANDS {
        let condition = format!("not __fish_seen_subcommand_from {names}");
        let _ = writeln!(
            text,
            "complete -c corten -n {} -a {} -d {}",
            quote(&condition),
            command.name,
            quote(command.about)
        );
    }
    for command in COMMANDS {
        let condition = format!("__fish_seen_subcommand_from {}", command.name);
        for flag in shown(command.flags) {
            entry(&mut text, Some(&condition), flag);
        }
        for word in words(command) {
            let choices = match word {
                Word::Id => "(corten list --quiet 2>/dev/null)",
                Word::Signal => SIGNALS,
                Word::Command => &names,
                Word::OneOf(choices) => &choices.join(" "),
                Word::Files => "(__fish_complete_path)",
                Word::Anything => continue,
            };
            let _ = writeln!(text, "complete -c corten -n {} -a {}", quote(&condition), quote(choices));
        }
    }
    text
}

fn entry(text: &mut String, condition: Option<&str>, flag: &Flag) {
    let condition = condition.map(|condition| format!(" -n {}", quote(condition))).unwrap_or_default();
    let short = flag.short.map(|letter| format!(" -s {letter}")).unwrap_or_default();
    let action = match value(flag) {
        None => String::new(),
        Some(Value::Nothing) => " -x".to_owned(),
        Some(Value::Files) => " -r -F".to_owned(),
        Some(Value::Directories) => " -x -a '(__fish_complete_directories)'".to_owned(),
        Some(Value::OneOf(choices)) => format!(" -x -a '{}'", choices.join(" ")),
    };
    let _ = writeln!(
        text,
        "complete -c corten{condition} -l {}{short}{action} -d {}",
        flag.long,
        quote(flag.help)
    );
}

fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}
