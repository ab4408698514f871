//! Manual pages, man(7).

use super::{COMMANDS, Command, Flag, flags::GLOBAL, shown, table::GROUPS};
use std::fmt::Write;

/// `corten.8`
pub(super) fn of_all() -> String {
    let mut page = Page::new("corten", "run containers as the OCI Runtime Specification says");
    page.heading("SYNOPSIS");
    page.text.push_str(
        ".B corten\n[\\fIGLOBAL FLAG\\fR...] \\fICOMMAND\\fR [\\fIFLAG\\fR...] [\\fIID\\fR] [...]\n",
    );
    page.heading("DESCRIPTION");
    page.paragraph(
        "corten makes, runs and ends containers from bundles: directories with a config.json and a root file system. \
         Engines as Docker, containerd, Podman and CRI-O call it as they call runc(8), whose command line it has.",
    );
    page.heading("COMMANDS");
    for (group, heading) in GROUPS {
        let _ = writeln!(page.text, ".SS {}", escape(heading));
        for command in COMMANDS.iter().filter(|command| command.group == *group) {
            let _ = writeln!(
                page.text,
                ".TP\n\\fBcorten\\-{}\\fR(8)\n{}",
                escape(command.name),
                escape(command.about)
            );
        }
    }
    page.flags("GLOBAL FLAGS", GLOBAL);
    page.paragraph("They may stand after the command as well, where it has no flag of that name.");
    page.heading("EXIT STATUS");
    page.paragraph(
        "0 where all went well, 1 where it did not. run and an exec in the foreground exit as the process did: with its \
         status, or with 128 and the number of the signal that ended it. An exec that comes to nothing exits with 255.",
    );
    page.heading("ENVIRONMENT");
    for (name, text) in [
        ("NO_COLOR", "If it is not empty, there is no colour on a terminal either."),
        ("NOTIFY_SOCKET", "Who is told when the container is ready, sd_notify(3)."),
        ("LISTEN_FDS, LISTEN_PID", "Sockets that are passed on to the container, sd_listen_fds(3)."),
        ("XDG_RUNTIME_DIR", "Where the state of an ordinary user's containers is kept."),
    ] {
        let _ = writeln!(page.text, ".TP\n.B {}\n{}", escape(name), escape(text));
    }
    page.heading("FILES");
    let _ = writeln!(
        page.text,
        ".TP\n.I /run/corten\nThe state of containers: a directory each, with state.json and config.json."
    );
    page.see_also(COMMANDS.iter().map(|command| format!("corten-{}", command.name)));
    page.text
}

/// `corten-COMMAND.8`
pub(super) fn of_command(command: &Command) -> String {
    let mut page = Page::new(&format!("corten-{}", command.name), command.about);
    page.heading("SYNOPSIS");
    let flags = if command.flags.is_empty() { "" } else { "[\\fIFLAG\\fR...] " };
    let _ = writeln!(page.text, ".B corten {}", escape(command.name));
    let _ = writeln!(page.text, "\\&{flags}{}", escape(command.words));
    if !command.more.is_empty() {
        page.heading("DESCRIPTION");
        page.paragraph(command.more);
    }
    if !command.flags.is_empty() {
        page.flags("FLAGS", command.flags);
    }
    if !command.examples.is_empty() {
        page.heading("EXAMPLES");
        for (line, about) in command.examples {
            let _ = writeln!(page.text, ".TP\n.B {}\n{}", quoted(line), escape(about));
        }
    }
    page.see_also(std::iter::once("corten".to_owned()));
    page.text
}

struct Page {
    text: String,
}

impl Page {
    fn new(name: &str, about: &str) -> Self {
        let title = name.to_uppercase();
        let version = env!("CARGO_PKG_VERSION");
        let text = format!(
            ".TH {} 8 \"\" \"Corten {version}\" \"System Administration\"\n.SH NAME\n{} \\- {}\n",
            escape(&title),
            escape(name),
            escape(about)
        );
        Self { text }
    }

    fn heading(&mut self, heading: &str) {
        let _ = writeln!(self.text, ".SH {heading}");
    }

    fn paragraph(&mut self, text: &str) {
        let _ = writeln!(self.text, ".PP\n{}", escape(text));
    }

    fn flags(&mut self, heading: &str, flags: &'static [Flag]) {
        self.heading(heading);
        for flag in shown(flags) {
            let short = flag.short.map(|letter| format!("\\fB\\-{letter}\\fR, ")).unwrap_or_default();
            let value = flag.value.map(|value| format!(" \\fI{}\\fR", escape(value))).unwrap_or_default();
            let _ = writeln!(
                self.text,
                ".TP\n{short}\\fB\\-\\-{}\\fR{value}\n{}",
                escape(flag.long),
                escape(flag.help)
            );
        }
    }

    fn see_also(&mut self, pages: impl Iterator<Item = String>) {
        self.heading("SEE ALSO");
        let pages: Vec<_> = pages.map(|page| format!("\\fB{}\\fR(8)", escape(&page))).collect();
        let _ = writeln!(self.text, "{}", pages.join(",\n"));
    }
}

/// Text that roff takes as it is.
fn escape(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    // A line that begins so would be a request.
    match text.starts_with(['.', '\'']) {
        true => format!("\\&{text}"),
        false => text,
    }
}

/// One argument of a macro.
fn quoted(text: &str) -> String {
    format!("\"{}\"", escape(text).replace('"', "\\(dq"))
}
