//! What a man page and completions are made of, printed by the program whose options they are, so that they cannot drift.
//!
//! Only with the feature `pages`, which no program has that is shipped: `PROGRAM --print-page PART` then prints the section
//! `name`, `description` or `options` in roff, or the completions for `bash`, `zsh` or `fish`.

use std::env;
use std::io::{self, Write};

use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;

use crate::failure::Failure;

/// Prints what was asked for of the program `tool`, whose arguments are `command`; none if nothing of this was.
pub(crate) fn print(tool: &str, mut command: Command) -> Option<Result<(), Failure>> {
    let mut arguments = env::args_os().skip(1);
    if arguments.next()? != "--print-page" {
        return None;
    }
    let part = arguments.next().unwrap_or_default();
    let shell = match part.to_str() {
        Some("bash") => Shell::Bash,
        Some("zsh") => Shell::Zsh,
        Some("fish") => Shell::Fish,
        _ => return Some(print_section(&part.to_string_lossy(), command)),
    };
    clap_complete::generate(shell, &mut command, tool, &mut io::stdout());
    Some(Ok(()))
}

fn print_section(part: &str, command: Command) -> Result<(), Failure> {
    // The first paragraph of the description is what stands under NAME already; examples and statuses, the help after the
    // options, have sections of their own.
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let long_about = command.get_long_about().map(ToString::to_string).unwrap_or_default();
    let rest = long_about.strip_prefix(&about).unwrap_or(&long_about).trim_start().to_owned();
    let headings: Vec<_> = command
        .get_arguments()
        .filter_map(|argument| argument.get_help_heading())
        .map(String::from)
        .collect();
    let man = Man::new(command.long_about(rest).after_help(None::<&str>));
    let mut roff = Vec::new();
    match part {
        "name" => man.render_name_section(&mut roff),
        "description" => man.render_description_section(&mut roff),
        "options" => man.render_options_section(&mut roff),
        _ => return Err(Failure::usage(format!("found the part {part:?}, expected one of a page"))),
    }
    .map_err(|error| Failure::output(&error))?;
    let mut section =
        String::from_utf8_lossy(&roff).replace(r"\*(Aq", r"\(aq").replace(".br\n\n.br\n", ".sp\n");
    // The groups of options are parts of one section.
    for heading in headings {
        let loud = heading.to_uppercase();
        for found in [format!(".SH \"{loud}\"\n"), format!(".SH {loud}\n")] {
            section = section.replace(&found, &format!(".SS \"{heading}\"\n"));
        }
    }
    // Two lines define the apostrophe that was replaced.
    let section = section.split_once("\n.SH").map_or("", |(_, section)| section);
    write!(io::stdout(), ".SH{section}").map_err(|error| Failure::output(&error))
}
