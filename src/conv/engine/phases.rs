//! Which input pixels and which taps of the kernel make an output pixel.
//!
//! A strided convolution joins two grids. Pixel `i` of the *coarse* one meets, through tap `t` of the kernel, pixel
//! `o = s·i + d·t - p` of the *fine* one. A transposed convolution reads the coarse grid and writes the fine one ([`Direction::Expand`]),
//! a convolution the other way round ([`Direction::Contract`]), and each is the input gradient of the other.
//!
//! Expanding, output `o = s·m + phase` uses the taps with `d·t - p ≡ phase (mod s)` alone, and reads `x[m + origin]` with them:
//! each phase is a small dense convolution of stride 1. Contracting has one phase, that reads `y[s·m + origin]`.

use ndarray::indices;

use crate::conv::options::Precision;
use crate::memory::bytes_of;

/// One axis of a (transposed) convolution, its sizes checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AxisGeometry {
    /// Pixels of the coarse grid: the input of a transposed convolution, the output of a convolution.
    pub(crate) coarse: usize,
    /// Pixels of the fine grid.
    pub(crate) fine: usize,
    /// Taps.
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
    pub(crate) dilation: usize,
    /// Padding before the first pixel of the fine grid.
    pub(crate) padding: usize,
}

impl AxisGeometry {
    /// An axis that a tensor of lower rank does not have.
    pub(crate) const POINT: Self = Self { coarse: 1, fine: 1, kernel: 1, stride: 1, dilation: 1, padding: 0 };
}

/// Depth, height, width, and the groups that the channels are divided into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    pub(crate) axes: [AxisGeometry; 3],
    pub(crate) groups: usize,
    pub(crate) precision: Precision,
}

/// Which grid is read and which is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From coarse to fine: a transposed convolution.
    Expand,
    /// From fine to coarse: a convolution.
    Contract,
}

impl Direction {
    pub(crate) const fn reversed(self) -> Self {
        match self {
            Self::Expand => Self::Contract,
            Self::Contract => Self::Expand,
        }
    }
}

/// A tap along one axis: output `out_stride·m + phase` reads source pixel `source_stride·m + origin` with it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tap {
    pub(crate) kernel: usize,
    pub(crate) origin: isize,
}

/// The outputs of one residue modulo the output stride, if there is a tap for them.
#[derive(Debug, Clone)]
pub(crate) struct AxisPhase {
    pub(crate) residue: usize,
    /// The sums of output `out_stride·m + phase` are computed at position `m + shift`.
    pub(crate) shift: usize,
    pub(crate) taps: Vec<Tap>,
}

/// All phases of one axis.
#[derive(Debug, Clone)]
pub(crate) struct AxisPhases {
    pub(crate) out_len: usize,
    pub(crate) out_stride: usize,
    pub(crate) source_stride: usize,
    /// By residue. Outputs of the other residues are 0.
    pub(crate) phases: Vec<AxisPhase>,
    /// The phases that read the same source pixels, so that one table of offsets serves them.
    classes: Vec<Vec<usize>>,
}

impl AxisPhases {
    /// The source pixels that the taps of all phases read at position 0.
    pub(crate) fn origins(&self) -> Vec<isize> {
        let mut origins = Vec::new();
        for phase in &self.phases {
            origins.extend(phase.taps.iter().map(|tap| tap.origin));
        }
        origins
    }

    /// With `align`, phases that read the same pattern of pixels one pixel apart are shifted onto each other.
    fn new(axis: &AxisGeometry, direction: Direction, align: bool) -> Self {
        let stride = axis.stride.cast_signed();
        // Sizes were checked to fit an isize.
        let reach = |kernel: usize| (kernel * axis.dilation).cast_signed() - axis.padding.cast_signed();
        let residue = |kernel: usize| match direction {
            Direction::Expand => reach(kernel).rem_euclid(stride).cast_unsigned(),
            Direction::Contract => 0,
        };
        let origin = |kernel: usize| match direction {
            Direction::Expand => -reach(kernel).div_euclid(stride),
            Direction::Contract => reach(kernel),
        };
        // A residue past the end of a very short output has no pixels.
        let has_pixels = |&kernel: &usize| direction == Direction::Contract || residue(kernel) < axis.fine;
        let mut taps: Vec<Tap> = (0..axis.kernel).filter(has_pixels).map(|kernel| Tap { kernel, origin: origin(kernel) }).collect();
        taps.sort_unstable_by_key(|tap| (residue(tap.kernel), tap.kernel));
        let of_phases = taps.chunk_by(|a, b| residue(a.kernel) == residue(b.kernel));
        let mut phases: Vec<AxisPhase> =
            of_phases.map(|taps| AxisPhase { residue: residue(taps[0].kernel), shift: 0, taps: taps.to_vec() }).collect();
        if align {
            align_phases(&mut phases);
        }
        let classes = classes_of(&phases);
        let (out_len, out_stride, source_stride) = match direction {
            Direction::Expand => (axis.fine, axis.stride, 1),
            Direction::Contract => (axis.coarse, 1, axis.stride),
        };
        Self { out_len, out_stride, source_stride, phases, classes }
    }

    /// The number of the phase that an output belongs to, if it has taps.
    pub(crate) fn phase_of(&self, output: usize) -> Option<usize> {
        self.phases.binary_search_by_key(&(output % self.out_stride), |phase| phase.residue).ok()
    }

    /// How many outputs the longest phase can have.
    pub(crate) fn positions(&self) -> usize {
        self.out_len.div_ceil(self.out_stride)
    }

    /// How many positions more than outputs are computed because phases were shifted.
    pub(crate) fn extension(&self) -> usize {
        self.phases.iter().map(|phase| phase.shift).max().unwrap_or(0)
    }
}

/// Shifts phases so that those with the same pattern of source pixels read them at the same position.
fn align_phases(phases: &mut [AxisPhase]) {
    let last = |phase: &AxisPhase| phase.taps.iter().map(|tap| tap.origin).max();
    let Some(first) = phases.iter().filter_map(last).min() else { return };
    for phase in phases {
        let shift = last(phase).map_or(0, |last| last - first);
        phase.shift = shift.cast_unsigned();
        for tap in &mut phase.taps {
            tap.origin -= shift;
        }
    }
}

/// The classes in the order of their first phases. They are found by sorting: there can be as many phases as outputs.
fn classes_of(phases: &[AxisPhase]) -> Vec<Vec<usize>> {
    let origins = |phase: usize| phases[phase].taps.iter().map(|tap| tap.origin);
    let mut order: Vec<usize> = (0..phases.len()).collect();
    order.sort_unstable_by(|&a, &b| origins(a).cmp(origins(b)).then(a.cmp(&b)));
    let mut classes: Vec<Vec<usize>> = order.chunk_by(|&a, &b| origins(a).eq(origins(b))).map(<[usize]>::to_vec).collect();
    classes.sort_unstable_by_key(|class| class[0]);
    classes
}

/// Phases of all three axes that read the same source pixels: the rows of one matrix product.
#[derive(Debug, Clone)]
pub(crate) struct RowGroup {
    /// The phase on each axis.
    pub(crate) phases: Vec<[usize; 3]>,
    /// Of each tap, its number in the lists of the axes. Which entry of the kernel it is depends on the phase.
    pub(crate) taps: Vec<[usize; 3]>,
    /// Of each tap, the source pixel that it reads at position 0.
    pub(crate) origins: Vec<[isize; 3]>,
}

/// The phases of depth, height and width together.
#[derive(Debug, Clone)]
pub(crate) struct Phases {
    pub(crate) axes: [AxisPhases; 3],
    pub(crate) groups: Vec<RowGroup>,
    /// Where the rows of a phase are among all rows, in multiples of the channels; by [`Phases::index`].
    pub(crate) slots: Vec<usize>,
}

impl Phases {
    pub(crate) fn new(geometry: &Geometry, direction: Direction, align: bool) -> Self {
        let axes = geometry.axes.map(|axis| AxisPhases::new(&axis, direction, align));
        let classes: [Vec<usize>; 3] = std::array::from_fn(|axis| (0..axes[axis].classes.len()).collect());
        let groups: Vec<RowGroup> = product(&classes).map(|class| row_group(&axes, class)).collect();
        let mut phases = Self { axes, groups, slots: Vec::new() };
        let mut slots = vec![0; phases.count()];
        for (slot, &phase) in phases.groups.iter().flat_map(|group| &group.phases).enumerate() {
            slots[phases.index(phase)] = slot;
        }
        phases.slots = slots;
        phases
    }

    /// The number of phases that have taps.
    pub(crate) fn count(&self) -> usize {
        self.axes.iter().map(|axis| axis.phases.len()).product()
    }

    /// The number of a phase among those of all axes.
    pub(crate) fn index(&self, [depth, height, width]: [usize; 3]) -> usize {
        let [_, heights, widths] = &self.axes;
        (depth * heights.phases.len() + height) * widths.phases.len() + width
    }

    /// The taps of all phases together: the products that one position and one pair of channels cost.
    pub(crate) fn tap_count(&self) -> usize {
        self.groups.iter().map(|group| group.phases.len() * group.taps.len()).sum()
    }

    /// Bytes of the lists.
    pub(crate) fn list_bytes(&self) -> usize {
        let of_axis = |axis: &AxisPhases| axis.phases.iter().map(|phase| size_of::<AxisPhase>() + bytes_of(&phase.taps)).sum::<usize>();
        let of_group = |group: &RowGroup| bytes_of(&group.phases) + bytes_of(&group.taps) + bytes_of(&group.origins);
        self.axes.iter().map(of_axis).chain(self.groups.iter().map(of_group)).sum::<usize>() + bytes_of(&self.slots)
    }

    /// The entry of the kernel that `tap` of a group is in `phase`.
    pub(crate) fn kernel_index(&self, phase: [usize; 3], tap: [usize; 3]) -> [usize; 3] {
        std::array::from_fn(|axis| self.axes[axis].phases[phase[axis]].taps[tap[axis]].kernel)
    }
}

fn row_group(axes: &[AxisPhases; 3], class: [usize; 3]) -> RowGroup {
    let members: [Vec<usize>; 3] = std::array::from_fn(|axis| axes[axis].classes[class[axis]].clone());
    let taps_of = |axis: usize| &axes[axis].phases[members[axis][0]].taps;
    let numbers: [Vec<usize>; 3] = std::array::from_fn(|axis| (0..taps_of(axis).len()).collect());
    let taps: Vec<[usize; 3]> = product(&numbers).collect();
    let origins = taps.iter().map(|tap| std::array::from_fn(|axis| taps_of(axis)[tap[axis]].origin)).collect();
    RowGroup { phases: product(&members).collect(), taps, origins }
}

/// All triples of an entry of each list, the last list running fastest.
pub(crate) fn product<T: Copy>(lists: &[Vec<T>; 3]) -> impl Iterator<Item = [T; 3]> {
    let [first, second, third] = lists;
    let all = indices((first.len(), second.len(), third.len())).into_iter();
    all.map(|(a, b, c)| [first[a], second[b], third[c]])
}

#[cfg(test)]
mod tests {
    use super::*;

    const K4_S2_P1: AxisGeometry = AxisGeometry { coarse: 5, fine: 10, kernel: 4, stride: 2, dilation: 1, padding: 1 };

    fn origins(axis: &AxisGeometry, direction: Direction, align: bool) -> Vec<Vec<(usize, isize)>> {
        let phases = AxisPhases::new(axis, direction, align).phases;
        phases.iter().map(|phase| phase.taps.iter().map(|tap| (tap.kernel, tap.origin)).collect()).collect()
    }

    #[test]
    fn kernel_of_4_and_stride_2_has_two_phases_of_two_taps() {
        assert_eq!(origins(&K4_S2_P1, Direction::Expand, false), [vec![(1, 0), (3, -1)], vec![(0, 1), (2, 0)]]);
        assert_eq!(origins(&K4_S2_P1, Direction::Expand, true), [vec![(1, 0), (3, -1)], vec![(0, 0), (2, -1)]]);
        assert_eq!(origins(&K4_S2_P1, Direction::Contract, false), [vec![(0, -1), (1, 0), (2, 1), (3, 2)]]);
    }

    #[test]
    fn every_tap_belongs_to_one_phase() {
        for (stride, dilation, kernel, padding) in [(1, 1, 3, 1), (2, 1, 3, 0), (3, 2, 5, 4), (4, 4, 3, 7), (5, 1, 2, 0)] {
            let axis = AxisGeometry { coarse: 9, fine: 40, kernel, stride, dilation, padding };
            for align in [false, true] {
                let mut taps: Vec<usize> = origins(&axis, Direction::Expand, align).iter().flatten().map(|tap| tap.0).collect();
                taps.sort_unstable();
                assert_eq!(taps, (0..kernel).collect::<Vec<_>>(), "{axis:?}");
            }
        }
    }

    #[test]
    fn phases_with_the_same_pixels_share_their_rows() {
        let geometry = Geometry { axes: [AxisGeometry::POINT, K4_S2_P1, K4_S2_P1], groups: 1, precision: Precision::Strict };
        assert_eq!(Phases::new(&geometry, Direction::Expand, false).groups.len(), 4);
        let aligned = Phases::new(&geometry, Direction::Expand, true);
        assert_eq!((aligned.groups.len(), aligned.groups[0].phases.len(), aligned.groups[0].taps.len()), (1, 4, 4));
        assert_eq!(aligned.tap_count(), 16);
    }
}
