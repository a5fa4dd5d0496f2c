//! QEMU's arguments, from a request and a probe.

use std::{
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
};

use crate::{
    probe::Probe,
    request::{Apic, Frames, Mode, Request},
};

/// The sockets over which the runner talks to one QEMU.
#[derive(Clone, Debug)]
pub struct Wiring {
    /// Where frames arrive.
    pub frames: PathBuf,
    /// Where the monitor is.
    pub monitor: PathBuf,
}

/// For whom the arguments are.
#[derive(Clone, Copy, Debug)]
pub enum For<'a> {
    /// For the runner: with its sockets, stopped at first, paused at its end.
    Runner(&'a Wiring),
    /// For a person who pastes them into a shell: the same machine, text on the terminal.
    Person,
}

/// Returns QEMU's arguments.
pub fn arguments(request: &Request, probe: &Probe, reader: For<'_>) -> Vec<OsString> {
    let mut args = Arguments(Vec::new());
    match request.mode {
        Mode::Insns => {
            args.pair("-accel", "tcg,thread=single");
            args.pair("-icount", "shift=0,sleep=off");
        }
        Mode::Tcg => args.pair("-accel", "tcg,thread=multi"),
        Mode::Kvm => args.pair("-accel", "kvm"),
    }
    args.pair("-cpu", cpu(request, probe));
    args.pair("-smp", request.cpus.to_string());
    args.pair("-m", format!("{}M", request.memory_mib.unwrap_or(request.machine.memory_mib)));
    args.pair("-machine", &request.machine.machine);
    args.pair("-seed", request.seed.to_string());
    // A virtual clock that starts at the same instant in every run; real time has no such.
    if request.mode == Mode::Insns {
        args.pair("-rtc", "base=2026-01-01,clock=vm");
    }
    args.one("-nodefaults");
    args.one("-no-reboot");
    args.pair("-display", "none");
    args.pair("-serial", "stdio");
    args.pair("-device", "isa-debug-exit,iobase=0xf4,iosize=4");
    for device in &request.machine.devices {
        args.pair("-device", device);
    }
    let frames = match reader {
        For::Runner(wiring) => {
            args.pair("-chardev", socket("frames", &wiring.frames));
            args.pair("-device", "isa-debugcon,iobase=0xe9,chardev=frames");
            args.pair("-chardev", socket("monitor", &wiring.monitor));
            args.pair("-mon", "chardev=monitor,mode=control");
            // At a panic and at a reset the machine waits until its stacks were read.
            args.pair("-device", "pvpanic");
            args.pair("-action", "panic=pause,shutdown=pause");
            args.one("-S");
            Frames::Asked
        }
        For::Person => {
            if request.gdb {
                args.one("-S");
            }
            Frames::NotAsked
        }
    };
    if request.gdb {
        args.one("-s");
    }
    args.pair("-kernel", &request.kernel);
    if let Some(initrd) = &request.initrd {
        args.pair("-initrd", initrd);
    }
    args.pair("-append", request.command_line(frames));
    args.0.extend(request.extra.iter().cloned());
    args.0
}

/// Returns the command as a person would type it.
pub fn line(qemu: &Path, args: &[OsString]) -> String {
    let mut line = quote(qemu.as_os_str());
    for argument in args {
        line.push(' ');
        line.push_str(&quote(argument));
    }
    line
}

/// Returns the lines that attach a debugger to a machine started with `gdb`.
pub fn debugger(kernel: &Path) -> Vec<String> {
    vec![
        format!("gdb {}", quote(kernel.as_os_str())),
        "  (gdb) target remote :1234".into(),
        "  (gdb) hbreak rust_begin_unwind".into(),
        "  (gdb) continue".into(),
    ]
}

fn cpu(request: &Request, probe: &Probe) -> String {
    let mut cpu = String::from("max");
    if request.mode == Mode::Insns {
        // Fast string instructions count as one instruction whatever their length.
        for (known, property) in [(probe.erms, "erms"), (probe.fsrm, "fsrm")] {
            if known {
                cpu.push_str(",-");
                cpu.push_str(property);
            }
        }
    }
    if request.mode == Mode::Kvm {
        // Nested hosts refuse the register behind it, and QEMU then aborts.
        cpu.push_str(",-arch-capabilities");
    }
    if request.apic == Apic::Xapic && (probe.x2apic || request.mode == Mode::Kvm) {
        cpu.push_str(",-x2apic");
    }
    cpu
}

fn socket(id: &str, path: &Path) -> OsString {
    let mut value = OsString::from(format!("socket,id={id},path="));
    value.push(path);
    value
}

struct Arguments(Vec<OsString>);

impl Arguments {
    fn one(&mut self, argument: impl AsRef<OsStr>) {
        self.0.push(argument.as_ref().to_owned());
    }

    fn pair(&mut self, option: &str, value: impl AsRef<OsStr>) {
        self.one(option);
        self.one(value);
    }
}

/// Quotes a word for a POSIX shell, if it needs it.
pub fn quote(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-=,.:/+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests;
