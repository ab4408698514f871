//! The codec, against bytes as others write them and against bytes that nobody should; and a conversation over a real socket.

use super::{message::FIXED, value::Reader, *};
use proptest::prelude::*;
use std::{
    io::{Read, Write},
    os::unix::net::{UnixListener, UnixStream},
    path::PathBuf,
    thread::{self, JoinHandle},
};

const METHOD: Method = Method { destination: "a.b", path: "/c", interface: "d.e", member: "F" };

fn written(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    value.write(&mut bytes);
    bytes
}

fn read(signature: &str, bytes: &[u8], big_endian: bool) -> Result<Value, Malformed> {
    let mut reader = Reader::new(bytes, 0, big_endian);
    let value = reader.value(signature, DEPTH)?;
    if reader.at() == bytes.len() { Ok(value) } else { Err(Malformed) }
}

#[test]
fn values_lie_at_multiples_of_their_alignment() {
    let text = |text: &str| Value::text(text);
    let table: [(Value, &[u8]); 12] = [
        (Value::Byte(7), &[7]),
        (Value::Bool(true), &[1, 0, 0, 0]),
        (Value::U16(0x0102), &[2, 1]),
        (Value::I32(-2), &[0xfe, 0xff, 0xff, 0xff]),
        (Value::U64(0x0102_0304_0506_0708), &[8, 7, 6, 5, 4, 3, 2, 1]),
        (text("ab"), &[2, 0, 0, 0, b'a', b'b', 0]),
        (Value::Signature("as".to_owned()), &[2, b'a', b's', 0]),
        (Value::array("u", []), &[0, 0, 0, 0]),
        // The padding before the first element is there without any too, and does not count.
        (Value::array("t", []), &[0, 0, 0, 0, 0, 0, 0, 0]),
        (Value::array("t", [Value::U64(1)]), &[8, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]),
        (Value::Variant(Box::new(Value::U32(5))), &[1, b'u', 0, 0, 5, 0, 0, 0]),
        (Value::Struct(vec![Value::Byte(1), Value::I16(2), text("")]), &[1, 0, 2, 0, 0, 0, 0, 0, 0]),
    ];
    for (value, bytes) in table {
        assert_eq!(written(&value), bytes, "{value:?}");
        assert_eq!(read(&value.signature(), bytes, false), Ok(value));
    }
}

#[test]
fn the_other_byte_order_is_read() {
    assert_eq!(read("u", &[0, 0, 1, 2], true), Ok(Value::U32(258)));
    assert_eq!(read("n", &[0xff, 0xfe], true), Ok(Value::I16(-2)));
    assert_eq!(read("s", &[0, 0, 0, 1, b'x', 0], true), Ok(Value::text("x")));
    assert_eq!(read("ay", &[0, 0, 0, 2, 1, 2], true), Ok(Value::bytes([1, 2])));
}

#[test]
fn malformed_values_are_refused() {
    let table: [(&str, &[u8]); 14] = [
        ("u", &[1, 2, 3]),
        ("b", &[2, 0, 0, 0]),
        ("s", &[5, 0, 0, 0, b'a', 0]),
        ("s", &[1, 0, 0, 0, b'a', b'b']),
        ("s", &[1, 0, 0, 0, 0, 0]),
        ("s", &[1, 0, 0, 0, 0xff, 0]),
        ("s", &[0xff, 0xff, 0xff, 0xff, b'a', 0]),
        ("ay", &[0xff, 0xff, 0xff, 0xff, 1]),
        ("ay", &[2, 0, 0, 0, 1]),
        ("au", &[3, 0, 0, 0, 1, 2, 3, 4]),
        ("v", &[2, b'u', b'u', 0, 1, 0, 0, 0]),
        ("v", &[1, b'z', 0, 0]),
        ("v", &[0, 0]),
        ("g", &[1, b'u', 1]),
    ];
    for (signature, bytes) in table {
        assert_eq!(read(signature, bytes, false), Err(Malformed), "{signature} {bytes:?}");
    }
    // Variants in variants without an end.
    let deep: Vec<u8> = [1, b'v', 0].repeat(1000);
    assert_eq!(read("v", &deep, false), Err(Malformed));
}

#[test]
fn signatures_are_split_into_complete_types() {
    let table: [(&str, Option<&[&str]>); 16] = [
        ("", Some(&[])),
        ("su", Some(&["s", "u"])),
        ("a(sv)a(sa(sv))", Some(&["a(sv)", "a(sa(sv))"])),
        ("a{sv}y", Some(&["a{sv}", "y"])),
        ("aaay", Some(&["aaay"])),
        ("((y))", Some(&["((y))"])),
        ("a", None),
        ("(", None),
        ("()", None),
        ("(s", None),
        ("s)", None),
        ("{sv}", None),
        ("a{vs}", None),
        ("a{s}", None),
        ("a{svv}", None),
        ("z", None),
    ];
    for (signature, types) in table {
        assert_eq!(split(signature).ok().as_deref(), types, "{signature}");
    }
    assert_eq!(split(&"a".repeat(100)), Err(Malformed));
    assert_eq!(split(&"y".repeat(256)), Err(Malformed));
}

#[test]
fn addresses_are_read() {
    let file = |path: &str| Address::File(PathBuf::from(path));
    let table: [(&str, Vec<Address>); 7] = [
        ("unix:path=/run/user/7/bus", vec![file("/run/user/7/bus")]),
        ("unix:path=/a%20b%3b,guid=00ff", vec![file("/a b;")]),
        ("tcp:host=x;unix:guid=1,abstract=/tmp/x", vec![Address::Abstract(b"/tmp/x".to_vec())]),
        ("unix:path=/a;unix:path=/b", vec![file("/a"), file("/b")]),
        ("unix:path=/a%", vec![]),
        ("unix:path=%+1", vec![]),
        ("", vec![]),
    ];
    for (text, addresses) in table {
        assert_eq!(Address::list(text.as_bytes()), addresses, "{text}");
    }
}

#[test]
fn a_huge_message_is_refused_by_its_first_bytes() {
    let mut fixed = [0; FIXED];
    fixed[0] = b'l';
    assert_eq!(Message::length(&fixed), Ok(FIXED));
    for at in [4, 12] {
        let mut huge = fixed;
        huge[at..at + 4].copy_from_slice(&[0, 0, 0, 8]);
        assert_eq!(Message::length(&huge), Err(Malformed));
        huge[at..at + 4].copy_from_slice(&[0xff; 4]);
        assert_eq!(Message::length(&huge), Err(Malformed));
    }
    fixed[0] = b'x';
    assert_eq!(Message::length(&fixed), Err(Malformed));
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<u8>().prop_map(Value::Byte),
        any::<bool>().prop_map(Value::Bool),
        any::<i16>().prop_map(Value::I16),
        any::<u16>().prop_map(Value::U16),
        any::<i32>().prop_map(Value::I32),
        any::<u32>().prop_map(Value::U32),
        any::<i64>().prop_map(Value::I64),
        any::<u64>().prop_map(Value::U64),
        (-1e9..1e9).prop_map(Value::Double),
        "[^\0]{0,20}".prop_map(Value::Text),
        Just(Value::Path("/a/b".to_owned())),
        Just(Value::Signature("a{sv}".to_owned())),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            inner.clone().prop_map(|value| Value::Variant(Box::new(value))),
            prop::collection::vec(inner.clone(), 1..5).prop_map(Value::Struct),
            (inner.clone(), 0_usize..4)
                .prop_map(|(value, count)| Value::Array(value.signature(), vec![value; count])),
            (any::<u8>(), inner).prop_map(|(key, value)| {
                let entry = Value::Entry(Box::new((Value::Byte(key), value)));
                Value::array(&entry.signature(), [entry.clone()])
            }),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(value in any_value()) {
        prop_assume!(value.signature().len() < 250);
        prop_assert_eq!(read(&value.signature(), &written(&value), false), Ok(value.clone()));
        let message = message::call(METHOD, 9, &[Value::Byte(1), value.clone()]);
        let length = Message::length(message.first_chunk().unwrap()).unwrap();
        prop_assert_eq!(length, message.len());
        let message = Message::read(&message).unwrap();
        prop_assert_eq!(message.values(), Ok(vec![Value::Byte(1), value]));
    }

    #[test]
    fn no_bytes_make_it_panic(signature in "[a(){}sybnqiuxtdogvh]{0,12}", bytes: Vec<u8>, big: bool) {
        let _ = split(&signature);
        let _ = Reader::new(&bytes, 0, big).values(&signature, DEPTH);
        let _ = Message::read(&bytes).and_then(|message| message.values());
    }

    #[test]
    fn a_changed_message_is_refused_or_read(at in 0_usize..200, byte: u8) {
        let arguments = [Value::text("x"), Value::array("(sv)", [Value::Struct(vec![
            Value::text("y"), Value::Variant(Box::new(Value::bytes([1, 2, 3])))])])];
        let mut message = message::call(METHOD, 1, &arguments);
        let length = message.len();
        message[at % length] = byte;
        let _ = Message::read(&message).and_then(|message| message.values());
    }
}

/// A service that answers the greeting with `lines`, and to the first call with `bytes`; gives what it heard.
fn service(name: &str, lines: &'static str, bytes: Vec<u8>) -> (Address, JoinHandle<Vec<u8>>) {
    let path = std::env::temp_dir().join(format!("corten-dbus-{}-{name}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path).unwrap();
    let address = Address::File(path.clone());
    let serve = move || {
        let (mut socket, _) = listener.accept().unwrap();
        std::fs::remove_file(path).unwrap();
        let mut heard = vec![0; b"\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n".len()];
        socket.read_exact(&mut heard).unwrap();
        socket.write_all(lines.as_bytes()).unwrap();
        let mut call = [0; 4096];
        let count = socket.read(&mut call).unwrap_or(0);
        // In pieces, as a stream may be.
        bytes.chunks(7).try_for_each(|part| write_slowly(&mut socket, part)).ok();
        let _ = socket.read(&mut [0]);
        call[..count].to_vec()
    };
    (address, thread::spawn(serve))
}

fn write_slowly(socket: &mut UnixStream, part: &[u8]) -> io::Result<()> {
    socket.write_all(part)?;
    thread::sleep(Duration::from_micros(100));
    Ok(())
}

/// An answer or a signal: a call's message, its type and fields put right.
fn message_of(kind: u8, fields: &[(u8, Value)], body: &[Value]) -> Vec<u8> {
    let signature: String = body.iter().map(Value::signature).collect();
    let signature = (8, Value::Signature(signature));
    let fields = fields.iter().chain([&signature]).map(|(code, value)| {
        Value::Struct(vec![Value::Byte(*code), Value::Variant(Box::new(value.clone()))])
    });
    let mut whole = vec![b'l', kind, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0];
    Value::array("(yv)", fields).write(&mut whole);
    value::pad(&mut whole, 8);
    let begin = whole.len();
    body.iter().for_each(|value| value.write(&mut whole));
    let length = value::length(whole.len() - begin).to_le_bytes();
    whole[4..8].copy_from_slice(&length);
    whole
}

const TIME: Duration = Duration::from_secs(20);

#[test]
fn a_call_is_answered_whatever_comes_in_between() {
    let other = message_of(SIGNAL, &[(3, Value::text("Other"))], &[Value::U32(1)]);
    let wanted = message_of(SIGNAL, &[(3, Value::text("Wanted"))], &[Value::U32(2)]);
    let strange = message_of(RETURN, &[(5, Value::U32(77))], &[]);
    let answer = message_of(RETURN, &[(5, Value::U32(1))], &[Value::text("yes")]);
    let all = [other, wanted.clone(), strange, answer, wanted].concat();
    let (address, service) = service("answer", "DATA\r\nOK 0123\r\n", all);
    let mut connection = Connection::open(&address, TIME, "Wanted").unwrap();
    assert_eq!(connection.call(METHOD, &[Value::text("x")]).unwrap(), [Value::text("yes")]);
    assert_eq!(connection.signal().unwrap(), [Value::U32(2)]);
    assert_eq!(connection.signal().unwrap(), [Value::U32(2)]);
    drop(connection);
    let heard = Message::read(&service.join().unwrap()).unwrap();
    assert_eq!((heard.interface.as_str(), heard.member.as_str()), ("d.e", "F"));
    assert_eq!(heard.values(), Ok(vec![Value::text("x")]));
}

#[test]
fn an_error_is_told_with_its_name() {
    let fields = [(5, Value::U32(1)), (4, Value::text("a.b.Nope"))];
    let error = message_of(ERROR, &fields, &[Value::text("It is so.")]);
    let (address, service) = service("error", "OK 0\r\nOK 0\r\n", error);
    let mut connection = Connection::open(&address, TIME, "").unwrap();
    match connection.call(METHOD, &[]).unwrap_err() {
        Failure::Answer { name, words } => {
            assert_eq!((name.as_str(), words.as_str()), ("a.b.Nope", "It is so."));
        }
        other => panic!("{other:?}"),
    }
    drop(connection);
    service.join().unwrap();
}

#[test]
fn a_service_that_does_not_answer_well_is_an_error() {
    let answer = |bytes: Vec<u8>, lines, name| {
        let (address, service) = service(name, lines, bytes);
        let time = Duration::from_millis(300);
        let failure = Connection::open(&address, time, "").and_then(|mut bus| bus.call(METHOD, &[]));
        let failure = failure.unwrap_err();
        service.join().unwrap();
        failure
    };
    const OK: &str = "DATA\r\nOK 0\r\n";
    assert!(matches!(answer(Vec::new(), OK, "silent"), Failure::Late));
    assert!(matches!(answer(vec![0; 64], OK, "zeros"), Failure::Malformed));
    let mut huge = message_of(RETURN, &[(5, Value::U32(1))], &[]);
    huge[4..8].copy_from_slice(&[0, 0, 0, 64]);
    assert!(matches!(answer(huge, OK, "huge"), Failure::Malformed));
    assert!(matches!(answer(Vec::new(), "REJECTED EXTERNAL\r\n", "rejected"), Failure::Rejected(_)));
    assert!(matches!(answer(Vec::new(), "", "mute"), Failure::Late));
    let long: &'static str = Box::leak("x".repeat(6000).into_boxed_str());
    assert!(matches!(answer(Vec::new(), long, "long"), Failure::Malformed));
}

#[test]
fn nobody_there_is_the_kernels_answer() {
    let address = Address::File("/no/such/socket".into());
    match Connection::open(&address, TIME, "").err().unwrap() {
        Failure::Io(error) => assert_eq!(error.raw_os_error(), Some(libc::ENOENT)),
        other => panic!("{other:?}"),
    }
}
