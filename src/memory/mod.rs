//! The memory that a call takes.

pub(crate) mod uninit;

use crate::error::Error;

/// The bytes that a call takes besides its inputs. A plan gives them before the call, from the numbers that the engines use.
///
/// A call takes no more than this. It takes less where memory is there already: an output of yours, or scratch of a thread that has run a
/// larger plan. For resizing the figure is less than twice what is taken. For convolutions it is an upper bound, because how threads share
/// the work is not known beforehand.
///
/// Calls allocate their memory before they write anything. If that fails they return [`Error::OutOfMemory`](crate::Error) and the output
/// keeps its content. Lists of a kernel's taps are only tried beforehand, and `nested_bytes` are allocated when they are needed; if the
/// memory has been taken meanwhile, the process aborts, as Rust programs do without memory.
///
/// ```
/// use ndarray::Array4;
/// use upsample::Resize;
///
/// let plan = Resize::bilinear().plan([128, 128], [256, 256])?;
/// let x = Array4::<f32>::zeros((1, 3, 128, 128));
/// let memory = plan.forward_memory(&x)?;
/// assert_eq!(memory.output_bytes, 3 * 256 * 256 * 4);
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
    /// Bytes of further buffers, at most, where there are several threads: one that waits for another takes up other work meanwhile.
    pub nested_bytes: usize,
}

impl MemoryUse {
    /// Of a call whose threads need no buffers.
    pub(crate) fn of_call(output_bytes: usize, shared_bytes: usize) -> Self {
        Self { output_bytes, shared_bytes: shared_bytes.saturating_add(BOOKKEEPING), thread_bytes: 0, nested_bytes: 0 }
    }

    /// The same with `bytes` more that are shared.
    pub(crate) fn with_shared(self, bytes: usize) -> Self {
        Self { shared_bytes: self.shared_bytes.saturating_add(bytes), ..self }
    }

    /// Bytes besides the output, in a pool of `threads` threads.
    #[must_use]
    pub const fn scratch_bytes(&self, threads: usize) -> usize {
        let nested = if threads > 1 { self.nested_bytes } else { 0 };
        self.shared_bytes.saturating_add(self.thread_bytes.saturating_mul(threads)).saturating_add(nested)
    }
}

/// The scratch of a call. Each engine computes it in one place, for three uses: reserving before it writes, cutting its buffers, and the
/// figures of plans.
#[derive(Debug, Clone, Copy, Default)]
pub struct Need {
    /// Bytes of lists and packed weights, shared by all threads.
    pub(crate) shared_bytes: usize,
    /// Elements of the buffers that a thread holds one inside the other, the outermost first; 0 where there is none.
    pub(crate) buffers: [usize; 3],
    /// Tags of the ring of rows that a thread keeps.
    pub(crate) tags: usize,
    /// Bytes of the lists that a thread makes for a piece of work.
    pub(crate) list_bytes: usize,
    /// How many outermost buffers there can be at a time where threads that hold one wait for each other; otherwise 1 or 0.
    pub(crate) held: usize,
    /// Whether other threads may take part.
    pub(crate) threads: bool,
}

impl Need {
    /// Of a call whose threads never wait while they hold buffers.
    pub(crate) fn of_buffers(buffers: [usize; 3], threads: bool) -> Self {
        Self { buffers, threads, ..Self::default() }
    }

    /// The same with `bytes` more that are shared.
    pub(crate) fn with_shared(self, bytes: usize) -> Self {
        Self { shared_bytes: self.shared_bytes.saturating_add(bytes), ..self }
    }

    /// Enough for either of two ways to compute a call, or for both one after the other.
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            shared_bytes: self.shared_bytes.saturating_add(other.shared_bytes),
            buffers: std::array::from_fn(|place| self.buffers[place].max(other.buffers[place])),
            tags: self.tags.max(other.tags),
            list_bytes: self.list_bytes.max(other.list_bytes),
            held: self.held.max(other.held),
            threads: self.threads || other.threads,
        }
    }

    /// Bytes of each buffer of elements of type `T`.
    pub(crate) fn buffer_bytes<T>(&self) -> impl Iterator<Item = usize> {
        self.buffers.into_iter().filter(|&len| len > 0).map(|len| len.saturating_mul(size_of::<T>()).saturating_add(LINE))
    }

    /// Bytes of all buffers that a thread may come to keep. While it waits and holds some outermost ones, those of the call that it takes
    /// up meanwhile are so many places further in its list; each grows to the largest of all that have its place.
    fn kept_bytes<T>(&self) -> usize {
        let buffers: Vec<usize> = self.buffer_bytes::<T>().collect();
        // Further ones than there are buffers in a call lengthen the list by ones of the largest size.
        let held = self.held.clamp(1, buffers.len().max(1));
        let mut places = vec![0; buffers.len() + held - 1];
        for waiting in 0..held {
            for (place, &bytes) in places[waiting..].iter_mut().zip(&buffers) {
                *place = bytes.max(*place);
            }
        }
        let largest = buffers.iter().copied().max().unwrap_or(0);
        places.into_iter().fold(largest.saturating_mul(self.held.saturating_sub(held)), usize::saturating_add)
    }

    /// The memory of a call whose buffers are of type `T`, as plans report it.
    pub(crate) fn memory_use<T>(&self, output_bytes: usize) -> MemoryUse {
        let books = self.list_bytes.saturating_add(self.tags.saturating_mul(size_of::<usize>())).saturating_add(BOOKKEEPING);
        let thread_bytes = self.buffer_bytes::<T>().fold(books, usize::saturating_add);
        let nested_bytes = self.kept_bytes::<T>().saturating_sub(self.buffer_bytes::<T>().fold(0, usize::saturating_add));
        MemoryUse { output_bytes, shared_bytes: self.shared_bytes.saturating_add(BOOKKEEPING), thread_bytes, nested_bytes }
    }
}

/// Bytes of a cache line, where scratch memory begins: a register that lies across two lines takes longer to load and store.
pub(crate) const LINE: usize = 64;

/// Bytes of the lists that every plan and call makes, a few for each axis.
pub(crate) const BOOKKEEPING: usize = 4096;

/// Bytes of the elements of a list.
pub(crate) fn bytes_of<T>(list: &[T]) -> usize {
    size_of_val(list)
}

/// Bytes of a list of `len` elements that grew one by one: what it grew from is there beside it for a moment.
pub(crate) fn grown_bytes<T>(len: usize) -> usize {
    len.next_power_of_two().saturating_mul(2).saturating_mul(size_of::<T>())
}

/// Makes room for `len` elements of a table.
pub(crate) fn reserve_list<T>(list: &mut Vec<T>, len: usize) -> Result<(), Error> {
    let bytes = len.saturating_mul(size_of::<T>());
    list.try_reserve_exact(len).map_err(|_| Error::OutOfMemory { argument: "table", bytes })
}

/// `len` copies of an element, for a table.
pub(crate) fn list_of<T: Clone>(value: T, len: usize) -> Result<Vec<T>, Error> {
    let mut list = Vec::new();
    reserve_list(&mut list, len)?;
    list.resize(len, value);
    Ok(list)
}

/// Allocates room for `count` packed weights.
pub(crate) fn reserve_weights<T>(count: usize) -> Result<Vec<T>, Error> {
    let mut weights = Vec::new();
    let bytes = count.saturating_mul(size_of::<T>());
    weights.try_reserve_exact(count).map_err(|_| Error::OutOfMemory { argument: "packed weights", bytes })?;
    Ok(weights)
}
