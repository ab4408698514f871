use super::*;

fn read(line: &str) -> (Result<Request, Failure>, Given) {
    let mut globals = Given::default();
    (parse(line.split_whitespace().map(OsString::from), &mut globals), globals)
}

fn args(line: &str) -> (Args, Given) {
    match read(line) {
        (Ok(Request::Command(args)), globals) => (args, globals),
        (other, _) => panic!("{line}: {other:?}"),
    }
}

fn complaint(line: &str) -> String {
    match read(line) {
        (Err(failure), _) => failure.to_string(),
        (Ok(other), _) => panic!("{line}: {other:?}"),
    }
}

#[test]
fn flags_stand_before_or_after_the_id() {
    for line in [
        "run --bundle /b --detach --preserve-fds 3 c1",
        "run c1 --bundle /b --detach --preserve-fds 3",
        "run --bundle=/b c1 -d --preserve-fds=3",
        "run -b /b -d c1 --preserve-fds=3",
        "run -db /b c1 --preserve-fds 2 --preserve-fds 3",
        "run --detach=true --keep=false -b=/b --preserve-fds 3 -- c1",
    ] {
        let (args, _) = args(line);
        assert_eq!(args.id().unwrap(), "c1", "{line}");
        assert_eq!(args.flags.path("bundle").unwrap().to_str(), Some("/b"), "{line}");
        assert!(args.flags.is_on("detach") && !args.flags.is_on("keep"), "{line}");
        assert_eq!(args.flags.number::<u32>("preserve-fds").unwrap(), Some(3), "{line}");
    }
}

#[test]
fn what_go_runc_sends_is_understood() {
    for line in [
        "--root /r --debug --log /l --log-format json --systemd-cgroup create --bundle /b --pid-file /p \
         --console-socket /c --pidfd-socket /f --no-pivot --no-new-keyring --preserve-fds 2 c1",
        "--root /r --log /l --log-format json run --detach --no-pivot --no-subreaper --keep --bundle /b c1",
        "--rootless=true exec --process /p.json --console-socket /c --pid-file /p --detach --preserve-fds 1 c1",
        "--root /r kill --all c1 9",
        "--root /r delete --force c1",
        "--root /r update --resources=- c1",
        "events --stats c1",
        "events --interval=5s c1",
        "list --format=json",
        "ps --format json c1",
        "state c1",
        "pause c1",
        "resume c1",
        "checkpoint --image-path /i --work-path /w --parent-path /q --leave-running --tcp-established --ext-unix-sk \
         --shell-job --file-locks --lazy-pages --status-fd 3 --manage-cgroups-mode soft --empty-ns network \
         --pre-dump --page-server a:1 --auto-dedup --link-remap --tcp-skip-in-flight c1",
        "restore --detach --pid-file /p --no-subreaper --no-pivot --bundle /b --image-path /i --work-path /w c1",
    ] {
        let _ = args(line);
    }
    let (args, _) = args("restore --image-path /i --bundle /b --detach -no-subreaper c1");
    assert!(args.flags.is_on("no-subreaper") && args.words == ["c1"]);
    assert!(complaint("restore -no-pivot c1").contains("unknown flag -n"));
    assert!(complaint("restore -n c1").contains("unknown flag -n"));
    assert!(complaint("run -no-subreaper c1").contains("unknown flag -n"));
}

#[test]
fn global_flags_are_taken_on_both_sides_of_the_command() {
    let (args, globals) = args("--root=/r state --debug c1 --log /l");
    assert_eq!(args.id().unwrap(), "c1");
    assert_eq!(globals.path("root").unwrap().to_str(), Some("/r"));
    assert_eq!(globals.path("log").unwrap().to_str(), Some("/l"));
    assert!(globals.is_on("debug"));
}

#[test]
fn a_commands_own_flag_comes_before_the_global_one() {
    let (args, globals) = args("--rootless false spec --rootless");
    assert!(args.flags.is_on("rootless"));
    assert_eq!(globals.text("rootless").unwrap(), Some("false"));
}

#[test]
fn the_flags_of_an_executed_command_are_its_own() {
    for line in ["exec -t c1 ls -l --bogus", "exec c1 -t ls -l --bogus", "exec -t -- c1 ls -l --bogus"] {
        let (args, _) = args(line);
        assert!(args.flags.is_on("tty"), "{line}");
        assert_eq!(args.words, ["c1", "ls", "-l", "--bogus"], "{line}");
    }
    let (args, _) = args("ps c1 -o pid -f");
    assert_eq!(args.words, ["c1", "-o", "pid", "-f"]);
}

#[test]
fn repeated_flags_are_all_kept() {
    let (args, _) = args("exec -e A=1 --env B= -g 1 --additional-gids=2 c1 env");
    assert_eq!(args.flags.texts("env").unwrap(), ["A=1", "B="]);
    assert_eq!(args.flags.texts("additional-gids").unwrap(), ["1", "2"]);
}

#[test]
fn a_value_may_begin_with_a_dash() {
    let (args, _) = args("update --memory-swap -1 --pids-limit=-1 c1");
    assert_eq!(args.flags.read("memory-swap", values::size).unwrap(), Some(-1));
    assert_eq!(args.flags.read("pids-limit", values::signed).unwrap(), Some(-1));
}

#[test]
fn an_empty_path_is_no_path() {
    let (args, _) = args("run --pid-file= c1");
    assert_eq!(args.flags.path("pid-file"), None);
}

#[test]
fn help_and_version_are_asked_for() {
    for line in ["", "--help", "-h", "--root /r --help"] {
        assert!(matches!(read(line).0, Ok(Request::Help(None))), "{line}");
    }
    for line in ["run --help", "run -h", "run c1 --bundle /b -h"] {
        assert!(matches!(read(line).0, Ok(Request::Help(Some(command))) if command.name == "run"), "{line}");
    }
    for line in ["--version", "-v", "--debug --version"] {
        assert!(matches!(read(line).0, Ok(Request::Version)), "{line}");
    }
    let (args, _) = args("exec c1 ls --help");
    assert_eq!(args.words.len(), 3);
}

#[test]
fn complaints_name_what_is_wrong_and_what_was_meant() {
    for (line, words) in [
        ("bogus", "unknown command \"bogus\"; see corten --help"),
        ("crate c1", "unknown command \"crate\"; did you mean \"create\"?; see corten --help"),
        ("--rot /r list", "unknown flag --rot; did you mean --root?; see corten --help"),
        (
            "run --consol-socket /c c1",
            "unknown flag --consol-socket of \"run\"; did you mean --console-socket?; see corten run --help",
        ),
        ("run -x c1", "unknown flag -x of \"run\"; see corten run --help"),
        ("run --bundle", "--bundle needs a value"),
        ("--root", "--root needs a value"),
        ("run --detach=perhaps c1", "invalid value \"perhaps\" for --detach: true or false is wanted"),
        ("state", "\"state\" requires exactly 1 argument(s), ID; 0 given; see corten state --help"),
        ("state a b", "\"state\" requires exactly 1 argument(s), ID; 2 given; see corten state --help"),
        ("kill", "\"kill\" requires 1 to 2 argument(s), ID [SIGNAL]; 0 given; see corten kill --help"),
        ("list x", "\"list\" requires no arguments; 1 given; see corten list --help"),
    ] {
        assert_eq!(complaint(line), words, "{line}");
    }
}

#[test]
fn the_log_is_known_though_a_later_word_is_wrong() {
    let (result, globals) = read("--log /l --log-format json run --bogus c1");
    assert!(result.is_err());
    assert_eq!(globals.path("log").unwrap().to_str(), Some("/l"));
}

#[test]
fn words_that_are_not_utf8_are_refused_where_text_is_wanted() {
    use std::os::unix::ffi::OsStringExt;
    let mut globals = Given::default();
    let words = ["state".into(), OsString::from_vec(vec![0xff])];
    let Ok(Request::Command(args)) = parse(words, &mut globals) else { panic!("it is a command") };
    assert!(args.id().unwrap_err().to_string().contains("not UTF-8"));
}

#[test]
fn the_table_has_no_contradictions() {
    for command in table::COMMANDS {
        assert!(!command.about.ends_with('.'), "{}", command.name);
        for (index, flag) in command.flags.iter().enumerate() {
            let others = &command.flags[index + 1..];
            assert!(others.iter().all(|other| other.long != flag.long), "{} --{}", command.name, flag.long);
            assert!(
                flag.short.is_none() || others.iter().all(|other| other.short != flag.short),
                "{} -{:?}",
                command.name,
                flag.short
            );
        }
    }
}

/// Command lines of words that are there, words that are wrong and bytes that are no text, the same each time: none ends in a
/// panic, and what is refused says why.
#[test]
fn any_words_are_understood_or_refused() {
    use std::os::unix::ffi::OsStringExt;
    let mut state = 4711_u64;
    let mut below = |limit: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % limit
    };
    let flags: Vec<_> =
        table::COMMANDS.iter().flat_map(|command| command.flags).chain(flags::GLOBAL).collect();
    let values = [
        "",
        "1",
        "-1",
        "true",
        "c1",
        "/b",
        "5s",
        "99999999999999999999",
        "json",
        "0:0",
        "1g",
        "=",
        "--",
        "-",
    ];
    for _ in 0..8_000 {
        let mut words = Vec::new();
        for _ in 0..below(7) {
            let word = match below(5) {
                0 => table::COMMANDS[below(table::COMMANDS.len())].name.to_owned(),
                1 => format!("--{}", flags[below(flags.len())].long),
                2 => format!("--{}={}", flags[below(flags.len())].long, values[below(values.len())]),
                3 => format!("-{}", char::from(u8::try_from(33 + below(90)).unwrap())),
                _ => values[below(values.len())].to_owned(),
            };
            let mut bytes = word.into_bytes();
            if below(6) == 0 {
                let at = below(bytes.len() + 1);
                bytes.insert(at, u8::try_from(1 + below(255)).unwrap());
            }
            words.push(OsString::from_vec(bytes));
        }
        let mut globals = Given::default();
        match parse(words.clone(), &mut globals) {
            Ok(Request::Command(args)) => {
                let _ = args.id();
                for flag in args.command.flags {
                    let _ = (args.flags.number::<u32>(flag.long), args.flags.text(flag.long));
                    let _ = args.flags.read(flag.long, values::duration);
                    let _ = args.flags.read(flag.long, values::size);
                    let _ = args.flags.read(flag.long, values::user);
                }
            }
            Ok(_) => {}
            Err(failure) => assert!(!failure.to_string().is_empty(), "{words:?}"),
        }
    }
}
