//! Entry by `syscall`.
