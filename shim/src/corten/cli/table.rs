//! The commands of the command line, as data: parsing, `--help`, the manual pages and the completions are made from it.

use super::flags::{self, Flag};

/// What a command is for: the headings of `--help`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    Life,
    Inside,
    Look,
    Checkpoint,
    Prepare,
}

/// The groups in the order of `--help`, with their headings.
pub(crate) const GROUPS: &[(Group, &str)] = &[
    (Group::Life, "The life of a container"),
    (Group::Inside, "While it runs"),
    (Group::Look, "What there is"),
    (Group::Checkpoint, "Checkpoints"),
    (Group::Prepare, "Before you start"),
];

/// Where flags end among a command's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    /// Flags may stand anywhere.
    Flags,
    /// All after this many words belongs to another program, flags included.
    Foreign(usize),
}

/// One command.
#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) name: &'static str,
    pub(crate) group: Group,
    /// Its words other than flags, for the help.
    pub(crate) words: &'static str,
    /// How many words there may be.
    pub(crate) least: usize,
    pub(crate) most: usize,
    pub(crate) rest: Rest,
    /// What it does, in a line.
    pub(crate) about: &'static str,
    /// More, in whole paragraphs.
    pub(crate) more: &'static str,
    /// Command lines to copy, and what each does.
    pub(crate) examples: &'static [(&'static str, &'static str)],
    pub(crate) flags: &'static [Flag],
}

impl Command {
    /// A command that takes a container's id and nothing else.
    const fn on_container(name: &'static str, group: Group, about: &'static str) -> Self {
        Self {
            name,
            group,
            words: "ID",
            least: 1,
            most: 1,
            rest: Rest::Flags,
            about,
            more: "",
            examples: &[],
            flags: &[],
        }
    }

    /// A command that takes no words.
    const fn plain(name: &'static str, group: Group, about: &'static str) -> Self {
        let mut command = Self::on_container(name, group, about);
        command.words = "";
        command.least = 0;
        command.most = 0;
        command
    }

    const fn words(mut self, words: &'static str, least: usize, most: usize) -> Self {
        self.words = words;
        self.least = least;
        self.most = most;
        self
    }

    const fn foreign_after(mut self, words: usize) -> Self {
        self.rest = Rest::Foreign(words);
        self.most = usize::MAX;
        self
    }

    const fn flags(mut self, flags: &'static [Flag]) -> Self {
        self.flags = flags;
        self
    }

    const fn more(mut self, more: &'static str) -> Self {
        self.more = more;
        self
    }

    const fn examples(mut self, examples: &'static [(&'static str, &'static str)]) -> Self {
        self.examples = examples;
        self
    }
}

/// The command of that name.
pub(crate) fn command(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name)
}

const BUNDLES: &str = "A bundle is a directory with a config.json, as the OCI Runtime Specification has it, and the \
container's root file system. `corten spec` writes a config.json to start from.";

pub(crate) const COMMANDS: &[Command] = &[
    Command::on_container("run", Group::Life, "create and start a container, and wait for it")
        .flags(flags::RUN)
        .more(BUNDLES)
        .examples(&[
            ("corten run web", "run the bundle in the current directory"),
            ("corten run --detach --bundle /srv/web web", "leave it running"),
        ]),
    Command::on_container("create", Group::Life, "make a container, its process waiting for `start`")
        .flags(flags::CREATE)
        .more(BUNDLES)
        .examples(&[(
            "corten create --bundle /srv/web --pid-file web.pid web",
            "create it, and learn its process id",
        )]),
    Command::on_container("start", Group::Life, "let a created container's process begin"),
    Command::on_container("kill", Group::Life, "send a signal to the container's first process")
        .words("ID [SIGNAL]", 1, 2)
        .flags(flags::KILL)
        .more("The signal is a name or a number; without one it is SIGTERM.")
        .examples(&[
            ("corten kill web", "ask it to end"),
            ("corten kill web KILL", "end it"),
            ("corten kill --all web 1", "send SIGHUP to all its processes"),
        ]),
    Command::on_container("delete", Group::Life, "remove what is left of a stopped container")
        .flags(flags::DELETE)
        .examples(&[("corten delete --force web", "end it first if it still runs")]),
    Command::on_container("exec", Group::Inside, "run one more process in a container")
        .words("ID [COMMAND [ARG...]]", 1, usize::MAX)
        .foreign_after(2)
        .flags(flags::EXEC)
        .more(
            "The process gets the environment, user, capabilities and limits of the container's own process, \
             but for what the flags say. It is in a paused container only with --ignore-paused.",
        )
        .examples(&[
            ("corten exec -t web sh", "a shell with a terminal"),
            ("corten exec --user 1000:1000 --cwd /srv web ls -l", "another user, another directory"),
            ("corten exec --process process.json --detach web", "the whole process from a file"),
        ]),
    Command::on_container("pause", Group::Inside, "freeze all processes of a container"),
    Command::on_container("resume", Group::Inside, "thaw a paused container"),
    Command::on_container("update", Group::Inside, "change a container's limits")
        .flags(flags::UPDATE)
        .examples(&[(
            "corten update --memory 512M --pids-limit 100 web",
            "new limits for memory and processes",
        )]),
    Command::on_container("mounts", Group::Inside, "add mounts to a container that runs, or remove them")
        .words("add|remove ID FILE", 3, 3)
        .more(
            "FILE, or - for standard input, is a list of mounts as config.json has it, or a document with a \
             property `mounts`. Bind mounts and tmpfs can be added, all of them or none. To remove one, only \
             its destination counts. Mounts that are added are gone with the container.",
        )
        .examples(&[
            ("corten mounts add web mounts.json", "mount what the file lists, without a restart"),
            (
                r#"echo '[{"destination": "/data"}]' | corten mounts remove web -"#,
                "unmount what is at the container's /data",
            ),
        ]),
    Command::on_container(
        "events",
        Group::Inside,
        "statistics and out-of-memory events, one JSON object a line",
    )
    .words("[ID]", 0, 1)
    .flags(flags::EVENTS)
    .more("An ID is needed but with --follow, which without one shows all containers.")
    .examples(&[
        ("corten events --stats web", "the statistics as they are now"),
        ("corten events --follow", "what all containers use, as a table that is drawn anew each second"),
    ]),
    Command::plain("list", Group::Look, "the containers beneath --root")
        .flags(flags::LIST)
        .examples(&[("corten list --format json", "for a program to read")]),
    Command::on_container("state", Group::Look, "a container's state as JSON"),
    Command::on_container("ps", Group::Look, "the processes of a container")
        .words("ID [PS-OPTION...]", 1, usize::MAX)
        .foreign_after(1)
        .flags(flags::PS)
        .more("The table is that of the host's ps, by default of `ps -ef`.")
        .examples(&[("corten ps web -o pid,rss,args", "columns of your choice")]),
    Command::plain("features", Group::Look, "what this runtime implements, as JSON"),
    Command::on_container("checkpoint", Group::Checkpoint, "save a running container by CRIU")
        .flags(flags::CHECKPOINT)
        .more(
            "The container ends and is removed, but for --leave-running and --pre-dump. What is in its network \
             namespace is not saved. Options in /etc/criu/corten.conf, or the file that the annotation \
             org.criu.config names, come before those of the command line.",
        )
        .examples(&[
            ("corten checkpoint --image-path /srv/image web", "save it and end it"),
            ("corten checkpoint --pre-dump --image-path /srv/1 web", "save its memory ahead"),
            (
                "corten checkpoint --parent-path ../1 --image-path /srv/2 web",
                "and then only what has changed",
            ),
        ]),
    Command::on_container("restore", Group::Checkpoint, "go on from a checkpoint")
        .flags(flags::RESTORE)
        .more(
            "The bundle is that of the checkpoint, or one like it: sources of bind mounts and paths of namespaces \
             are taken from its config.json. It takes the flags that the checkpoint was given.",
        )
        .examples(&[(
            "corten restore --detach --bundle /srv/web --image-path /srv/image web",
            "leave it running",
        )]),
    Command::plain("spec", Group::Prepare, "write a config.json to start from")
        .flags(flags::SPEC)
        .more("An existing config.json is never overwritten.")
        .examples(&[("corten spec --bundle /srv/web", "write /srv/web/config.json")]),
    Command::plain("plan", Group::Prepare, "show what `run` would do for this bundle, without doing it")
        .words("[ID]", 0, 1)
        .flags(flags::PLAN)
        .examples(&[("corten plan --bundle /srv/web", "each step, and the property that asks for it")]),
    Command::plain("check", Group::Prepare, "what this host can do for containers, and what it lacks"),
    Command::plain("help", Group::Prepare, "help about a command").words("[COMMAND]", 0, 1),
];
