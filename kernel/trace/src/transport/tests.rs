#![cfg(not(feature = "loom"))]

use super::*;
use crate::RECORD_BYTES;
use core::cell::{Cell, RefCell};
use percpu::MAX_CPUS;
use std::boxed::Box;
use std::sync::Mutex;
use std::vec::Vec;
use std::{thread, vec};

std::thread_local! {
    static CPU: Cell<usize> = const { Cell::new(0) };
    static MASKED: Cell<usize> = const { Cell::new(0) };
    static PORT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A machine whose port is a vector of the thread.
struct Test;

impl Hooks for Test {
    fn cpu() -> usize {
        CPU.get()
    }
    fn tsc() -> u64 {
        0
    }
    fn irq_save() -> usize {
        MASKED.replace(1)
    }
    fn irq_restore(state: usize) {
        MASKED.set(state);
    }
    fn relax() {
        thread::yield_now();
    }
    fn write(bytes: &[u8]) {
        assert_eq!(MASKED.get(), 1, "written with interrupts on");
        PORT.with_borrow_mut(|port| port.extend(bytes));
    }
}

fn transport(cpus: usize) -> Transport<Test> {
    let transport = Transport::new();
    transport.set_mode(Mode::Frames);
    for cpu in 0..cpus {
        transport.attach(cpu, Box::leak(Box::new(CpuLog::new())));
    }
    transport
}

fn send(transport: &Transport<Test>, bytes: &[u8]) {
    transport.begin();
    bytes.chunks(3).for_each(|piece| transport.write(piece));
    transport.end();
}

/// Undoes rzCOBS (the format is drawn in `defmt::encoding`): bytes are read from the end.
fn decode(frame: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut bytes = frame.iter().rev();
    while let Some(&code) = bytes.next() {
        match code {
            0 => panic!("a zero inside a frame"),
            1..=0x7f => (0..7).for_each(|bit| {
                if code & 1 << (6 - bit) == 0 {
                    out.push(*bytes.next().expect("a byte"));
                } else {
                    out.push(0);
                }
            }),
            0x80..=0xfe => {
                out.push(0);
                (0..(code & 0x7f) + 7).for_each(|_| out.push(*bytes.next().expect("a byte")));
            }
            0xff => (0..134).for_each(|_| out.push(*bytes.next().expect("a byte"))),
        }
    }
    out.reverse();
    out
}

/// The frames at the port; the encoding may have padded each with zeros.
fn port() -> Vec<Vec<u8>> {
    let bytes = PORT.take();
    let whole = bytes.split_inclusive(|&byte| byte == 0);
    whole
        .map(|frame| decode(frame.strip_suffix(&[0]).expect("a whole frame")))
        .filter(|frame| !frame.is_empty())
        .collect()
}

fn padded(frame: &[u8], expected: &[u8]) -> bool {
    frame.starts_with(expected) && frame[expected.len()..].iter().all(|&byte| byte == 0)
}

#[test]
fn a_frame_reaches_the_port_whole() {
    let transport = transport(1);
    for len in [1, 6, 7, 8, 100, 140, 300] {
        let bytes: Vec<u8> = (0..len).map(|i| (i * 7 % 5) as u8).collect();
        send(&transport, &bytes);
        assert_eq!(MASKED.get(), 0);
        assert!(port().is_empty(), "nothing before the drain");
        transport.drain();
        let frames = port();
        assert_eq!(frames.len(), 1);
        assert!(padded(&frames[0], &bytes), "{:?} is not {bytes:?}", frames[0]);
    }
    assert_eq!(transport.lost(), 0);
}

#[test]
fn a_nested_frame_corrupts_neither() {
    let transport = transport(1);
    transport.begin();
    transport.write(b"outer");
    // A fault inside the frame logs, and inside that another.
    transport.begin();
    transport.write(b"nested");
    transport.begin();
    transport.write(b"third");
    transport.end();
    transport.begin();
    transport.write(b"no buffer left");
    transport.end();
    transport.write(b" one");
    transport.end();
    transport.write(b" frame");
    transport.end();
    assert_eq!(MASKED.get(), 0);
    transport.drain();
    let frames = port();
    assert_eq!(frames.len(), 3);
    assert!(padded(&frames[0], b"outer frame"));
    assert!(padded(&frames[1], b"nested one"));
    assert!(padded(&frames[2], b"third"));
    assert_eq!(transport.lost(), 1);
}

#[test]
fn nesting_without_bound_is_survived() {
    let transport = transport(1);
    (0..40).for_each(|_| transport.begin());
    transport.write(b"lost");
    (0..40).for_each(|_| transport.end());
    assert_eq!(MASKED.get(), 0);
    send(&transport, b"alive");
    transport.drain();
    assert!(padded(port().last().expect("frames"), b"alive"));
    assert_eq!(transport.lost(), 37);
}

#[test]
fn a_full_ring_drops_whole_log_frames_and_counts_them() {
    let transport = transport(1);
    let sent = 2 * crate::RING_BYTES / 100;
    for i in 0..sent {
        send(&transport, &[i as u8 | 1; 100]);
    }
    let lost = transport.lost() as usize;
    assert!(lost > 0);
    transport.drain();
    let frames = port();
    assert_eq!(frames.len() + lost, sent);
    for (i, frame) in frames.iter().enumerate() {
        assert!(padded(frame, &[i as u8 | 1; 100]));
    }
}

#[test]
fn a_record_is_never_lost() {
    let transport = transport(1);
    let sent = 4 * crate::RING_BYTES / RECORD_BYTES;
    for i in 0..sent {
        transport.urgently(|| send(&transport, &[i as u8 | 1; RECORD_BYTES]));
    }
    transport.drain();
    assert_eq!(transport.lost(), 0);
    assert_eq!(port().len(), sent);
    assert_eq!(MASKED.get(), 0);
}

#[test]
fn a_frame_too_long_is_dropped_whole() {
    let transport = transport(1);
    send(&transport, &[1; FRAME_BYTES + 1]);
    send(&transport, b"next");
    transport.drain();
    let frames = port();
    assert_eq!(frames.len(), 1);
    assert!(padded(&frames[0], b"next"));
    assert_eq!(transport.lost(), 1);
}

#[test]
fn early_frames_wait_and_text_throws_them_away() {
    let transport = transport(1);
    transport.set_mode(Mode::Early);
    send(&transport, b"early");
    transport.drain();
    assert!(port().is_empty());
    transport.set_mode(Mode::Frames);
    transport.drain();
    assert!(padded(&port()[0], b"early"));

    transport.set_mode(Mode::Text);
    send(&transport, b"nobody reads this");
    transport.drain();
    assert!(port().is_empty());
    assert_eq!(transport.lost(), 0);
}

#[test]
fn a_cpu_without_a_log_throws_its_frames_away() {
    let transport = transport(1);
    CPU.set(MAX_CPUS - 1);
    send(&transport, b"nowhere");
    assert_eq!(MASKED.get(), 0);
    CPU.set(0);
    transport.drain();
    assert!(port().is_empty());
}

#[test]
fn a_panic_takes_the_lock_and_what_nested_frames_left() {
    let transport = transport(2);
    send(&transport, b"before");
    // Another CPU was stopped while it drained, and this one dies inside a frame.
    transport.draining.store(true, Relaxed);
    transport.begin();
    transport.write(b"cut off");
    transport.begin();
    transport.write(b"panic at x.rs:1");
    transport.end();
    transport.drain();
    assert!(port().is_empty());
    transport.emergency_drain();
    let frames = port();
    assert_eq!(frames.len(), 2);
    assert!(padded(&frames[0], b"before"));
    assert!(padded(&frames[1], b"panic at x.rs:1"));
    MASKED.set(0);
}

#[test]
fn four_cpus_lose_and_mix_nothing() {
    static ALL: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());
    let transport = transport(4);
    let each = 2_000_u32;
    thread::scope(|scope| {
        for cpu in 0..4_u8 {
            let transport = &transport;
            scope.spawn(move || {
                CPU.set(cpu.into());
                for i in 0..each {
                    let mut bytes = vec![cpu + 1; 60];
                    bytes[..4].copy_from_slice(&(i + 0x0101_0101).to_le_bytes());
                    transport.urgently(|| send(transport, &bytes));
                }
                transport.drain();
                ALL.lock().expect("no panic").extend(port());
            });
        }
    });
    transport.drain();
    ALL.lock().expect("no panic").extend(port());
    let all = ALL.lock().expect("no panic");
    assert_eq!(all.len(), 4 * each as usize);
    for cpu in 1..=4_u8 {
        let mut numbers: Vec<u32> = all
            .iter()
            .filter(|frame| frame[4] == cpu)
            .map(|frame| u32::from_le_bytes([frame[0], frame[1], frame[2], frame[3]]) - 0x0101_0101)
            .collect();
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(0..each));
    }
    assert_eq!(transport.lost(), 0);
}
