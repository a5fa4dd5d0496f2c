//! A server in ring 3: a named port, a thread that answers, and another that asks.
#![cfg_attr(target_os = "none", no_std, no_main)]

use program::{Failure, port, println, thread};

program::main!(echo);

const REQUESTS: usize = 100;

fn echo() -> i64 {
    match serve_and_ask() {
        Ok(good) => {
            println!("{good} of {REQUESTS} requests were answered");
            i64::from(good != REQUESTS)
        }
        Err(why) => {
            println!("echo: {why:?}");
            1
        }
    }
}

fn serve_and_ask() -> Result<usize, Failure> {
    let served = port::create("echo")?;
    let server = thread::spawn(move || -> Result<(), Failure> {
        for _ in 0..REQUESTS {
            let mut bytes = [0; 64];
            let request = port::receive(served, &mut bytes)?;
            let length = request.length();
            request.reply(&bytes[..length])?;
        }
        Ok(())
    });
    let Ok(server) = server else { return Ok(0) };
    let asked = port::open("echo")?;
    let mut good = 0;
    for number in 0..REQUESTS {
        let (question, mut reply) = ([number as u8; 16], [0; 64]);
        let length = port::call(asked, &question, &mut reply)?;
        good += usize::from(reply[..length] == question);
    }
    server.join()?;
    Ok(good)
}
