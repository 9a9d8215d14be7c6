//! The weight gradient: fine rows times spread-out coarse rows, summed at the pixels of a period.

use ndarray::{ArrayView5, ArrayViewMut5, Axis, s};
use num_traits::Zero;

use super::Rows;
use super::run::{copy_padded, widened};
use crate::conv::engine::phases::Geometry;
use crate::conv::engine::store::Slot;
use crate::element::FloatElement;
use crate::error::Error;
use crate::kernels::{AddProducts, Backend, prefetch, reserve, with_scratch};
use crate::memory::{Need, grown_bytes};
use crate::tasks;

/// A call with fewer fine pixels stays on its thread.
const SMALL_WORK: usize = 1 << 15;

/// How many rows ahead the fine pixels are asked for.
const AHEAD: usize = 2;

/// Computes the whole gradient into `out` (coarse channels × fine channels of a group × kernel). The shapes have been checked.
pub(crate) fn correlate<A: FloatElement, S: Slot<A>>(
    geometry: &Geometry,
    coarse: ArrayView5<'_, A>,
    fine: ArrayView5<'_, A>,
    backend: Backend,
    out: ArrayViewMut5<'_, S>,
) -> Result<(), Error> {
    let rows = Rows::new::<A::Row>(geometry, backend);
    let _reserved = reserve::<A::Row>(&need_of(&rows, fine.len()))?;
    divide(&rows, coarse, fine, geometry.groups, backend, out);
    Ok(())
}

/// What [`correlate`] takes.
pub(crate) fn need<A: FloatElement>(geometry: &Geometry, fine: &ArrayView5<'_, A>, backend: Backend) -> Need {
    need_of(&Rows::new::<A::Row>(geometry, backend), fine.len())
}

fn need_of(rows: &Rows, fine_len: usize) -> Need {
    let terms = grown_bytes::<(usize, usize)>(rows.height.kernel * rows.layers);
    let list_bytes = terms + rows.coarse_reach() * size_of::<usize>();
    let buffers = [rows.patterns_len(), pair_lens(rows).iter().sum(), 0];
    Need { list_bytes, ..Need::of_buffers(buffers, fine_len >= SMALL_WORK) }.with_shared(rows.list_bytes())
}

/// The spread-out coarse rows held, a row of the fine and one of the coarse grid.
fn pair_lens(rows: &Rows) -> [usize; 3] {
    [rows.coarse_reach() * rows.spread_len(), rows.len, rows.width.coarse]
}

/// Halves the groups until one is left.
fn divide<A: FloatElement, S: Slot<A>>(
    rows: &Rows,
    coarse: ArrayView5<'_, A>,
    fine: ArrayView5<'_, A>,
    groups: usize,
    backend: Backend,
    mut out: ArrayViewMut5<'_, S>,
) {
    if groups > 1 {
        let middle = groups / 2;
        let (coarse_left, coarse_right) = coarse.split_at(Axis(1), coarse.dim().1 / groups * middle);
        let (fine_left, fine_right) = fine.split_at(Axis(1), fine.dim().1 / groups * middle);
        let at = out.dim().0 / groups * middle;
        let (left, right) = out.split_at(Axis(0), at);
        let first = || divide(rows, coarse_left, fine_left, middle, backend, left);
        let second = || divide(rows, coarse_right, fine_right, groups - middle, backend, right);
        return tasks::join_if(fine.len() >= SMALL_WORK, first, second);
    }
    let of_pair = rows.patterns_len();
    with_scratch(of_pair, |sums: &mut [A::Row]| {
        for a in 0..coarse.dim().1 {
            for b in 0..fine.dim().1 {
                sums.fill(A::Row::zero());
                add_pair(rows, &coarse, &fine, (a, b), backend, sums);
                let mut kernel = out.slice_mut(s![a, b, 0, .., ..]);
                for (row, sums) in sums.chunks_exact(of_pair / rows.height.kernel).enumerate() {
                    let mut line = kernel.index_axis_mut(Axis(0), row);
                    for tap in &rows.taps {
                        let pixels = sums[tap.layer * rows.period..][..rows.period].iter().skip(tap.phase).step_by(rows.width.stride);
                        line[tap.kernel].put(pixels.fold(A::Row::zero(), |sum, &pixel| sum + pixel));
                    }
                    if rows.taps.len() < line.len() {
                        put_untouched(rows, &mut line);
                    }
                }
            }
        }
    });
}

/// Taps that no fine pixel meets, since the picture is narrower than the stride.
fn put_untouched<A: FloatElement, S: Slot<A>>(rows: &Rows, line: &mut ndarray::ArrayViewMut1<'_, S>) {
    for (kernel, slot) in line.iter_mut().enumerate() {
        if rows.taps.iter().all(|tap| tap.kernel != kernel) {
            slot.put(A::Row::zero());
        }
    }
}

/// Adds the products of a pair of channels over all pictures: by row of the kernel, layer, pixel of the period.
fn add_pair<A: FloatElement>(
    rows: &Rows,
    coarse: &ArrayView5<'_, A>,
    fine: &ArrayView5<'_, A>,
    (a, b): (usize, usize),
    backend: Backend,
    sums: &mut [A::Row],
) {
    let (layers, reach) = (rows.layers, rows.coarse_reach());
    let spread_len = rows.spread_len();
    let mut terms = Vec::new();
    let lens = pair_lens(rows);
    with_scratch(lens.iter().sum(), |scratch: &mut [A::Row]| {
        let (ring, rest) = scratch.split_at_mut(lens[0]);
        let (row, line) = rest.split_at_mut(lens[1]);
        for n in 0..coarse.dim().0 {
            let mut held = vec![usize::MAX; reach];
            let (coarse, fine) = (coarse.slice(s![n, a, 0, .., ..]), fine.slice(s![n, b, 0, .., ..]));
            for fine_row in 0..rows.height.fine {
                terms.clear();
                for (kernel, coarse_row) in rows.coarse_rows(fine_row) {
                    let slot = coarse_row % reach;
                    if held[slot] != coarse_row {
                        rows.spread(widened(&coarse.index_axis(Axis(0), coarse_row), line), &mut ring[slot * spread_len..][..spread_len]);
                        held[slot] = coarse_row;
                    }
                    let sum = kernel * layers * rows.period;
                    terms.extend((0..layers).map(|layer| (slot * spread_len + rows.layer_start(layer), sum + layer * rows.period)));
                }
                if !terms.is_empty() {
                    let from = fine.index_axis(Axis(0), fine_row);
                    if fine_row + AHEAD < rows.height.fine {
                        prefetch(fine.index_axis(Axis(0), fine_row + AHEAD).to_slice().unwrap_or_default());
                    }
                    let row = match from.to_slice().and_then(A::as_rows) {
                        Some(from) if from.len() == rows.len => from,
                        _ => {
                            copy_padded(from, 0, row);
                            &*row
                        }
                    };
                    backend.run(AddProducts { row, others: ring, terms: &terms, period: rows.period, sums: &mut *sums });
                }
            }
        }
    });
}
