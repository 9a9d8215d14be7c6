//! The only place that knows of threads.
//!
//! Work is cut by its shape alone, never by the number of threads, so results are the same bits for any pool.
//! Small work stays on the calling thread.

mod parts;

pub(crate) use parts::*;

use std::ops::Range;

use crate::error::Error;

/// Runs both halves, on two threads of the caller's rayon pool where the feature is on and there is a pool.
pub(crate) fn join(left: impl FnOnce() + Send, right: impl FnOnce() + Send) {
    let (mut left, mut right) = (Some(left), Some(right));
    let mut left = || {
        if let Some(left) = left.take() {
            left();
        }
    };
    let mut right = || {
        if let Some(right) = right.take() {
            right();
        }
    };
    join_erased(&mut left, &mut right);
}

/// [`join`], compiled once for all halves: rayon's code for a pair of closures is long.
#[cfg(feature = "rayon")]
fn join_erased(left: &mut (dyn FnMut() + Send), right: &mut (dyn FnMut() + Send)) {
    if has_pool() {
        rayon::join(left, right);
    } else {
        left();
        right();
    }
}

/// Runs both halves, one after the other.
#[cfg(not(feature = "rayon"))]
fn join_erased(left: &mut (dyn FnMut() + Send), right: &mut (dyn FnMut() + Send)) {
    left();
    right();
}

/// Whether this thread is in a pool or can use the global one, which is started if necessary and has more than one thread. Rayon itself would panic if the pool cannot
/// start, for lack of memory or threads.
#[cfg(feature = "rayon")]
fn has_pool() -> bool {
    use std::error::Error;
    use std::sync::OnceLock;

    static GLOBAL: OnceLock<bool> = OnceLock::new();
    rayon::current_thread_index().is_some()
        || *GLOBAL.get_or_init(|| match rayon::ThreadPoolBuilder::new().build_global() {
            // Handing work to a pool of a single thread would only take time.
            Ok(()) => rayon::current_num_threads() > 1,
            // An error with a source is the system's; without one, the pool has been started before.
            Err(error) => error.source().is_none() && rayon::current_num_threads() > 1,
        })
}

/// Runs both halves, on two threads if the work is large enough, else one after the other.
pub(crate) fn join_if(worth: bool, left: impl FnOnce() + Send, right: impl FnOnce() + Send) {
    if worth {
        join(left, right);
    } else {
        left();
        right();
    }
}

/// Runs `work` on a thread of the pool, where it is `worth` that. Outside the pool each division of work waits for a thread to wake up; inside
/// it none does.
pub(crate) fn in_pool(worth: bool, work: impl FnOnce() -> Result<(), Error> + Send) -> Result<(), Error> {
    if !worth {
        return work();
    }
    let (mut work, mut result) = (Some(work), Ok(()));
    in_pool_erased(&mut || {
        if let Some(work) = work.take() {
            result = work();
        }
    });
    result
}

/// [`in_pool`], compiled once for all work.
#[cfg(feature = "rayon")]
fn in_pool_erased(work: &mut (dyn FnMut() + Send)) {
    if has_pool() {
        rayon::scope(|_| work());
    } else {
        work();
    }
}

/// Runs `work`.
#[cfg(not(feature = "rayon"))]
fn in_pool_erased(work: &mut (dyn FnMut() + Send)) {
    work();
}

/// How many threads the caller's pool has; where it has not been started yet, how many it will have.
#[cfg(feature = "rayon")]
pub(crate) fn threads() -> usize {
    if has_pool() { rayon::current_num_threads() } else { 1 }
}

/// How many threads there are.
#[cfg(not(feature = "rayon"))]
pub(crate) fn threads() -> usize {
    1
}

/// Whether this thread will take part in what it divides: any thread outside a pool waits for the pool to do it.
#[cfg(feature = "rayon")]
pub(crate) fn is_worker() -> bool {
    rayon::current_thread_index().is_some() || !has_pool()
}

/// Whether this thread will take part in what it divides.
#[cfg(not(feature = "rayon"))]
pub(crate) fn is_worker() -> bool {
    true
}

/// Calls `work` with each `len` items and their number among these pieces, counted from `first`: on several threads where that is `worth` it.
pub(crate) fn each_piece<T: Send>(items: &mut [T], len: usize, first: usize, worth: bool, work: &(impl Fn(usize, &mut [T]) + Sync)) {
    let pieces = items.len().div_ceil(len.max(1));
    if pieces <= 1 {
        return work(first, items);
    }
    let (left, right) = items.split_at_mut(pieces / 2 * len);
    join_if(worth, || each_piece(left, len, first, worth, work), || each_piece(right, len, first + pieces / 2, worth, work));
}

/// The results of `work` for all numbers of a range, two at a time made one by `and`: always the same pairs. `None` where there is none.
pub(crate) fn reduce<R: Send>(
    range: Range<usize>,
    worth: bool,
    work: &(impl Fn(usize) -> R + Sync),
    and: &(impl Fn(R, R) -> R + Sync),
) -> Option<R> {
    if range.len() <= 1 {
        return range.map(work).next();
    }
    let middle = range.start + range.len() / 2;
    let (mut left, mut right) = (None, None);
    join_if(worth, || left = reduce(range.start..middle, worth, work, and), || right = reduce(middle..range.end, worth, work, and));
    left.zip(right).map(|(left, right)| and(left, right))
}
