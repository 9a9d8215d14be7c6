//! The loops of max pooling and of its gradient. Sizes and indices have been checked.

use std::ops::{Index, IndexMut, Range, RangeInclusive};

use ndarray::{ArrayView5, ArrayViewMut5, s};

use super::indices::{IndexSpace, Targets};
use super::{ANY_AXIS, elements_mut, write_row_major};
use crate::alloc;
use crate::element::FloatElement;
use crate::error::Error;
use crate::output_size::Window;
use crate::pieces::for_each_piece;
use crate::simd::Arithmetic;

/// The taps of a window with which any of these outputs sees a pixel of the `input`.
pub(super) fn taps(window: &Window, input: usize, outputs: RangeInclusive<usize>) -> Range<usize> {
    let last_begin = outputs.end() * window.stride;
    let first_begin = outputs.start() * window.stride;
    let from = window.padding_begin.saturating_sub(last_begin).div_ceil(window.dilation);
    let end = match (input - 1 + window.padding_begin).checked_sub(first_begin) {
        Some(room) => (room / window.dilation + 1).min(window.kernel),
        None => 0,
    };
    from..end
}

/// The outputs that see a pixel of the `input` with this tap.
fn outputs(window: &Window, input: usize, outputs: usize, tap: usize) -> Range<usize> {
    let reach = tap * window.dilation;
    let from = window.padding_begin.saturating_sub(reach).div_ceil(window.stride);
    let end = match (input - 1 + window.padding_begin).checked_sub(reach) {
        Some(room) => (room / window.stride + 1).min(outputs),
        None => 0,
    };
    from..end
}

/// Stands in the indices for "no pixel yet".
const UNSEEN: i64 = -1;

/// The maxima of `x` and their indices.
pub(super) fn pool<A: Copy + PartialOrd + Send + Sync>(
    x: &ArrayView5<'_, A>,
    windows: [Window; 3],
    space: IndexSpace,
    y: ArrayViewMut5<'_, A>,
    indices: ArrayViewMut5<'_, i64>,
) {
    let (_, channels, depth, height, width) = x.dim();
    let work = |origin: [usize; 5], (mut y, mut indices): (ArrayViewMut5<'_, A>, ArrayViewMut5<'_, i64>)| {
        for ((n, c, d, h), mut best) in ndarray::indices(y.slice(s![.., .., .., .., 0]).dim()).into_iter().zip(y.rows_mut()) {
            let mut best_index = indices.slice_mut(s![n, c, d, h, ..]);
            best_index.fill(UNSEEN);
            let [n, c, d, h] = [n + origin[0], c + origin[1], d + origin[2], h + origin[3]];
            let plane = if space == IndexSpace::Tensor { n * channels + c } else { 0 };
            for tap_d in taps(&windows[0], depth, d..=d) {
                let d = d * windows[0].stride + tap_d * windows[0].dilation - windows[0].padding_begin;
                for tap_h in taps(&windows[1], height, h..=h) {
                    let h = h * windows[1].stride + tap_h * windows[1].dilation - windows[1].padding_begin;
                    let row = x.slice(s![n, c, d, h, ..]);
                    let first = ((plane * depth + d) * height + h) * width;
                    match (row.to_slice(), best.as_slice_mut(), best_index.as_slice_mut()) {
                        (Some(row), Some(best), Some(index)) => pool_row(&windows[2], [width, best.len()], row, first, best, index),
                        _ => pool_row(&windows[2], [width, best.len()], &row, first, &mut best, &mut best_index),
                    }
                }
            }
        }
    };
    for_each_piece((y, indices), &ANY_AXIS, &work);
}

/// Takes one row of pixels, the first of them numbered `first`, into the maxima of a row of windows.
#[allow(clippy::eq_op)] // only NaN differs from itself
#[allow(clippy::cast_possible_wrap)] // an index fits an isize
fn pool_row<A: Copy + PartialOrd>(
    window: &Window,
    [input, output]: [usize; 2],
    row: &(impl Index<usize, Output = A> + ?Sized),
    first: usize,
    best: &mut (impl IndexMut<usize, Output = A> + ?Sized),
    best_index: &mut (impl IndexMut<usize, Output = i64> + ?Sized),
) {
    for tap in taps(window, input, 0..=output - 1) {
        for o in outputs(window, input, output, tap) {
            let at = o * window.stride + tap * window.dilation - window.padding_begin;
            let value = row[at];
            if value > best[o] || value != value || best_index[o] == UNSEEN {
                best[o] = value;
                best_index[o] = (first + at) as i64;
            }
        }
    }
}

/// Adds each value of `dy` to the element of `dx` that its index points to; the other elements become zero.
pub(super) fn add_at<A: FloatElement>(targets: &Targets<'_>, dy: &ArrayView5<'_, A>, dx: ArrayViewMut5<'_, A>) -> Result<(), Error> {
    // Types that are summed in another one need sums of their own.
    if A::as_rows(&[]).is_none() {
        let mut sums = alloc::filled("sums of the gradient", dx.dim().into(), A::Row::default())?;
        targets.scatter(dy, elements_mut(&mut sums), |sum, value| *sum = sum.add(value.to_row()));
        let mut dx = dx;
        dx.zip_mut_with(&sums, |out, &sum| *out = A::from_row(sum));
        return Ok(());
    }
    write_row_major(dx, |dx| {
        if let Some(sums) = A::as_sums(dx) {
            targets.scatter(dy, sums, |sum, value| *sum = sum.add(value.to_row()));
        }
    })
}
