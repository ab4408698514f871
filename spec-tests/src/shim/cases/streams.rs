//! Standard streams: FIFOs, files, logging programs, terminals.

use crate::{
    harness::{Suite, Verdict, check, check_eq, fail, parse, within},
    shim::{
        fifo::{self, Output},
        messages::{CloseIoRequest, CreateTaskRequest, Empty, ResizePtyRequest, WaitResponse},
        probe::{Probe, State, Task, probe},
    },
};
use std::{fs, io::Write, os::unix::fs::PermissionsExt, thread, time::Duration};

pub(super) fn add(suite: &mut Suite) {
    let mut group = suite.group("streams", "streams");
    group.must("fifos", "FIFOs", probe(fifos));
    group.must("stdin-of-many-writers", "stdin is open until CloseIO", probe(many_writers));
    group.must("reader-comes-back", "FIFOs whose reader goes and comes", probe(reader_returns));
    group.must("much", "FIFOs with a MiB", probe(much));
    group.must("no-container-descriptor", "a FIFO is never the container's own", probe(not_passed_on));
    group.must("closed-after-delete", "Delete", probe(closed));
    group.must("stdout-alone", "stdout without stderr", probe(stdout_alone));
    group.must("no-such-fifo", "a FIFO that is not there", probe(no_such_fifo));
    group.must("file", "file://", probe(file));
    group.must("binary", "binary://", probe(binary));
    group.must("binary-that-fails", "binary:// that ends at once", probe(bad_binary));
    group.must("terminal", "terminal", probe(terminal));
    group.must("terminal-input", "terminal", probe(terminal_input));
    group.must("exec-fifos", "FIFOs of an exec process", probe(exec_fifos));
    group.must("exec-terminal", "terminal of an exec process", probe(exec_terminal));
}

/// The three FIFOs of a process, those of which the daemon holds its ends.
struct Pipes {
    stdin: String,
    out: Output,
    err: Output,
}

impl Pipes {
    fn new(probe: &Probe) -> Verdict<Self> {
        let dir = probe.test.dir().join(format!("fifos{}", probe.test.next()));
        fs::create_dir_all(&dir)?;
        let stdin = fifo::input(&dir, "in")?;
        Ok(Self { stdin, out: Output::new(dir.join("out"))?, err: Output::new(dir.join("err"))? })
    }

    fn request(&self, task: &Task) -> CreateTaskRequest {
        let (stdin, stdout, stderr) = (self.stdin.clone(), self.out.name(), self.err.name());
        CreateTaskRequest { stdin, stdout, stderr, ..task.create_request() }
    }
}

/// A task with FIFOs that runs the payload with these arguments.
fn piped<'p, 't>(probe: &'p Probe<'t>, arguments: &[&str]) -> Verdict<(Task<'p, 't>, Pipes)> {
    let mut bundle = probe.bundle()?;
    bundle.payload(arguments);
    let task = probe.task_of(bundle)?;
    let pipes = Pipes::new(probe)?;
    task.create_as(&pipes.request(&task))?;
    Ok((task, pipes))
}

fn close_stdin(task: &Task, exec_id: &str) -> Verdict {
    let request = CloseIoRequest { id: task.id.clone(), exec_id: exec_id.to_owned(), stdin: true };
    task.client.call::<Empty>("CloseIO", &request).map(drop)
}

fn fifos(probe: &Probe) -> Verdict {
    let (task, pipes) = piped(probe, &["echo"])?;
    task.start()?;
    fifo::write_end(&pipes.stdin)?.write_all(b"steel")?;
    close_stdin(&task, "")?;
    check_eq!(task.wait()?, 0, "the exit status");
    pipes.out.says("steel")?;
    check_eq!(pipes.err.text(), "", "standard error");
    let mut bundle = probe.bundle()?;
    bundle.payload(&["fail", "3"]);
    let task = probe.task_of(bundle)?;
    let pipes = Pipes::new(probe)?;
    task.create_as(&pipes.request(&task))?;
    task.start()?;
    check_eq!(task.wait()?, 3, "the exit status");
    pipes.err.says("the payload fails as it was told")?;
    check_eq!(pipes.out.text(), "", "standard output");
    Ok(())
}

fn many_writers(probe: &Probe) -> Verdict {
    let (task, pipes) = piped(probe, &["echo"])?;
    task.start()?;
    for word in ["one ", "two ", "three"] {
        fifo::write_end(&pipes.stdin)?.write_all(word.as_bytes())?;
        thread::sleep(Duration::from_millis(20));
    }
    task.is(crate::shim::messages::status::RUNNING)?;
    close_stdin(&task, "")?;
    task.wait()?;
    pipes.out.says("one two three")
}

fn reader_returns(probe: &Probe) -> Verdict {
    let (task, pipes) = piped(probe, &["trap"])?;
    task.start()?;
    pipes.out.says("ready")?;
    let path = pipes.out.path.clone();
    drop(pipes.out);
    task.kill(10)?;
    task.kill(1)?;
    thread::sleep(Duration::from_millis(50));
    task.is(crate::shim::messages::status::RUNNING)?;
    let again = Output::new(path)?;
    again.says("SIGUSR1")?;
    task.kill(28)?;
    again.says("SIGWINCH")
}

fn much(probe: &Probe) -> Verdict {
    let (task, pipes) = piped(probe, &["echo"])?;
    task.start()?;
    let text: Vec<u8> = (0..1u32 << 18).flat_map(u32::to_le_bytes).collect();
    let mut stdin = fifo::write_end(&pipes.stdin)?;
    let input = text.clone();
    let writer = thread::spawn(move || stdin.write_all(&input));
    check!(writer.join().is_ok_and(|done| done.is_ok()), "standard input could not be written");
    close_stdin(&task, "")?;
    let got =
        within(Duration::from_secs(10), || Some(pipes.out.bytes()).filter(|got| got.len() >= text.len()));
    check!(got.is_some_and(|got| got == text), "{} of {} bytes came", pipes.out.bytes().len(), text.len());
    check_eq!(task.wait()?, 0, "the exit status");
    Ok(())
}

fn not_passed_on(probe: &Probe) -> Verdict {
    let (task, pipes) = piped(probe, &["wait"])?;
    let pid = task.start()?;
    for fd in 0..3 {
        let link = fs::read_link(format!("/proc/{pid}/fd/{fd}"))?;
        check!(link.to_string_lossy().starts_with("pipe:"), "descriptor {fd} is {}", link.display());
    }
    pipes.out.says("ready")
}

fn closed(probe: &Probe) -> Verdict {
    let (task, pipes) = piped(probe, &["wait"])?;
    task.start()?;
    task.stop()?;
    task.delete()?;
    check!(pipes.out.is_closed() && pipes.err.is_closed(), "the shim holds the FIFOs after Delete");
    Ok(())
}

fn stdout_alone(probe: &Probe) -> Verdict {
    let mut bundle = probe.bundle()?;
    bundle.payload(&["wait"]);
    let task = probe.task_of(bundle)?;
    let out = Output::new(probe.test.dir().join("out"))?;
    task.create_as(&CreateTaskRequest { stdout: out.name(), ..task.create_request() })?;
    task.start()?;
    out.says("ready")
}

fn no_such_fifo(probe: &Probe) -> Verdict {
    let task = probe.task()?;
    let stdout = probe.test.dir().join("no/such/fifo").to_string_lossy().into_owned();
    let request = CreateTaskRequest { stdout: stdout.clone(), stderr: stdout, ..task.create_request() };
    if task.client.ask::<Empty>("Create", &request)?.is_ok() {
        return fail("a FIFO that is not there was taken");
    }
    task.bring(State::Running)
}

fn file(probe: &Probe) -> Verdict {
    let mut bundle = probe.bundle()?;
    bundle.payload(&["wait"]);
    let task = probe.task_of(bundle)?;
    let path = probe.test.dir().join("logs/out.log");
    fs::create_dir_all(probe.test.dir().join("logs"))?;
    fs::write(&path, "before\n")?;
    let uri = format!("file://{}", path.display());
    task.create_as(&CreateTaskRequest { stdout: uri.clone(), stderr: uri, ..task.create_request() })?;
    task.start()?;
    let text = || fs::read_to_string(&path).unwrap_or_default();
    let came = within(Duration::from_secs(5), || (text() == "before\nready\n").then_some(()));
    check!(came.is_some(), "the file holds {:?}", text());
    Ok(())
}

fn binary(probe: &Probe) -> Verdict {
    let mut bundle = probe.bundle()?;
    bundle.payload(&["fail", "6"]);
    let task = probe.task_of(bundle)?;
    let (dir, program) = (probe.test.dir(), probe.test.dir().join("logger"));
    let at = dir.display();
    let script = format!(
        "#!/bin/sh\necho \"$CONTAINER_ID $CONTAINER_NAMESPACE $*\" >{at}/told\nexec 5>&-\ncat <&3 >{at}/logged.out &\n\
         cat <&4 >{at}/logged.err\nwait\n"
    );
    fs::write(&program, script)?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    let uri = format!("binary://{}?key=value", program.display());
    task.create_as(&CreateTaskRequest { stdout: uri.clone(), stderr: uri, ..task.create_request() })?;
    task.start()?;
    check_eq!(task.wait()?, 6, "the exit status");
    let told = format!("{} {} key value\n", task.id, crate::shim::daemon::NAMESPACE);
    let seen = || fs::read_to_string(dir.join("told")).unwrap_or_default();
    let came = within(Duration::from_secs(5), || (seen() == told).then_some(()));
    check!(came.is_some(), "the program was told {:?}, not {told:?}", seen());
    let logged = || fs::read_to_string(dir.join("logged.err")).unwrap_or_default();
    let came =
        within(Duration::from_secs(5), || (logged() == "the payload fails as it was told\n").then_some(()));
    check!(came.is_some(), "the program logged {:?}", logged());
    task.delete().map(drop)
}

fn bad_binary(probe: &Probe) -> Verdict {
    let mut bundle = probe.bundle()?;
    // It writes nothing, or it would end by SIGPIPE.
    bundle.payload(&["hang"]);
    let task = probe.task_of(bundle)?;
    let uri = "binary:///bin/false".to_owned();
    let request = CreateTaskRequest { stdout: uri.clone(), stderr: uri, ..task.create_request() };
    // Nobody says whether that is an error; the container must not hang by it.
    if task.client.ask::<Empty>("Create", &request)?.is_err() {
        return task.bring(State::Running);
    }
    task.start()?;
    check_eq!(task.stop()?, 137, "the exit status");
    Ok(())
}

/// A task at a terminal that runs the payload with these arguments.
fn at_terminal<'p, 't>(probe: &'p Probe<'t>, arguments: &[&str]) -> Verdict<(Task<'p, 't>, Pipes)> {
    let mut bundle = probe.bundle()?;
    bundle.payload(arguments);
    bundle.config["process"]["terminal"] = true.into();
    let task = probe.task_of(bundle)?;
    let pipes = Pipes::new(probe)?;
    let request = CreateTaskRequest { terminal: true, stderr: String::new(), ..pipes.request(&task) };
    task.create_as(&request)?;
    Ok((task, pipes))
}

fn terminal(probe: &Probe) -> Verdict {
    let (task, pipes) = at_terminal(probe, &["report"])?;
    let resize = ResizePtyRequest { id: task.id.clone(), exec_id: String::new(), width: 97, height: 31 };
    task.client.call::<Empty>("ResizePty", &resize)?;
    task.start()?;
    check_eq!(task.wait()?, 0, "the exit status");
    pipes.out.says("}\r\n")?;
    let report = parse(&pipes.out.text())?;
    check_eq!(report["terminal"]["stderr"], true, "standard error is a terminal");
    check_eq!(report["terminal"]["controlling"], true, "there is a controlling terminal");
    check_eq!(report["terminal"]["size"], serde_json::json!([97, 31]), "the size");
    Ok(())
}

fn terminal_input(probe: &Probe) -> Verdict {
    let (task, pipes) = at_terminal(probe, &["echo"])?;
    task.start()?;
    // The line's end and the end of input, as a person types them; the terminal echoes what it is given.
    fifo::write_end(&pipes.stdin)?.write_all(b"rust\n\x04")?;
    check_eq!(task.wait()?, 0, "the exit status");
    pipes.out.says("rust\r\nrust\r\n")
}

fn exec_fifos(probe: &Probe) -> Verdict {
    let task = probe.task_in(State::Running)?;
    let pipes = Pipes::new(probe)?;
    let mut request = task.exec_request("e1", &["echo"]);
    (request.stdin, request.stdout, request.stderr) =
        (pipes.stdin.clone(), pipes.out.name(), pipes.err.name());
    task.client.call::<Empty>("Exec", &request)?;
    task.start_exec("e1")?;
    fifo::write_end(&pipes.stdin)?.write_all(b"weathering")?;
    close_stdin(&task, "e1")?;
    let told: WaitResponse = task.client.call("Wait", &task.exec("e1"))?;
    check_eq!(told.exit_status, 0, "the exit status");
    pipes.out.says("weathering")?;
    task.client.call::<Empty>("Delete", &task.exec("e1"))?;
    check!(pipes.out.is_closed(), "the shim holds the FIFO after Delete");
    Ok(())
}

fn exec_terminal(probe: &Probe) -> Verdict {
    let task = probe.task_in(State::Running)?;
    let pipes = Pipes::new(probe)?;
    let mut request = task.exec_request("e1", &["wait"]);
    (request.stdin, request.stdout, request.terminal) = (pipes.stdin.clone(), pipes.out.name(), true);
    let process = serde_json::json!({
        "args": ["/bin/payload", "trap"], "cwd": "/", "user": {"uid": 0, "gid": 0}, "terminal": true,
    });
    request.spec = Some(crate::shim::probe::spec("Process", &process));
    task.client.call::<Empty>("Exec", &request)?;
    task.start_exec("e1")?;
    pipes.out.says("ready\r\n")?;
    let resize = ResizePtyRequest { id: task.id.clone(), exec_id: "e1".into(), width: 50, height: 20 };
    task.client.call::<Empty>("ResizePty", &resize)?;
    pipes.out.says("SIGWINCH")?;
    task.client.call::<Empty>("Kill", &task.kill_request("e1", 15))?;
    let told: WaitResponse = task.client.call("Wait", &task.exec("e1"))?;
    check_eq!(told.exit_status, 0, "the exit status");
    Ok(())
}
