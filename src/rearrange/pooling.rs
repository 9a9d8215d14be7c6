//! The loops of max pooling and of its gradient. Sizes and indices have been checked.

use std::ops::{Range, RangeInclusive};

use ndarray::{Array5, ArrayView1, ArrayView5, ArrayViewMut1, ArrayViewMut5, s};

use super::indices::{IndexSpace, Targets};
use super::{ANY_AXIS, write_row_major};
use crate::element::FloatElement;
use crate::error::Error;
use crate::kernels::{Arithmetic, Backend, InstructionSet, Kernel};
use crate::memory::uninit;
use crate::output_size::Window;
use crate::tasks::for_each_part;

/// The taps of a window with which any of these outputs sees a pixel of the `input`.
pub(super) fn taps(window: &Window, input: usize, outputs: RangeInclusive<usize>) -> Range<usize> {
    let last_begin = outputs.end() * window.stride;
    let first_begin = outputs.start() * window.stride;
    let from = window.zeros_before().saturating_sub(last_begin).div_ceil(window.dilation);
    let end = match (input - 1 + window.zeros_before()).checked_sub(first_begin) {
        Some(room) => (room / window.dilation + 1).min(window.kernel),
        None => 0,
    };
    from..end
}

/// The outputs that see a pixel of the `input` with this tap.
fn outputs(window: &Window, input: usize, outputs: usize, tap: usize) -> Range<usize> {
    let reach = tap * window.dilation;
    let from = window.zeros_before().saturating_sub(reach).div_ceil(window.stride);
    let end = match (input - 1 + window.zeros_before()).checked_sub(reach) {
        Some(room) => (room / window.stride + 1).min(outputs),
        None => 0,
    };
    from..end
}

/// The maxima of `x` and their indices.
pub(super) fn pool<A: Copy + PartialOrd + Send + Sync>(
    x: &ArrayView5<'_, A>,
    windows: [Window; 3],
    space: IndexSpace,
    y: ArrayViewMut5<'_, A>,
    indices: ArrayViewMut5<'_, i64>,
) {
    let backend = Backend::best();
    for_each_part((y, indices), &ANY_AXIS, &|origin, (y, indices)| backend.run(Pool { x, windows, space, origin, y, indices }));
}

/// One piece of the maxima and of their indices.
struct Pool<'a, 'b, A> {
    x: &'a ArrayView5<'a, A>,
    windows: [Window; 3],
    space: IndexSpace,
    origin: [usize; 5],
    y: ArrayViewMut5<'b, A>,
    indices: ArrayViewMut5<'b, i64>,
}

impl<A: Copy + PartialOrd> Kernel for Pool<'_, '_, A> {
    type Output = ();

    #[inline(always)]
    fn run<I: InstructionSet>(mut self) {
        let (_, channels, depth, height, width) = self.x.dim();
        let [window_d, window_h, window_w] = self.windows;
        let (batch_y, channels_y, depth_y, height_y, _) = self.y.dim();
        for (n_y, c_y, d_y, h_y) in ndarray::indices((batch_y, channels_y, depth_y, height_y)) {
            let mut best = self.y.slice_mut(s![n_y, c_y, d_y, h_y, ..]);
            let mut index = self.indices.slice_mut(s![n_y, c_y, d_y, h_y, ..]);
            let [n, c, d, h] = [n_y + self.origin[0], c_y + self.origin[1], d_y + self.origin[2], h_y + self.origin[3]];
            let plane = if self.space == IndexSpace::Tensor { n * channels + c } else { 0 };
            let mut fresh = true;
            for tap_d in taps(&window_d, depth, d..=d) {
                let d = d * window_d.stride + tap_d * window_d.dilation - window_d.zeros_before();
                for tap_h in taps(&window_h, height, h..=h) {
                    let h = h * window_h.stride + tap_h * window_h.dilation - window_h.zeros_before();
                    let row = self.x.slice(s![n, c, d, h, ..]);
                    let first = ((plane * depth + d) * height + h) * width;
                    match (row.to_slice(), best.as_slice_mut(), index.as_slice_mut()) {
                        (Some(row), Some(best), Some(index)) => pool_row(&window_w, row, first, best, index, fresh),
                        _ => pool_lane(&window_w, row, first, &mut best, &mut index, fresh),
                    }
                    fresh = false;
                }
            }
        }
    }
}

/// Takes one row of pixels, the first of them numbered `first`, into the maxima of a row of windows; where these are `fresh`, it begins
/// them.
#[inline(always)]
fn pool_row<A: Copy + PartialOrd>(window: &Window, row: &[A], first: usize, best: &mut [A], index: &mut [i64], fresh: bool) {
    let seen = taps(window, row.len(), 0..=best.len() - 1);
    if fresh {
        begin(window, row.len(), best.len(), |o, at| (best[o], index[o]) = (row[at], number(first + at)));
    }
    for tap in seen {
        let outputs = outputs(window, row.len(), best.len(), tap);
        let at = outputs.start * window.stride + tap * window.dilation - window.zeros_before();
        let (best, index) = (&mut best[outputs.clone()], &mut index[outputs]);
        match window.stride {
            1 => take_larger::<A, 1>(&row[at..], first + at, best, index),
            2 => take_larger::<A, 2>(&row[at..], first + at, best, index),
            3 => take_larger::<A, 3>(&row[at..], first + at, best, index),
            stride => {
                for (i, (best, index)) in best.iter_mut().zip(index).enumerate() {
                    take_if_larger(row[at + i * stride], first + at + i * stride, best, index);
                }
            }
        }
    }
}

/// [`pool_row`] for rows of any stride in memory.
fn pool_lane<A: Copy + PartialOrd>(
    window: &Window,
    row: ArrayView1<'_, A>,
    first: usize,
    best: &mut ArrayViewMut1<'_, A>,
    index: &mut ArrayViewMut1<'_, i64>,
    fresh: bool,
) {
    if fresh {
        begin(window, row.len(), best.len(), |o, at| (best[o], index[o]) = (row[at], number(first + at)));
    }
    for tap in taps(window, row.len(), 0..=best.len() - 1) {
        for o in outputs(window, row.len(), best.len(), tap) {
            let at = o * window.stride + tap * window.dilation - window.zeros_before();
            take_if_larger(row[at], first + at, &mut best[o], &mut index[o]);
        }
    }
}

/// Calls `take(o, at)` with every output and the first pixel that it sees.
#[inline(always)]
fn begin(window: &Window, input: usize, output: usize, mut take: impl FnMut(usize, usize)) {
    let whole = window.zeros_before().div_ceil(window.stride).min(output);
    for o in 0..whole {
        let tap = taps(window, input, o..=o).start;
        take(o, o * window.stride + tap * window.dilation - window.zeros_before());
    }
    for o in whole..output {
        take(o, o * window.stride - window.zeros_before());
    }
}

/// Takes every `STRIDE`th pixel of `row`, the first of which is numbered `first`, into the maximum that it belongs to.
#[inline(always)]
fn take_larger<A: Copy + PartialOrd, const STRIDE: usize>(row: &[A], first: usize, best: &mut [A], index: &mut [i64]) {
    let (steps, rest) = row.as_chunks::<STRIDE>();
    let whole = best.len().min(steps.len());
    for (i, ((best, index), step)) in best.iter_mut().zip(index.iter_mut()).zip(&steps[..whole]).enumerate() {
        take_if_larger(step[0], first + i * STRIDE, best, index);
    }
    if whole < best.len() {
        take_if_larger(rest[0], first + whole * STRIDE, &mut best[whole], &mut index[whole]);
    }
}

/// Without a branch: a processor cannot predict which of two pixels is larger.
#[inline(always)]
#[allow(clippy::eq_op)] // only NaN differs from itself
fn take_if_larger<A: Copy + PartialOrd>(value: A, number_of_value: usize, best: &mut A, index: &mut i64) {
    let larger = (value > *best) | (value != value);
    *best = if larger { value } else { *best };
    *index = if larger { number(number_of_value) } else { *index };
}

#[inline(always)]
#[allow(clippy::cast_possible_wrap)] // a number of an element fits an isize
fn number(element: usize) -> i64 {
    element as i64
}

/// Each value of `dy` added to the element that its index points to.
pub(super) fn add_at<A: FloatElement>(targets: &Targets<'_>, dy: &ArrayView5<'_, A>, shape: [usize; 5]) -> Result<Array5<A>, Error> {
    if is_summed_in_itself::<A>() {
        return uninit::filled_by_pieces("gradient", shape, A::default(), targets.axes(), &adds(targets, dy));
    }
    let mut dx = uninit::filled("gradient", shape, A::default())?;
    add_at_into(targets, dy, dx.view_mut())?;
    Ok(dx)
}

/// [`add_at`] into an array that is there.
pub(super) fn add_at_into<A: FloatElement>(
    targets: &Targets<'_>,
    dy: &ArrayView5<'_, A>,
    mut dx: ArrayViewMut5<'_, A>,
) -> Result<(), Error> {
    if is_summed_in_itself::<A>() {
        return write_row_major(dx, targets.axes(), &adds(targets, dy));
    }
    let add = |origin, mut sums: ArrayViewMut5<'_, A::Row>| add_to(targets, dy, origin, sums.as_slice_mut());
    let sums = uninit::filled_by_pieces("sums of the gradient", dx.dim().into(), A::Row::default(), targets.axes(), &add)?;
    dx.zip_mut_with(&sums, |out, &sum| *out = A::from_row(sum));
    Ok(())
}

fn is_summed_in_itself<A: FloatElement>() -> bool {
    A::as_rows(&[]).is_some()
}

/// What adds into a piece of zeros, for types that are summed in themselves.
fn adds<'a, A: FloatElement>(targets: &'a Targets<'_>, dy: &'a ArrayView5<'_, A>) -> impl Fn([usize; 5], ArrayViewMut5<'_, A>) + Sync {
    |origin, mut piece| add_to(targets, dy, origin, piece.as_slice_mut().and_then(A::as_sums))
}

fn add_to<A: FloatElement>(targets: &Targets<'_>, dy: &ArrayView5<'_, A>, origin: [usize; 5], sums: Option<&mut [A::Row]>) {
    let sums = sums.unwrap_or_default(); // never missing: pieces are row-major
    targets.scatter(dy, targets.first_plane(origin), sums, |sum, value| *sum = sum.add(value.to_row()));
}
