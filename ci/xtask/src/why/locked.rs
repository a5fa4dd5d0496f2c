//! Which instructions are locked: those that keep a cache line from all other CPUs, or wait until every store is out.
//! Intel SDM volume 2, "Instruction Format" and LOCK.

/// No instruction is longer.
pub const LONGEST: usize = 15;

/// Whether the instruction that these bytes begin with has a LOCK prefix, exchanges a register with memory (which
/// locks without one), or is a full fence.
pub fn is_locked(code: &[u8]) -> bool {
    const LOCK: u8 = 0xf0;
    let is_prefix = |byte: u8| {
        matches!(byte, LOCK | 0xf2 | 0xf3 | 0x66 | 0x67 | 0x26 | 0x2e | 0x36 | 0x3e | 0x64 | 0x65)
    };
    let prefixes = code.iter().take_while(|byte| is_prefix(**byte)).count();
    let (prefixes, rest) = code.split_at(prefixes);
    if prefixes.contains(&LOCK) {
        return true;
    }
    // REX, which stands right before the opcode.
    let rest = if rest.first().is_some_and(|byte| byte & 0xf0 == 0x40) { &rest[1..] } else { rest };
    match *rest {
        // XCHG; with mod = 3 both sides are registers.
        [0x86 | 0x87, modrm, ..] => modrm >> 6 != 3,
        // MFENCE; its neighbours 0xe8 and 0xf8 order loads or stores alone.
        [0x0f, 0xae, modrm, ..] => (0xf0..=0xf7).contains(&modrm),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::is_locked;

    #[test]
    fn locked_is_what_the_manual_says() {
        for (code, what) in [
            (&[0xf0, 0x48, 0x0f, 0xc1, 0x07][..], "lock xadd [rdi], rax"),
            (&[0xf0, 0x09, 0x07], "lock or [rdi], eax"),
            (&[0x65, 0xf0, 0x48, 0x0f, 0xb1, 0x0f], "lock cmpxchg gs:[rdi], rcx"),
            (&[0x66, 0xf0, 0x0f, 0xb1, 0x0f], "lock cmpxchg [rdi], cx"),
            (&[0x48, 0x87, 0x07], "xchg [rdi], rax"),
            (&[0x86, 0x47, 0x01], "xchg [rdi + 1], al"),
            (&[0x0f, 0xae, 0xf0], "mfence"),
        ] {
            assert!(is_locked(code), "{what}");
        }
        for (code, what) in [
            (&[0x48, 0x87, 0xc3][..], "xchg rax, rbx"),
            (&[0x90], "nop"),
            (&[0xf3, 0x90], "pause"),
            (&[0x0f, 0xae, 0xe8], "lfence"),
            (&[0x0f, 0xae, 0xf8], "sfence"),
            (&[0x48, 0x8b, 0x87, 0xf0, 0, 0, 0], "mov rax, [rdi + 0xf0]"),
            (&[0x65, 0xff, 0x04, 0x25, 0xf0, 0, 0, 0], "inc gs:[0xf0]"),
            (&[], "nothing"),
        ] {
            assert!(!is_locked(code), "{what}");
        }
    }
}
