//! The weight table of one axis: which input pixels an output pixel is made of, and how much each counts.
//!
//! Filter, coordinates, border and antialiasing all end here; whatever they are, the engine runs a table. The gradient is the
//! same table transposed. Weights are computed in f64.

use std::any::TypeId;
use std::ops::Range;
use std::sync::OnceLock;

use crate::coordinates::{Coordinates, Geometry};
use crate::error::{Axis, Error};
use crate::memory::{bytes_of, list_of, reserve_list};
use crate::simd::{Arithmetic, Exact, FewBits, Table, Tables};

use super::filter::Filter;

/// The taps of every output pixel of an axis, each row as long as it needs to be.
#[derive(Debug, PartialEq)]
pub(crate) struct Taps {
    /// Input pixels.
    pub(crate) input: usize,
    /// `index[begin[o]..begin[o + 1]]` are the taps of output pixel `o`.
    begin: Vec<usize>,
    /// Input pixels, all inside the input.
    index: Vec<u32>,
    weight: Vec<f64>,
}

/// How taps are chosen: everything but the sizes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TapRule<'a> {
    pub(crate) filter: &'a Filter,
    pub(crate) coordinates: Coordinates,
    /// Stretch the filter when shrinking.
    pub(crate) antialias: bool,
    /// Drop taps outside the input and renormalise, instead of clamping them to the border.
    pub(crate) exclude_outside: bool,
    /// What of PyTorch's arithmetic is followed.
    pub(crate) torch: Option<TorchPositions>,
}

/// PyTorch's positions. Either way antialiased align-corners samples at `step·(o + 0.5)` instead of at the aligned position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TorchPositions {
    /// Of `f64` tensors.
    Double,
    /// Of all others, rounded to `f32`.
    Single,
}

impl Taps {
    fn with_capacity(axis: Axis, input: usize, output: usize, taps: usize) -> Result<Self, Error> {
        let overflow = Error::SizeOverflow { argument: "weight table", axis };
        if u32::try_from(input.max(output)).is_err() {
            return Err(overflow);
        }
        let count = output.checked_mul(taps).ok_or(overflow)?;
        let mut table = Self { input, begin: Vec::new(), index: Vec::new(), weight: Vec::new() };
        table
            .begin
            .try_reserve_exact(output + 1)
            .and_then(|()| table.index.try_reserve_exact(count))
            .and_then(|()| table.weight.try_reserve_exact(count))
            .map_err(|_| Error::OutOfMemory { argument: "weight table", bytes: count.saturating_mul(12) })?;
        table.begin.push(0);
        Ok(table)
    }

    /// The same table once more.
    pub(crate) fn copied(&self) -> Result<Self, Error> {
        let mut copy = Self { input: self.input, begin: Vec::new(), index: Vec::new(), weight: Vec::new() };
        reserve_list(&mut copy.begin, self.begin.len())?;
        reserve_list(&mut copy.index, self.index.len())?;
        reserve_list(&mut copy.weight, self.weight.len())?;
        copy.begin.extend(&self.begin);
        copy.index.extend(&self.index);
        copy.weight.extend(&self.weight);
        Ok(copy)
    }

    /// Appends the taps of the next output pixel.
    fn push_row(&mut self, taps: impl IntoIterator<Item = (usize, f64)>) {
        for (index, weight) in taps {
            debug_assert!(index < self.input);
            self.index.push(index as u32);
            self.weight.push(weight);
        }
        self.begin.push(self.index.len());
    }

    /// Bytes of the lists.
    pub(crate) fn bytes(&self) -> usize {
        bytes_of(&self.begin) + bytes_of(&self.index) + bytes_of(&self.weight)
    }

    /// Output pixels.
    pub(crate) fn output(&self) -> usize {
        self.begin.len() - 1
    }

    /// The input pixels and weights of output pixel `o`.
    pub(crate) fn row(&self, o: usize) -> (&[u32], &[f64]) {
        let range = self.begin[o]..self.begin[o + 1];
        (&self.index[range.clone()], &self.weight[range])
    }

    /// The table of a filter.
    pub(crate) fn of_filter(axis: Axis, rule: TapRule<'_>, geometry: &Geometry) -> Result<Self, Error> {
        let n = geometry.input;
        let stretch = if rule.antialias { rule.coordinates.step(geometry).max(1.0) } else { 1.0 };
        let support = rule.filter.support() * stretch;
        if !(support > 0.0 && support < 1e9) {
            return Err(Error::InvalidParameter {
                parameter: "filter support",
                value: support,
                requirement: "positive and below 10^9 pixels",
            });
        }
        let most = (2.0 * support.ceil() + 2.0).min(if rule.exclude_outside { n as f64 } else { f64::INFINITY });
        let mut table = Self::with_capacity(axis, n, geometry.output, most as usize)?;
        let mut taps: Vec<(usize, f64)> = Vec::new();
        reserve_list(&mut taps, most as usize)?;
        for o in 0..geometry.output {
            let position = rule.position(o, geometry);
            taps.clear();
            if rule.coordinates.extrapolates() && !(0.0..=(n - 1) as f64).contains(&position) {
                table.push_row([]);
                continue;
            }
            if rule.antialias {
                rule.stretched_taps(o, position, support, stretch, geometry, &mut taps);
            } else {
                rule.plain_taps(position, n, &mut taps);
            }
            table.push_row(taps.iter().copied());
        }
        Ok(table)
    }

    /// Adaptive averaging: output pixel `o` is the mean of input pixels `⌊o·n/m⌋` up to, not including, `⌈(o+1)·n/m⌉`.
    /// PyTorch `mode='area'`, `adaptive_avg_pool`.
    pub(crate) fn of_area(axis: Axis, input: usize, output: usize) -> Result<Self, Error> {
        let mut table = Self::with_capacity(axis, input, output, input / output + 2)?;
        let (n, m) = (input as u128, output as u128);
        for o in 0..output as u128 {
            let (begin, end) = (o * n / m, ((o + 1) * n).div_ceil(m));
            let weight = 1.0 / (end - begin) as f64;
            table.push_row((begin as usize..end as usize).map(|index| (index, weight)));
        }
        Ok(table)
    }

    /// One tap of weight 1 for each output pixel; `None` where the position is extrapolated.
    pub(crate) fn of_indices(axis: Axis, input: usize, indices: &[Option<u32>]) -> Result<Self, Error> {
        let mut table = Self::with_capacity(axis, input, indices.len(), 1)?;
        for index in indices {
            table.push_row(index.map(|index| (index as usize, 1.0)));
        }
        Ok(table)
    }

    /// The adjoint: for every input pixel the output pixels that it reaches, in ascending order.
    pub(crate) fn transposed(&self) -> Result<Self, Error> {
        let mut counts = list_of(0_usize, self.input + 1)?;
        for &index in &self.index {
            counts[index as usize + 1] += 1;
        }
        for i in 0..self.input {
            counts[i + 1] += counts[i];
        }
        let mut next = list_of(0, counts.len())?;
        next.copy_from_slice(&counts);
        let mut entries = list_of((0_u32, 0.0_f64), self.index.len())?;
        for o in 0..self.output() {
            let (index, weight) = self.row(o);
            for (&i, &weight) in index.iter().zip(weight) {
                entries[next[i as usize]] = (o as u32, weight);
                next[i as usize] += 1;
            }
        }
        let mut table = Self { input: self.output(), begin: Vec::new(), index: Vec::new(), weight: Vec::new() };
        reserve_list(&mut table.begin, self.input + 1)?;
        table.begin.push(0);
        reserve_list(&mut table.index, self.index.len())?;
        reserve_list(&mut table.weight, self.index.len())?;
        for i in 0..self.input {
            for &(o, weight) in &entries[counts[i]..counts[i + 1]] {
                // Taps that the border folded onto one input pixel are one tap of the adjoint.
                let row_begin = table.begin[i];
                if table.index.len() > row_begin && table.index.last() == Some(&o) {
                    if let Some(last) = table.weight.last_mut() {
                        *last += weight;
                    }
                } else {
                    table.index.push(o);
                    table.weight.push(weight);
                }
            }
            table.begin.push(table.index.len());
        }
        Ok(table)
    }

    /// Whether the output is the input.
    pub(crate) fn is_identity(&self) -> bool {
        self.input == self.output()
            && (0..self.output()).all(|o| {
                let (index, weight) = self.row(o);
                index.iter().zip(weight).filter(|&(_, &weight)| weight != 0.0).eq([(&(o as u32), &1.0)])
            })
    }

    /// Whether each output pixel copies one input pixel.
    pub(crate) fn longest_row(&self) -> usize {
        self.begin.windows(2).map(|row| row[1] - row[0]).max().unwrap_or(0)
    }

    /// The table in the arithmetic of `T`.
    fn typed<T: Arithmetic>(&self) -> Result<Table<T>, Error> {
        let mut table = self.without_rows();
        reserve_list(&mut table.index, self.output() * table.width)?;
        reserve_list(&mut table.weight, self.output() * table.width)?;
        Ok(self.with_rows(table))
    }

    fn without_rows<T: Arithmetic>(&self) -> Table<T> {
        Table {
            width: padded_width(self.longest_row()),
            index: Vec::new(),
            weight: Vec::new(),
            empty: Vec::new(),
            span: 1,
            input: self.input,
            pair: None,
            neighbours: 0..0,
            exact: None,
            lanes: Default::default(),
        }
    }

    /// All rows, of one width.
    fn with_rows<T: Arithmetic>(&self, mut table: Table<T>) -> Table<T> {
        let width = table.width;
        for o in 0..self.output() {
            let (index, weight) = self.row(o);
            let Some((&last_index, &last_weight)) = index.last().zip(weight.last()) else {
                table.empty.push(o as u32);
                table.index.extend(std::iter::repeat_n(0, width));
                table.weight.extend(std::iter::repeat_n(T::Weight::default(), width));
                continue;
            };
            let (lowest, highest) = index.iter().fold((u32::MAX, 0), |(low, high), &i| (low.min(i), high.max(i)));
            table.span = table.span.max((highest - lowest) as usize + 1);
            let (taps, missing) = (index.len(), width - index.len());
            table.index.extend(index);
            table.index.extend(std::iter::repeat_n(last_index, missing));
            let copies = copies_of_last::<T>(taps, width);
            let share = T::weight(last_weight / copies as f64);
            table.weight.extend(weight[..taps - 1].iter().map(|&weight| T::weight(weight)));
            table.weight.push(share);
            table.weight.extend(std::iter::repeat_n(if copies > 1 { share } else { T::Weight::default() }, missing));
        }
        // A power of two: places in the ring are then found without a division.
        table.span = table.span.next_power_of_two();
        table.pair = table.find_pair();
        table.neighbours = table.find_neighbours();
        table
    }
}

/// Among how many taps the last of a row that is filled up to `width` shares its weight with its copies.
fn copies_of_last<T: Arithmetic>(taps: usize, width: usize) -> usize {
    let copies = width - taps + 1;
    // A tap of weight 0 would turn an infinite pixel into NaN. In fixed point a single tap is shared where that is exact: then 1 fits a byte.
    if T::HAS_INFINITY || (taps == 1 && copies.is_power_of_two()) { copies } else { 1 }
}

/// The width of a table whose longest row has `taps`: a little more where the engine then has a loop for that very number.
fn padded_width(taps: usize) -> usize {
    match taps {
        0 => 1,
        5 => 6,
        7 => 8,
        _ => taps,
    }
}

#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // sizes are below 2^32
impl TapRule<'_> {
    fn position(&self, o: usize, axis: &Geometry) -> f64 {
        match self.torch {
            Some(TorchPositions::Single) => self.coordinates.torch_position(o, axis),
            _ => self.coordinates.position_in(o, axis),
        }
    }

    /// Where the stretched filter is centred, counted from the picture's edge.
    #[allow(clippy::cast_possible_truncation)] // rounding to f32 is meant
    fn centre(&self, o: usize, position: f64, axis: &Geometry) -> f64 {
        let torch_step = match self.coordinates {
            Coordinates::HalfPixel => axis.ratio,
            Coordinates::AlignCorners => self.coordinates.step(axis),
            _ => return position + 0.5,
        };
        match self.torch {
            None => position + 0.5,
            Some(TorchPositions::Double) => torch_step * (o as f64 + 0.5),
            Some(TorchPositions::Single) => f64::from((f64::from(torch_step as f32) * (o as f64 + 0.5)) as f32),
        }
    }

    /// The filter as it is, at `position`: `2·⌈support⌉` taps around it.
    fn plain_taps(&self, position: f64, n: usize, taps: &mut Vec<(usize, f64)>) {
        // Far outside, all taps fall on the border pixel anyway.
        let position = position.clamp(-1e9, n as f64 + 1e9);
        let reach = self.filter.support().ceil() as i64;
        let before = position.floor();
        let fraction = position - before;
        for step in 1 - reach..=reach {
            self.push(before as i64 + step, self.filter.weight(step as f64 - fraction), n, taps);
        }
        // These sum to 1 by construction; dividing would only round.
        let exact = matches!(self.filter, Filter::Linear | Filter::Cubic { .. } | Filter::Box);
        if self.exclude_outside || !exact {
            normalise(taps, position, n);
        }
    }

    /// The filter stretched by the factor of shrinking. Pillow's and PyTorch's choice of taps.
    fn stretched_taps(&self, o: usize, position: f64, support: f64, stretch: f64, axis: &Geometry, taps: &mut Vec<(usize, f64)>) {
        let centre = self.centre(o, position, axis);
        let first = (centre - support + 0.5).floor() as i64;
        let end = (centre + support + 0.5).floor() as i64;
        for i in first..end {
            self.push(i, self.filter.weight((i as f64 - centre + 0.5) / stretch), axis.input, taps);
        }
        normalise(taps, position, axis.input);
    }

    /// Adds a tap, clamped to the border or left out if it lies outside.
    fn push(&self, i: i64, weight: f64, n: usize, taps: &mut Vec<(usize, f64)>) {
        let clamped = i.clamp(0, n as i64 - 1);
        if clamped == i || !self.exclude_outside {
            taps.push((clamped as usize, weight));
        }
    }
}

/// Divides by the sum. Where nothing is left to divide, the pixel nearest to `position` counts whole.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // clamped to the axis
fn normalise(taps: &mut Vec<(usize, f64)>, position: f64, n: usize) {
    let sum: f64 = taps.iter().map(|&(_, weight)| weight).sum();
    if sum == 0.0 || !sum.is_finite() {
        taps.clear();
        taps.push((position.round().clamp(0.0, (n - 1) as f64) as usize, 1.0));
        return;
    }
    for (_, weight) in taps {
        *weight /= sum;
    }
}

/// One axis as the engine takes it: the exact taps, and the typed tables made from them on first use.
#[derive(Debug)]
pub(crate) struct AxisTaps {
    pub(crate) taps: Taps,
    pub(crate) identity: bool,
    /// The most taps that an output pixel has.
    pub(crate) longest_row: usize,
    tables: Tables,
    few_bits: OnceLock<Range<usize>>,
}

impl AxisTaps {
    pub(crate) fn new(taps: Taps) -> Self {
        Self { identity: taps.is_identity(), longest_row: taps.longest_row(), taps, tables: Tables::default(), few_bits: OnceLock::new() }
    }

    /// The output pixels around the middle whose weights, as those of bytes, need no more than [`FewBits`].
    pub(crate) fn few_bits(&self) -> &Range<usize> {
        let (width, output) = (padded_width(self.longest_row), self.taps.output());
        let holds = |o: &usize| {
            let Some((&last, others)) = self.taps.row(*o).1.split_last() else { return true };
            let copies = copies_of_last::<FewBits>(others.len() + 1, width);
            let shares = std::iter::repeat_n(last / copies as f64, copies);
            FewBits::holds(others.iter().copied().chain(shares).map(u8::weight))
        };
        self.few_bits.get_or_init(|| {
            // An axis that is copied is not weighted at all.
            if self.identity {
                return 0..output;
            }
            let before = (0..output / 2).rev().take_while(holds).count();
            let behind = (output / 2..output).take_while(holds).count();
            output / 2 - before..output / 2 + behind
        })
    }

    /// The table in the arithmetic of `T`.
    pub(crate) fn table<T: Arithmetic>(&self) -> &Table<T> {
        // Made before a run by `ready`, which reports what could not be had.
        T::table(&self.tables).get_or_init(|| {
            let exact = self.inside::<T>().map(|inside| Box::new(Exact { inside, table: self.taps.with_rows(self.taps.without_rows()) }));
            Table { exact, ..self.taps.with_rows(self.taps.without_rows()) }
        })
    }

    /// Makes the table in the arithmetic of `T`, if it has not been made.
    pub(crate) fn ready<T: Arithmetic>(&self) -> Result<(), Error> {
        let cell = T::table(&self.tables);
        if cell.get().is_none() {
            let exact = match self.inside::<T>() {
                Some(inside) => Some(Box::new(Exact { inside, table: self.taps.typed()? })),
                None => None,
            };
            // Should another thread have been faster, its table is the same.
            let _ = cell.set(Table { exact, ..self.taps.typed()? });
        }
        Ok(())
    }

    /// The output pixels that the arithmetic of `T` does not leave to its exact one, if these are not all.
    fn inside<T: Arithmetic>(&self) -> Option<Range<usize>> {
        let few = TypeId::of::<T>() != TypeId::of::<T::Exact>();
        few.then(|| self.few_bits().clone()).filter(|inside| inside.len() < self.taps.output())
    }

    pub(crate) fn transposed(&self) -> Result<Self, Error> {
        Ok(Self::new(self.taps.transposed()?))
    }
}
