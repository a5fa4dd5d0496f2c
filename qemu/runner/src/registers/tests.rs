use super::*;

const LONG_MODE: &str = "\
RAX=0000000000000001 RBX=0000000000000002 RCX=0000000000000003 RDX=0000000000000004
RSI=0000000000000005 RDI=0000000000000006 RBP=0000000000000007 RSP=ffffffff80108fe0
R8 =0000000000000008 R9 =0000000000000009 R10=000000000000000a R11=000000000000000b
R12=000000000000000c R13=000000000000000d R14=000000000000000e R15=000000000000000f
RIP=ffffffff80001234 RFL=00000246 [---Z-P-] CPL=0 II=0 A20=1 SMM=0 HLT=1
CR0=80010033 CR2=0000000000000000 CR3=0000000000203000 CR4=00000660
";

#[test]
fn long_mode() {
    let registers = Registers::parse(LONG_MODE).expect("a CPU");
    assert_eq!(registers.general[..8], [1, 4, 3, 2, 5, 6, 7, 0xffff_ffff_8010_8fe0]);
    assert_eq!(registers.general[8..], [8, 9, 10, 11, 12, 13, 14, 15]);
    assert_eq!(registers.rip, 0xffff_ffff_8000_1234);
    assert_eq!(registers.cr3, 0x20_3000);
    assert_eq!((registers.ring, registers.halted, registers.interrupts), (0, true, true));
}

#[test]
fn early_boot() {
    let text = "EAX=00000001 ESP=00000ff0\nEIP=0000fff0 EFL=00000002 [-------] CPL=0 II=0 HLT=0\n";
    let registers = Registers::parse(text).expect("a CPU");
    assert_eq!((registers.rip, registers.rsp(), registers.general[0]), (0xfff0, 0xff0, 1));
    assert!(!registers.halted && !registers.interrupts);
}

#[test]
fn no_cpu() {
    assert_eq!(Registers::parse("Error: no such thing"), None);
}

#[test]
fn parts_by_cpu() {
    let text = "\nCPU#0\nRIP=1\n\nCPU#12\nRIP=2\n";
    assert_eq!(per_cpu(text), [(0, "\nRIP=1\n\n"), (12, "\nRIP=2\n")]);
}

#[test]
fn timers() {
    let line = |count: &str| {
        format!(
            "LVTT 0x1\nTimer\t DCR=0x0 (divide by 2) initial_count = 9 current_count = {count}\n"
        )
    };
    assert_eq!(timer_counts(&line("0")), Some(false));
    assert_eq!(timer_counts(&line("1204")), Some(true));
    assert_eq!(timer_counts("nothing"), None);
}

#[test]
fn interrupts_that_wait() {
    assert_eq!(interrupt_waits("ISR\t (none)\nIRR\t 224 225 \n"), Some(true));
    assert_eq!(interrupt_waits("ISR\t 240 \nIRR\t (none)\n"), Some(false));
    assert_eq!(interrupt_waits("ISR\t (none)\n"), None);
}
