//! Resizing 16- and 32-bit pictures as Pillow does: one axis after the other, each summed in `f64` in the order of the taps and rounded to
//! the picture's own type. The sums of the fast engine round otherwise, which shows where a sum lies half-way between two numbers.

use std::mem::MaybeUninit;

use ndarray::{Array5, ArrayView5, ArrayViewMut5, Axis, s};

use super::passes::Separable;
use super::taps::Taps;
use crate::error::Error;
use crate::memory::MemoryUse;
use crate::memory::uninit;
use crate::output_size::element_count;
use crate::tasks::for_each_part;

/// The whole numbers of Pillow's modes `I;16` and `I`.
pub(super) trait PillowInteger: Copy + Default + Send + Sync {
    fn to_sum(self) -> f64;

    /// Half away from zero, by adding a half and cutting off; saturated.
    fn from_sum(sum: f64) -> Self;
}

macro_rules! pillow_integer {
    ($integer:ty) => {
        impl PillowInteger for $integer {
            fn to_sum(self) -> f64 {
                f64::from(self)
            }

            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // `as` saturates
            fn from_sum(sum: f64) -> Self {
                (if sum >= 0.0 { sum + 0.5 } else { sum - 0.5 }) as Self
            }
        }
    };
}
pillow_integer!(u16);
pillow_integer!(i32);

/// Writes the resized `x` to all of `y`, which is untouched if there is no memory for what lies between the axes.
pub(super) fn run<A: PillowInteger>(passes: &Separable, x: ArrayView5<'_, A>, y: ArrayViewMut5<'_, MaybeUninit<A>>) -> Result<(), Error> {
    let order = order(passes);
    let Some((&last, before)) = order.split_last() else {
        pass(&passes.axes[2].taps, 4, x, y);
        return Ok(());
    };
    let mut between: Option<Array5<A>> = None;
    for &axis in before {
        let from = between.as_ref().map_or(x, |made| made.view());
        let mut shape: [usize; 5] = from.dim().into();
        shape[2 + axis] = passes.axes[axis].taps.output();
        let mut made = uninit::filled("rows between two axes", shape, A::default())?;
        pass(&passes.axes[axis].taps, 2 + axis, from, uninit::as_uninit(made.view_mut()));
        between = Some(made);
    }
    pass(&passes.axes[last].taps, 2 + last, between.as_ref().map_or(x, |made| made.view()), y);
    Ok(())
}

/// What [`run`] takes for `planes` planes (batch × channels).
pub(super) fn memory<A>(passes: &Separable, planes: usize, output_bytes: usize) -> Result<MemoryUse, Error> {
    let mut sizes = passes.axes.each_ref().map(|axis| axis.taps.input);
    let mut between = [0_usize; 2];
    for &axis in order(passes).split_last().map_or(&[][..], |(_, before)| before) {
        sizes[axis] = passes.axes[axis].taps.output();
        let bytes = element_count::<A>("rows between two axes", &[planes, sizes[0], sizes[1], sizes[2]])? * size_of::<A>();
        between = [between[1], bytes];
    }
    let tables: usize = passes.axes.iter().map(|axis| axis.taps.bytes()).sum();
    // Of three axes two results are there at a time.
    Ok(MemoryUse::of_call(output_bytes, tables.saturating_add(between[0]).saturating_add(between[1])))
}

/// The axes that are resized, in Pillow's order; the depth, which Pillow does not have, next to the height.
fn order(passes: &Separable) -> Vec<usize> {
    let order = if passes.pillow_widens_first() { [2, 1, 0] } else { [0, 1, 2] };
    order.into_iter().filter(|&axis| !passes.axes[axis].identity).collect()
}

/// Resizes one axis of `[batch, channel, depth, height, width]`.
fn pass<A: PillowInteger>(taps: &Taps, axis: usize, x: ArrayView5<'_, A>, y: ArrayViewMut5<'_, MaybeUninit<A>>) {
    // The width stays whole where another axis is resized: rows are then summed side by side.
    let cut: Vec<usize> = (0..4).filter(|&other| other != axis).collect();
    for_each_part(y, &cut, &|origin, piece: ArrayViewMut5<'_, MaybeUninit<A>>| {
        let mut from = x.view();
        for &other in &cut {
            from.slice_axis_inplace(Axis(other), (origin[other]..origin[other] + piece.len_of(Axis(other))).into());
        }
        if axis == 4 {
            along_rows(taps, from, piece);
        } else {
            let mut order = [0, 1, 2, 3, 4];
            order.swap(axis, 3);
            across_rows(taps, from.permuted_axes(order), piece.permuted_axes(order));
        }
    });
}

fn along_rows<A: PillowInteger>(taps: &Taps, x: ArrayView5<'_, A>, mut y: ArrayViewMut5<'_, MaybeUninit<A>>) {
    for (x, y) in x.rows().into_iter().zip(y.rows_mut()) {
        for (o, slot) in y.into_iter().enumerate() {
            let (index, weight) = taps.row(o);
            let sum = index.iter().zip(weight).fold(0.0, |sum, (&i, &weight)| sum + x[i as usize].to_sum() * weight);
            slot.write(A::from_sum(sum));
        }
    }
}

/// Resizes axis 3.
fn across_rows<A: PillowInteger>(taps: &Taps, x: ArrayView5<'_, A>, mut y: ArrayViewMut5<'_, MaybeUninit<A>>) {
    const COLUMNS: usize = 64;
    let (batch, channels, depth, height, width) = y.dim();
    for (n, c, d) in ndarray::indices((batch, channels, depth)) {
        for (o, first) in (0..height).flat_map(|o| (0..width).step_by(COLUMNS).map(move |first| (o, first))) {
            let columns = first..width.min(first + COLUMNS);
            let mut sums = [0.0; COLUMNS];
            let (index, weight) = taps.row(o);
            for (&i, &weight) in index.iter().zip(weight) {
                let row = x.slice(s![n, c, d, i as usize, columns.clone()]);
                sums.iter_mut().zip(row).for_each(|(sum, &value)| *sum += value.to_sum() * weight);
            }
            let row = y.slice_mut(s![n, c, d, o, columns]);
            row.into_iter().zip(sums).for_each(|(slot, sum)| {
                slot.write(A::from_sum(sum));
            });
        }
    }
}
