//! What a program of ring 3 links: its start, typed calls of the layer, threads with closures, text.
//!
//! ```ignore
//! #![no_std]
//! #![no_main]
//! program::main!(main);
//! fn main() -> i64 {
//!     let sum = program::thread::spawn(|| 1 + 1).expect("a stack").join();
//!     program::println!("{sum}");
//!     0
//! }
//! ```
//! Calls go through the layer's table and take no trap; what has to wait blocks the calling thread only.
#![cfg_attr(target_os = "none", no_std)]

pub mod call;
pub mod io;
pub mod memory;
pub mod port;
pub mod process;
pub mod sync;
pub mod thread;

pub use abi::{Error, Failure, Handle, request};
pub use call::Layer;

/// Makes `$main`, of type `fn() -> i64`, the program's first thread; its value is the program's status.
#[macro_export]
macro_rules! main {
    ($main:path) => {
        #[cfg(target_os = "none")]
        #[unsafe(no_mangle)]
        extern "C" fn _start(_: u64) -> u64 {
            let main: fn() -> i64 = $main;
            $crate::process::exit(main())
        }

        #[cfg(not(target_os = "none"))]
        fn main() {
            let _: fn() -> i64 = $main;
            eprintln!("a program of ring 3: build it for x86_64-unknown-none");
        }
    };
}

#[cfg(target_os = "none")]
#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    println!("{info}");
    process::exit(101)
}
