//! What the table becomes: numbers, requests, answers, lists, stubs, descriptions.

use crate::list::{self, List, Writer};
use crate::shape::{canonical, fixed, longest, payload_words, sound};
use crate::{
    Answer, AtExit, Blocking, Decoded, Element, ElementInfo, Entry, Error, FLAG_REGISTERS, Failure,
    Head, ListInfo, Message, MessageInfo, Raw, Sent,
};

/// Decodes the canonical form: one length, then all descriptors at once, then plain loads.
macro_rules! decode_canonical {
    ($words:ident, $elements:expr, $count:expr, $($field:ident: $kind:ident),*) => {
        const {
            assert!(sound($elements));
        }
        if const { fixed($elements) } {
            const DIRECTORY: usize = list::directory_words($count);
            const WORDS: usize = DIRECTORY + payload_words($elements);
            const EXPECTED: [u64; DIRECTORY] = canonical($elements);
            if let Ok(words) = <&[u64; WORDS]>::try_from($words) {
                #[allow(unused_mut)]
                let mut different = 0;
                let mut index = 0;
                while index < DIRECTORY {
                    different |= words[index] ^ EXPECTED[index];
                    index += 1;
                }
                if different == 0 {
                    let _at = DIRECTORY;
                    $(
                        let $field = <kind!($kind) as Element>::load(&words[_at..]);
                        let _at = _at + <kind!($kind) as Element>::MAX_WORDS;
                    )*
                    return Some(Self { $($field),* });
                }
            }
        }
    };
}

/// Encodes the canonical form: the directory is a constant, the payloads are plain stores.
macro_rules! encode_canonical {
    ($self:ident, $out:ident, $elements:expr, $count:expr, $($field:ident: $kind:ident),*) => {
        if const { fixed($elements) } {
            const DIRECTORY: usize = list::directory_words($count);
            const WORDS: usize = DIRECTORY + payload_words($elements);
            const EXPECTED: [u64; DIRECTORY] = canonical($elements);
            let Some(words) = $out.first_chunk_mut::<WORDS>() else {
                return Err(WORDS);
            };
            let mut index = 0;
            while index < DIRECTORY {
                words[index] = EXPECTED[index];
                index += 1;
            }
            let _at = DIRECTORY;
            $(
                $self.$field.store(&mut words[_at..]);
                let _at = _at + <kind!($kind) as Element>::MAX_WORDS;
            )*
            return Ok(WORDS);
        }
    };
}

/// Decodes any order, after a check of the whole list. `$unknown` judges an id that is not in the table.
macro_rules! decode_any {
    ($words:ident, |$list:ident, $unknown:ident| $judge:expr, $($id:expr, $field:ident: $kind:ident $(= $default:expr)?;)*) => {{
        let $list = List::parse($words)?;
        $( let mut $field: Option<kind!($kind)> = None; )*
        let mut ignored = 0;
        for item in $list.items() {
            $(
                if item.id == $id {
                    let value = <kind!($kind) as Element>::read(item.words, item.bytes);
                    let value = value.ok_or(Failure::element(Error::BadElement, $id))?;
                    if $field.replace(value).is_some() {
                        return Err(Failure::element(Error::DuplicateElement, $id));
                    }
                    continue;
                }
            )*
            let $unknown = item.id;
            $judge?;
            ignored += 1;
        }
        Ok(Decoded { value: Self { $($field: absent!($id, $field $(, $default)?)),* }, ignored })
    }};
}

macro_rules! generate {
    (
        messages { $(
            $number:literal $Name:ident $name:ident(
                $($id:literal $must:ident $field:ident: $kind:ident $(= $default:expr)?),*
            ) -> ( $($aid:literal $afield:ident: $akind:ident),* ), $Blocking:ident, $AtExit:ident, $doc:literal;
        )* }
        lists { $(
            $List:ident( $($lid:literal $lfield:ident: $lkind:ident = $ldefault:expr),* ), $ldoc:literal;
        )* }
    ) => {
        /// The messages by number.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u16)]
        pub enum Number { $( #[doc = $doc] $Name = $number, )* }

        impl Number {
            /// The message that `number` stands for.
            #[must_use]
            pub const fn from_wire(number: u16) -> Option<Self> {
                match number { $( $number => Some(Number::$Name), )* _ => None }
            }

            /// The line of the table.
            #[must_use]
            pub const fn info(self) -> &'static MessageInfo {
                match self { $( Number::$Name => &<request::$Name as Message>::INFO, )* }
            }

            /// The name in traces.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $( Number::$Name => stringify!($name), )* }
            }
        }

        /// All lines of the table.
        pub const MESSAGES: &[MessageInfo] = &[ $( <request::$Name as Message>::INFO, )* ];
        /// All element lists that messages write.
        pub const LISTS: &[ListInfo] = &[ $( answer::$List::INFO, )* ];

        /// Typed requests, one per message.
        pub mod request {
            use super::*;
            $(
                #[doc = $doc]
                #[derive(Clone, Copy, Debug, PartialEq, Eq)]
                pub struct $Name { $( #[doc = concat!("Element ", $id, ", ", stringify!($kind), ".")] pub $field: kind!($kind), )* }

                impl $Name {
                    const ELEMENTS: &[ElementInfo] = &[ $( info!(wire_id!($must $id), $field, $kind $(, $default)?), )* ];
                    const ANSWERS: &[ElementInfo] = &[ $( info!($aid, $afield, $akind), )* ];
                    const COUNT: usize = Self::ELEMENTS.len();
                    const REGISTERS: bool = fixed(Self::ELEMENTS) && payload_words(Self::ELEMENTS) <= 4;

                    /// The form for any order of elements; [`Message::decode`] turns here when the list is not canonical.
                    #[cold]
                    #[inline(never)]
                    pub fn decode_any(words: &[u64]) -> Result<Decoded<Self>, Failure> {
                        decode_any!(words, |list, unknown| list.unknown(unknown), $( wire_id!($must $id), $field: $kind $(= $default)?; )*)
                    }
                }

                impl Message for $Name {
                    type Answer = answer::$Name;
                    const NUMBER: Number = Number::$Name;
                    const INFO: MessageInfo = MessageInfo {
                        number: $number,
                        name: stringify!($name),
                        request: Self::ELEMENTS,
                        answer: Self::ANSWERS,
                        blocking: Blocking::$Blocking,
                        at_exit: AtExit::$AtExit,
                        registers: Self::REGISTERS,
                        doc: $doc,
                    };
                    const MAX_WORDS: usize = longest(Self::ELEMENTS);

                    #[inline]
                    fn canonical(words: &[u64]) -> Option<Self> {
                        decode_canonical!(words, $Name::ELEMENTS, $Name::COUNT, $($field: $kind),*);
                        None
                    }

                    #[inline]
                    fn decode(words: &[u64]) -> Result<Decoded<Self>, Failure> {
                        match Self::canonical(words) {
                            Some(value) => Ok(Decoded { value, ignored: 0 }),
                            None => Self::decode_any(words),
                        }
                    }

                    #[inline]
                    fn encode(&self, out: &mut [u64]) -> Result<usize, usize> {
                        encode_canonical!(self, out, $Name::ELEMENTS, $Name::COUNT, $($field: $kind),*);
                        #[allow(unused_mut)]
                        let mut writer = Writer::new(out, Self::COUNT);
                        $( writer.put(wire_id!($must $id), &self.$field); )*
                        writer.finish()
                    }

                    #[inline(always)]
                    fn from_registers(_registers: [u64; 4]) -> Result<Self, Failure> {
                        if !Self::REGISTERS {
                            return Err(Failure::new(Error::BadFlags));
                        }
                        let _at = 0;
                        $(
                            let $field = <kind!($kind) as Element>::load(_registers.get(_at..).unwrap_or(&[]));
                            let _at = _at + <kind!($kind) as Element>::MAX_WORDS;
                        )*
                        Ok(Self { $($field),* })
                    }

                    #[inline(always)]
                    fn to_registers(&self) -> Option<[u64; 4]> {
                        if !Self::REGISTERS {
                            return None;
                        }
                        #[allow(unused_mut)]
                        let mut registers = [0; 4];
                        let _at = 0;
                        $(
                            self.$field.store(&mut registers[_at..]);
                            let _at = _at + <kind!($kind) as Element>::MAX_WORDS;
                        )*
                        Some(registers)
                    }

                    #[inline]
                    fn send<E: Entry>(&self, entry: &E, cookie: u64, flags: u16) -> Result<Sent<Self::Answer>, Failure> {
                        let raw: Raw = if let Some(registers) = self.to_registers() {
                            entry.send(Head::new($number, flags | FLAG_REGISTERS, 0), cookie, registers)
                        } else {
                            let mut words = [0; <$Name as Message>::MAX_WORDS];
                            let used = self.encode(&mut words).expect("the array has the size of the longest list");
                            let head = Head::new($number, flags, 8 * used as u32);
                            entry.send(head, cookie, [words.as_ptr() as u64, 0, 0, 0])
                        };
                        Sent::from_raw(raw)
                    }
                }
            )*
        }

        /// Typed answers, one per message, and the lists that messages write.
        pub mod answer {
            use super::*;
            $(
                #[doc = concat!("Answer of `", stringify!($name), "`.")]
                #[derive(Clone, Copy, Debug, PartialEq, Eq)]
                pub struct $Name { $( #[doc = concat!("Answer ", $aid, ", ", stringify!($akind), ".")] pub $afield: kind!($akind), )* }

                impl Answer for $Name {
                    const SCALARS: usize = <request::$Name as Message>::INFO.answer.len();

                    #[inline(always)]
                    fn from_values(_values: [u64; 2]) -> Self {
                        let _at = 0;
                        $(
                            let $afield = <kind!($akind) as Element>::load(&_values[_at..]);
                            let _at = _at + 1;
                        )*
                        Self { $($afield),* }
                    }

                    #[inline(always)]
                    fn to_values(self) -> [u64; 2] {
                        const { assert!(payload_words(<request::$Name as Message>::INFO.answer) <= 2) };
                        #[allow(unused_mut)]
                        let mut values = [0; 2];
                        let _at = 0;
                        $(
                            self.$afield.store(&mut values[_at..]);
                            let _at = _at + 1;
                        )*
                        values
                    }
                }
            )*
            $(
                #[doc = $ldoc]
                #[derive(Clone, Copy, Debug, PartialEq, Eq)]
                pub struct $List { $( #[doc = concat!("Element ", $lid, ", ", stringify!($lkind), ".")] pub $lfield: kind!($lkind), )* }

                impl Default for $List {
                    fn default() -> Self {
                        Self { $($lfield: $ldefault),* }
                    }
                }

                impl $List {
                    const ELEMENTS: &[ElementInfo] = &[ $( info!($lid, $lfield, $lkind, $ldefault), )* ];
                    const COUNT: usize = Self::ELEMENTS.len();
                    /// The description of the list.
                    pub const INFO: ListInfo = ListInfo { name: stringify!($List), elements: Self::ELEMENTS, doc: $ldoc };
                    /// Words of the longest list that the encoder makes.
                    pub const MAX_WORDS: usize = longest(Self::ELEMENTS);

                    /// Decodes the canonical form only.
                    #[inline]
                    pub fn canonical(words: &[u64]) -> Option<Self> {
                        decode_canonical!(words, $List::ELEMENTS, $List::COUNT, $($lfield: $lkind),*);
                        None
                    }

                    /// Decodes what the kernel wrote: what is unknown is skipped, what is absent has its default.
                    #[inline]
                    pub fn decode(words: &[u64]) -> Result<Decoded<Self>, Failure> {
                        match Self::canonical(words) {
                            Some(value) => Ok(Decoded { value, ignored: 0 }),
                            None => Self::decode_any(words),
                        }
                    }

                    /// The form for any order of elements.
                    #[cold]
                    #[inline(never)]
                    pub fn decode_any(words: &[u64]) -> Result<Decoded<Self>, Failure> {
                        decode_any!(words, |list, _unknown| Ok::<(), Failure>(()), $( $lid, $lfield: $lkind = $ldefault; )*)
                    }

                    /// Writes the elements whose bit `1 << id` is in `wanted`; the length in words, or the words needed.
                    #[inline]
                    pub fn encode(&self, wanted: u64, out: &mut [u64]) -> Result<usize, usize> {
                        const ALL: u64 = 0 $( | 1 << $lid )*;
                        if wanted & ALL == ALL {
                            encode_canonical!(self, out, $List::ELEMENTS, $List::COUNT, $($lfield: $lkind),*);
                        }
                        let count = [$($lid),*].iter().filter(|&&id: &&u16| wanted & (1 << id) != 0).count();
                        let mut writer = Writer::new(out, count);
                        $( if wanted & (1 << $lid) != 0 { writer.put($lid, &self.$lfield); } )*
                        writer.finish()
                    }
                }
            )*
        }

        /// The stubs: one function per message, for the emulation layer.
        pub mod call {
            use super::*;
            $(
                #[doc = $doc]
                #[inline]
                pub fn $name<E: Entry>(entry: &E, cookie: u64 $(, $field: kind!($kind))*) -> Result<Sent<answer::$Name>, Failure> {
                    request::$Name { $($field),* }.send(entry, cookie, 0)
                }
            )*
        }
    };
}

table!(generate);
