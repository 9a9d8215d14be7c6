//! Depthwise, and groups of very few channels: there is no matrix to speak of, and what counts is to touch each pixel of the fine grid once.
//!
//! Along a fine row every pixel meets one tap of each of a few *layers*: pixel `s·m + phase` meets the j-th tap of its phase and coarse
//! pixel `m + origin`. So a layer is the coarse row spread out to the length of the fine one, times the weights of its taps, which repeat
//! after `s` pixels. Rows are added, with no phase stored apart, and gradients are the same sums read the other way.

use super::phases::{AxisGeometry, Direction, Geometry, Phases};
use crate::simd::Backend;
use crate::simd::lanes;

mod correlate;
mod run;

pub(crate) use correlate::correlate;
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

/// Which column of the kernel a fine pixel of some phase meets, and the coarse pixel `m + origin`.
#[derive(Debug, Clone, Copy)]
struct ColumnTap {
    kernel: usize,
    origin: isize,
}

/// How rows of the two grids meet.
struct Rows {
    height: AxisGeometry,
    width: AxisGeometry,
    /// By layer, then phase.
    layers: Vec<Vec<Option<ColumnTap>>>,
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
        let mut layers = vec![vec![None; width.stride]; layers];
        for phase in &phases.phases {
            for (layer, tap) in layers.iter_mut().zip(&phase.taps) {
                layer[phase.residue] = Some(ColumnTap { kernel: tap.kernel, origin: tap.origin });
            }
        }
        let lanes = lanes::<T>(backend);
        let period = (1..=lanes).map(|times| times * width.stride).find(|period| period % lanes == 0).unwrap_or(width.stride * lanes);
        Self { height, width, layers, period, len: width.fine.next_multiple_of(period) }
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

    /// The pixels `(fine, coarse)` of a layer's taps of one phase: first, and how many.
    fn run_of(&self, phase: usize, tap: ColumnTap) -> (usize, usize, usize) {
        let first = tap.origin.min(0).unsigned_abs();
        let of_phase = self.width.fine.saturating_sub(phase).div_ceil(self.width.stride);
        let coarse = (first.cast_signed() + tap.origin).cast_unsigned();
        let count = of_phase.saturating_sub(first).min(self.width.coarse.saturating_sub(coarse));
        (first * self.width.stride + phase, coarse, count)
    }

    /// Every layer's taps: layer, phase, tap.
    fn taps(&self) -> impl Iterator<Item = (usize, usize, ColumnTap)> {
        let phases = |(layer, phases): (usize, &Vec<Option<ColumnTap>>)| {
            phases.iter().enumerate().filter_map(move |(phase, tap)| tap.map(|tap| (layer, phase, tap))).collect::<Vec<_>>()
        };
        self.layers.iter().enumerate().flat_map(phases)
    }

    /// Spreads a coarse row out, once for each layer; `to` has all layers one after the other.
    fn spread<T: Copy + Default>(&self, coarse: &[T], to: &mut [T]) {
        to.fill(T::default());
        for (layer, phase, tap) in self.taps() {
            let (fine, first, count) = self.run_of(phase, tap);
            let to = to[layer * self.len..][..self.len].get_mut(fine..).unwrap_or_default();
            to.iter_mut().step_by(self.width.stride).zip(&coarse[first.min(coarse.len())..][..count]).for_each(|(to, &from)| *to = from);
        }
    }

    /// The weights of a pair of channels as patterns: by row of the kernel, layer, pixel of the period.
    fn patterns<T: Copy + Default>(&self, weights: &[T], to: &mut [T]) {
        to.fill(T::default());
        for (row, to) in to.chunks_exact_mut(self.layers.len().max(1) * self.period).enumerate().take(self.height.kernel) {
            for (layer, phase, tap) in self.taps() {
                let weight = weights[row * self.width.kernel + tap.kernel];
                to[layer * self.period..][..self.period].iter_mut().skip(phase).step_by(self.width.stride).for_each(|to| *to = weight);
            }
        }
    }

    /// The numbers of all patterns of a pair of channels.
    fn patterns_len(&self) -> usize {
        self.height.kernel * self.layers.len() * self.period
    }
}
