//! The kernel's command line: what to run and how to say it.
//!
//! Words separated by spaces, `key=value` or a bare `key`; nothing is optional in spelling, so that a typing error is
//! an error and not a run of something else.

/// How the machine counts, as the runner says; the kernel only labels its results with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Clock {
    /// Exact instructions: one TSC tick is one instruction of any CPU.
    Insns,
    /// Wall cycles under multi-threaded emulation.
    Tcg,
    /// Cycles of real silicon.
    Kvm,
    /// Nobody said: ticks of whatever TSC this is.
    #[default]
    Unknown,
}

impl Clock {
    /// The word for it, on the command line and in records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Insns => "insns",
            Self::Tcg => "tcg",
            Self::Kvm => "kvm",
            Self::Unknown => "ticks",
        }
    }
}

/// Parts of a run, in the order in which they run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Parts {
    /// In-kernel and ring-3 benchmarks.
    pub bench: bool,
    /// In-kernel and ring-3 stress tests.
    pub stress: bool,
    /// Short checks of the kernel and hostile programs.
    pub test: bool,
    /// The workload that the loader put beside the kernel.
    pub play: bool,
    /// Programs, by name (see [`Options::program`]).
    pub program: bool,
}

/// What a CPU does that has nobody to run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub enum Idle {
    /// Halts until an interrupt.
    #[default]
    Hlt,
    /// Watches its doorbell, by `monitor` and `mwait`: a message wakes it by its store alone.
    Mwait,
    /// Looks at its doorbell over and over.
    Spin,
}

impl Idle {
    /// All, by name.
    pub const ALL: [(&str, Self); 3] =
        [("hlt", Self::Hlt), ("mwait", Self::Mwait), ("spin", Self::Spin)];

    /// What is called so.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(own, _)| *own == name).map(|(_, idle)| *idle)
    }
}

/// The command line, understood.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options<'a> {
    /// Log and results as frames for the runner; else text.
    pub frames: bool,
    /// Label of the results.
    pub clock: Clock,
    /// Makes the interleaving of the stress tests; 0 leaves it as it comes.
    pub seed: u64,
    /// What to run.
    pub parts: Parts,
    /// Only what contains this.
    pub filter: &'a str,
    /// Program to run, by its name in the image.
    pub program: &'a str,
    /// Say what there is instead of running it.
    pub list: bool,
    /// Few samples: benchmarks as tests.
    pub quick: bool,
    /// Only benchmarks for which the number of CPUs matters.
    pub full: bool,
    /// Trace one iteration of the benchmark, instruction by instruction.
    pub why: bool,
    /// Keep a timeline and send it out at the end; a kernel that was built for it does.
    pub trace: bool,
    /// What a CPU does that has nobody to run.
    pub idle: Idle,
    /// What is to go wrong.
    pub plant: Option<Plant>,
    /// Which faults may strike under a seed, where not all; in a kernel that was built for them.
    pub faults: Option<faults::Set>,
}

/// What can go wrong on purpose, so that tests see what it looks like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Plant {
    /// The kernel ends like this at once; in any image.
    End(End),
    /// Now and then, while a stress test lets it; in an image that was built with the bugs.
    Bug(Bug),
    /// The counter of the last CPU seems to be a million ticks ahead when boot looks.
    Clock,
    /// A CPU in the middle does not hear the first time that it is told to start.
    LateCpu,
    /// It never does.
    MissingCpu,
}

/// How a kernel can end before its time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)] // Named for what they are.
pub enum End {
    Panic,
    Triple,
    Hang,
    Silent,
    Deadlock,
    Overflow,
    /// A lock is misused: of a kernel that was built to check that.
    Misuse(Misuse),
}

/// How a lock can be misused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Misuse {
    /// A token that is held shared is wanted exclusively.
    TokenAfterShare,
    /// A spin lock is taken on the CPU that has it.
    SpinTwice,
    /// A thread waits with a spin lock in hand.
    SpinOverWait,
}

/// What a kernel can lose, double or mix up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bug {
    /// A message to another CPU.
    Lose,
    /// It comes twice.
    Double,
    /// Two of them change places.
    Reorder,
    /// The interrupt that tells of messages.
    LostDoorbell,
    /// The place in a ring, over a call that met a full one: the call is executed again.
    StaleIndex,
    /// A wake from another CPU.
    LostWake,
    /// A page that was given back.
    LeakPage,
    /// A token that a thread held when it began to wait.
    TokenNotReacquired,
    /// The reply to a message, which comes twice.
    DoubleReply,
    /// That a drain waits for the handler of its callout.
    DrainFiring,
    /// That an errand waits for the end of a section.
    EarlyGrace,
    /// Objects of the heap that go back to the CPU whose they are.
    LostFree,
}

impl Plant {
    /// All, by name.
    pub const ALL: [(&str, Self); 24] = [
        ("panic", Self::End(End::Panic)),
        ("triple", Self::End(End::Triple)),
        ("hang", Self::End(End::Hang)),
        ("silent", Self::End(End::Silent)),
        ("deadlock", Self::End(End::Deadlock)),
        ("overflow", Self::End(End::Overflow)),
        ("token-after-share", Self::End(End::Misuse(Misuse::TokenAfterShare))),
        ("spin-twice", Self::End(End::Misuse(Misuse::SpinTwice))),
        ("spin-over-wait", Self::End(End::Misuse(Misuse::SpinOverWait))),
        ("clock", Self::Clock),
        ("late-cpu", Self::LateCpu),
        ("missing-cpu", Self::MissingCpu),
        ("lose", Self::Bug(Bug::Lose)),
        ("double", Self::Bug(Bug::Double)),
        ("reorder", Self::Bug(Bug::Reorder)),
        ("lost-doorbell", Self::Bug(Bug::LostDoorbell)),
        ("stale-index", Self::Bug(Bug::StaleIndex)),
        ("lost-wake", Self::Bug(Bug::LostWake)),
        ("leak-page", Self::Bug(Bug::LeakPage)),
        ("token-not-reacquired", Self::Bug(Bug::TokenNotReacquired)),
        ("double-reply", Self::Bug(Bug::DoubleReply)),
        ("drain-firing", Self::Bug(Bug::DrainFiring)),
        ("early-grace", Self::Bug(Bug::EarlyGrace)),
        ("lost-free", Self::Bug(Bug::LostFree)),
    ];

    /// What is called so.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(own, _)| *own == name).map(|(_, plant)| *plant)
    }
}

/// A word that means nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BadWord<'a>(pub &'a str);

impl<'a> Options<'a> {
    /// Without a command line: the benchmarks, as text.
    pub const DEFAULT: Self = Self {
        frames: false,
        clock: Clock::Unknown,
        seed: 0,
        parts: Parts { bench: true, stress: false, test: false, play: false, program: false },
        filter: "",
        program: "",
        list: false,
        quick: false,
        full: false,
        why: false,
        trace: false,
        idle: Idle::Hlt,
        plant: None,
        faults: None,
    };

    /// Reads a command line.
    pub fn parse(line: &'a str) -> Result<Self, BadWord<'a>> {
        let mut options = Self::DEFAULT;
        for word in line.split_ascii_whitespace() {
            options.word(word).ok_or(BadWord(word))?;
        }
        Ok(options)
    }

    fn word(&mut self, word: &'a str) -> Option<()> {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        match (key, value) {
            ("frames", "") => self.frames = true,
            ("list", "") => self.list = true,
            ("quick", "") => self.quick = true,
            ("full", "") => self.full = true,
            ("why", "") => self.why = true,
            ("trace", "") => self.trace = true,
            ("mode", "insns") => self.clock = Clock::Insns,
            ("mode", "tcg") => self.clock = Clock::Tcg,
            ("mode", "kvm") => self.clock = Clock::Kvm,
            ("seed", number) => self.seed = number.parse().ok()?,
            ("idle", name) => self.idle = Idle::of(name)?,
            ("filter", text) => self.filter = text,
            ("faults", names) => self.faults = Some(faults::Set::of(names)?),
            ("plant", name) => self.plant = Some(Plant::of(name)?),
            ("program", name) => {
                self.program = name;
                self.parts = Parts { program: true, ..Parts::default() };
            }
            ("run", list) => self.parts = parts(list)?,
            _ => return None,
        }
        Some(())
    }
}

fn parts(list: &str) -> Option<Parts> {
    let mut parts = Parts::default();
    for part in list.split(',').filter(|p| !p.is_empty()) {
        match part {
            "bench" => parts.bench = true,
            "stress" => parts.stress = true,
            "test" => parts.test = true,
            "play" => parts.play = true,
            _ => return None,
        }
    }
    Some(parts)
}
