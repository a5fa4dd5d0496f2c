use std::collections::HashMap;

use gimli::write;

use super::*;

const CODE: u64 = 0xffff_ffff_8000_0000;
const STACK: u64 = 0xffff_ffff_9000_0000;

/// A kernel of three functions of 16 bytes: `inner` with 24 bytes of locals, `outer` that saves
/// rbx, and `entry`, hand-written, without tables. All bytes are calls, so any address can be
/// returned to.
fn kernel() -> Symbols {
    let encoding = gimli::Encoding { address_size: 8, format: gimli::Format::Dwarf32, version: 1 };
    let mut table = write::FrameTable::default();
    let mut cie = write::CommonInformationEntry::new(encoding, 1, -8, X86_64::RA);
    cie.add_instruction(write::CallFrameInstruction::Cfa(X86_64::RSP, 8));
    cie.add_instruction(write::CallFrameInstruction::Offset(X86_64::RA, -8));
    let cie = table.add_cie(cie);
    let mut inner = write::FrameDescriptionEntry::new(write::Address::Constant(CODE), 16);
    inner.add_instruction(4, write::CallFrameInstruction::CfaOffset(32));
    let mut outer = write::FrameDescriptionEntry::new(write::Address::Constant(CODE + 16), 16);
    outer.add_instruction(1, write::CallFrameInstruction::CfaOffset(16));
    outer.add_instruction(1, write::CallFrameInstruction::Offset(X86_64::RBX, -16));
    table.add_fde(cie, inner);
    table.add_fde(cie, outer);
    let mut section = write::EhFrame::from(write::EndianVec::new(gimli::RunTimeEndian::Little));
    table.write_eh_frame(&mut section).expect("it is written");
    Symbols::of_parts(CODE, &[0xe8; 48], section.0.slice())
}

/// A walk from `rip` over these words of stack, the first at [`STACK`].
fn walked(rip: u64, stack: &[u64]) -> Vec<(u64, Trust, bool)> {
    let memory: HashMap<u64, u64> =
        stack.iter().enumerate().map(|(at, word)| (STACK + at as u64 * 8, *word)).collect();
    let mut registers = Registers { rip, ..Registers::default() };
    registers.general[RSP] = STACK;
    walk(&kernel(), &registers, &mut |address| memory.get(&address).copied())
        .iter()
        .map(|step| (step.address - CODE.min(step.address), step.trust, step.ring3))
        .collect()
}

#[test]
fn by_the_tables() {
    let stack = [1, 2, 3, CODE + 24, 0xbbbb, CODE + 28, 0xcccc, 0];
    assert_eq!(
        walked(CODE + 8, &stack),
        [(8, Trust::Certain, false), (24, Trust::Certain, false), (28, Trust::Certain, false)]
    );
}

#[test]
fn a_prologue_has_a_shorter_frame() {
    assert_eq!(
        walked(CODE + 2, &[CODE + 24, 0xbbbb, 0]),
        [(2, Trust::Certain, false), (24, Trust::Certain, false)]
    );
}

#[test]
fn where_tables_end_it_is_guessed() {
    // From `entry`, which has none: two words that are no code, then a return address.
    assert_eq!(
        walked(CODE + 40, &[7, STACK, CODE + 24, 0xbbbb, 0]),
        [(40, Trust::Certain, false), (24, Trust::Guessed, false)]
    );
}

#[test]
fn an_interrupt_frame_leads_back_into_the_kernel() {
    let below = STACK + 8 * 6;
    let stack = [7, CODE + 8, 0x08, 0x246, below, 0x10, 1, 2, 3, CODE + 24, 0xbbbb, 0];
    assert_eq!(
        walked(CODE + 40, &stack),
        [(40, Trust::Certain, false), (8, Trust::Guessed, false), (24, Trust::Certain, false)]
    );
}

#[test]
fn an_interrupt_frame_leads_back_to_ring_3_and_no_further() {
    let stack = [0x40_1234, 0x23, 0x202, 0x7fff_0000, 0x1b, CODE + 24];
    let steps = walked(CODE + 40, &stack);
    assert_eq!(steps.len(), 2);
    assert!(steps[1].2, "{steps:?}");
}

#[test]
fn a_program_has_no_kernel_stack() {
    let registers = Registers { rip: 0x40_1234, ring: 3, ..Registers::default() };
    let steps = walk(&kernel(), &registers, &mut |_| panic!("no memory is read"));
    assert_eq!(steps.len(), 1);
    assert!(steps[0].ring3);
}

#[test]
fn a_cpu_that_rests_is_at_its_hlt() {
    let symbols = Symbols::of_parts(CODE, &[0x90, HLT, 0xfa], &[]);
    let executed = |at, kind| Step::to(CODE + at, Trust::Certain, kind).executed(&symbols) - CODE;
    assert_eq!(executed(1, Kind::Executes), 1);
    assert_eq!(executed(2, Kind::Executes), 1);
    assert_eq!(executed(2, Kind::Ring3), 2);
    assert_eq!(executed(1, Kind::Returns), 0);
}

#[test]
fn a_stack_that_goes_in_circles_ends() {
    let memory = |_: u64| Some(CODE + 24);
    let mut registers = Registers { rip: CODE + 24, ..Registers::default() };
    registers.general[RSP] = STACK;
    assert!(walk(&kernel(), &registers, &mut { memory }).len() <= MOST_FRAMES);
}
