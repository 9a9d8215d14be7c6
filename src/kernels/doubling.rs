//! Every element twice: nearest interpolation by 2 along a row.
//!
//! What the compiler makes of the loop takes twice as long (measured on Zen 4). The elements are of any type: their bytes are moved by the
//! machine's instructions, not as numbers, for some of them may be padding.

use std::arch::asm;

use super::LINE;

/// How many elements of this size a step takes, if there is a loop for them.
fn step(bytes: usize) -> Option<usize> {
    match bytes {
        1 | 2 | 4 | 8 => Some(32 / bytes),
        3 => Some(8),
        _ => None,
    }
}

/// Which quarter of a step's input goes to the lower half of each quarter of its output.
static SPREAD: [u64; 8] = [0, 0, 1, 1, 2, 2, 3, 3];

/// Where there is AVX2.
#[inline(always)]
pub(super) fn double_256<T: Copy>(from: &[T], to: &mut [T]) -> bool {
    /// Quarters 1 and 2 change places; then what each half of the register unpacks is neighbours.
    macro_rules! run {
        ($low:literal, $high:literal, $from:ident, $to:ident, $steps:ident) => {
            asm!(
                "2:",
                "vpermq {high:y}, [{from}], 0xD8",
                concat!($low, " {low:y}, {high:y}, {high:y}"),
                concat!($high, " {high:y}, {high:y}, {high:y}"),
                "vmovdqu [{to}], {low:y}",
                "vmovdqu [{to} + 32], {high:y}",
                "add {from}, 32",
                "add {to}, 64",
                "dec {steps}",
                "jnz 2b",
                from = inout(reg) $from => _,
                to = inout(reg) $to => _,
                steps = inout(reg) $steps => _,
                low = out(xmm_reg) _,
                high = out(xmm_reg) _,
                options(nostack),
            )
        };
    }
    by_steps(from, to, |from, to, steps| {
        // SAFETY: `by_steps` gives places that have `steps` steps of input and output, at least one. Its callers have AVX2.
        unsafe {
            match size_of::<T>() {
                1 => run!("vpunpcklbw", "vpunpckhbw", from, to, steps),
                2 => run!("vpunpcklwd", "vpunpckhwd", from, to, steps),
                3 => double_threes(from, to, steps),
                4 => run!("vpunpckldq", "vpunpckhdq", from, to, steps),
                _ => run!("vpunpcklqdq", "vpunpckhqdq", from, to, steps),
            }
        }
    })
}

/// Where there is AVX-512 F and BW.
#[inline(always)]
pub(super) fn double_512<T: Copy>(from: &[T], to: &mut [T]) -> bool {
    macro_rules! run {
        ($low:literal, $from:ident, $to:ident, $steps:ident) => {
            asm!(
                "vmovdqu64 {spread:z}, [{table}]",
                "2:",
                "vmovdqu {line:y}, [{from}]",
                "vpermq {line:z}, {spread:z}, {line:z}",
                concat!($low, " {line:z}, {line:z}, {line:z}"),
                "vmovdqu64 [{to}], {line:z}",
                "add {from}, 32",
                "add {to}, 64",
                "dec {steps}",
                "jnz 2b",
                table = in(reg) SPREAD.as_ptr(),
                from = inout(reg) $from => _,
                to = inout(reg) $to => _,
                steps = inout(reg) $steps => _,
                spread = out(xmm_reg) _,
                line = out(xmm_reg) _,
                options(nostack),
            )
        };
    }
    by_steps(from, to, |from, to, steps| {
        // SAFETY: `by_steps` gives places that have `steps` steps of input and output, at least one. Its callers have AVX-512 F and BW.
        unsafe {
            match size_of::<T>() {
                1 => run!("vpunpcklbw", from, to, steps),
                2 => run!("vpunpcklwd", from, to, steps),
                3 => double_threes(from, to, steps),
                4 => run!("vpunpckldq", from, to, steps),
                _ => run!("vpunpcklqdq", from, to, steps),
            }
        }
    })
}

/// The bytes of 8 pixels of 3 that go to each third of 16 pixels, counted from bytes 0, 6 and 8 on.
static THREES: [[u8; 16]; 3] = [
    [0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5, 6, 7, 8, 6],
    [1, 2, 3, 4, 5, 3, 4, 5, 6, 7, 8, 6, 7, 8, 9, 10],
    [9, 7, 8, 9, 10, 11, 12, 10, 11, 12, 13, 14, 15, 13, 14, 15],
];

/// Pixels of three bytes.
///
/// # Safety
/// There are as many steps of 24 bytes to read, of 48 to write, and at least one. The machine has AVX2.
#[inline(always)]
unsafe fn double_threes<T>(from: *const T, to: *mut T, steps: usize) {
    // SAFETY: each step reads 16 bytes from its bytes 0, 6 and 8 on, the 24 that it has, and writes 48; of how many the caller has told.
    unsafe {
        asm!(
            "2:",
            "vmovdqu {a}, [{from}]",
            "vmovdqu {b}, [{from} + 6]",
            "vmovdqu {c}, [{from} + 8]",
            "vpshufb {a}, {a}, [{table}]",
            "vpshufb {b}, {b}, [{table} + 16]",
            "vpshufb {c}, {c}, [{table} + 32]",
            "vmovdqu [{to}], {a}",
            "vmovdqu [{to} + 16], {b}",
            "vmovdqu [{to} + 32], {c}",
            "add {from}, 24",
            "add {to}, 48",
            "dec {steps}",
            "jnz 2b",
            table = in(reg) THREES.as_ptr(),
            from = inout(reg) from => _,
            to = inout(reg) to => _,
            steps = inout(reg) steps => _,
            a = out(xmm_reg) _,
            b = out(xmm_reg) _,
            c = out(xmm_reg) _,
            options(nostack),
        );
    }
}

/// Calls `run` with where to read, where to write, and how many steps, so that all of `to` is written; unless the elements are not of a
/// size that it knows, or too few.
#[inline(always)]
fn by_steps<T: Copy>(from: &[T], to: &mut [T], run: impl Fn(*const T, *mut T, usize)) -> bool {
    let elements = from.len();
    let Some(step) = step(size_of::<T>()).filter(|&step| elements >= step && to.len() == 2 * elements) else { return false };
    // Steps that begin with a cache line write no line in two pieces, which was measured to take 12 % of the time of a whole picture.
    let before = to_line(to).filter(|&before| elements - step >= before).unwrap_or(0);
    if before > 0 {
        run(from.as_ptr(), to.as_mut_ptr(), 1);
    }
    run(from[before..].as_ptr(), to[2 * before..].as_mut_ptr(), (elements - before) / step);
    if !(elements - before).is_multiple_of(step) {
        // One more, moved to end with the row.
        let first = elements - step;
        run(from[first..].as_ptr(), to[2 * first..].as_mut_ptr(), 1);
    }
    true
}

/// How many elements come before those whose pairs begin a cache line, if some do: less than a step's.
#[inline(always)]
fn to_line<T>(to: &[T]) -> Option<usize> {
    let bytes = to.as_ptr().addr().wrapping_neg() % LINE;
    (LINE.is_multiple_of(2 * size_of::<T>()) && bytes.is_multiple_of(2 * size_of::<T>())).then(|| bytes / (2 * size_of::<T>()))
}
