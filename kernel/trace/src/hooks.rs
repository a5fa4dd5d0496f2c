//! What the transport needs from the machine: five small functions, bound at link time on the bare machine.

/// The machine under the transport.
///
/// On the bare machine the kernel implements this once and binds it with [`hooks!`](crate::hooks);
/// host tests use a type of their own with [`Transport`](crate::Transport).
pub trait Hooks {
    /// Dense number of this CPU.
    fn cpu() -> usize;
    /// Time stamp counter.
    fn tsc() -> u64;
    /// Masks interrupts on this CPU and returns the state before.
    fn irq_save() -> usize;
    /// Restores the state that [`Hooks::irq_save`] returned.
    fn irq_restore(state: usize);
    /// Pauses inside a wait (`pause`: gives the turn to another CPU).
    fn relax();
    /// Writes bytes to the port that the runner reads (`rep outsb` to 0xe9).
    fn write(bytes: &[u8]);
}

/// Binds an implementation of [`Hooks`] as the machine of this image: `trace::hooks!(Machine);`, once.
#[macro_export]
macro_rules! hooks {
    ($machine:ty) => {
        const _: () = {
            use $crate::Hooks;
            #[unsafe(no_mangle)]
            fn _damselfly_trace_cpu() -> usize {
                <$machine as Hooks>::cpu()
            }
            #[unsafe(no_mangle)]
            fn _damselfly_trace_tsc() -> u64 {
                <$machine as Hooks>::tsc()
            }
            #[unsafe(no_mangle)]
            fn _damselfly_trace_irq_save() -> usize {
                <$machine as Hooks>::irq_save()
            }
            #[unsafe(no_mangle)]
            fn _damselfly_trace_irq_restore(state: usize) {
                <$machine as Hooks>::irq_restore(state)
            }
            #[unsafe(no_mangle)]
            fn _damselfly_trace_relax() {
                <$machine as Hooks>::relax()
            }
            #[unsafe(no_mangle)]
            fn _damselfly_trace_write(bytes: &[u8]) {
                <$machine as Hooks>::write(bytes)
            }
        };
    };
}
