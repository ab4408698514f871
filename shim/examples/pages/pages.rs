//! All pages: their names and what is in them.

mod bash;
mod fish;
#[allow(dead_code)]
#[path = "../../src/corten/cli/flags.rs"]
mod flags;
mod man;
#[allow(dead_code)]
#[path = "../../src/corten/cli/table.rs"]
mod table;
mod zsh;

use flags::Flag;
use table::{COMMANDS, Command};

/// Each file's path and content.
pub(crate) fn all() -> Vec<(String, String)> {
    let mut pages = vec![
        ("man/corten.8".to_owned(), man::of_all()),
        ("completions/corten.bash".to_owned(), bash::script()),
        ("completions/_corten".to_owned(), zsh::script()),
        ("completions/corten.fish".to_owned(), fish::script()),
    ];
    pages.extend(
        COMMANDS.iter().map(|command| (format!("man/corten-{}.8", command.name), man::of_command(command))),
    );
    pages
}

/// Flags that the help shows.
fn shown(flags: &'static [Flag]) -> impl Iterator<Item = &'static Flag> {
    flags.iter().filter(|flag| !flag.help.is_empty())
}

/// What can be completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value {
    Nothing,
    Files,
    Directories,
    OneOf(&'static [&'static str]),
}

/// The values of flags that have few.
const CHOICES: &[(&str, &[&str])] = &[
    ("log-format", &["text", "json"]),
    ("log-level", &["debug", "info", "warn", "error"]),
    ("cgroup-manager", &["cgroupfs", "systemd", "disabled"]),
    ("rootless", &["true", "false", "auto"]),
    ("format", &["table", "json"]),
    ("manage-cgroups-mode", &["soft", "full", "strict", "ignore"]),
    ("cpu-idle", &["0", "1"]),
];

/// What the flag's value can be.
fn value(flag: &Flag) -> Option<Value> {
    let name = flag.value?;
    let choices = CHOICES.iter().find(|(long, _)| *long == flag.long).map(|(_, choices)| *choices);
    Some(match (choices, name) {
        (Some(choices), _) => Value::OneOf(choices),
        (None, "DIR") => Value::Directories,
        (None, "FILE" | "PATH" | "DEST") => Value::Files,
        (None, _) => Value::Nothing,
    })
}

/// What a command's words are, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    /// The id of a container that exists.
    Id,
    Signal,
    Command,
    OneOf(&'static [&'static str]),
    Files,
    Anything,
}

fn words(command: &Command) -> &'static [Word] {
    match command.name {
        // The id of a container that does not exist yet.
        "run" | "create" | "restore" | "plan" => &[Word::Anything],
        "kill" => &[Word::Id, Word::Signal],
        "exec" => &[Word::Id, Word::Anything],
        "help" => &[Word::Command],
        "mounts" => &[Word::OneOf(&["add", "remove"]), Word::Id, Word::Files],
        _ if command.words.trim_start_matches('[').starts_with("ID") => &[Word::Id],
        _ => &[],
    }
}

const SIGNALS: &str = "HUP INT QUIT KILL USR1 USR2 TERM CONT STOP WINCH";
