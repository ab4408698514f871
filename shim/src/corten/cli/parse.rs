//! From words to [`Args`], by the table.

use super::{
    args::{Args, Given, invalid},
    flags::{self, Flag},
    nearest::nearest,
    table::{self, Command, Rest},
    values,
};
use crate::failure::Failure;
use lexopt::Arg;
use std::ffi::{OsStr, OsString};

/// What the command line asks for.
#[derive(Debug)]
pub(crate) enum Request {
    /// Help about a command, or about all.
    Help(Option<&'static Command>),
    Version,
    Command(Args),
}

/// Reads the words after the program's name. The global flags go to `globals`, which has those read so far even where
/// a later word is wrong: the complaint must reach the log that the caller asked for.
pub(crate) fn parse(
    words: impl IntoIterator<Item = OsString>,
    globals: &mut Given,
) -> Result<Request, Failure> {
    let mut parser = lexopt::Parser::from_args(words);
    loop {
        let flag = match next(&mut parser)? {
            None => return Ok(Request::Help(None)),
            Some(Arg::Value(name)) => return command(&name, parser, globals),
            Some(Arg::Long(name)) => Spelled::Long(by_name(name, &[flags::GLOBAL], None)?),
            Some(Arg::Short(letter)) => Spelled::Short(by_letter(letter, &[flags::GLOBAL], None)?),
        };
        match flag.flag().long {
            "help" => return Ok(Request::Help(None)),
            "version" => return Ok(Request::Version),
            long => globals.add(long, value(&mut parser, flag)?),
        }
    }
}

/// Reads what comes after the command's name.
fn command(name: &OsStr, mut parser: lexopt::Parser, globals: &mut Given) -> Result<Request, Failure> {
    let command =
        name.to_str().and_then(table::command).ok_or_else(|| unknown_command(&name.to_string_lossy()))?;
    let mut args = Args { command, flags: Given::default(), words: Vec::new() };
    let own_then_global = [command.flags, flags::GLOBAL];
    while let Some(arg) = next(&mut parser)? {
        let flag = match arg {
            Arg::Value(word) => {
                args.words.push(word);
                if command.rest == Rest::Foreign(args.words.len()) {
                    args.words.extend(parser.raw_args().map_err(|error| Failure::usage(error.to_string()))?);
                    break;
                }
                continue;
            }
            Arg::Long(name) => Spelled::Long(by_name(name, &own_then_global, Some(command))?),
            Arg::Short(letter) => Spelled::Short(match with_one_dash(letter, command, &mut parser) {
                Some(flag) => flag,
                None => by_letter(letter, &own_then_global, Some(command))?,
            }),
        };
        match flag.flag().long {
            "help" => return Ok(Request::Help(Some(command))),
            long => {
                let own = command.flags.iter().any(|own| std::ptr::eq(own, flag.flag()));
                let value = value(&mut parser, flag)?;
                if own { &mut args.flags } else { &mut *globals }.add(long, value);
            }
        }
    }
    count(command, args.words.len())?;
    Ok(Request::Command(args))
}

/// containerd says `restore -no-subreaper`, which Go's programs take for two dashes. No other flag is taken so: one dash is for
/// letters.
fn with_one_dash(
    letter: char,
    command: &'static Command,
    parser: &mut lexopt::Parser,
) -> Option<&'static Flag> {
    let is_it = letter == 'n' && command.name == "restore" && parser.optional_value()? == "o-subreaper";
    command.flags.iter().find(|flag| is_it && flag.long == "no-subreaper")
}

fn next(parser: &mut lexopt::Parser) -> Result<Option<Arg<'_>>, Failure> {
    parser.next().map_err(|error| match error {
        lexopt::Error::UnexpectedValue { option, .. } => Failure::usage(format!("{option} takes no value")),
        error => Failure::usage(error.to_string()),
    })
}

fn by_name(
    name: &str,
    tables: &[&'static [Flag]],
    command: Option<&Command>,
) -> Result<&'static Flag, Failure> {
    let all = || tables.iter().flat_map(|table| table.iter());
    if let Some(flag) = all().find(|flag| flag.long == name) {
        return Ok(flag);
    }
    let shown = all().filter(|flag| !flag.help.is_empty()).map(|flag| flag.long);
    let meant = nearest(name, shown).map(|near| format!("--{near}"));
    Err(unknown_flag(&format!("--{name}"), meant, command))
}

fn by_letter(
    letter: char,
    tables: &[&'static [Flag]],
    command: Option<&Command>,
) -> Result<&'static Flag, Failure> {
    let mut all = tables.iter().flat_map(|table| table.iter());
    all.find(|flag| flag.short == Some(letter))
        .ok_or_else(|| unknown_flag(&format!("-{letter}"), None, command))
}

/// A flag and how it was written: a switch may have a value behind a `=` only if its name is written out.
#[derive(Clone, Copy)]
enum Spelled {
    Long(&'static Flag),
    Short(&'static Flag),
}

impl Spelled {
    fn flag(self) -> &'static Flag {
        match self {
            Self::Long(flag) | Self::Short(flag) => flag,
        }
    }
}

/// The value of a flag: the word after it or what is behind its `=`; of a switch what is behind its `=`, or true.
fn value(parser: &mut lexopt::Parser, spelled: Spelled) -> Result<OsString, Failure> {
    let flag = spelled.flag();
    if flag.value.is_some() {
        return parser.value().map_err(|_| Failure::usage(format!("--{} needs a value", flag.long)));
    }
    let given = match spelled {
        Spelled::Long(_) => parser.optional_value(),
        Spelled::Short(_) => None,
    };
    let Some(given) = given else { return Ok("true".into()) };
    let text = given.to_string_lossy();
    let on = values::truth(&text).map_err(|wanted| invalid(flag.long, &text, wanted))?;
    Ok(if on { "true" } else { "false" }.into())
}

fn count(command: &Command, given: usize) -> Result<(), Failure> {
    if (command.least..=command.most).contains(&given) {
        return Ok(());
    }
    let name = command.name;
    let wanted = match (command.least, command.most) {
        (0, 0) => "no arguments".to_owned(),
        (least, most) if least == most => format!("exactly {least} argument(s), {}", command.words),
        (least, usize::MAX) => format!("at least {least} argument(s), {}", command.words),
        (least, most) => format!("{least} to {most} argument(s), {}", command.words),
    };
    Err(Failure::usage(format!("{name:?} requires {wanted}; {given} given; see corten {name} --help")))
}

fn unknown_flag(flag: &str, meant: Option<String>, command: Option<&Command>) -> Failure {
    let of = command.map(|command| format!(" of {:?}", command.name)).unwrap_or_default();
    let see = command.map(|command| format!(" {}", command.name)).unwrap_or_default();
    let meant = meant.map(|meant| format!("; did you mean {meant}?")).unwrap_or_default();
    Failure::usage(format!("unknown flag {flag}{of}{meant}; see corten{see} --help"))
}

/// The complaint about a command that there is not.
pub(crate) fn unknown_command(name: &str) -> Failure {
    let meant = nearest(name, table::COMMANDS.iter().map(|command| command.name));
    let meant = meant.map(|meant| format!("; did you mean {meant:?}?")).unwrap_or_default();
    Failure::usage(format!("unknown command {name:?}{meant}; see corten --help"))
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
