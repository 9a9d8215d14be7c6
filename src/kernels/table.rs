//! The weights of one axis as the loops read them: a fixed number of taps for each output pixel, in the type of the arithmetic.

use std::marker::PhantomData;
use std::ops::Range;
use std::sync::OnceLock;

use super::group::{AskGroupShape, GroupShape};
use super::{Arithmetic, Backend, FewBits};
use crate::error::Error;
use crate::memory::{bytes_of, reserve_list};

/// For each output pixel `width` taps: which input pixels, and how much each counts.
#[derive(Debug)]
pub struct Table<T: Arithmetic> {
    /// Taps of every output pixel. A row that needs fewer repeats its last tap.
    pub(crate) width: usize,
    /// `[output][width]`: the input pixel of each tap, always inside the input.
    pub(crate) index: Vec<u32>,
    /// `[output][width]`.
    pub(crate) weight: Vec<T::Weight>,
    /// The output pixels that no input pixel reaches; they are 0.
    pub(crate) empty: Vec<u32>,
    /// How many input rows a ring has to hold: a power of two above the largest distance between two taps of an output pixel.
    pub(crate) span: usize,
    /// Input pixels.
    pub(crate) input: usize,
    /// The weights of the two neighbours that every output pixel takes, where the size is halved and they are the same everywhere.
    pub(crate) pair: Option<[T::Weight; 2]>,
    /// The output pixels around the middle whose taps of a weight are neighbours, in order, and whose weights are of a usual size. None
    /// begins
    /// before the one before it.
    pub(crate) neighbours: Range<usize>,
    /// Given where the arithmetic has not the weights of all output pixels.
    pub(crate) exact: Option<Box<Exact<T>>>,
    /// The same for groups of output elements, for pixels of 1 to 4 interleaved elements; made when first asked for.
    pub(crate) lanes: [OnceLock<Option<Lanes<T>>>; 4],
}

/// What an arithmetic with weights of few bits leaves to the one that has them all: the pixels at the border, whose weights are others.
#[derive(Debug)]
pub(crate) struct Exact<T: Arithmetic> {
    /// The output pixels that are not left to it.
    pub(crate) inside: Range<usize>,
    pub(crate) table: Table<T::Exact>,
}

/// A table transposed for groups: the same tap of neighbouring output elements side by side.
#[derive(Debug)]
pub(crate) struct Lanes<T: Arithmetic> {
    shape: GroupShape,
    /// Elements of an output row.
    output: usize,
    /// Taps, or how many times several of them where the groups add these at a time.
    pub(crate) steps: usize,
    /// Windows are wide.
    pub(crate) wide: bool,
    /// All steps of a group have the same window.
    pub(crate) joint: bool,
    /// `[group][step]`: where the window begins in the row.
    pub(crate) begin: Vec<u32>,
    /// `[group][step][lane][tap of the step]`: which element of the window.
    pub(crate) pick: Vec<u8>,
    /// The same; several taps as [`Arithmetic::fold`] puts them.
    pub(crate) weight: Vec<T::Weight>,
    /// Groups with the same picks and weights as the one `cycle` groups before, and windows `step` elements further: those of an integer
    /// factor, away from the border.
    pub(crate) steady: Range<usize>,
    pub(crate) cycle: usize,
    pub(crate) step: usize,
}

impl<T: Arithmetic> Lanes<T> {
    /// The first output element of a group; the last group ends where the row does.
    pub(crate) fn first(&self, group: usize) -> usize {
        (group * self.shape.lanes).min(self.output - self.shape.lanes)
    }

    /// The numbers of a step: one for each tap of each lane.
    pub(crate) fn entry(&self) -> usize {
        self.shape.lanes * self.shape.fold
    }

    /// Of the steps of a group: where their windows begin, what they pick, and the weights.
    #[inline(always)]
    pub(crate) fn entries(&self, group: usize) -> (&[u32], &[u8], &[T::Weight]) {
        let (steps, entries) = (self.steps, self.steps * self.entry());
        (&self.begin[group * steps..][..steps], &self.pick[group * entries..][..entries], &self.weight[group * entries..][..entries])
    }

    /// The runs that `groups` are made in.
    pub(crate) fn runs(&self, groups: Range<usize>) -> Runs<'_, T> {
        let steady = self.steady.start.max(groups.start)..self.steady.end.min(groups.end);
        Runs { lanes: self, groups, steady }
    }

    /// Finds the longest run of steady groups around the middle of the row.
    fn find_steady(&mut self) {
        let (steps, entries) = (self.steps, self.steps * self.entry());
        let whole = self.output / self.shape.lanes;
        let alike = |group: usize, other: usize| {
            let (one, two) = (group * entries..(group + 1) * entries, other * entries..(other + 1) * entries);
            self.pick[one.clone()] == self.pick[two.clone()] && self.weight[one] == self.weight[two]
        };
        // How far the windows of all steps move from one group to another.
        let step = |group: usize, other: usize| {
            let mut moves = (0..steps).map(|step| self.begin[other * steps + step].checked_sub(self.begin[group * steps + step]));
            let first = moves.next().flatten()?;
            moves.all(|step| step == Some(first)).then_some(first)
        };
        // Pixels of 3 elements, and factors of 3, come into step with the registers every third group.
        for cycle in [1, 3] {
            let Some(middle) = (whole / 2).checked_sub(cycle).filter(|middle| middle + 2 * cycle <= whole) else { return };
            let Some(common) = step(middle, middle + cycle) else { continue };
            let follows = |group: usize| alike(group, group + cycle) && step(group, group + cycle) == Some(common);
            if !(middle..middle + cycle).all(follows) {
                continue;
            }
            let start = (0..middle).rev().take_while(|&group| follows(group)).last().unwrap_or(middle);
            let end = (middle..whole - cycle).take_while(|&group| follows(group)).last().unwrap_or(middle) + cycle + 1;
            (self.steady, self.cycle, self.step) = (start..end, cycle, common as usize);
            return;
        }
    }
}

/// Every [`cycle`](Lanes::cycle)-th group from one on, which all have the same picks and weights.
pub(crate) struct Run {
    pub(crate) group: usize,
    pub(crate) count: usize,
    /// The output element that it begins with.
    pub(crate) first: usize,
}

/// Some groups as runs, each as long as can be.
pub(crate) struct Runs<'a, T: Arithmetic> {
    lanes: &'a Lanes<T>,
    groups: Range<usize>,
    /// Those of the groups that are steady.
    steady: Range<usize>,
}

impl<T: Arithmetic> Runs<'_, T> {
    #[inline(always)]
    pub(crate) fn next(&mut self) -> Option<Run> {
        let group = self.groups.next()?;
        let mut run = Run { group, count: 1, first: self.lanes.first(group) };
        if self.steady.contains(&group) {
            run.count = (self.steady.end - group).div_ceil(self.lanes.cycle);
            // The rest of the steady groups are in the runs of the first few.
            if self.groups.start == self.steady.start + self.lanes.cycle {
                self.groups.start = self.steady.end.max(self.groups.start);
            }
        }
        Some(run)
    }
}

impl<T: Arithmetic> Table<T> {
    /// The taps of output pixel `o`.
    #[inline(always)]
    pub(crate) fn row(&self, o: usize) -> (&[u32], &[T::Weight]) {
        let range = o * self.width..(o + 1) * self.width;
        (&self.index[range.clone()], &self.weight[range])
    }

    /// Looks for the [`pair`](Self::pair).
    pub(crate) fn find_pair(&self) -> Option<[T::Weight; 2]> {
        let pair = *self.weight.first_chunk::<2>()?;
        let (indices, _) = self.index.as_chunks::<2>();
        let neighbours = |(&[first, second], at): (&[u32; 2], usize)| (first as usize, second as usize) == (at, at + 1);
        let all = || indices.iter().zip((0..).step_by(2)).all(neighbours);
        let (weights, _) = self.weight.as_chunks::<2>();
        (self.width == 2 && self.empty.is_empty() && weights.iter().all(|&other| other == pair) && all()).then_some(pair)
    }

    /// Looks for the [`neighbours`](Self::neighbours).
    pub(crate) fn find_neighbours(&self) -> Range<usize> {
        let (output, nothing) = (self.index.len() / self.width, T::Weight::default());
        let follow = |o: &usize| {
            let (index, weight) = self.row(*o);
            let all = |((&index, &weight), place)| (index as usize == place && T::is_usual(weight)) || weight == nothing;
            index.iter().zip(weight).zip(index[0] as usize..).all(all)
        };
        let first = |o: usize| self.index[o * self.width];
        let middle = output / 2;
        let begin = (0..middle).rev().take_while(|o| follow(o) && first(*o) <= first(o + 1)).last().unwrap_or(middle);
        let behind = (middle..output).take_while(|o| follow(o) && (*o == middle || first(o - 1) <= first(*o)));
        begin..behind.last().map_or(middle, |last| last + 1)
    }

    /// The table for output pixel `o`, where that is another one.
    #[inline(always)]
    pub(crate) fn exact_row(&self, o: usize) -> Option<&Table<T::Exact>> {
        let exact = self.exact.as_ref()?;
        (!exact.inside.contains(&o)).then_some(&exact.table)
    }

    /// The table for groups of rows of `inner` interleaved elements; `None` where the elements that a group needs do not fit into a
    /// window, or the rows are shorter than one.
    pub(crate) fn lanes(&self, inner: usize, shape: Option<GroupShape>) -> Option<&Lanes<T>> {
        let shape = shape?;
        // Made before a run by `ready_lanes`, which reports a failed allocation.
        let lanes = self.lanes.get(inner.wrapping_sub(1))?.get_or_init(|| self.make_lanes(inner, shape).unwrap_or(None)).as_ref();
        // A plan has one backend. With another one the loop without groups would be used, which is right, too.
        lanes.filter(|lanes| lanes.shape == shape)
    }

    /// Whether rows of `inner` interleaved elements are computed in groups under `backend`.
    pub(crate) fn has_lanes(&self, inner: usize, backend: Backend) -> bool {
        self.lanes(inner, backend.run(AskGroupShape(PhantomData::<T>))).is_some()
    }

    /// Whether rows that are made together share the fetching of weights: where those of most groups are not those of the group before, or
    /// bytes are summed pixel by pixel.
    pub(crate) fn shares_weights(&self, inner: usize, backend: Backend) -> bool {
        match self.lanes(inner, backend.run(AskGroupShape(PhantomData::<T>))) {
            Some(lanes) => 2 * lanes.steady.len() * lanes.shape.lanes < lanes.output,
            None => T::BYTES && inner <= 4 && backend.has_byte_pixels(),
        }
    }

    /// Makes the table for groups, if there is one and it has not been made.
    pub(crate) fn ready_lanes(&self, inner: usize, backend: Backend) -> Result<(), Error> {
        if let Some(cell) = self.lanes.get(inner.wrapping_sub(1))
            && cell.get().is_none()
        {
            let shape = backend.run(AskGroupShape(PhantomData::<T>));
            // If another thread was faster, its table is the same.
            let _ = cell.set(shape.map_or(Ok(None), |shape| self.make_lanes(inner, shape))?);
        }
        Ok(())
    }

    fn make_lanes(&self, inner: usize, shape: GroupShape) -> Result<Option<Lanes<T>>, Error> {
        let (input, output) = (self.input * inner, self.index.len() / self.width * inner);
        // Windows are numbered in 32 bits; longer rows than that are broadcast ones.
        if output < shape.lanes || u32::try_from(input).is_err() {
            return Ok(None);
        }
        if shape.fold > 2 && !self.weight.iter().all(|&weight| T::is_usual(weight)) {
            return Ok(None);
        }
        let mut lanes = Lanes {
            shape,
            output,
            steps: self.width.div_ceil(shape.fold),
            wide: false,
            joint: false,
            begin: Vec::new(),
            pick: Vec::new(),
            weight: Vec::new(),
            steady: 0..0,
            cycle: 1,
            step: 0,
        };
        let Some(window) = self.find_window(&mut lanes, inner) else { return Ok(None) };
        let groups = 0..output.div_ceil(shape.lanes);
        let (count, entry) = (groups.len() * lanes.steps, lanes.entry());
        reserve_list(&mut lanes.begin, count)?;
        reserve_list(&mut lanes.pick, count * entry)?;
        reserve_list(&mut lanes.weight, count * entry)?;
        for group in groups {
            self.push_group(&mut lanes, inner, group, window);
        }
        lanes.find_steady();
        Ok(Some(lanes))
    }

    /// The first and last input element of taps `taps` of some output elements.
    fn extent(&self, inner: usize, elements: Range<usize>, taps: &Range<usize>) -> (usize, usize) {
        let (mut low, mut high) = (usize::MAX, 0);
        let (first, last) = (elements.start / inner, (elements.end - 1) / inner);
        // A row that ends before the taps do repeats its last one.
        let taps = taps.start.min(self.width - 1)..taps.end.min(self.width);
        for o in first..=last {
            let index = &self.index[o * self.width..][..self.width][taps.clone()];
            let (lowest, highest) = index.iter().fold((u32::MAX, 0), |(low, high), &i| (low.min(i), high.max(i)));
            let begin = if o == first { elements.start % inner } else { 0 };
            let end = if o == last { (elements.end - 1) % inner } else { inner - 1 };
            (low, high) = (low.min(lowest as usize * inner + begin), high.max(highest as usize * inner + end));
        }
        (low, high)
    }

    /// The length of the windows that hold the taps of every step, if there is one, and how steps use them.
    fn find_window(&self, lanes: &mut Lanes<T>, inner: usize) -> Option<usize> {
        let GroupShape { lanes: size, window, fold } = lanes.shape;
        let groups = 0..lanes.output.div_ceil(size);
        let reach_of = |group: usize, taps: &Range<usize>| {
            let first = lanes.first(group);
            let (low, high) = self.extent(inner, first..first + size, taps);
            high - low + 1
        };
        let widest_step = |group| (0..lanes.steps).map(|step| reach_of(group, &(step * fold..(step + 1) * fold))).max();
        let widest = groups.clone().filter_map(widest_step).max()?;
        let length = [window, 2 * window].into_iter().find(|&length| widest <= length && length <= self.input * inner)?;
        // One window for all taps is loaded once.
        let joint = length == window && groups.clone().all(|group| reach_of(group, &(0..self.width)) <= length);
        (lanes.joint, lanes.wide) = (joint, length > window);
        Some(length)
    }

    /// Appends the windows, picks and weights of a group.
    fn push_group(&self, lanes: &mut Lanes<T>, inner: usize, group: usize, window: usize) {
        let first = lanes.first(group);
        let (elements, fold) = (first..first + lanes.shape.lanes, lanes.shape.fold);
        for step in 0..lanes.steps {
            let taps = step * fold..(step + 1) * fold;
            let in_window = if lanes.joint { 0..self.width } else { taps.clone() };
            let begin = self.extent(inner, elements.clone(), &in_window).0.min(self.input * inner - window);
            lanes.begin.push(begin as u32);
            let before = lanes.weight.len();
            for e in elements.clone() {
                let ((index, weight), channel) = (self.row(e / inner), e % inner);
                // Taps that fill a step up repeat the last one and weigh nothing.
                for tap in taps.clone() {
                    let index = index[tap.min(self.width - 1)] as usize;
                    lanes.pick.push((index * inner + channel - begin) as u8);
                    lanes.weight.push(weight.get(tap).copied().unwrap_or_default());
                }
            }
            if fold > 1 {
                T::fold(&mut lanes.weight[before..], fold);
            }
        }
    }

    /// Bytes of the lists that have been made so far.
    pub(crate) fn bytes(&self) -> usize {
        let lanes = self.lanes.iter().filter_map(|lanes| lanes.get()?.as_ref());
        let of_lanes = lanes.map(|lanes| bytes_of(&lanes.begin) + bytes_of(&lanes.pick) + bytes_of(&lanes.weight)).sum::<usize>();
        let exact = self.exact.as_ref().map_or(0, |exact| size_of::<Exact<T>>() + exact.table.bytes());
        bytes_of(&self.index) + bytes_of(&self.weight) + bytes_of(&self.empty) + of_lanes + exact
    }

    /// Whether nothing reaches output pixel `o`.
    pub(crate) fn is_empty_row(&self, o: usize) -> bool {
        !self.empty.is_empty() && self.empty.binary_search(&(o as u32)).is_ok()
    }
}

/// One table in each arithmetic, made when it is first asked for.
#[derive(Debug, Default)]
pub struct Tables {
    pub(crate) single: OnceLock<Table<f32>>,
    pub(crate) double: OnceLock<Table<f64>>,
    pub(crate) fixed: OnceLock<Table<u8>>,
    pub(crate) few_bits: OnceLock<Table<FewBits>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_numbered_in_32_bits_or_not_used() {
        let shape = GroupShape { lanes: 8, window: 8, fold: 1 };
        let input = 1_usize << 30; // pixels, the last of which all outputs take
        let (index, weight) = (vec![input as u32 - 1; 8], vec![1.0; 8]);
        let table = Table::<f32> {
            width: 1,
            index,
            weight,
            empty: Vec::new(),
            span: 1,
            input,
            pair: None,
            neighbours: 0..0,
            exact: None,
            lanes: Default::default(),
        };
        assert!(table.lanes(4, Some(shape)).is_none());
        assert_eq!(table.lanes(3, Some(shape)).map(|lanes| lanes.begin[0] as usize), Some(3 * input - 8));
    }
}
