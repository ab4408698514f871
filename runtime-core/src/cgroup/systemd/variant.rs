//! Values of annotations in GVariant's text form, as runc takes them: `true`, `'text'`, `uint64 5`, `['a', 'b']`,
//! `@a(ss) [('/dev/null', 'rw')]`. docs.gtk.org, "GVariant Text Format".

use super::dbus::{DEPTH, Value, split};

type Parsed<T> = Result<T, String>;

/// The types that have a keyword of their own, and their letters.
const KEYWORDS: [(&str, &str); 13] = [
    ("boolean", "b"),
    ("byte", "y"),
    ("int16", "n"),
    ("uint16", "q"),
    ("int32", "i"),
    ("uint32", "u"),
    ("int64", "x"),
    ("uint64", "t"),
    ("double", "d"),
    ("string", "s"),
    ("objectpath", "o"),
    ("signature", "g"),
    ("handle", "h"),
];

/// Reads a whole text.
pub(super) fn parse(text: &str) -> Parsed<Value> {
    let mut parser = Parser { text, rest: text };
    let value = parser.value(None, DEPTH / 2)?;
    parser.skip_space();
    if parser.rest.is_empty() { Ok(value) } else { Err(parser.wrong("more than one value")) }
}

struct Parser<'a> {
    text: &'a str,
    rest: &'a str,
}

impl<'a> Parser<'a> {
    fn wrong(&self, reason: &str) -> String {
        let at = self.text.len() - self.rest.len();
        format!("{reason} at {:?}", self.text.get(at..).unwrap_or_default())
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    /// Takes `token` if it is next.
    fn takes(&mut self, token: &str) -> bool {
        self.skip_space();
        let after = self.rest.strip_prefix(token);
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }

    /// What is next, up to the first character that cannot be in a number or a word.
    fn word(&mut self) -> &'a str {
        self.skip_space();
        let in_word = |c: char| c.is_ascii_alphanumeric() || "+-._".contains(c);
        let (word, rest) = self.rest.split_at(self.rest.find(|c| !in_word(c)).unwrap_or(self.rest.len()));
        self.rest = rest;
        word
    }

    /// A value, of the type `expected` if that is known.
    fn value(&mut self, expected: Option<&str>, depth: usize) -> Parsed<Value> {
        let depth = depth.checked_sub(1).ok_or_else(|| self.wrong("too deep"))?;
        self.skip_space();
        let before = self.rest;
        let value = match before.chars().next() {
            None => return Err(self.wrong("a value is missing")),
            Some('@') => return self.typed(expected, depth),
            Some('\'' | '"') => self.text(expected)?,
            Some('[') => self.array(expected, depth)?,
            Some('(') => self.tuple(expected, depth)?,
            Some('{') => self.dictionary(expected, depth)?,
            Some('<') => {
                self.takes("<");
                let value = self.value(None, depth)?;
                self.expect(">")?;
                Value::Variant(Box::new(value))
            }
            Some('b') if before[1..].starts_with(['\'', '"']) => {
                self.takes("b");
                let mut bytes = self.quoted(true)?;
                bytes.push(0);
                Value::bytes(bytes)
            }
            Some(_) => match self.word() {
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                word => {
                    if let Some((_, letter)) = KEYWORDS.iter().find(|(keyword, _)| *keyword == word) {
                        return self.of_type(letter, expected, depth);
                    }
                    let number = number(word, expected);
                    number.map_err(|reason| Self { rest: before, ..*self }.wrong(&reason))?
                }
            },
        };
        match expected {
            Some(expected) if value.signature() != expected => {
                Err(Self { rest: before, ..*self }.wrong(&format!("not of type {expected}")))
            }
            _ => Ok(value),
        }
    }

    fn expect(&mut self, token: &str) -> Parsed<()> {
        if self.takes(token) { Ok(()) } else { Err(self.wrong(&format!("{token} is missing"))) }
    }

    /// `@SIGNATURE value`.
    fn typed(&mut self, expected: Option<&str>, depth: usize) -> Parsed<Value> {
        let end = self.rest.find(char::is_whitespace).unwrap_or(self.rest.len());
        let signature = &self.rest[1..end];
        if !split(signature).is_ok_and(|types| types.len() == 1) {
            return Err(self.wrong("no type"));
        }
        self.rest = &self.rest[end..];
        self.of_type(signature, expected, depth)
    }

    fn of_type(&mut self, signature: &str, expected: Option<&str>, depth: usize) -> Parsed<Value> {
        if expected.is_some_and(|expected| expected != signature) {
            return Err(self.wrong(&format!("type {signature} and not {}", expected.unwrap_or_default())));
        }
        if signature.contains('h') {
            return Err(self.wrong("a descriptor cannot be given"));
        }
        self.value(Some(signature), depth)
    }

    fn text(&mut self, expected: Option<&str>) -> Parsed<Value> {
        let bytes = self.quoted(false)?;
        let text = String::from_utf8(bytes).map_err(|_| self.wrong("not UTF-8 before what is"))?;
        match expected {
            Some("o") if is_object_path(&text) => Ok(Value::Path(text)),
            Some("o") => Err(self.wrong("no object's path")),
            Some("g") if split(&text).is_ok() => Ok(Value::Signature(text)),
            Some("g") => Err(self.wrong("no signature")),
            _ => Ok(Value::Text(text)),
        }
    }

    /// What is between two quotes, its escapes undone: `octal` ones too, as in a string of bytes.
    fn quoted(&mut self, octal: bool) -> Parsed<Vec<u8>> {
        let mut characters = self.rest.chars();
        let quote = characters.next();
        let mut bytes = Vec::new();
        loop {
            let next = characters.next().ok_or_else(|| self.wrong("the closing quote is missing"))?;
            let character = match next {
                '\0' => return Err(self.wrong("NUL")),
                next if Some(next) == quote => {
                    self.rest = characters.as_str();
                    return Ok(bytes);
                }
                '\\' => {
                    let escape = characters.next().ok_or_else(|| self.wrong("an escape without an end"))?;
                    let digits = match escape {
                        'u' if !octal => 4,
                        'U' if !octal => 8,
                        '0'..='7' if octal => 3,
                        _ => 0,
                    };
                    if digits == 0 {
                        plain(escape)
                    } else {
                        let from = characters.as_str();
                        let (text, radix) = if octal {
                            (&self.rest[self.rest.len() - from.len() - 1..], 8)
                        } else {
                            (from, 16)
                        };
                        let text = text.get(..digits).filter(|text| !text.starts_with('+'));
                        let code = text.and_then(|text| u32::from_str_radix(text, radix).ok());
                        for _ in usize::from(octal)..digits {
                            characters.next();
                        }
                        let code = code.ok_or_else(|| self.wrong("an escape that is none"))?;
                        if octal {
                            bytes.push(u8::try_from(code).map_err(|_| self.wrong("no byte"))?);
                            continue;
                        }
                        char::from_u32(code)
                            .filter(|c| *c != '\0')
                            .ok_or_else(|| self.wrong("an escape that is no character"))?
                    }
                }
                other => other,
            };
            bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }

    /// The items of a list, each read by `item`, until `close`.
    fn items<T>(&mut self, close: &str, mut item: impl FnMut(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        let mut items = Vec::new();
        while !self.takes(close) {
            if !items.is_empty() {
                self.expect(",")?;
                // A tuple of one value ends with a comma.
                if close == ")" && items.len() == 1 && self.takes(close) {
                    break;
                }
            }
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// The first item says what type all have, if nothing else does.
    fn array(&mut self, expected: Option<&str>, depth: usize) -> Parsed<Value> {
        self.takes("[");
        let mut element = expected.and_then(|expected| expected.strip_prefix('a')).map(str::to_owned);
        let items = self.items("]", |parser| {
            let value = parser.value(element.as_deref(), depth)?;
            element.get_or_insert_with(|| value.signature());
            Ok(value)
        })?;
        let element = element.ok_or_else(|| self.wrong("an empty array needs its type, as @as [],"))?;
        Ok(Value::Array(element, items))
    }

    fn tuple(&mut self, expected: Option<&str>, depth: usize) -> Parsed<Value> {
        self.takes("(");
        let inner = expected.and_then(|expected| expected.strip_prefix('(')?.strip_suffix(')'));
        let types = inner.and_then(|inner| split(inner).ok());
        let mut at = 0;
        let fields = self.items(")", |parser| {
            let expected = types.as_ref().and_then(|types| types.get(at).copied());
            at += 1;
            parser.value(expected, depth)
        })?;
        if fields.is_empty() { Err(self.wrong("an empty tuple")) } else { Ok(Value::Struct(fields)) }
    }

    fn dictionary(&mut self, expected: Option<&str>, depth: usize) -> Parsed<Value> {
        self.takes("{");
        let inner = expected.and_then(|expected| expected.strip_prefix("a{")?.strip_suffix('}'));
        let mut types = inner.map(|inner| {
            let (key, value) = inner.split_at(1);
            (key.to_owned(), value.to_owned())
        });
        let entries = self.items("}", |parser| {
            let key = parser.value(types.as_ref().map(|(key, _)| key.as_str()), depth)?;
            parser.expect(":")?;
            let value = parser.value(types.as_ref().map(|(_, value)| value.as_str()), depth)?;
            types.get_or_insert_with(|| (key.signature(), value.signature()));
            Ok(Value::Entry(Box::new((key, value))))
        })?;
        let (key, value) =
            types.ok_or_else(|| self.wrong("an empty dictionary needs its type, as @a{ss} {},"))?;
        let element = format!("{{{key}{value}}}");
        if !split(&format!("a{element}")).is_ok_and(|types| types.len() == 1) {
            return Err(self.wrong("a key must be a number or a text"));
        }
        Ok(Value::Array(element, entries))
    }
}

fn plain(escape: char) -> char {
    match escape {
        'a' => '\x07',
        'b' => '\x08',
        'f' => '\x0c',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\x0b',
        other => other,
    }
}

fn is_object_path(text: &str) -> bool {
    let element = |element: &str| {
        !element.is_empty() && element.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    text == "/" || text.strip_prefix('/').is_some_and(|rest| rest.split('/').all(element))
}

/// A number of the type `expected`; else an int32 or, with a point or an exponent, a double.
fn number(word: &str, expected: Option<&str>) -> Parsed<Value> {
    let digits = word.strip_prefix(['-', '+']).unwrap_or(word);
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return Err("no value (a text is put in quotes)".to_owned());
    }
    let hexadecimal = digits.starts_with("0x") || digits.starts_with("0X");
    let floating = !hexadecimal && digits.contains(['.', 'e', 'E']);
    if expected == Some("d") || expected.is_none() && floating {
        let number = word.parse::<f64>().ok().filter(|number| number.is_finite() && !hexadecimal);
        return number.map(Value::Double).ok_or_else(|| "no number".to_owned());
    }
    let radix = if hexadecimal {
        16
    } else if digits.len() > 1 && digits.starts_with('0') {
        8
    } else {
        10
    };
    let digits = if hexadecimal { &digits[2..] } else { digits };
    let whole = Some(digits).filter(|digits| !digits.starts_with(['-', '+']));
    let whole = whole.and_then(|digits| i128::from_str_radix(digits, radix).ok());
    let whole = whole.ok_or_else(|| "no number".to_owned())?;
    let whole = if word.starts_with('-') { -whole } else { whole };
    let value = match expected {
        None | Some("i") => whole.try_into().map(Value::I32),
        Some("y") => whole.try_into().map(Value::Byte),
        Some("n") => whole.try_into().map(Value::I16),
        Some("q") => whole.try_into().map(Value::U16),
        Some("u") => whole.try_into().map(Value::U32),
        Some("x") => whole.try_into().map(Value::I64),
        Some("t") => whole.try_into().map(Value::U64),
        Some(other) => return Err(format!("not of type {other}")),
    };
    value.map_err(|_| format!("out of range for type {}", expected.unwrap_or("i")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_every_type_are_read() {
        let text = |text: &str| Value::text(text);
        let table = [
            ("true", Value::Bool(true)),
            (" false ", Value::Bool(false)),
            ("boolean true", Value::Bool(true)),
            ("'inactive-or-failed'", text("inactive-or-failed")),
            ("\"it's\"", text("it's")),
            ("'a\\'b\\n\\u00e4\\U0001f600'", text("a'b\n\u{e4}\u{1f600}")),
            ("5", Value::I32(5)),
            ("-5", Value::I32(-5)),
            ("0x1f", Value::I32(31)),
            ("017", Value::I32(15)),
            ("1.5", Value::Double(1.5)),
            ("1e3", Value::Double(1000.0)),
            ("double 2", Value::Double(2.0)),
            ("byte 255", Value::Byte(255)),
            ("int16 -7", Value::I16(-7)),
            ("uint16 7", Value::U16(7)),
            ("int32 7", Value::I32(7)),
            ("uint32 4294967295", Value::U32(u32::MAX)),
            ("int64 -9223372036854775808", Value::I64(i64::MIN)),
            ("uint64 18446744073709551615", Value::U64(u64::MAX)),
            ("@t 5", Value::U64(5)),
            ("objectpath '/a/b'", Value::Path("/a/b".to_owned())),
            ("signature 'a{sv}'", Value::Signature("a{sv}".to_owned())),
            ("b'ab\\001'", Value::bytes([b'a', b'b', 1, 0])),
            ("['a', 'b']", Value::array("s", [text("a"), text("b")])),
            ("[uint64 1, 2]", Value::array("t", [Value::U64(1), Value::U64(2)])),
            ("@as []", Value::array("s", [])),
            ("[byte 3]", Value::bytes([3])),
            ("@ay [0x03, 1]", Value::bytes([3, 1])),
            ("('/dev/null', 'rw')", Value::Struct(vec![text("/dev/null"), text("rw")])),
            ("(1,)", Value::Struct(vec![Value::I32(1)])),
            ("@a(st) [('/a', 5)]", Value::array("(st)", [Value::Struct(vec![text("/a"), Value::U64(5)])])),
            ("<5>", Value::Variant(Box::new(Value::I32(5)))),
            (
                "{'a': <true>}",
                Value::array(
                    "{sv}",
                    [Value::Entry(Box::new((text("a"), Value::Variant(Box::new(Value::Bool(true))))))],
                ),
            ),
            ("@a{ss} {}", Value::array("{ss}", [])),
        ];
        for (given, value) in table {
            assert_eq!(parse(given), Ok(value), "{given}");
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        let deep = "[".repeat(200);
        let texts = [
            "",
            " ",
            "yes",
            "tru",
            "'",
            "'a",
            "'a' 'b'",
            "5 6",
            "--5",
            "+-5",
            "0x",
            "08",
            "1.2.3",
            "inf",
            "nan",
            "2147483648",
            "uint64 -1",
            "uint64 18446744073709551616",
            "byte 256",
            "uint32 'a'",
            "uint64 true",
            "uint64",
            "string 5",
            "boolean 1",
            "[]",
            "[1, 'a']",
            "[1",
            "[1,",
            "[1,]",
            "[,]",
            "{",
            "{}",
            "{1}",
            "{1:}",
            "{[1]: 2}",
            "()",
            "(1",
            "@",
            "@z 5",
            "@ss 'a'",
            "@h 1",
            "handle 1",
            "objectpath 'a'",
            "objectpath '/a/'",
            "signature 'z'",
            "<",
            "<5",
            "<>",
            "'\\u00'",
            "'\\ud800'",
            "'\\u0000'",
            "b'\\400'",
            "nothing",
            "just 5",
            "'a\0b'",
            "\u{e4}",
            "'\\u+041'",
            "'\u{e4}\\u\u{e4}\u{e4}'",
            "b'\\0\u{e4}'",
            &deep,
        ];
        for text in texts {
            assert!(parse(text).is_err(), "{text:?}: {:?}", parse(text));
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_makes_it_panic(text in "[@<>{}()\\[\\]'\"\\\\,: a-z0-9.+-]{0,40}|\\PC{0,20}") {
            let _ = parse(&text);
        }
    }
}
