//! The command line: a table of commands and flags, and what is made from it.

mod args;
mod flags;
mod help;
mod nearest;
mod parse;
mod table;
pub(crate) mod values;

pub(crate) use args::{Args, Given, invalid};
pub(crate) use help::{of_all as help_of_all, of_command as help_of_command};
pub(crate) use parse::{Request, parse, unknown_command};
pub(crate) use table::command;
