//! Small words of the table, translated.

/// Rust type of a table type.
macro_rules! kind {
    (u64) => {
        u64
    };
    (i64) => {
        i64
    };
    (handle) => {
        $crate::Handle
    };
    (input) => {
        $crate::Input
    };
    (output) => {
        $crate::Output
    };
    (bytes) => {
        $crate::Bytes
    };
}

/// Wire id of an element.
macro_rules! wire_id {
    (must $id:literal) => {
        $crate::MUST | $id
    };
    (may $id:literal) => {
        $id
    };
}

/// Value of an element that is absent: its default, or the failure that names it.
macro_rules! absent {
    ($id:expr, $value:expr) => {
        $value.ok_or($crate::Failure::element($crate::Error::MissingElement, $id))?
    };
    ($id:expr, $value:expr, $default:expr) => {
        $value.unwrap_or($default)
    };
}

/// The default as the table's description shows it.
macro_rules! default_of {
    () => {
        None
    };
    ($default:expr) => {
        Some($default)
    };
}

/// Description of an element.
macro_rules! info {
    ($id:expr, $field:ident, $kind:ident $(, $default:expr)?) => {
        $crate::ElementInfo {
            id: $id,
            name: stringify!($field),
            kind: <kind!($kind) as $crate::Element>::KIND,
            default: default_of!($($default)?),
        }
    };
}
