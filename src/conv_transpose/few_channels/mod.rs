//! Depthwise, and groups of very few channels: there is no matrix to speak of, and what counts is to touch each pixel of the fine grid once.
//!
//! Along a fine row every pixel meets one tap of each of a few *layers*: pixel `s·m + phase` meets the j-th tap of its phase and coarse
//! pixel `m + origin`. So a layer is the coarse row spread out to the length of the fine one, times the weights of its taps, which repeat
//! after `s` pixels. Rows are added, with no phase stored apart, and gradients are the same sums read the other way.

use ndarray::ArrayView5;

use super::panels::reserve_weights;
use super::phases::{AxisGeometry, Direction, Geometry, Phases, Tap};
use crate::element::FloatElement;
use crate::error::Error;
use crate::memory::grown_bytes;
use crate::simd::Backend;
use crate::simd::lanes;

mod correlate;
mod run;

pub(crate) use correlate::{correlate, need as correlate_need};
pub(crate) use run::Run;

/// The most pairs of channels in a group.
const MOST_PAIRS: usize = 4;
/// The longest pattern, in pixels.
const LONGEST_PERIOD: usize = 512;

/// Whether the method is for groups of so many coarse and fine channels.
pub(crate) fn suits(geometry: &Geometry, coarse: usize, fine: usize) -> bool {
    let few = (1..=MOST_PAIRS).contains(&(coarse * fine)) && geometry.axes[0] == AxisGeometry::POINT;
    // 16 is the most lanes, and a period is at most stride × lanes long.
    few && geometry.axes[2].stride * 16 <= LONGEST_PERIOD && geometry.axes[2].fine >= 16
}

/// The weights of a call, coarse channels × fine channels of a group × kernel, in the type of the sums.
#[derive(Debug, Clone)]
pub(crate) struct FewChannels<T> {
    pub(crate) geometry: Geometry,
    pub(crate) direction: Direction,
    /// Of each group.
    pub(crate) coarse: usize,
    pub(crate) fine: usize,
    pub(crate) weights: Vec<T>,
}

impl<T> FewChannels<T> {
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
    /// After so many fine pixels, whole vectors, the weights repeat.
    period: usize,
    /// The length of a fine row, filled up to whole periods.
    len: usize,
}

impl Rows {
    fn new<T>(geometry: &Geometry, backend: Backend) -> Self {
        let [_, height, width] = geometry.axes;
        let [_, _, phases] = Phases::new(geometry, Direction::Expand, false).axes;
        let layers = phases.phases.iter().map(|phase| phase.taps.len()).max().unwrap_or(0);
        let taps = phases.phases.iter().flat_map(|phase| {
            phase.taps.iter().enumerate().map(|(layer, tap)| LayerTap::new(&width, layer, phase.residue, tap)).collect::<Vec<_>>()
        });
        let taps = taps.collect();
        let lanes = lanes::<T>(backend);
        let period = (1..=lanes).map(|times| times * width.stride).find(|period| period % lanes == 0).unwrap_or(width.stride * lanes);
        Self { height, width, layers, taps, period, len: width.fine.next_multiple_of(period) }
    }

    /// The rows of the kernel that a fine row meets, and the coarse rows they read.
    fn coarse_rows(&self, fine: usize) -> impl Iterator<Item = (usize, usize)> {
        let axis = self.height;
        (0..axis.kernel).filter_map(move |kernel| {
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

    /// Spreads a coarse row out, once for each layer; `to` has all layers one after the other.
    fn spread<T: Copy + Default>(&self, coarse: &[T], to: &mut [T]) {
        to.fill(T::default());
        for tap in &self.taps {
            let to = to[tap.layer * self.len + tap.fine..].iter_mut().step_by(self.width.stride);
            to.zip(&coarse[tap.coarse..][..tap.count]).for_each(|(to, &from)| *to = from);
        }
    }

    /// The weights of a pair of channels as patterns: by row of the kernel, layer, pixel of the period.
    fn patterns<T: Copy + Default>(&self, weights: &[T], to: &mut [T]) {
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
