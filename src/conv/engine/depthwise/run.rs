//! Forward and input gradient, row by row.

use ndarray::{ArrayView1, ArrayView5, ArrayViewMut1, ArrayViewMut2, ArrayViewMut5, Axis, s};
use num_traits::Zero;

use super::{Depthwise, Rows};
use crate::conv::engine::phases::Direction;
use crate::conv::engine::store::Slot;
use crate::element::FloatElement;
use crate::error::Error;
use crate::kernels::{Backend, StreamingStores, SumNeighbours, SumRows, finish_streaming, prefetch, reserve, with_scratch};
use crate::memory::{Need, grown_bytes};
use crate::tasks::{cuts, for_each_part};

/// Terms that are summed at a time: as many as [`SumRows`] takes.
const TERMS: usize = 4;

/// One call.
pub(crate) struct Run<'w, 'x, A: FloatElement> {
    few: &'w Depthwise<A::Row>,
    source: ArrayView5<'x, A>,
    bias: Option<ArrayView1<'x, A>>,
    backend: Backend,
    rows: Rows,
    /// Whether the output is written past the caches.
    streams: bool,
}

impl<'w, 'x, A: FloatElement> Run<'w, 'x, A> {
    /// The shapes have been checked.
    pub(crate) fn new(few: &'w Depthwise<A::Row>, source: ArrayView5<'x, A>, bias: Option<ArrayView1<'x, A>>, backend: Backend) -> Self {
        let rows = Rows::new::<A::Row>(&few.geometry, backend);
        Self { few, source, bias, backend, rows, streams: false }
    }

    /// The rows held, the patterns, a row of the fine and one of the coarse grid.
    fn scratch_lens(&self) -> [usize; 4] {
        let rows = &self.rows;
        let (sources, ring, sums) = match self.few.direction {
            Direction::Expand => (self.few.coarse, rows.coarse_reach() * rows.spread_len(), rows.len),
            Direction::Contract => (self.few.fine, rows.fine_reach() * rows.gathered_row_len(), rows.len.max(rows.gathered_len())),
        };
        [sources * ring, sources * rows.patterns_len(), sums, rows.width.coarse]
    }

    /// What a call takes besides the weights.
    pub(crate) fn need(&self) -> Need {
        let rows = &self.rows;
        let sources = self.few.coarse.max(self.few.fine);
        let terms = grown_bytes::<(usize, usize)>(rows.height.kernel * sources * rows.layers);
        let list_bytes = terms + rows.coarse_reach().max(rows.fine_reach()) * size_of::<usize>();
        Need { list_bytes, ..Need::of_buffers([self.scratch_lens().iter().sum(), 0, 0], true) }.with_shared(rows.list_bytes())
    }

    /// Computes the whole output, whose shape has been checked; an [`Error`] where there is no memory for that.
    pub(crate) fn run<S: Slot<A>>(self, out: ArrayViewMut5<'_, S>) -> Result<(), Error> {
        let _reserved = reserve::<A::Row>(&Need { threads: cuts(out.len()), ..self.need() })?;
        let this = Self { streams: StreamingStores::Auto.streams(out.len() * size_of::<A>()), ..self };
        for_each_part(out, &[0, 1, 3], &|origin, piece| {
            this.piece(origin, piece);
            if this.streams {
                finish_streaming();
            }
        });
        Ok(())
    }

    fn piece<S: Slot<A>>(&self, origin: [usize; 5], mut piece: ArrayViewMut5<'_, S>) {
        for (n, mut picture) in piece.outer_iter_mut().enumerate() {
            for (channel, volume) in picture.outer_iter_mut().enumerate() {
                let at = [origin[0] + n, origin[1] + channel, origin[3]];
                let rows = volume.index_axis_move(Axis(0), 0); // the depth is 1
                match self.few.direction {
                    Direction::Expand => self.expand(at, rows),
                    Direction::Contract => self.contract(at, rows),
                }
            }
        }
    }

    /// The patterns of all pairs of the group that `channel` of the output is in, and the first source channel.
    fn patterns(&self, channel: usize, patterns: &mut [A::Row]) -> usize {
        let Depthwise { coarse, fine, direction, ref weights, .. } = *self.few;
        let (out, source) = if direction == Direction::Expand { (fine, coarse) } else { (coarse, fine) };
        let (group, channel) = (channel / out, channel % out);
        let kernel = self.rows.height.kernel * self.rows.width.kernel;
        for (other, to) in patterns.chunks_exact_mut(self.rows.patterns_len()).enumerate() {
            let pair = match direction {
                Direction::Expand => (group * coarse + other) * fine + channel,
                Direction::Contract => (group * coarse + channel) * fine + other,
            };
            self.rows.patterns(&weights[pair * kernel..][..kernel], direction, to);
        }
        group * source
    }

    fn bias(&self, channel: usize) -> A::Row {
        self.bias.as_ref().and_then(|bias| bias.get(channel)).map_or_else(A::Row::zero, |bias| bias.to_row())
    }

    fn put_row<S: Slot<A>>(&self, out: &mut ArrayViewMut1<'_, S>, sums: &[A::Row]) {
        match out.as_slice_mut() {
            Some(out) if self.streams => S::stream(out, sums, self.backend),
            Some(out) => out.iter_mut().zip(sums).for_each(|(to, &sum)| to.put(sum)),
            None => out.iter_mut().zip(sums).for_each(|(to, &sum)| to.put(sum)),
        }
    }

    /// Rows of one output channel from the first on: spread-out coarse rows times patterns.
    fn expand<S: Slot<A>>(&self, [n, channel, first]: [usize; 3], out: ArrayViewMut2<'_, S>) {
        let (rows, sources) = (&self.rows, self.few.coarse);
        let (layers, reach) = (rows.layers, rows.coarse_reach());
        let (spread_len, patterns_len) = (rows.spread_len(), rows.patterns_len());
        let lens = self.scratch_lens();
        with_scratch(lens.iter().sum(), |scratch: &mut [A::Row]| {
            let (ring, rest) = scratch.split_at_mut(lens[0]);
            let (patterns, rest) = rest.split_at_mut(lens[1]);
            let (sums, line) = rest.split_at_mut(lens[2]);
            let first_source = self.patterns(channel, patterns);
            let mut held = vec![usize::MAX; reach];
            let mut terms = Vec::new();
            for (row, mut out) in out.into_outer_iter_mut().enumerate() {
                terms.clear();
                for (kernel, coarse) in rows.coarse_rows(first + row) {
                    let slot = coarse % reach;
                    for source in 0..sources {
                        let place = (source * reach + slot) * spread_len;
                        if held[slot] != coarse {
                            let from = self.source.slice(s![n, first_source + source, 0, coarse, ..]);
                            rows.spread(widened(&from, line), &mut ring[place..place + spread_len]);
                        }
                        let pattern = source * patterns_len + kernel * layers * rows.period;
                        terms.extend((0..layers).map(|layer| (place + rows.layer_start(layer), pattern + layer * rows.period)));
                    }
                    held[slot] = coarse;
                }
                let initial = Some(self.bias(channel));
                self.backend.run(SumRows { rows: ring, patterns, terms: &terms, period: rows.period, initial, out: sums });
                self.put_row(&mut out, sums);
            }
        });
    }

    /// Rows of one input gradient from the first on: fine rows times patterns, summed over the pixels that meet the same coarse one.
    fn contract<S: Slot<A>>(&self, [n, channel, first]: [usize; 3], out: ArrayViewMut2<'_, S>) {
        let (rows, sources) = (&self.rows, self.few.fine);
        let (layers, reach) = (rows.layers, rows.fine_reach());
        // Where phases are even, rows begin with the padding, so that the pixels that meet a coarse one are a stride side by side.
        let padding = if rows.even { rows.width.padding } else { 0 };
        let (row_len, patterns_len) = (rows.gathered_row_len(), rows.patterns_len());
        let lens = self.scratch_lens();
        with_scratch(lens.iter().sum(), |scratch: &mut [A::Row]| {
            let (ring, rest) = scratch.split_at_mut(lens[0]);
            let (patterns, rest) = rest.split_at_mut(lens[1]);
            let (sums, line) = rest.split_at_mut(lens[2]);
            let first_source = self.patterns(channel, patterns);
            let mut held = vec![usize::MAX; reach];
            let mut terms = Vec::new();
            let pictures = self.source.slice(s![n, .., 0, .., ..]);
            for (row, mut out) in out.into_outer_iter_mut().enumerate() {
                terms.clear();
                for (kernel, fine) in rows.fine_rows(first + row) {
                    let slot = fine % reach;
                    for source in 0..sources {
                        let place = (source * reach + slot) * row_len;
                        if held[slot] != fine {
                            let picture = pictures.index_axis(Axis(0), first_source + source);
                            copy_padded(picture.index_axis(Axis(0), fine), padding, &mut ring[place..place + row_len]);
                        }
                        let pattern = source * patterns_len + kernel * layers * rows.period;
                        if rows.even {
                            terms.extend((0..layers).map(|layer| (place + layer * rows.width.stride, pattern + layer * rows.period)));
                        } else {
                            terms.push((place, pattern));
                        }
                    }
                    held[slot] = fine;
                }
                if rows.even {
                    let mut ahead = rows.height.stride * (first + row + 1) + reach - rows.height.stride;
                    ahead = ahead.saturating_sub(rows.height.padding);
                    for (number, terms) in terms.chunks(TERMS).enumerate() {
                        // While these are summed, the rows that the next output row will read come from memory.
                        if ahead + number < rows.height.fine && number < rows.height.stride {
                            let row = pictures.index_axis(Axis(0), first_source).index_axis_move(Axis(0), ahead + number);
                            prefetch(row.to_slice().unwrap_or_default());
                        }
                        let initial = (number == 0).then(A::Row::zero);
                        let out = &mut sums[..rows.gathered_len()];
                        self.backend.run(SumRows { rows: ring, patterns, terms, period: rows.period, initial, out });
                    }
                    if terms.is_empty() {
                        sums.fill(A::Row::zero());
                    }
                    self.backend.run(SumNeighbours { numbers: sums, count: rows.width.stride, sums: &mut *line });
                } else {
                    self.sum_patterns(&mut terms, ring, patterns, sums, line);
                }
                self.put_row(&mut out, line);
            }
        });
    }

    /// All layers of the terms, gathered into a coarse row. The terms end up at the last layer.
    fn sum_patterns(&self, terms: &mut [(usize, usize)], ring: &[A::Row], patterns: &[A::Row], sums: &mut [A::Row], line: &mut [A::Row]) {
        let (rows, stride) = (&self.rows, self.rows.width.stride);
        line.fill(A::Row::zero());
        for layer in 0..rows.layers {
            if layer > 0 {
                terms.iter_mut().for_each(|(_, pattern)| *pattern += rows.period);
            }
            let initial = Some(A::Row::zero());
            self.backend.run(SumRows { rows: ring, patterns, terms, period: rows.period, initial, out: &mut sums[..rows.len] });
            for tap in rows.taps.iter().filter(|tap| tap.layer == layer) {
                let from = sums[tap.fine..].iter().step_by(stride);
                line[tap.coarse..][..tap.count].iter_mut().zip(from).for_each(|(to, &from)| *to = *to + from);
            }
        }
    }
}

/// A row as numbers that are summed, in `line` unless it is so already.
pub(super) fn widened<'a, A: FloatElement>(from: &'a ArrayView1<'_, A>, line: &'a mut [A::Row]) -> &'a [A::Row] {
    match from.as_slice().map(|from| (A::as_rows(from), from)) {
        Some((Some(rows), _)) => return rows,
        Some((None, from)) => A::widen(from, line),
        None => from.iter().zip(&mut *line).for_each(|(from, to)| *to = from.to_row()),
    }
    line
}

/// Copies a fine row from place `padding` on, filled up with zeros.
pub(super) fn copy_padded<A: FloatElement>(from: ArrayView1<'_, A>, padding: usize, to: &mut [A::Row]) {
    let (before, to) = to.split_at_mut(padding.min(to.len()));
    before.fill(A::Row::default());
    let count = from.len().min(to.len()); // the last pixels may meet no coarse one
    let (to, behind) = to.split_at_mut(count);
    match from.to_slice() {
        Some(from) => A::widen(&from[..count], to),
        None => to.iter_mut().zip(&from).for_each(|(to, from)| *to = from.to_row()),
    }
    behind.fill(A::Row::default());
}
