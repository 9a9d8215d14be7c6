//! The only place that knows of threads.
//!
//! Work is cut by its shape alone, never by the number of threads, so results are the same bits for any pool.
//! Small work stays on the calling thread.

/// Runs both halves, on two threads of the caller's rayon pool where the feature is on.
#[cfg(feature = "rayon")]
pub(crate) fn join(left: impl FnOnce() + Send, right: impl FnOnce() + Send) {
    rayon::join(left, right);
}

/// Runs both halves, one after the other.
#[cfg(not(feature = "rayon"))]
pub(crate) fn join(left: impl FnOnce() + Send, right: impl FnOnce() + Send) {
    left();
    right();
}
