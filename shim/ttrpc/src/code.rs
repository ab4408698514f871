/// A status code of gRPC, which ttrpc shares.
///
/// containerd turns a code back into its own error ("not found", "already exists"), so that a wrong code changes what
/// the daemon does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum Code {
    /// No error.
    Ok = 0,
    /// The call was given up by its caller.
    Cancelled = 1,
    /// Any error without a code of its own; only the text tells.
    Unknown = 2,
    /// An argument that is wrong in every state.
    InvalidArgument = 3,
    /// The call's time was up.
    DeadlineExceeded = 4,
    /// What was asked for is not there.
    NotFound = 5,
    /// What was to be made is there already.
    AlreadyExists = 6,
    /// The caller may not do this.
    PermissionDenied = 7,
    /// Something is used up.
    ResourceExhausted = 8,
    /// The state does not allow the call.
    FailedPrecondition = 9,
    /// The call was cut short.
    Aborted = 10,
    /// A value beyond its range.
    OutOfRange = 11,
    /// The server has no such service or method.
    Unimplemented = 12,
    /// A fault of the server.
    Internal = 13,
    /// The server cannot answer now.
    Unavailable = 14,
    /// Data is lost.
    DataLoss = 15,
    /// The caller is not known.
    Unauthenticated = 16,
}

impl Code {
    /// The code of a number that came over the wire; a number that gRPC does not know is [`Code::Unknown`].
    #[must_use]
    pub fn from_number(number: i32) -> Self {
        match number {
            0 => Self::Ok,
            1 => Self::Cancelled,
            3 => Self::InvalidArgument,
            4 => Self::DeadlineExceeded,
            5 => Self::NotFound,
            6 => Self::AlreadyExists,
            7 => Self::PermissionDenied,
            8 => Self::ResourceExhausted,
            9 => Self::FailedPrecondition,
            10 => Self::Aborted,
            11 => Self::OutOfRange,
            12 => Self::Unimplemented,
            13 => Self::Internal,
            14 => Self::Unavailable,
            15 => Self::DataLoss,
            16 => Self::Unauthenticated,
            _ => Self::Unknown,
        }
    }
}
