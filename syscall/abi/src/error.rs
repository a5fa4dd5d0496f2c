//! The error codes of the binary interface. A code keeps its number for ever; new ones are added at the end.

macro_rules! errors {
    ($( $(#[doc = $doc:literal])+ $code:literal $name:ident, )+) => {
        /// Why a message was refused or failed. On the wire: a status of minus the code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u32)]
        pub enum Error { $( $(#[doc = $doc])+ $name = $code, )+ }

        impl Error {
            /// All codes, in order.
            pub const ALL: &[Error] = &[$( Error::$name, )+];

            /// Name of the code, as `MESSAGES.md` and traces show it.
            #[must_use]
            pub const fn name(self) -> &'static str { match self { $( Error::$name => stringify!($name), )+ } }

            /// One line about the code.
            #[must_use]
            pub const fn text(self) -> &'static str { match self { $( Error::$name => concat!($($doc),+), )+ } }

            /// The error that `code` stands for.
            #[must_use]
            pub const fn from_code(code: u32) -> Option<Error> {
                match code { $( $code => Some(Error::$name), )+ _ => None }
            }
        }
    };
}

errors! {
    /// No message has this number.
    1 BadNumber,
    /// A flag bit is unknown, or this message has no such form.
    2 BadFlags,
    /// The list's length is not a multiple of 8, too large, or not what its directory adds up to.
    3 BadLength,
    /// The element's length or value is not possible.
    4 BadElement,
    /// A required element is absent.
    5 MissingElement,
    /// The element is there twice.
    6 DuplicateElement,
    /// The element is unknown here and must be understood.
    7 UnknownElement,
    /// Padding of the element, or of the directory, is not zero.
    8 BadPadding,
    /// The handle stands for nothing, or for something else.
    9 BadHandle,
    /// The memory described is not mapped for this use.
    10 Fault,
    /// The quota of outstanding calls is used up: reap completions first.
    11 Busy,
    /// The call would have to wait, and was told not to.
    12 WouldBlock,
    /// No memory for it.
    13 NoMemory,
    /// A system call from outside the emulation layer.
    14 NotLayer,
    /// Aborted before it was done.
    15 Cancelled,
    /// The other side is gone.
    16 Closed,
    /// Nothing of that name or cookie.
    17 NotFound,
    /// The name is taken.
    18 Exists,
    /// The buffer is too small; the value says how many bytes are needed.
    19 TooSmall,
    /// Policy forbids it.
    20 Denied,
    /// The process is exiting.
    21 Exiting,
    /// A fixed table of the process is full.
    22 Full,
}

/// An error, and the element it is about: 0 when it is about the message or list as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong.
    pub error: Error,
    /// Wire id of the element concerned, or 0; for [`Error::TooSmall`] the number of bytes needed.
    pub detail: u64,
}

impl Failure {
    /// A failure of the message as a whole.
    #[must_use]
    pub const fn new(error: Error) -> Self {
        Self { error, detail: 0 }
    }

    /// A failure that names an element.
    #[must_use]
    pub const fn element(error: Error, id: u16) -> Self {
        Self { error, detail: id as u64 }
    }

    /// A buffer too small: `needed` bytes would do.
    #[must_use]
    pub const fn too_small(needed: u64) -> Self {
        Self { error: Error::TooSmall, detail: needed }
    }

    /// The status word of this failure.
    #[must_use]
    pub const fn status(self) -> i64 {
        -(self.error as i64)
    }

    /// Reads a negative status word and its value back; a code unknown here is [`Error::Denied`].
    #[must_use]
    pub const fn from_status(status: i64, value: u64) -> Self {
        let code = status.unsigned_abs();
        let known = if code <= u32::MAX as u64 { Error::from_code(code as u32) } else { None };
        match known {
            Some(error) => Self { error, detail: value },
            None => Self { error: Error::Denied, detail: value },
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::new(error)
    }
}
