//! Greets, from the first thread and from one that it starts.
#![cfg_attr(target_os = "none", no_std, no_main)]

use program::{println, thread};

program::main!(hello);

fn hello() -> i64 {
    println!("hello from ring 3");
    match thread::spawn(|| 6 * 7) {
        Ok(other) => println!("a thread says {}", other.join()),
        Err(why) => println!("no thread: {why:?}"),
    }
    0
}
