//! What a call takes of memory.

/// The bytes that a call takes besides its inputs: told before the call, by the plan, from the numbers that the engines use.
///
/// A promise, not an estimate: a call takes no more, and what is told is less than twice what is taken.
/// Where a call starts with memory that is there already, an output of yours or a thread that has run a larger plan, it takes less.
///
/// ```
/// use ndarray::Array4;
/// use upsample::Resize;
///
/// let plan = Resize::bilinear().plan([64, 64], [128, 128])?;
/// let x = Array4::<f32>::zeros((1, 3, 64, 64));
/// let memory = plan.forward_memory(&x)?;
/// assert_eq!(memory.output_bytes, 3 * 128 * 128 * 4);
/// assert!(memory.scratch_bytes(8) < memory.output_bytes);
/// # Ok::<(), upsample::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryUse {
    /// Bytes of the new array. Calls into an array of yours do without.
    pub output_bytes: usize,
    /// Bytes of weight tables or packed weights, held by the plan or made for the call, and shared by all threads.
    pub shared_bytes: usize,
    /// Bytes of buffers that each thread that takes part allocates once, and keeps for later calls.
    pub thread_bytes: usize,
}

impl MemoryUse {
    /// Bytes besides the output, in a pool of so many threads.
    #[must_use]
    pub const fn scratch_bytes(&self, threads: usize) -> usize {
        self.shared_bytes.saturating_add(self.thread_bytes.saturating_mul(threads))
    }
}

/// Bytes of the lists, a few an axis, that every plan and call keeps its books in.
pub(crate) const BOOKKEEPING: usize = 4096;

/// Bytes of the elements of a list.
pub(crate) fn bytes_of<T>(list: &[T]) -> usize {
    size_of_val(list)
}
