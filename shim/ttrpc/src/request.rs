use crate::Code;

/// A name with a value, beside a request: the namespace (`containerd-namespace-ttrpc`) travels so.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct KeyValue {
    /// The name.
    #[prost(string, tag = "1")]
    pub key: String,
    /// The value.
    #[prost(string, tag = "2")]
    pub value: String,
}

/// A call.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Request {
    /// The service: `containerd.task.v2.Task`.
    #[prost(string, tag = "1")]
    pub service: String,
    /// The method: `Create`.
    #[prost(string, tag = "2")]
    pub method: String,
    /// The method's own message, encoded.
    #[prost(bytes = "vec", tag = "3")]
    pub payload: Vec<u8>,
    /// How long the caller waits for the answer, in nanoseconds; 0 for ever.
    #[prost(int64, tag = "4")]
    pub timeout_nano: i64,
    /// What travels beside the call.
    #[prost(message, repeated, tag = "5")]
    pub metadata: Vec<KeyValue>,
}

/// The answer to a call.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Response {
    /// How it went; absent or of code 0 when well.
    #[prost(message, optional, tag = "1")]
    pub status: Option<Status>,
    /// The method's own answer, encoded.
    #[prost(bytes = "vec", tag = "2")]
    pub payload: Vec<u8>,
}

/// How a call went: `google.rpc.Status`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Status {
    /// The code's number.
    #[prost(int32, tag = "1")]
    pub code: i32,
    /// What happened, in words.
    #[prost(string, tag = "2")]
    pub message: String,
    /// More about it, by type.
    #[prost(message, repeated, tag = "3")]
    pub details: Vec<crate::types::Any>,
}

impl Response {
    /// An answer that went well.
    #[must_use]
    pub fn ok(payload: Vec<u8>) -> Self {
        Self { status: None, payload }
    }

    /// An answer that tells of an error.
    #[must_use]
    pub fn error(code: Code, message: impl Into<String>) -> Self {
        let status = Status { code: code as i32, message: message.into(), details: Vec::new() };
        Self { status: Some(status), payload: Vec::new() }
    }

    /// The payload, or the code and the text of the error.
    ///
    /// # Errors
    /// The answer tells of one.
    pub fn into_result(self) -> Result<Vec<u8>, (Code, String)> {
        match self.status {
            Some(status) if status.code != Code::Ok as i32 => {
                Err((Code::from_number(status.code), status.message))
            }
            _ => Ok(self.payload),
        }
    }
}
