//! The ears of a run: a private folder with sockets, and a thread for each stream.

use std::{
    io::{self, BufRead, BufReader, Read},
    os::unix::net::{UnixListener, UnixStream},
    path::Path,
    sync::mpsc::{Receiver, Sender, channel},
    thread,
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    Refusal,
    child::Child,
    command::Wiring,
    frame::{Decoded, Dictionary, Frame},
    qmp::Monitor,
};

/// Something that QEMU or the kernel said.
pub enum Heard {
    /// A frame.
    Frame(Frame),
    /// A line of text on the serial port.
    Text(String),
    /// A line of QEMU's own.
    Complaint(String),
    /// The monitor answers, or why it never will.
    Monitor(anyhow::Result<Monitor>),
    /// An event of the monitor's.
    Event(Value),
    /// Frames cannot be decoded, and why.
    Undecodable(String),
    /// Bytes that were no frame.
    Garbage,
    /// One of the [`STREAMS`] ended.
    End,
}

/// How many streams end when QEMU does: frames, text, complaints.
pub const STREAMS: usize = 3;

/// The private folder and its sockets, waiting for QEMU. Gone when dropped.
pub struct Post {
    folder: TempDir,
    wiring: Wiring,
    frames: UnixListener,
    monitor: UnixListener,
}

impl Post {
    /// Makes the folder and listens.
    pub fn open() -> Result<Self, Refusal> {
        let denied = |what: &str, error: io::Error| {
            Refusal::Host(format!(
                "cannot make {what} in {}: {error}",
                std::env::temp_dir().display()
            ))
        };
        let folder = tempfile::Builder::new()
            .prefix("damselfly-")
            .tempdir()
            .map_err(|error| denied("a private folder", error))?;
        let wiring =
            Wiring { frames: folder.path().join("frames"), monitor: folder.path().join("monitor") };
        let frames =
            UnixListener::bind(&wiring.frames).map_err(|error| denied("a socket", error))?;
        let monitor =
            UnixListener::bind(&wiring.monitor).map_err(|error| denied("a socket", error))?;
        Ok(Post { folder, wiring, frames, monitor })
    }

    /// Returns where QEMU must connect.
    pub fn wiring(&self) -> &Wiring {
        &self.wiring
    }

    /// Returns the private folder, for what QEMU writes at the end.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts to listen to `child`, whose kernel is `elf`.
    pub fn listen(&self, child: &mut Child, elf: Vec<u8>) -> Result<Ears, Refusal> {
        let (sender, heard) = channel();
        let host = |error: io::Error| Refusal::Host(format!("cannot listen to QEMU: {error}"));
        let frames = self.frames.try_clone().map_err(host)?;
        let monitor = self.monitor.try_clone().map_err(host)?;
        let to = sender.clone();
        thread::spawn(move || {
            // Sent however the thread ends: the decoder may panic over a wild kernel's bytes.
            let _end = End(to.clone());
            hear_frames(&frames, &elf, &to);
        });
        let to = sender.clone();
        thread::spawn(move || {
            if let Ok((stream, _)) = monitor.accept() {
                let events = to.clone();
                let opened = Monitor::open(stream, move |event| {
                    let _ = events.send(Heard::Event(event));
                });
                let _ = to.send(Heard::Monitor(opened));
            }
        });
        if let Some(stdout) = child.inner().stdout.take() {
            let to = sender.clone();
            thread::spawn(move || hear_lines(stdout, &to, Heard::Text));
        }
        if let Some(stderr) = child.inner().stderr.take() {
            let to = sender.clone();
            thread::spawn(move || hear_lines(stderr, &to, Heard::Complaint));
        }
        Ok(Ears { heard, _open: sender })
    }

    /// Lets go of threads that wait for a QEMU that never came.
    pub fn close(&self) {
        // To connect is the only way to end an accept; both ends are dropped at once.
        let _ = UnixStream::connect(&self.wiring.frames);
        let _ = UnixStream::connect(&self.wiring.monitor);
    }
}

/// What is heard, in one queue.
pub struct Ears {
    /// The queue.
    pub heard: Receiver<Heard>,
    /// Its other end: an empty queue is waited for, also when nobody is left to fill it.
    _open: Sender<Heard>,
}

fn hear_frames(listener: &UnixListener, elf: &[u8], to: &Sender<Heard>) {
    let dictionary = Dictionary::read(elf);
    let Ok((mut stream, _)) = listener.accept() else { return };
    let dictionary = match dictionary {
        Ok(Some(dictionary)) => dictionary,
        unusable => {
            let none = "the kernel has no format strings".to_owned();
            let why = unusable.err().map_or(none, |error| format!("{error:#}"));
            let _ = to.send(Heard::Undecodable(why));
            // Nobody would empty the socket, and the guest would stand still.
            let _ = io::copy(&mut stream, &mut io::sink());
            return;
        }
    };
    let mut decoder = dictionary.decoder();
    let mut buffer = [0; 16 * 1024];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
            Ok(length) => decoder.feed(&buffer[..length], |decoded| {
                let _ = to.send(match decoded {
                    Decoded::Frame(frame) => Heard::Frame(frame),
                    Decoded::Garbage => Heard::Garbage,
                });
            }),
        }
    }
}

fn hear_lines(stream: impl Read, to: &Sender<Heard>, wrap: fn(String) -> Heard) {
    let _end = End(to.clone());
    let mut reader = BufReader::new(stream);
    let mut line = Vec::new();
    while let Ok(length) = reader.read_until(b'\n', &mut line) {
        if length == 0 {
            break;
        }
        let text = String::from_utf8_lossy(&line);
        let _ = to.send(wrap(text.trim_end_matches(['\n', '\r']).to_owned()));
        line.clear();
    }
}

/// Says that a stream has ended.
struct End(Sender<Heard>);

impl Drop for End {
    fn drop(&mut self) {
        let _ = self.0.send(Heard::End);
    }
}
