//! What thread "main" does: the parts of the run that the command line names, one after the other.

use arch::power::Exit;
use bench_api::wire::{Record, VERSION};
use bench_api::{Settings, arguments};
use kernel_core::{boot, chaos, clocks, cpu, plant, process, records, say, timeline};
use lwkt_sched::MayBlock;
use percpu::CpuId;
use raw_cpuid::CpuId as Identification;
use servers::options::{Clock, Options};

/// Runs everything and says how it went.
pub fn run(cx: &mut MayBlock, options: &'static Options<'static>) -> Exit {
    begin(options);
    records::set_watched(options.why);
    if options.trace && !timeline::IS_TRACED {
        say!("a timeline was asked for, and this kernel was not built to be traced");
        return Exit::Boot;
    }
    if options.trace && timeline::begin().is_err() {
        say!("no memory for a timeline");
        return Exit::Boot;
    }
    plant::end(cx, options);
    let mut ok = true;
    if options.parts.bench {
        if !options.list {
            records::table_head();
        }
        ok &= bench_suite::run(cx, &settings(options), options.list);
        ok &= user_benches(cx, &settings(options), options.list);
    }
    if options.parts.test {
        ok &= kernel_stress::tests(cx, options);
    }
    if options.parts.stress {
        ok &= kernel_stress::stress(cx, options);
    }
    if options.parts.play {
        ok &= bench_play::play(cx, boot::module(), options.seed);
    }
    if options.parts.program {
        ok &= program(cx, options.program);
    }
    chaos::set_seed(0);
    if options.trace {
        timeline::end();
    }
    records::emit(&Record::RunEnd { ok, lost: trace::lost() });
    if ok { Exit::Success } else { Exit::Failed }
}

fn settings(options: &Options<'static>) -> Settings<'static> {
    let mode = match options.clock {
        Clock::Insns => bench_api::Mode::Insns,
        Clock::Tcg | Clock::Unknown => bench_api::Mode::Tcg,
        Clock::Kvm => bench_api::Mode::Kvm,
    };
    Settings {
        mode,
        quick: options.quick,
        seed: options.seed,
        filter: options.filter,
        why: options.why,
        curves: options.full,
    }
}

fn begin(options: &Options<'_>) {
    let identification = Identification::new();
    let brand = identification.get_processor_brand_string();
    let variants = kernel_core::variants();
    let clocks = clocks::spread();
    records::emit(&Record::RunBegin {
        version: VERSION,
        kernel: env!("CARGO_PKG_VERSION"),
        mode: options.clock.name(),
        apic: match apic::mode() {
            apic::Mode::X2Apic => "x2APIC",
            apic::Mode::XApic => "xAPIC",
        },
        cpus: cpu::count() as u64,
        cpus_expected: boot::expected() as u64,
        seed: options.seed,
        quick: options.quick,
        tick_hz: arch::time::rates().tsc,
        clock_within: clocks.within,
        clock_apart: clocks.apart,
        clock_cpu: clocks.worst as u64,
        cpu_model: brand.as_ref().map_or("unknown", |b| b.as_str()).trim(),
        variants: &variants,
    });
}

/// The program that measures from ring 3.
const USER_BENCHES: &str = "bench-user";

/// Runs the benchmarks of ring 3 that match, or has them listed; says whether all passed.
fn user_benches(cx: &mut MayBlock, settings: &Settings<'_>, list: bool) -> bool {
    let mut ok = true;
    for filter in arguments::pieces(settings.filter) {
        let Some(words) = arguments::pack(&Settings { filter, ..*settings }, list) else {
            continue;
        };
        match process::start(USER_BENCHES, CpuId::at(0), &words) {
            Ok(launch) => {
                let how = launch.wait(cx).how;
                if how != process::How::Exited(0) {
                    say!("{USER_BENCHES} ended: {how:?}");
                    ok = false;
                }
            }
            Err(process::StartError::Missing) => {
                records::emit(&Record::BenchSkip {
                    name: "user",
                    reason: "the image carries no bench-user",
                });
            }
            Err(error) => {
                say!("{USER_BENCHES} was not started: {error:?}");
                ok = false;
            }
        }
    }
    ok
}

/// Runs one program of the image to its end.
fn program(cx: &mut MayBlock, name: &str) -> bool {
    match process::start(name, CpuId::at(0), &[]) {
        Ok(launch) => {
            let ended = launch.wait(cx);
            say!("{name} ended: {:?}", ended.how);
            ended.how == process::How::Exited(0)
        }
        Err(error) => {
            say!("{name} was not started: {error:?}");
            false
        }
    }
}
