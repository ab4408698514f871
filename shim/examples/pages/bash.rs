//! Completion for bash.

use super::{COMMANDS, Command, Flag, SIGNALS, Value, Word, flags::GLOBAL, shown, value, words};
use std::fmt::Write;

const HEAD: &str = r#"# Completion of corten(8) for bash, made from its own table of commands.
# shellcheck shell=bash disable=SC2046 # ids have neither spaces nor patterns

_corten_ids() {
    local root=() i
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
            --root) root=(--root "${COMP_WORDS[i + 1]}") ;;
        esac
    done
    corten "${root[@]}" list --quiet 2>/dev/null
}

_corten() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
    local command='' word=0 i skip=''
    # What is behind a `=` is a word of its own here.
    [ "$cur" = = ] && cur=''
    [ "$prev" = = ] && prev=${COMP_WORDS[COMP_CWORD - 2]}
    for ((i = 1; i < COMP_CWORD; i++)); do
        if [ -n "$skip" ]; then
            [ "${COMP_WORDS[i]}" = = ] || skip=''
            continue
        fi
        case $command:${COMP_WORDS[i]} in
"#;

/// The script.
pub(super) fn script() -> String {
    let mut text = HEAD.to_owned();
    let all = || GLOBAL.iter().chain(COMMANDS.iter().flat_map(|command| command.flags));
    let mut valued: Vec<String> = all().filter(|flag| flag.value.is_some()).flat_map(spellings).collect();
    valued.sort();
    valued.dedup();
    // `-f` and `--rootless` have a value in some places only.
    let bare = |command: &'static Command| {
        let own = command.flags.iter().filter(|flag| flag.value.is_none()).flat_map(spellings);
        own.map(|name| (command.name, name))
    };
    let bare = COMMANDS.iter().flat_map(bare).filter(|(_, name)| valued.contains(name));
    let bare: Vec<_> = bare.map(|(command, name)| format!("{command}:{name}")).collect();
    let valued: Vec<_> = valued.iter().map(|name| format!("*:{name}")).collect();
    let _ =
        writeln!(text, "            {}) ;;\n            {}) skip=1 ;;", bare.join(" | "), valued.join(" | "));
    text.push_str("            *:-* | *:=) ;;\n            *) if [ -z \"$command\" ]; then command=${COMP_WORDS[i]}; else word=$((word + 1)); fi ;;\n        esac\n    done\n");
    text.push_str("    case $command$prev in\n");
    for flag in GLOBAL.iter().filter(|flag| flag.value.is_some()) {
        let names: Vec<_> = spellings(flag).map(|name| format!("*{name}")).collect();
        value_arm(&mut text, &names.join(" | "), flag);
    }
    for command in COMMANDS {
        for flag in command.flags.iter().filter(|flag| flag.value.is_some()) {
            let names: Vec<_> = spellings(flag).map(|name| format!("{}{name}", command.name)).collect();
            value_arm(&mut text, &names.join(" | "), flag);
        }
    }
    text.push_str("    esac\n    case $command in\n");
    let names: Vec<_> = COMMANDS.iter().map(|command| command.name).collect();
    let _ = writeln!(text, "        '') _corten_words {} -- {} ;;", long_names(GLOBAL), names.join(" "));
    for command in COMMANDS {
        let _ = writeln!(text, "        {})\n            case $word in", command.name);
        for (index, word) in words(command).iter().enumerate() {
            let _ = writeln!(text, "                {index}) {} ;;", word_of(*word, command, &names));
        }
        let _ = writeln!(
            text,
            "                *) _corten_words {} -- ;;\n            esac\n            ;;",
            long_names(command.flags)
        );
    }
    text.push_str("    esac\n}\n\n");
    text.push_str(TAIL);
    text
}

/// Flags come before the `--`, words after it.
const TAIL: &str = r#"_corten_words() {
    local flags=()
    while [ "$1" != -- ]; do flags+=("$1"); shift; done
    shift
    case $cur in
        -*) mapfile -t COMPREPLY < <(compgen -W "${flags[*]} --help" -- "$cur") ;;
        *) mapfile -t COMPREPLY < <(compgen -W "$*" -- "$cur") ;;
    esac
}

complete -F _corten corten
"#;

fn spellings(flag: &Flag) -> impl Iterator<Item = String> {
    let short = flag.short.map(|letter| format!("-{letter}"));
    [format!("--{}", flag.long)].into_iter().chain(short)
}

fn long_names(flags: &'static [Flag]) -> String {
    let names: Vec<_> = shown(flags).map(|flag| format!("--{}", flag.long)).collect();
    names.join(" ")
}

/// Completes the value of a flag, and is done.
fn value_arm(text: &mut String, pattern: &str, flag: &Flag) {
    let reply = match value(flag) {
        Some(Value::OneOf(choices)) => format!("compgen -W '{}' -- \"$cur\"", choices.join(" ")),
        Some(Value::Directories) => "compgen -d -- \"$cur\"".to_owned(),
        Some(Value::Files) => "compgen -f -- \"$cur\"".to_owned(),
        Some(Value::Nothing) | None => {
            let _ = writeln!(text, "        {pattern}) return ;;");
            return;
        }
    };
    let _ = writeln!(text, "        {pattern}) mapfile -t COMPREPLY < <({reply}); return ;;");
}

fn word_of(word: Word, command: &Command, names: &[&str]) -> String {
    let flags = long_names(command.flags);
    match word {
        Word::Id => format!("_corten_words {flags} -- $(_corten_ids)"),
        Word::Signal => format!("_corten_words {flags} -- {SIGNALS}"),
        Word::Command => format!("_corten_words {flags} -- {}", names.join(" ")),
        Word::OneOf(choices) => format!("_corten_words {flags} -- {}", choices.join(" ")),
        Word::Files => "mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")".to_owned(),
        Word::Anything => format!("_corten_words {flags} --"),
    }
}
