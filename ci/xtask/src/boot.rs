//! `./x boot`: the kernel in this terminal, with nothing in between.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::Result;

use crate::cli::{BootArgs, Mode};
use crate::{Status, build};

/// Prints QEMU's command and becomes it.
pub fn boot(args: &BootArgs) -> Result<Status> {
    let image = match &args.machine.image {
        Some(image) => image.clone(),
        None => build::kernel(&args.machine.features)?.image,
    };
    let accel: &[&str] = match args.machine.mode {
        Mode::Insns => &["-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off"],
        Mode::Tcg => &["-accel", "tcg,thread=multi"],
        Mode::Kvm => &["-accel", "kvm"],
    };
    let mut words: Vec<OsString> = accel.iter().map(OsString::from).collect();
    let smp = args.machine.smp.to_string();
    words.extend(["-cpu", "max", "-smp", &smp, "-nographic", "-no-reboot"].map(OsString::from));
    words.extend(["-device", "isa-debug-exit,iobase=0xf4", "-kernel"].map(OsString::from));
    words.push(image.into());
    words.extend(["-append".into(), format!("seed={}", args.seed.seed).into()]);
    if args.gdb {
        words.extend(["-s", "-S"].map(OsString::from));
    }
    words.extend(args.machine.extra.iter().cloned());
    let mut qemu = Command::new(&args.machine.qemu);
    qemu.args(&words);
    eprintln!(
        "+ {} {}",
        args.machine.qemu.display(),
        words.join(std::ffi::OsStr::new(" ")).display()
    );
    Err(anyhow::Error::from(qemu.exec())
        .context(format!("{} does not start", args.machine.qemu.display())))
}
