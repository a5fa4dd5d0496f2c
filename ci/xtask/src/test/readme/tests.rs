use super::*;

#[test]
fn commands_of_shell_blocks_are_found() {
    let text = "Say ./x run.\n```sh\n./x run            # all of it\n./x test\n./x boot --gdb\n```\n\
        ```rust\n./x no\n```\n```console\n$ ./x bench ipi\nG1 58\n$ qemu-system-x86_64 -kernel x\n```\n";
    assert_eq!(commands(text), ["./x run", "./x bench ipi", "qemu-system-x86_64 -kernel x"]);
}
