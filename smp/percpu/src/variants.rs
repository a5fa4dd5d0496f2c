//! Choices of the build: one type of several, by name, without a cost for the one that is taken.

/// Declares the variants of something, a file and a line each, and which of them this build has.
///
/// `variants! { /// doc  VARIABLE: name: Type, ... }` expands to the modules `name` and their types, to the `NAMES`,
/// and to `Chosen`: the type whose name stood in the environment variable when this was compiled, or the first. An
/// unknown name does not compile.
///
/// `VARIABLE as Trait: ...`, with the trait that all of them implement, adds `by_name`: what a host program that has all of
/// them does with the one that somebody names.
///
/// `VARIABLE: name, ...`, without types, declares names alone: for what is a branch and no type.
#[macro_export]
macro_rules! variants {
    ($(#[$doc:meta])* $variable:ident as $trait:ident: $($name:ident: $type:ident,)+) => {
        $crate::variants! { $(#[$doc])* $variable: $($name: $type,)+ }

        /// Something to do with any of them.
        pub trait Use {
            /// What comes of it.
            type Result;

            /// Does it with `V`.
            fn with<V: $trait>(self) -> Self::Result;
        }

        /// Has `user` do it with the one of this name; `None` if no line of the table has the name.
        pub fn by_name<U: Use>(name: &str, user: U) -> Option<U::Result> {
            $(if name == stringify!($name) {
                return Some(user.with::<$type>());
            })+
            None
        }
    };
    ($(#[$doc:meta])* $variable:ident: $($name:ident: $type:ident,)+) => {
        $(mod $name;
        pub use $name::$type;)+

        $crate::variants! { $(#[$doc])* $variable: $($name,)+ }

        #[doc(hidden)]
        pub trait Registered<const PLACE: usize> {
            type Variant;
        }

        #[doc(hidden)]
        #[derive(Debug)]
        pub enum Registry {}

        $(impl Registered<{ $crate::place(NAMES, stringify!($name)) }> for Registry {
            type Variant = $type;
        })+

        /// The one that this build has.
        pub type Chosen = <Registry as Registered<{ $crate::place(NAMES, CHOSEN) }>>::Variant;
    };
    ($(#[$doc:meta])* $variable:ident: $($name:ident,)+) => {
        $(#[$doc])*
        pub const NAMES: &[&str] = &[$(stringify!($name)),+];

        /// The name of the one that this build has.
        pub const CHOSEN: &str = match option_env!(stringify!($variable)) {
            Some(name) => name,
            None => NAMES[0],
        };

        /// Whether this build has the usual one: the first.
        pub const IS_USUAL: bool = $crate::place(NAMES, CHOSEN) == 0;
    };
}

/// The place of a name among names.
///
/// # Panics
/// It is none of them; in a constant, that is an error of the compiler.
#[doc(hidden)]
pub const fn place(names: &[&str], name: &str) -> usize {
    let mut place = 0;
    while place < names.len() {
        if same(names[place].as_bytes(), name.as_bytes()) {
            return place;
        }
        place += 1;
    }
    panic!("this build was asked for a variant that no line of the table names")
}

const fn same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let mut at = 0;
    while at < one.len() {
        if one[at] != other[at] {
            return false;
        }
        at += 1;
    }
    true
}
