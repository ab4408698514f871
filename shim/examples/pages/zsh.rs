//! Completion for zsh.

use super::{COMMANDS, Flag, SIGNALS, Value, Word, flags::GLOBAL, shown, value, words};
use std::fmt::Write;

const HEAD: &str = r#"#compdef corten
# Completion of corten(8) for zsh, made from its own table of commands.

_corten_ids() {
    local -a ids root
    (( ${+opt_args[--root]} )) && root=(--root "${(Q)opt_args[--root]}")
    ids=(${(f)"$(_call_program ids corten ${(q)root} list --quiet 2>/dev/null)"})
    compadd -a ids
}

_corten_commands() {
    local -a commands
    commands=(
"#;

/// The script.
pub(super) fn script() -> String {
    let mut text = HEAD.to_owned();
    for command in COMMANDS {
        let _ = writeln!(text, "        {}", quote(&format!("{}:{}", command.name, command.about)));
    }
    text.push_str("    )\n    _describe -t commands command commands\n}\n\n_corten() {\n    local curcontext=$curcontext state line\n    typeset -A opt_args\n    _arguments -C");
    specs(&mut text, GLOBAL, "        ");
    text.push_str(" \\\n        '1: :_corten_commands' '*:: :->words'\n    [[ $state = words ]] || return\n    curcontext=${curcontext%:*:*}:corten-$words[1]:\n    case $words[1] in\n");
    for command in COMMANDS {
        let _ = write!(text, "        {})\n            _arguments", command.name);
        specs(&mut text, command.flags, "                ");
        for (index, word) in words(command).iter().enumerate() {
            let action = match word {
                Word::Id => "container:_corten_ids".to_owned(),
                Word::Signal => format!("signal:({SIGNALS})"),
                Word::Command => "command:_corten_commands".to_owned(),
                Word::OneOf(choices) => format!("change:({})", choices.join(" ")),
                Word::Files => "file:_files".to_owned(),
                Word::Anything => "word: ".to_owned(),
            };
            let _ = write!(text, " \\\n                {}", quote(&format!("{}:{action}", index + 1)));
        }
        text.push_str("\n            ;;\n");
    }
    text.push_str("    esac\n}\n\n_corten \"$@\"\n");
    text
}

fn specs(text: &mut String, flags: &'static [Flag], indent: &str) {
    let help = (!flags.iter().any(|flag| flag.long == "help")).then_some(&super::flags::HELP);
    for flag in shown(flags).chain(help) {
        let about = flag.help.replace('\\', "\\\\").replace('[', "\\[").replace(']', "\\]");
        let action = match value(flag) {
            None => String::new(),
            Some(value) => {
                let name = flag.value.unwrap_or_default().replace(':', "\\:").replace(['[', ']'], "");
                match value {
                    Value::Nothing => format!(":{name}: "),
                    Value::Files => format!(":{name}:_files"),
                    Value::Directories => format!(":{name}:_files -/"),
                    Value::OneOf(choices) => format!(":{name}:({})", choices.join(" ")),
                }
            }
        };
        let equals = if flag.value.is_some() { "=" } else { "" };
        let again = if flag.help.contains("may be repeated") { "*" } else { "" };
        let _ = write!(
            text,
            " \\\n{indent}{}",
            quote(&format!("{again}--{}{equals}[{about}]{action}", flag.long))
        );
        if let Some(letter) = flag.short {
            let _ = write!(text, " \\\n{indent}{}", quote(&format!("{again}-{letter}[{about}]{action}")));
        }
    }
}

fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}
