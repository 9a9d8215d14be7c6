//! Fetching what will be read soon.

/// Asks for a row that a later loop reads. Processors foresee long rows by themselves, but not the jump from one short row to the next.
#[inline]
pub(crate) fn prefetch<T>(row: &[T]) {
    /// Rows longer than this are foreseen by the processor.
    const LONGEST: usize = 4096;
    if size_of_val(row) > LONGEST {
        return;
    }
    #[cfg(target_arch = "x86_64")]
    for line in row.chunks((super::LINE / size_of::<T>().max(1)).max(1)) {
        // SAFETY: every x86-64 processor has the instruction, and it has no effect but on the caches.
        unsafe {
            std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(line.as_ptr().cast());
        }
    }
}
