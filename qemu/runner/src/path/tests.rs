use super::*;

/// Lines of QEMU 7.2, one symbol left out, with a block that was not executed and one that was executed anew.
const LOG: &str = "\
Trace 0: 0x7f34c8000100 [0000000000000000/ffffffff80101234/00a0c0b0/ff020201] damselfly_image
Trace 0: 0x7f34c8000200 [0000000000000000/ffffffff80101238/00a0c0b0/ff020201] 
Trace 1: 0x7f34c8000300 [0000000000000000/0000000070001000/00a0c0b3/ff020201] 
Stopped execution of TB chain before 0x7f34c8000300 [0000000070001000] 
Trace 1: 0x7f34c8000300 [0000000000000000/0000000070001000/00a0c0b3/ff020201] 
Trace 1: 0x7f34c8000400 [0000000000000000/0000000070001002/00a0c0b3/ff020201] 
cpu_io_recompile: rewound execution of TB to 0000000070001002
Trace 1: 0x7f34c8000500 [0000000000000000/0000000070001002/00a0c0b3/ff028001] 
Linking TBs 0x7f34c8000500 index 0 -> 0x7f34c8000100
";

#[test]
fn a_log_is_read_without_what_was_not_executed() {
    let steps: Vec<(u32, u64)> = parse(LOG).iter().map(|step| (step.cpu, step.address)).collect();
    assert_eq!(
        steps,
        [
            (0, 0xffff_ffff_8010_1234),
            (0, 0xffff_ffff_8010_1238),
            (1, 0x7000_1000),
            (1, 0x7000_1002)
        ]
    );
}

#[test]
fn noise_is_no_step() {
    assert_eq!(parse("Trace x\nTrace 0: [1\nTrace 0: 0 [0/zz/0]\n\nhello"), []);
}
