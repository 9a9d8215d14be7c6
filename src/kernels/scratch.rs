//! Scratch memory: buffers that threads keep from call to call, allocated before a call writes anything.

use std::cell::RefCell;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Arithmetic, FewBits};
use crate::error::Error;
use crate::memory::{LINE, Need};
use crate::tasks;

/// Memory that a thread keeps from call to call, so that running a plan allocates nothing after the first time.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(super) single: Vec<Vec<f32>>,
    pub(super) double: Vec<Vec<f64>>,
    pub(super) bytes: Vec<Vec<u8>>,
    pub(super) few_bits: Vec<Vec<FewBits>>,
    tags: Vec<Vec<usize>>,
}

impl Scratch {
    const fn new() -> Self {
        Self { single: Vec::new(), double: Vec::new(), bytes: Vec::new(), few_bits: Vec::new(), tags: Vec::new() }
    }

    fn tags(&mut self) -> &mut Vec<Vec<usize>> {
        &mut self.tags
    }
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = const { RefCell::new(Scratch::new()) };
}

/// Calls `work` with the thread's scratch memory. Does nothing where the thread is ending and has freed it.
fn with_own(work: &mut dyn FnMut(&mut Scratch)) {
    // An error means that the thread is ending.
    let _ = SCRATCH.try_with(|scratch| work(&mut scratch.borrow_mut()));
}

/// Buffers that calls have allocated for other threads and that these have not taken yet.
struct HandedOver {
    buffers: Scratch,
    /// How many buffers the running calls have put here, whether taken or not.
    promised: usize,
}

static HANDED_OVER: Mutex<HandedOver> = Mutex::new(HandedOver { buffers: Scratch::new(), promised: 0 });

fn handed_over() -> MutexGuard<'static, HandedOver> {
    HANDED_OVER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The reserved scratch of a call. Dropping it frees what no thread has taken.
#[must_use = "the memory is there as long as this is"]
pub(crate) struct Reserved {
    /// Buffers that were put among those handed over.
    promised: usize,
}

impl Reserved {
    /// Puts buffers where threads find them; `list` is that of their type.
    fn hand_over<T>(&mut self, mut buffers: Vec<Vec<T>>, list: fn(&mut Scratch) -> &mut Vec<Vec<T>>) -> Result<(), Error> {
        if buffers.is_empty() {
            return Ok(());
        }
        let mut handed_over = handed_over();
        let (count, list) = (buffers.len(), list(&mut handed_over.buffers));
        list.try_reserve(count).map_err(|_| out_of_memory(count.saturating_mul(size_of::<Vec<T>>())))?;
        list.append(&mut buffers);
        handed_over.promised += count;
        self.promised += count;
        Ok(())
    }
}

impl Drop for Reserved {
    /// Frees what no thread has taken. As many of the largest buffers stay as other running calls have put there.
    fn drop(&mut self) {
        if self.promised == 0 {
            return;
        }
        let mut handed_over = handed_over();
        handed_over.promised -= self.promised;
        let most = handed_over.promised;
        let kept = &mut handed_over.buffers;
        let freed = Scratch {
            single: surplus(&mut kept.single, most),
            double: surplus(&mut kept.double, most),
            bytes: surplus(&mut kept.bytes, most),
            few_bits: surplus(&mut kept.few_bits, most),
            tags: surplus(&mut kept.tags, most),
        };
        // Freed after the lock is released, so that other threads need not wait.
        drop(handed_over);
        drop(freed);
    }
}

/// Takes the smallest buffers out, so that at most `most` stay.
fn surplus<T>(buffers: &mut Vec<Vec<T>>, most: usize) -> Vec<Vec<T>> {
    if most == 0 {
        return std::mem::take(buffers);
    }
    let mut smallest = Vec::new();
    while buffers.len() > most {
        let mut least = 0;
        for at in 1..buffers.len() {
            if buffers[at].capacity() < buffers[least].capacity() {
                least = at;
            }
        }
        smallest.push(buffers.swap_remove(least));
    }
    smallest
}

/// Allocates the scratch of a call before it writes anything: for this thread, and as much for each other thread that may take part. Threads
/// that have kept large enough buffers from earlier calls do not take theirs.
pub(crate) fn reserve<T: Arithmetic>(need: &Need) -> Result<Reserved, Error> {
    let here = !need.threads || tasks::is_worker();
    let lens = need.buffers.map(|len| if len > 0 { with_spare::<T>(len) } else { 0 });
    if here {
        let mut grown = Ok(());
        with_own(&mut |scratch| grown = grow(T::scratch(scratch), &lens).and_then(|()| grow(&mut scratch.tags, &[need.tags])));
        grown?;
    }
    let others = if need.threads { tasks::threads() - usize::from(here) } else { 0 };
    try_lists(need.list_bytes, others + usize::from(here))?;
    let mut reserved = Reserved { promised: 0 };
    reserved.hand_over(buffers::<T>(others, &lens)?, T::scratch)?;
    reserved.hand_over(buffers(others, &[need.tags])?, Scratch::tags)?;
    Ok(reserved)
}

/// [`reserve`], unless the caller has already done so.
pub(crate) fn reserve_unless<T: Arithmetic>(reserved: Option<&Reserved>, need: impl FnOnce() -> Need) -> Result<Option<Reserved>, Error> {
    reserved.is_none().then(|| reserve::<T>(&need())).transpose()
}

/// Buffers of these lengths for each of `threads` threads.
fn buffers<T>(threads: usize, lens: &[usize]) -> Result<Vec<Vec<T>>, Error> {
    let of_thread = lens.iter().filter(|&&len| len > 0).count();
    let mut buffers = empty_buffer(threads.saturating_mul(of_thread))?;
    for _ in 0..threads {
        for &len in lens {
            if len > 0 {
                buffers.push(empty_buffer(len)?);
            }
        }
    }
    Ok(buffers)
}

/// Tries to allocate the lists that `threads` threads will make. Short lists are not tried.
fn try_lists(bytes: usize, threads: usize) -> Result<(), Error> {
    const SHORT: usize = 1 << 12;
    let mut tried = Vec::new();
    for _ in 0..if bytes > SHORT { threads } else { 0 } {
        tried.push(empty_buffer::<u8>(bytes)?);
    }
    std::hint::black_box(&tried); // the compiler may remove an allocation that nothing reads
    Ok(())
}

fn out_of_memory(bytes: usize) -> Error {
    Error::OutOfMemory { argument: "scratch", bytes }
}

/// Room for `len` elements.
fn empty_buffer<T>(len: usize) -> Result<Vec<T>, Error> {
    let mut buffer = Vec::new();
    buffer.try_reserve_exact(len).map_err(|_| out_of_memory(len.saturating_mul(size_of::<T>())))?;
    Ok(buffer)
}

/// The length of a buffer in which `len` elements can begin at a cache line.
fn with_spare<T>(len: usize) -> usize {
    len.saturating_add(LINE / size_of::<T>())
}

/// Grows the buffers that will be taken next, from the end of the list on, to the lengths of the call. Lengths of 0 are skipped.
fn grow<T: Clone + Default>(kept: &mut Vec<Vec<T>>, lens: &[usize]) -> Result<(), Error> {
    let lens = lens.iter().filter(|&&len| len > 0);
    for _ in kept.len()..lens.clone().count() {
        kept.insert(0, Vec::new());
    }
    for (&len, buffer) in lens.zip(kept.iter_mut().rev()) {
        if buffer.capacity() < len {
            // The old buffer is freed first: its content is not needed, and two buffers would exceed the memory that the plan reports.
            *buffer = Vec::new();
            *buffer = empty_buffer(len)?;
        }
        if buffer.len() < len {
            buffer.resize(len, T::default());
        }
    }
    Ok(())
}

/// Lends `len` elements of the thread's scratch memory, of unspecified content.
pub(crate) fn with_scratch<T: Arithmetic, R>(len: usize, work: impl FnOnce(&mut [T]) -> R) -> R {
    let whole = with_spare::<T>(len);
    let mut buffer = take(whole, T::scratch);
    let aligned = buffer.as_ptr().align_offset(LINE).min(whole - len);
    let result = work(&mut buffer[aligned..][..len]);
    put_back(buffer, T::scratch);
    result
}

/// Lends `len` tags of a ring, all set to `usize::MAX`.
pub(crate) fn with_tags<R>(len: usize, work: impl FnOnce(&mut [usize]) -> R) -> R {
    let mut tags = take(len, Scratch::tags);
    tags[..len].fill(usize::MAX);
    let result = work(&mut tags[..len]);
    put_back(tags, Scratch::tags);
    result
}

/// Returns a buffer to the thread's list.
fn put_back<T>(buffer: Vec<T>, list: fn(&mut Scratch) -> &mut Vec<Vec<T>>) {
    let mut buffer = Some(buffer);
    with_own(&mut |scratch| list(scratch).extend(buffer.take()));
}

/// Takes a buffer of at least `len` elements: from the thread's own list, or one that [`reserve`] has allocated for this thread.
///
/// The buffer is not in the list until it is put back, so a nested call takes the next one.
fn take<T: Clone + Default>(len: usize, list: fn(&mut Scratch) -> &mut Vec<Vec<T>>) -> Vec<T> {
    let mut buffer = Vec::new();
    with_own(&mut |scratch| buffer = list(scratch).pop().unwrap_or_default());
    // A buffer from `reserve` has the capacity for the longest part of a call; its length grows with use.
    if buffer.capacity() < len {
        // The old buffer is freed first: its content is not needed, and two buffers would exceed the memory that the plan reports.
        drop(buffer);
        buffer = take_handed_over(len, list);
    }
    if buffer.len() < len {
        buffer.resize(len, T::default());
    }
    buffer
}

/// The smallest of the buffers handed over that has room for `len` elements, or one that has none yet.
fn take_handed_over<T>(len: usize, list: fn(&mut Scratch) -> &mut Vec<Vec<T>>) -> Vec<T> {
    let mut handed_over = handed_over();
    let list = list(&mut handed_over.buffers);
    let mut smallest: Option<(usize, usize)> = None;
    for (index, buffer) in list.iter().enumerate() {
        let capacity = buffer.capacity();
        if capacity >= len && smallest.is_none_or(|(_, other)| capacity < other) {
            smallest = Some((index, capacity));
        }
    }
    smallest.map(|(index, _)| list.swap_remove(index)).unwrap_or_default()
}
