//! Stores that go past the caches.
//!
//! An ordinary store first reads the line it writes to. For an output that does not fit into the last-level cache anyway that is a
//! third memory transfer for nothing; streaming ("non-temporal") stores do without. A smaller output is better left in the cache.

use std::mem::MaybeUninit;
use std::ops::Range;

use super::{Backend, InstructionSet, Kernel, LINE};

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
#[non_exhaustive]
pub enum StreamingStores {
    /// For outputs of more than [`THRESHOLD`](Self::THRESHOLD) bytes, of nearest more than [`COPY_THRESHOLD`](Self::COPY_THRESHOLD).
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

    /// The same for nearest, which copies: 24 MiB. Copies alone are written as fast as a last-level cache takes them, which was measured to
    /// be up to twice as fast as memory, as long as they fit.
    pub const COPY_THRESHOLD: usize = 24 << 20;

    /// Whether a resized output of `bytes` is streamed.
    pub(crate) fn streams(self, bytes: usize) -> bool {
        self.streams_above(bytes, Self::THRESHOLD)
    }

    /// Whether a copied output of `bytes` is streamed.
    pub(crate) fn streams_copy(self, bytes: usize) -> bool {
        self.streams_above(bytes, Self::COPY_THRESHOLD)
    }

    fn streams_above(self, bytes: usize, threshold: usize) -> bool {
        match self {
            Self::Auto => bytes > threshold,
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

/// The partly filled cache line between two streamed rows.
///
/// Lines have to be streamed whole: measured on Zen 4, one that is stored in part beside streamed ones takes as long as streaming 12 KiB,
/// and most rows begin and end inside a line. So the end of a row waits here for the beginning of the next. A line that is whole then waits for
/// the next one: to read at once what two stores have written means to wait for these and all stores before, those past the caches too.
/// Measured on Zen 4, that took 5 % of a bilinear enlargement.
#[repr(align(64))]
pub(crate) struct Carry {
    /// Each with room for two lines: whole registers may be written past the end of the first.
    lines: [[MaybeUninit<u8>; 2 * LINE]; 2],
    /// Which of them waits for its rest.
    open: usize,
    /// The byte of the output that follows the other one, if that is whole and waits.
    whole: Option<usize>,
    /// The bytes of the open line that wait here; those before belong to someone else.
    held: Range<usize>,
    /// The byte of the output that follows them.
    end: usize,
}

/// A line that waits here, and where it goes.
type LineAndPlace<'l, 'o, T> = (&'l [MaybeUninit<T>], &'o mut [MaybeUninit<T>]);

impl Carry {
    pub(crate) fn new() -> Self {
        Self { lines: [[MaybeUninit::uninit(); 2 * LINE]; 2], open: 0, whole: None, held: 0..0, end: usize::MAX }
    }

    /// Prepares for elements from `begin` of `out` on, and returns how many of them complete the open line; 0 if they begin a line. Writes
    /// what is held if they do not follow it.
    #[inline(always)]
    pub(super) fn resume<T: Copy>(&mut self, out: &mut [MaybeUninit<T>], begin: usize) -> usize {
        let at = begin * size_of::<T>();
        if self.end != at {
            self.finish(out);
            let place = out[begin..].as_ptr().addr() % LINE;
            (self.held, self.end) = (place..place, at);
        }
        (LINE - self.held.end) % LINE / size_of::<T>()
    }

    /// Where the next elements of the line are to be written, then told by [`advance`](Self::advance). There is room for a register more
    /// than the line takes.
    #[inline(always)]
    pub(super) fn room<T: Copy>(&mut self) -> &mut [MaybeUninit<T>] {
        const { assert!(LINE.is_multiple_of(size_of::<T>()) && align_of::<T>() <= size_of::<T>()) };
        elements_mut(&mut self.lines[self.open][self.held.end..])
    }

    /// Counts elements that were written to the room. Of lines that they complete the one before the last goes into `out`.
    #[inline(always)]
    pub(super) fn advance<I: InstructionSet, T: Copy>(&mut self, count: usize, out: &mut [MaybeUninit<T>]) {
        self.held.end += count * size_of::<T>();
        self.end += count * size_of::<T>();
        if self.held == (0..LINE) {
            if let Some((from, to)) = self.take_whole(out) {
                I::stream(from, to);
            }
            (self.whole, self.open, self.held) = (Some(self.end), 1 - self.open, 0..0);
        } else if self.held.end == LINE {
            self.finish(out);
        }
    }

    /// Counts elements that went into the output without waiting here: whole lines.
    #[inline(always)]
    pub(super) fn pass<T>(&mut self, count: usize) {
        self.end += count * size_of::<T>();
    }

    /// The line that is whole, and its place.
    #[inline(always)]
    fn take_whole<'o, T: Copy>(&mut self, out: &'o mut [MaybeUninit<T>]) -> Option<LineAndPlace<'_, 'o, T>> {
        let end = self.whole.take()? / size_of::<T>();
        Some((elements(&self.lines[1 - self.open][..LINE]), &mut out[end - LINE / size_of::<T>()..end]))
    }

    /// Writes what is held.
    pub(crate) fn finish<T: Copy>(&mut self, out: &mut [MaybeUninit<T>]) {
        if let Some((from, to)) = self.take_whole(out) {
            to.copy_from_slice(from);
        }
        let (count, end) = (self.held.len() / size_of::<T>(), self.end / size_of::<T>());
        if count > 0 {
            out[end - count..end].copy_from_slice(elements(&self.lines[self.open][self.held.clone()]));
        }
        let next = self.held.end % LINE;
        self.held = next..next;
    }
}

/// Bytes of a line seen as elements; incomplete ones at the end are left out.
///
/// # Panics
/// If the bytes do not begin at a multiple of an element's alignment.
fn elements<T: Copy>(bytes: &[MaybeUninit<u8>]) -> &[MaybeUninit<T>] {
    assert!(bytes.as_ptr().addr().is_multiple_of(align_of::<T>()));
    // SAFETY: the address was looked at, the length is rounded down, and `MaybeUninit` asks nothing of the bytes.
    unsafe { std::slice::from_raw_parts(bytes.as_ptr().cast(), bytes.len() / size_of::<T>()) }
}

/// The same to write.
pub(super) fn elements_mut<T: Copy>(bytes: &mut [MaybeUninit<u8>]) -> &mut [MaybeUninit<T>] {
    assert!(bytes.as_ptr().addr().is_multiple_of(align_of::<T>()));
    // SAFETY: the address was looked at, the length is rounded down, and `MaybeUninit` asks nothing of the bytes.
    unsafe { std::slice::from_raw_parts_mut(bytes.as_mut_ptr().cast(), bytes.len() / size_of::<T>()) }
}

/// Where rows are to be written, one after the other without gaps.
pub(crate) struct Destination<'a, T> {
    /// All that the rows before and after them are written to.
    pub(crate) out: &'a mut [MaybeUninit<T>],
    /// Their first element.
    pub(crate) begin: usize,
    /// Given where they go past the caches.
    pub(crate) carry: Option<&'a mut Carry>,
}

impl<'a, T> Destination<'a, T> {
    /// Memory to be written by ordinary stores.
    pub(crate) fn stored(out: &'a mut [MaybeUninit<T>]) -> Self {
        Self { out, begin: 0, carry: None }
    }
}

/// Writes neighbouring rows that were assembled in the cache.
pub(crate) struct WriteRows<'a, T> {
    pub(crate) from: &'a [MaybeUninit<T>],
    pub(crate) to: Destination<'a, T>,
}

impl<T: Copy> Kernel for WriteRows<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: InstructionSet>(self) {
        let Self { from, to: Destination { out, begin, carry } } = self;
        match carry {
            Some(carry) => stream_on::<I, T>(from, out, begin, carry),
            None => out[begin..][..from.len()].copy_from_slice(from),
        }
    }
}

/// Streams `from` to the elements of `out` from `begin` on.
#[inline(always)]
pub(super) fn stream_on<I: InstructionSet, T: Copy>(from: &[MaybeUninit<T>], out: &mut [MaybeUninit<T>], begin: usize, carry: &mut Carry) {
    let head = carry.resume(out, begin).min(from.len());
    if head > 0 {
        carry.room()[..head].copy_from_slice(&from[..head]);
        carry.advance::<I, T>(head, out);
    }
    let lines = (from.len() - head) / (LINE / size_of::<T>()) * (LINE / size_of::<T>());
    I::stream(&from[head..][..lines], &mut out[begin + head..][..lines]);
    carry.pass::<T>(lines);
    let rest = &from[head + lines..];
    if !rest.is_empty() {
        carry.room()[..rest.len()].copy_from_slice(rest);
        carry.advance::<I, T>(rest.len(), out);
    }
}

/// Elements of any type seen as bytes.
pub(super) fn as_bytes<T>(elements: &[MaybeUninit<T>]) -> &[MaybeUninit<u8>] {
    // SAFETY: the bytes of the slice, whatever they are, padding included.
    unsafe { std::slice::from_raw_parts(elements.as_ptr().cast(), size_of_val(elements)) }
}

/// The same to write.
pub(crate) fn as_bytes_mut<T>(elements: &mut [MaybeUninit<T>]) -> &mut [MaybeUninit<u8>] {
    // SAFETY: the bytes of the slice; whatever is written to them, a `MaybeUninit` allows it.
    unsafe { std::slice::from_raw_parts_mut(elements.as_mut_ptr().cast(), size_of_val(elements)) }
}

/// Makes streamed rows visible before any later store of this thread. To be called by the thread that streamed.
pub(crate) fn finish_streaming() {
    #[cfg(all(target_arch = "x86_64", not(miri)))] // the interpreter knows no fences of stores, and nothing is streamed under it
    // SAFETY: every x86-64 processor has SSE.
    unsafe {
        std::arch::x86_64::_mm_sfence();
    }
}

/// Initialised elements seen as possibly uninitialised ones.
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
