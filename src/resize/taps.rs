//! The weight table of one axis: which input pixels an output pixel is made of, and how much each counts.
//!
//! Filter, coordinates, border and antialiasing all end here; whatever they are, the engine runs a table. The gradient is the
//! same table transposed. Weights are computed in f64.

use std::any::TypeId;
use std::ops::Range;
use std::sync::OnceLock;

use crate::error::{Axis, Error};
use crate::kernels::{Arithmetic, Exact, FewBits, Table, Tables};
use crate::memory::{bytes_of, list_of, reserve_list};
use crate::resize::coordinates::{Coordinates, Geometry, Position};

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
    pub(crate) arithmetic: PositionArithmetic,
}

/// Whose arithmetic computes positions, and how far antialiasing stretches the filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PositionArithmetic {
    /// Exact positions; the filter is stretched by the distance of two output pixels.
    Exact,
    /// The same, but the filter is stretched by `1 / scale`, whatever the coordinates: ONNX.
    Onnx,
    /// Every step in `f64`, in Pillow's order.
    Pillow,
    /// PyTorch's, of `f64` tensors. Antialiased align-corners samples at `step·(o + 0.5)` instead of at the aligned position.
    TorchDouble,
    /// PyTorch's, of all other types: the same, rounded to `f32`.
    TorchSingle,
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
        let stretch = rule.stretch(geometry);
        let support = rule.filter.support() * stretch;
        if !(support > 0.0 && support < 1e9) {
            return Err(Error::InvalidParameter {
                parameter: "filter support",
                value: support,
                requirement: "positive and below 10^9 pixels",
            });
        }
        let most = (2.0 * support.ceil() + 2.0).min(n as f64);
        let mut table = Self::with_capacity(axis, n, geometry.output, most as usize)?;
        let mut taps: Vec<(usize, f64)> = Vec::new();
        reserve_list(&mut taps, most as usize)?;
        for o in 0..geometry.output {
            taps.clear();
            match rule.coordinates.inside(rule.position(o, geometry), geometry) {
                None => {}
                // Whatever the filter, one pixel counts whole.
                Some(_) if n == 1 => taps.push((0, 1.0)),
                Some(position) if rule.antialias => rule.stretched_taps(o, position, stretch, geometry, &mut taps),
                Some(position) => rule.plain_taps(position, n, &mut taps),
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

    /// Averaging by coverage, to shrink: an output pixel covers the input between `o·ratio` and `(o + 1)·ratio`. OpenCV's `INTER_AREA`,
    /// which leaves out pixels that are covered by less than a thousandth, and rounds weights to `f32`.
    #[allow(clippy::cast_possible_truncation)] // rounding to f32 is meant, and sizes are below 2^32
    pub(crate) fn of_coverage(axis: Axis, geometry: &Geometry) -> Result<Self, Error> {
        const LEAST: f64 = 1e-3;
        let (n, ratio) = (geometry.input as f64, geometry.opencv_ratio());
        let mut table =
            Self::with_capacity(axis, geometry.input, geometry.output, (ratio.ceil() as usize).saturating_add(2).min(geometry.input))?;
        for o in 0..geometry.output {
            let begin = o as f64 * ratio;
            let end = begin + ratio;
            let covered = ratio.min(n - begin);
            let last = end.floor().min(n - 1.0);
            let first = begin.ceil().min(last);
            let weight = |part: f64| f64::from((part / covered) as f32);
            let before = (first - begin > LEAST).then(|| (first as usize - 1, weight(first - begin)));
            let behind = (end - last > LEAST).then(|| (last as usize, weight((end - last).min(1.0).min(covered))));
            let between = (first as usize..last as usize).map(|i| (i, weight(1.0)));
            table.push_row(before.into_iter().chain(between).chain(behind));
        }
        Ok(table)
    }

    /// Linear between two pixels at OpenCV's positions for `INTER_AREA` where an axis is enlarged.
    #[allow(clippy::cast_possible_truncation)] // rounding to f32 is meant, and sizes are below 2^32
    pub(crate) fn of_enlarged_area(axis: Axis, geometry: &Geometry) -> Result<Self, Error> {
        let (last, ratio) = (geometry.input - 1, geometry.opencv_ratio());
        let mut table = Self::with_capacity(axis, geometry.input, geometry.output, 2)?;
        for o in 0..geometry.output {
            let pixel = (o as f64 * ratio).floor();
            let fraction = ((o as f64 + 1.0) - (pixel + 1.0) / ratio) as f32;
            let fraction = if fraction <= 0.0 { 0.0 } else { fraction - fraction.floor() };
            let pixel = (pixel as usize).min(last);
            if pixel == last {
                table.push_row([(last, 1.0)]);
            } else {
                table.push_row([(pixel, f64::from(1.0 - fraction)), (pixel + 1, f64::from(fraction))]);
            }
        }
        Ok(table)
    }

    /// The same table with weights rounded to `bits` fractional bits, halves to even; the first of a row makes the sum 1.
    pub(crate) fn rounded_to(mut self, bits: u32) -> Self {
        let unit = f64::from(bits).exp2();
        for row in self.begin.windows(2) {
            if let Some((first, others)) = self.weight[row[0]..row[1]].split_first_mut() {
                others.iter_mut().for_each(|weight| *weight = (*weight * unit).round_ties_even() / unit);
                *first = 1.0 - others.iter().sum::<f64>();
            }
        }
        self
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

    /// The most taps that an output pixel has.
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
        let longest = (0..self.output()).map(|o| self.read_taps::<T>(o).count()).max().unwrap_or(0);
        Table {
            width: padded_width(longest),
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

    /// The taps of output pixel `o` that the loops read. In floating point a weight of 0 is none: `0 · ∞` would be NaN.
    fn read_taps<T: Arithmetic>(&self, o: usize) -> impl Iterator<Item = (u32, f64)> + Clone {
        let (index, weight) = self.row(o);
        index.iter().copied().zip(weight.iter().copied()).filter(|&(_, weight)| weight != 0.0 || !T::HAS_INFINITY)
    }

    /// All rows, of one width.
    fn with_rows<T: Arithmetic>(&self, mut table: Table<T>) -> Table<T> {
        let width = table.width;
        for o in 0..self.output() {
            let taps = self.read_taps::<T>(o);
            let count = taps.clone().count();
            let Some((last_index, last_weight)) = taps.clone().last() else {
                table.empty.push(o as u32);
                table.index.extend(std::iter::repeat_n(0, width));
                table.weight.extend(std::iter::repeat_n(T::Weight::default(), width));
                continue;
            };
            let (lowest, highest) = taps.clone().fold((u32::MAX, 0), |(low, high), (i, _)| (low.min(i), high.max(i)));
            table.span = table.span.max((highest - lowest) as usize + 1);
            let missing = width - count;
            table.index.extend(taps.clone().map(|(index, _)| index));
            table.index.extend(std::iter::repeat_n(last_index, missing));
            table.weight.extend(taps.take(count - 1).map(|(_, weight)| T::weight(weight)));
            let copies = copies_of_last::<T>(count, width);
            table.weight.extend((0..copies).map(|copy| T::weight(last_weight * share_of_copy::<T>(copy, copies))));
            table.weight.extend(std::iter::repeat_n(T::Weight::default(), missing + 1 - copies));
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

/// The share that each of `copies` taps has of a weight.
///
/// In floating point the shares of a few are 1/2, 1/4, … and the last one twice, smallest first: every partial sum is then exact, so that a
/// pixel of weight 1 comes out unchanged.
fn share_of_copy<T: Arithmetic>(copy: usize, copies: usize) -> f64 {
    const FEW: usize = 16;
    if T::HAS_INFINITY && copies <= FEW { 0.5_f64.powi((copies - copy.max(1)) as i32) } else { 1.0 / copies as f64 }
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
    /// How many times as long as it is the filter becomes.
    fn stretch(&self, axis: &Geometry) -> f64 {
        match self.arithmetic {
            _ if !self.antialias => 1.0,
            PositionArithmetic::Onnx => axis.ratio.max(1.0),
            _ => self.coordinates.step(axis).max(1.0),
        }
    }

    fn position(&self, o: usize, axis: &Geometry) -> Position {
        match self.arithmetic {
            PositionArithmetic::TorchSingle => self.coordinates.torch_position_single(o, axis),
            PositionArithmetic::TorchDouble => self.coordinates.torch_position_double(o, axis),
            _ => self.coordinates.position_in(o, axis),
        }
    }

    /// The filter as it is, at `position`: `2·⌈support⌉` taps around it.
    fn plain_taps(&self, position: Position, n: usize, taps: &mut Vec<(usize, f64)>) {
        let Position { pixel, rest } = position;
        let reach = self.filter.support().ceil() as i64;
        let weight = |i: f64| self.filter.weight(self.distance(i - pixel as f64, rest, 1.0));
        self.collect(pixel + 1 - reach..pixel + reach + 1, n, weight, taps);
        // These sum to 1 by construction; dividing would only round.
        let exact = matches!(self.filter, Filter::Linear | Filter::Cubic { .. } | Filter::Box);
        if self.exclude_outside || !exact {
            normalise(taps, position, n);
        }
    }

    /// The filter stretched by the factor of shrinking. Pillow's and PyTorch's choice of taps.
    fn stretched_taps(&self, o: usize, position: Position, stretch: f64, axis: &Geometry, taps: &mut Vec<(usize, f64)>) {
        let support = self.filter.support() * stretch;
        let Position { pixel, rest } = position;
        // Counted from the picture's edge.
        let centre = self.centre(o, position, axis);
        let range = (centre - support + 0.5).floor() as i64..(centre + support + 0.5).floor() as i64;
        match self.arithmetic {
            PositionArithmetic::Exact | PositionArithmetic::Onnx if self.filter.jumps() => {
                // Counted from the pixel: of a number with a fraction near 0 or 1, one more on each side.
                let range = range.start - 1..range.end + 1;
                self.collect(range, axis.input, |i| self.filter.weight(self.distance(i - pixel as f64, rest, stretch)), taps);
                trim(taps);
            }
            PositionArithmetic::Pillow => {
                let inverse = 1.0 / stretch;
                self.collect(range, axis.input, |i| self.filter.pillow_weight((i - centre + 0.5) * inverse), taps);
            }
            _ => {
                self.collect(range, axis.input, |i| self.filter.weight((i - centre + 0.5) / stretch), taps);
            }
        }
        normalise(taps, position, axis.input);
    }

    /// Where the stretched filter is centred, counted from the picture's edge.
    #[allow(clippy::cast_possible_truncation)] // rounding to f32 is meant
    fn centre(&self, o: usize, position: Position, axis: &Geometry) -> f64 {
        let step = match self.coordinates {
            Coordinates::HalfPixel => axis.ratio,
            Coordinates::AlignCorners => self.coordinates.step(axis),
            _ => return position.value() + 0.5,
        };
        match self.arithmetic {
            _ if self.coordinates == Coordinates::HalfPixel && self.arithmetic != PositionArithmetic::TorchSingle => {
                axis.begin() + step * (o as f64 + 0.5)
            }
            PositionArithmetic::Exact | PositionArithmetic::Onnx | PositionArithmetic::Pillow => position.value() + 0.5,
            PositionArithmetic::TorchDouble => step * (o as f64 + 0.5),
            PositionArithmetic::TorchSingle => f64::from((f64::from(step as f32) * (o as f64 + 0.5)) as f32),
        }
    }

    /// How far a pixel is from a position `rest` behind the pixel that it is `offset` pixels away from, in units of the stretched filter.
    fn distance(&self, offset: f64, rest: f64, stretch: f64) -> f64 {
        let distance = (offset - rest) / stretch;
        // Where a filter jumps, rounding must not decide: whole and half distances are made so exactly.
        let half = (2.0 * distance).round() / 2.0;
        if self.filter.jumps() && (distance - half).abs() < 1e-9 { half } else { distance }
    }

    /// The taps of `range`. What lies outside the input counts for the border pixel, or is left out.
    fn collect(&self, range: Range<i64>, n: usize, weight: impl Fn(f64) -> f64, taps: &mut Vec<(usize, f64)>) {
        let last = n as i64 - 1;
        let inside = range.start.max(0)..range.end.min(last + 1);
        taps.extend(inside.map(|i| (i as usize, weight(i as f64))));
        if self.exclude_outside {
            return;
        }
        for (border, outside) in [(0, range.start..range.end.min(0)), (last as usize, range.start.max(last + 1)..range.end)] {
            if outside.is_empty() {
                continue;
            }
            let sum = self.sum_outside(outside, &weight);
            let tap = if border == 0 { taps.first_mut() } else { taps.last_mut() };
            match tap.filter(|tap| tap.0 == border) {
                Some(tap) => tap.1 += sum,
                None => taps.push((border, sum)),
            }
        }
    }

    /// The weights of pixels outside the input together: each of them, or of very many a sample in regular steps, so that the work is bounded.
    fn sum_outside(&self, outside: Range<i64>, weight: impl Fn(f64) -> f64) -> f64 {
        let most = if matches!(self.filter, Filter::Custom(_)) { 1 << 10 } else { 1 << 14 };
        let count = outside.end - outside.start;
        if count <= most {
            return outside.map(|i| weight(i as f64)).sum();
        }
        let step = count as f64 / most as f64;
        let middle = |sample: i64| outside.start as f64 + (sample as f64 + 0.5) * step - 0.5;
        step * (0..most).map(|sample| weight(middle(sample))).sum::<f64>()
    }
}

/// Removes taps of weight 0 from both ends.
fn trim(taps: &mut Vec<(usize, f64)>) {
    while taps.len() > 1 && taps.last().is_some_and(|tap| tap.1 == 0.0) {
        taps.pop();
    }
    let zeros = taps.iter().take_while(|tap| tap.1 == 0.0).count().min(taps.len().saturating_sub(1));
    taps.drain(..zeros);
}

/// Divides by the sum. Where nothing is left to divide, the pixel nearest to `position` counts whole.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // clamped to the axis
fn normalise(taps: &mut Vec<(usize, f64)>, position: Position, n: usize) {
    let sum: f64 = taps.iter().map(|&(_, weight)| weight).sum();
    if sum == 0.0 || !sum.is_finite() {
        taps.clear();
        taps.push((position.value().round().clamp(0.0, (n - 1) as f64) as usize, 1.0));
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
        // Made before a run by `ready`, which reports a failed allocation.
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
