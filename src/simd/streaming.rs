//! Stores that go past the caches.
//!
//! An ordinary store first reads the line it writes to. For an output that does not fit into the last-level cache anyway that is a
//! third memory transfer for nothing; streaming ("non-temporal") stores do without. A smaller output is better left in the cache.

use std::mem::MaybeUninit;

use super::{Backend, InstructionSet, Kernel};

/// Whether outputs are written past the caches. It never changes a result.
///
/// ```
/// use upsample::{Resize, StreamingStores};
///
/// // Whoever reads the output right away would rather have it in the cache.
/// let plan = Resize::linear().streaming(StreamingStores::Never).plan([64, 64], 2.0)?;
/// # assert_eq!(plan.output_size(), [128, 128]);
/// # Ok::<(), upsample::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum StreamingStores {
    /// For outputs of more than [`THRESHOLD`](Self::THRESHOLD) bytes.
    #[default]
    Auto,
    /// For every output.
    Always,
    /// For none.
    Never,
}

impl StreamingStores {
    /// 8 MiB: a core's fair share of the last-level caches of today's servers. Larger outputs were measured to be written up to twice as
    /// fast past the caches even where the last level could just hold them, since an ordinary store first reads the line it writes.
    pub const THRESHOLD: usize = 8 << 20;

    /// Whether an output of `bytes` is streamed.
    pub(crate) fn streams(self, bytes: usize) -> bool {
        match self {
            Self::Auto => bytes > Self::THRESHOLD,
            Self::Always => true,
            Self::Never => false,
        }
    }
}

/// How the loops run, whatever they compute.
#[derive(Debug, Clone, Copy)]
pub struct How {
    pub(crate) backend: Backend,
    pub(crate) streaming: StreamingStores,
}

/// Copies a row that was assembled in the cache into the output, past the cache.
pub(crate) struct StreamRow<'a, T> {
    pub(crate) from: &'a [MaybeUninit<T>],
    pub(crate) to: &'a mut [MaybeUninit<T>],
}

impl<T: Copy> Kernel for StreamRow<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: InstructionSet>(self) {
        I::stream(self.from, self.to);
    }
}

/// Orders streamed rows before whatever tells other threads that they are there. To be called by the thread that streamed.
pub(crate) fn finish_streaming() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 processor has SSE.
    unsafe {
        std::arch::x86_64::_mm_sfence();
    }
}

/// Written elements seen as ones that need not be.
pub(crate) fn as_maybe_uninit<T>(elements: &[T]) -> &[MaybeUninit<T>] {
    // SAFETY: `MaybeUninit<T>` has the layout of `T`, the length is the same, and nothing can be written through the result.
    unsafe { std::slice::from_raw_parts(elements.as_ptr().cast(), elements.len()) }
}

/// Memory of the engine's own, seen as an output. Only initialised elements may be written to it, as all loops do.
pub(crate) fn as_maybe_uninit_mut<T: Copy>(elements: &mut [T]) -> &mut [MaybeUninit<T>] {
    let (elements, len) = (elements.as_mut_ptr(), elements.len());
    // SAFETY: `MaybeUninit<T>` has the layout of `T`, the length is the same, and the crate's loops write initialised elements alone.
    unsafe { std::slice::from_raw_parts_mut(elements.cast(), len) }
}
