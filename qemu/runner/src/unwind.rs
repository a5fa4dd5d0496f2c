//! Walks the stack of a stopped CPU on the host.
//!
//! The kernel is built without frame pointers, so the way up is in its unwind tables. Where
//! those end (hand-written entry code) the walk goes on by looking for an interrupt frame or a
//! return address on the stack; what is found that way is marked as guessed.

use gimli::{
    BaseAddresses, CfaRule, DebugFrame, EhFrame, Register, RegisterRule, UnwindContext,
    UnwindSection, UnwindTableRow, X86_64,
};

use crate::{
    outcome::Trust,
    registers::{RSP, Registers},
    symbols::{Reader, Symbols},
};

/// No stack of ours is deeper; a longer walk goes in circles.
const MOST_FRAMES: usize = 64;

/// How many words to look through where the tables say nothing.
const MOST_GUESSES: u64 = 512;

/// The instruction that rests until an interrupt.
const HLT: u8 = 0xf4;

/// Reads eight bytes of the stopped machine; `None` where nothing is mapped.
pub type Memory<'m> = dyn FnMut(u64) -> Option<u64> + 'm;

/// One step of the walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The program counter or return address.
    pub address: u64,
    /// How it was found.
    pub trust: Trust,
    /// Whether `address` is where a call returns to, and so one past what was executed.
    pub returns: bool,
    /// Whether `address` is a program's.
    pub ring3: bool,
}

impl Step {
    fn to(address: u64, trust: Trust, kind: Kind) -> Self {
        Step { address, trust, returns: kind == Kind::Returns, ring3: kind == Kind::Ring3 }
    }

    /// Returns the address to look up: that of the instruction that was executed. A CPU that rests is past its `hlt`.
    pub fn executed(&self, symbols: &Symbols) -> u64 {
        let rests = || symbols.code(self.address.wrapping_sub(1), 1) == Some(&[HLT]);
        self.address - u64::from(self.returns || !self.ring3 && rests())
    }
}

/// Returns the steps of a CPU's stack, innermost first.
pub fn walk(symbols: &Symbols, registers: &Registers, memory: &mut Memory<'_>) -> Vec<Step> {
    let tables = Tables::new(symbols);
    let mut state = State { general: registers.general, rip: registers.rip };
    let mut step = Step::to(
        state.rip,
        Trust::Certain,
        if registers.ring == 3 { Kind::Ring3 } else { Kind::Executes },
    );
    let mut steps = Vec::new();
    while steps.len() < MOST_FRAMES {
        steps.push(step);
        if step.ring3 {
            break;
        }
        let before = state.general[RSP];
        step = match tables.up(&mut state, step.executed(symbols), memory) {
            Up::To(kind) => Step::to(state.rip, Trust::Certain, kind),
            Up::End => break,
            Up::Unknown => match guess(symbols, &mut state, memory) {
                Some(kind) => Step::to(state.rip, Trust::Guessed, kind),
                None => break,
            },
        };
        let other_stack = !step.returns;
        if step.address == 0 || (state.general[RSP] <= before && !other_stack) {
            break;
        }
    }
    steps
}

#[derive(Clone, Copy)]
struct State {
    general: [u64; 16],
    rip: u64,
}

/// What an address on the way up is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Where a call returns to.
    Returns,
    /// What was executed when an interrupt came, or last.
    Executes,
    /// The same, in a program.
    Ring3,
}

enum Up {
    To(Kind),
    End,
    Unknown,
}

struct Tables {
    eh_frame: Option<(EhFrame<Reader>, BaseAddresses)>,
    debug_frame: Option<DebugFrame<Reader>>,
}

impl Tables {
    fn new(symbols: &Symbols) -> Self {
        let eh_frame = symbols.eh_frame.clone().map(|(address, data)| {
            let mut section = EhFrame::from(data);
            section.set_address_size(8);
            (section, BaseAddresses::default().set_eh_frame(address))
        });
        let debug_frame = symbols.debug_frame.clone().map(|data| {
            let mut section = DebugFrame::from(data);
            section.set_address_size(8);
            section
        });
        Tables { eh_frame, debug_frame }
    }

    /// Turns the state inside the function at `pc` into the state of its caller.
    fn up(&self, state: &mut State, pc: u64, memory: &mut Memory<'_>) -> Up {
        if let Some((section, bases)) = &self.eh_frame
            && let up @ (Up::To(_) | Up::End) = up_by(section, bases, state, pc, memory)
        {
            return up;
        }
        match &self.debug_frame {
            Some(section) => up_by(section, &BaseAddresses::default(), state, pc, memory),
            None => Up::Unknown,
        }
    }
}

fn up_by<S: UnwindSection<Reader>>(
    section: &S,
    bases: &BaseAddresses,
    state: &mut State,
    pc: u64,
    memory: &mut Memory<'_>,
) -> Up {
    let Ok(entry) = section.fde_for_address(bases, pc, S::cie_from_offset) else {
        return Up::Unknown;
    };
    let mut context = UnwindContext::new();
    let Ok(row) = entry.unwind_info_for_address(section, bases, &mut context, pc) else {
        return Up::Unknown;
    };
    apply(row, state, entry.is_signal_trampoline(), memory).unwrap_or(Up::Unknown)
}

fn apply(
    row: &UnwindTableRow<usize>,
    state: &mut State,
    interrupted: bool,
    memory: &mut Memory<'_>,
) -> Option<Up> {
    let frame = match row.cfa() {
        CfaRule::RegisterAndOffset { register, offset } => {
            state.general.get(usize::from(register.0))?.wrapping_add_signed(*offset)
        }
        CfaRule::Expression(_) => return None,
    };
    let old = *state;
    let mut value = |register: Register, same: u64| match row.register(register) {
        None | Some(RegisterRule::SameValue) => Some(same),
        Some(RegisterRule::Offset(offset)) => memory(frame.wrapping_add_signed(offset)),
        Some(RegisterRule::ValOffset(offset)) => Some(frame.wrapping_add_signed(offset)),
        Some(RegisterRule::Register(other)) => old.general.get(usize::from(other.0)).copied(),
        _ => None,
    };
    if matches!(row.register(X86_64::RA), None | Some(RegisterRule::Undefined)) {
        return Some(Up::End);
    }
    let rip = value(X86_64::RA, 0)?;
    for (number, slot) in state.general.iter_mut().enumerate() {
        let same = if number == RSP { frame } else { old.general[number] };
        // A register that cannot be had is one that the caller does not need.
        *slot = value(Register(number as u16), same).unwrap_or(0);
    }
    state.rip = rip;
    Some(Up::To(if interrupted { Kind::Executes } else { Kind::Returns }))
}

/// Looks up the stack for the nearest word that can be a way out of the current function.
fn guess(symbols: &Symbols, state: &mut State, memory: &mut Memory<'_>) -> Option<Kind> {
    let start = state.general[RSP] & !7;
    for at in (0..MOST_GUESSES).map(|word| start.wrapping_add(word * 8)) {
        let word = memory(at)?;
        if let Some(found) = interrupt_frame(symbols, at, word, memory) {
            let stack = memory(at.wrapping_add(24))?;
            state.rip = word;
            state.general[RSP] = stack;
            return Some(found);
        }
        if symbols.follows_call(word) {
            state.rip = word;
            state.general[RSP] = at.wrapping_add(8);
            return Some(Kind::Returns);
        }
    }
    None
}

/// Returns whether the five words at `at` look like what the processor pushes at an
/// interrupt: rip, cs, rflags, rsp, ss.
fn interrupt_frame(symbols: &Symbols, at: u64, rip: u64, memory: &mut Memory<'_>) -> Option<Kind> {
    const LOW_HALF: u64 = 0x0000_8000_0000_0000;
    let mut word = |number: u64| memory(at.wrapping_add(number * 8));
    let (code, flags, data) = (word(1)?, word(2)?, word(4)?);
    let selector = |word: u64| word < 0x80;
    let ring = code & 3;
    // Bit 1 of the flags is always one, and none above 21 is defined.
    let plausible = selector(code)
        && selector(data)
        && code & !3 != 0
        && data & 3 == ring
        && flags & !0x3f_ffff == 0
        && flags & 2 != 0;
    match ring {
        0 if plausible && symbols.is_code(rip) => Some(Kind::Executes),
        3 if plausible && rip < LOW_HALF => Some(Kind::Ring3),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
