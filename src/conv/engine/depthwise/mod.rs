//! Depthwise, and groups of very few channels: there is no matrix to speak of, and what counts is to touch each pixel of the fine grid
//! once.
//!
//! Along a fine row every pixel meets one tap of each of a few *layers*: pixel `s·m + phase` meets the j-th tap of its phase and coarse
//! pixel `m + origin`. So a layer is the coarse row spread out to the length of the fine one, times the weights of its taps, which repeat
//! after `s` pixels. Rows are added, with no phase stored apart, and gradients are the same sums read the other way.

use ndarray::ArrayView5;

use super::phases::{AxisGeometry, Direction, Geometry, Phases, Tap};
use crate::element::FloatElement;
use crate::error::Error;
use crate::kernels::Backend;
use crate::kernels::lanes;
use crate::memory::{grown_bytes, reserve_weights};

mod correlate;
mod run;

pub(crate) use correlate::{correlate, need as correlate_need};
pub(crate) use run::Run;

/// The most pairs of channels in a group.
const MOST_PAIRS: usize = 4;
/// The longest pattern, in pixels.
const LONGEST_PERIOD: usize = 512;

/// Whether the method suits groups with these numbers of coarse and fine channels.
pub(crate) fn suits(geometry: &Geometry, coarse: usize, fine: usize) -> bool {
    let few = (1..=MOST_PAIRS).contains(&(coarse * fine)) && geometry.axes[0] == AxisGeometry::POINT;
    // 16 is the most lanes, and a period is at most stride × lanes long.
    few && geometry.axes[2].stride * 16 <= LONGEST_PERIOD && geometry.axes[2].fine >= 16
}

/// The weights of a call, coarse channels × fine channels of a group × kernel, in the type of the sums.
#[derive(Debug, Clone)]
pub(crate) struct Depthwise<T> {
    pub(crate) geometry: Geometry,
    pub(crate) direction: Direction,
    /// Of each group.
    pub(crate) coarse: usize,
    pub(crate) fine: usize,
    pub(crate) weights: Vec<T>,
}

impl<T> Depthwise<T> {
    /// The same with its weights.
    pub(crate) fn with_weights<A: FloatElement<Row = T>>(mut self, weight: &ArrayView5<'_, A>) -> Result<Self, Error> {
        self.weights = reserve_weights(weight.len())?;
        self.weights.extend(weight.iter().map(|value| value.to_row()));
        Ok(self)
    }
}

/// The pixels of one layer and phase: `count` fine ones from `fine` on, a stride apart, meet neighbouring coarse ones from `coarse` on.
#[derive(Debug, Clone, Copy)]
struct LayerTap {
    layer: usize,
    phase: usize,
    /// The column of the kernel.
    kernel: usize,
    fine: usize,
    coarse: usize,
    count: usize,
}

impl LayerTap {
    fn new(axis: &AxisGeometry, layer: usize, phase: usize, tap: &Tap) -> Self {
        let first = tap.origin.min(0).unsigned_abs();
        let of_phase = axis.fine.saturating_sub(phase).div_ceil(axis.stride);
        let coarse = (first.cast_signed() + tap.origin).cast_unsigned();
        let count = of_phase.saturating_sub(first).min(axis.coarse.saturating_sub(coarse));
        // Where there are none, any place will do.
        let (fine, coarse) = if count > 0 { (first * axis.stride + phase, coarse) } else { (0, 0) };
        Self { layer, phase, kernel: tap.kernel, fine, coarse, count }
    }
}

/// How rows of the two grids meet.
struct Rows {
    height: AxisGeometry,
    width: AxisGeometry,
    /// How many layers.
    layers: usize,
    taps: Vec<LayerTap>,
    /// The weights repeat after this many fine pixels, which are whole vectors.
    period: usize,
    /// The length of a fine row, filled up to whole periods.
    len: usize,
    /// Whether every phase has as many taps, side by side: then each layer is the one before it, moved by a stride.
    even: bool,
}

impl Rows {
    fn new<T>(geometry: &Geometry, backend: Backend) -> Self {
        let [_, height, width] = geometry.axes;
        let [_, _, phases] = Phases::new(geometry, Direction::Expand, false).axes;
        let layers = phases.phases.iter().map(|phase| phase.taps.len()).max().unwrap_or(0);
        let mut taps = Vec::new();
        for phase in &phases.phases {
            taps.extend(phase.taps.iter().enumerate().map(|(layer, tap)| LayerTap::new(&width, layer, phase.residue, tap)));
        }
        let lanes = lanes::<T>(backend);
        let period = (1..=lanes).map(|times| times * width.stride).find(|period| period % lanes == 0).unwrap_or(width.stride * lanes);
        let even = width.dilation == 1 && width.kernel % width.stride == 0;
        Self { height, width, layers, taps, period, len: width.fine.next_multiple_of(period), even }
    }

    /// The pixels that meet all coarse ones, a stride each, filled up to whole periods.
    fn gathered_len(&self) -> usize {
        (self.width.coarse * self.width.stride).next_multiple_of(self.period)
    }

    /// The numbers of a fine row that is held to be gathered.
    fn gathered_row_len(&self) -> usize {
        if self.even { self.gathered_len() + self.margin() } else { self.len }
    }

    /// How far the last layer is from the first, where they are one row moved.
    fn margin(&self) -> usize {
        self.layers.saturating_sub(1) * self.width.stride
    }

    /// The numbers of a coarse row spread out for all layers.
    fn spread_len(&self) -> usize {
        if self.even { self.margin() + self.len } else { self.layers * self.len }
    }

    /// Where a layer begins in a row spread out.
    fn layer_start(&self, layer: usize) -> usize {
        if self.even { self.margin() - layer * self.width.stride } else { layer * self.len }
    }

    /// The rows of the kernel that a fine row meets, and the coarse rows they read.
    fn coarse_rows(&self, fine: usize) -> impl Iterator<Item = (usize, usize)> {
        let axis = self.height;
        // Without dilation every stride-th row of the kernel is met; divisions are slow.
        let (first, step) = if axis.dilation == 1 { ((fine + axis.padding) % axis.stride, axis.stride) } else { (0, 1) };
        (first..axis.kernel).step_by(step).filter_map(move |kernel| {
            let steps = (fine + axis.padding).checked_sub(kernel * axis.dilation)?;
            (steps % axis.stride == 0 && steps / axis.stride < axis.coarse).then_some((kernel, steps / axis.stride))
        })
    }

    /// The rows of the kernel that a coarse row meets, and the fine rows.
    fn fine_rows(&self, coarse: usize) -> impl Iterator<Item = (usize, usize)> {
        let axis = self.height;
        (0..axis.kernel).filter_map(move |kernel| {
            let row = (coarse * axis.stride + kernel * axis.dilation).checked_sub(axis.padding)?;
            (row < axis.fine).then_some((kernel, row))
        })
    }

    /// How many coarse rows lie between the first and the last that a fine row meets, both counted.
    fn coarse_reach(&self) -> usize {
        (self.height.kernel - 1) * self.height.dilation / self.height.stride + 1
    }

    /// The same of the fine rows that a coarse row meets.
    fn fine_reach(&self) -> usize {
        (self.height.kernel - 1) * self.height.dilation + 1
    }

    /// Spreads a coarse row out for all layers.
    fn spread<T: Copy + Default>(&self, coarse: &[T], to: &mut [T]) {
        if self.even {
            return repeat(coarse, self.width.stride, self.margin().cast_signed() - self.width.padding.cast_signed(), to);
        }
        to.fill(T::default());
        for tap in &self.taps {
            let to = to[tap.layer * self.len + tap.fine..].iter_mut().step_by(self.width.stride);
            to.zip(&coarse[tap.coarse..][..tap.count]).for_each(|(to, &from)| *to = from);
        }
    }

    /// The weights of a pair of channels as patterns: by row of the kernel, layer, pixel of the period.
    fn patterns<T: Copy + Default>(&self, weights: &[T], direction: Direction, to: &mut [T]) {
        if self.even {
            // Rows to be contracted begin with the padding.
            let stride = self.width.stride;
            let first = if direction == Direction::Expand { self.width.padding % stride } else { 0 };
            for (weights, to) in weights.chunks_exact(stride).zip(to.chunks_exact_mut(self.period)) {
                let (first, last) = weights.split_at(first);
                for to in to.chunks_exact_mut(stride) {
                    to[..last.len()].copy_from_slice(last);
                    to[last.len()..].copy_from_slice(first);
                }
            }
            return;
        }
        to.fill(T::default());
        for (row, to) in to.chunks_exact_mut(self.layers.max(1) * self.period).enumerate().take(self.height.kernel) {
            for tap in &self.taps {
                let weight = weights[row * self.width.kernel + tap.kernel];
                to[tap.layer * self.period..][..self.period]
                    .iter_mut()
                    .skip(tap.phase)
                    .step_by(self.width.stride)
                    .for_each(|to| *to = weight);
            }
        }
    }

    /// Bytes of the list of taps, which grew one by one.
    fn list_bytes(&self) -> usize {
        grown_bytes::<LayerTap>(self.taps.len())
    }

    /// The numbers of all patterns of a pair of channels.
    fn patterns_len(&self) -> usize {
        self.height.kernel * self.layers * self.period
    }
}

/// Writes each number `times` times in a row, the first from place `start` on, and 0 where there are none.
fn repeat<T: Copy + Default>(numbers: &[T], times: usize, start: isize, to: &mut [T]) {
    let (mut numbers, mut begin) = (numbers, start.max(0).cast_unsigned().min(to.len()));
    if start < 0 {
        let (gone, part) = (start.unsigned_abs() / times, start.unsigned_abs() % times);
        numbers = &numbers[gone.min(numbers.len())..];
        if let (Some((&first, rest)), true) = (numbers.split_first(), part > 0) {
            begin = (times - part).min(to.len());
            to[..begin].fill(first);
            numbers = rest;
        }
    } else {
        to[..begin].fill(T::default());
    }
    let to = &mut to[begin..];
    match times {
        2 => repeat_times::<T, 2>(numbers, to),
        4 => repeat_times::<T, 4>(numbers, to),
        8 => repeat_times::<T, 8>(numbers, to),
        16 => repeat_times::<T, 16>(numbers, to),
        _ => to.chunks_exact_mut(times).zip(numbers).for_each(|(to, &number)| to.fill(number)),
    }
    let whole = (to.len() / times).min(numbers.len());
    let (_, behind) = to.split_at_mut(whole * times);
    let part = if whole < numbers.len() { behind.len() } else { 0 };
    let last = numbers.get(whole).copied().unwrap_or_default();
    behind[..part].fill(last);
    behind[part..].fill(T::default());
}

fn repeat_times<T: Copy, const TIMES: usize>(numbers: &[T], to: &mut [T]) {
    to.as_chunks_mut::<TIMES>().0.iter_mut().zip(numbers).for_each(|(to, &number)| *to = [number; TIMES]);
}

#[cfg(test)]
mod tests {
    use super::repeat;

    #[test]
    fn numbers_are_repeated_from_any_place_on() {
        for times in [1, 2, 3, 5, 8] {
            for start in -40_isize..40 {
                for len in [0, 1, 7, 16, 33] {
                    let (numbers, mut found) = ([1, 2, 3], vec![9; len]);
                    repeat(&numbers, times, start, &mut found);
                    let of_place = |place: usize| {
                        let number = (place.cast_signed() - start).div_euclid(times.cast_signed());
                        usize::try_from(number).ok().and_then(|number| numbers.get(number)).copied().unwrap_or(0)
                    };
                    assert_eq!(found, (0..len).map(of_place).collect::<Vec<i32>>(), "{times} times from {start} on");
                }
            }
        }
    }
}
