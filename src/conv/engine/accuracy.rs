//! Whether fewer multiplications are safe for the data of a call.
//!
//! Winograd's filtering adds pixels of a tile and taps of a kernel before it multiplies them, and takes them apart again afterwards. Where
//! one pixel is very much larger than its neighbours, what is left of them has lost its digits: pixels of 1 around one of -1e9 come out as
//! 0. The same happens to an output whose weights are large only for channels in which its pixels are small, to sums near the ends of the
//! range, and to what lies beside an infinity or a NaN.
//!
//! So the data are looked at first, which takes a few hundredths of the time of the products, and what is not spread evenly is computed as
//! it is defined:
//!
//! - *Pixels.* The magnitudes of a pixel's channels, each weighted by the largest of its weights, are added; where outputs are a stride apart,
//!   those of each block of stride × stride pixels, of which an output reads whole ones. The largest of these sums in a picture is to be at
//!   most [`MOST_SPREAD`] times the smallest.
//! - *Fill.* The mean magnitude of numbers as a share of the largest: 0.2 for normally distributed ones, 0.01 where one in twenty is not 0.
//!   The number of products of a sum times the fill of both factors says how many large products to expect. It is to be at least
//!   [`LEAST_LARGE`]: otherwise some outputs read little but small numbers.
//! - *Weights.* Of each output channel, the largest weights of its kernels are to be [`LEAST_FILLED`] of the largest that the source
//!   channels have, on the average: then what is known of all channels together holds of each output.
//! - *Weight gradients* add over pixels, not channels. There the fill is that of each channel of both factors.
//!
//! Everything is to be far from the ends of the range of `f32`. What is promised, and tested with data of many kinds in all combinations:
//! the error of an output stays below `16·ε·K·Σ|x||w|` over what it reads, for sums of `K` products. It is not proved for numbers that are
//! chosen against it, large weights just where pixels are small; [`Precision::Strict`](super::Precision::Strict) is exact for those, too.

use ndarray::{ArrayView3, ArrayView4, ArrayView5, Axis, s};
use num_traits::Float;

use super::phases::Direction;
use super::winograd::Scheme;
use crate::element::{Convert, FloatElement};
use crate::error::Error;
use crate::kernels::{AddMagnitudes, Backend, CHANNELS, FindMagnitudes, Magnitudes, Real, SumMagnitudes};
use crate::memory::list_of;
use crate::tasks;

/// How many times as large as the smallest pixel of a picture the largest may be.
const MOST_SPREAD: f64 = 32.0;
/// The least share of the largest weights that those of an output channel have on the average.
const LEAST_FILLED: f64 = 0.15;
/// The fewest large products that a sum is to have.
const LEAST_LARGE: f64 = 1.5;
/// Between these magnitudes neither sums nor products leave the range of `f32`, nor do they lose digits at its lower end.
const RANGE: std::ops::RangeInclusive<f64> = 1e-15..=1e15;
/// Pixels that are looked at together.
const PIXELS: usize = 4096;
/// The calling thread examines fewer numbers alone.
const SMALL_WORK: usize = 1 << 17;

/// What is known of the weights of a call that are spread evenly.
#[derive(Debug, Clone)]
pub(super) struct EvenWeights<T> {
    /// What each source channel of all groups counts: its largest weight, as a share of the largest of all.
    pub(super) channels: Vec<T>,
    /// The fewest large weights of an output: their fill times the products of its sum.
    large: f64,
    /// Height and width of the blocks of pixels that outputs read as a whole.
    block: [usize; 2],
}

impl<T> EvenWeights<T> {
    /// Looks at weights; `None` if they are not spread evenly.
    pub(super) fn find<A: FloatElement<Row = T>>(
        direction: Direction,
        groups: usize,
        scheme: &Scheme,
        weight: &ArrayView5<'_, A>,
        backend: Backend,
    ) -> Result<Option<Self>, Error>
    where
        T: Real,
    {
        let (coarse, fine) = (weight.dim().0 / groups.max(1), weight.dim().1);
        let (source, taps) = (if direction == Direction::Expand { coarse } else { fine }, weight.dim().3 * weight.dim().4);
        let mut kernels = list_of(Magnitudes::default(), coarse * fine)?;
        let mut channels = list_of(0.0_f32, source * groups)?;
        let mut large = f64::INFINITY;
        for (group, channels) in (0..groups).zip(channels.chunks_exact_mut(source.max(1))) {
            let of_group = weight.slice(s![group * coarse..(group + 1) * coarse, .., .., .., ..]);
            let worth = of_group.len() >= SMALL_WORK;
            tasks::each_piece(&mut kernels, fine.max(1), 0, worth, &|coarse, found| {
                find_magnitudes(&of_group.index_axis(Axis(0), coarse), taps, found, backend);
            });
            let Some(fill) = fill_of_outputs(direction, fine, &kernels, channels) else { return Ok(None) };
            large = large.min(fill / taps as f64 * scheme.products() as f64);
        }
        let most = channels.iter().copied().fold(0.0, f32::max);
        if !RANGE.contains(&f64::from(most)) {
            return Ok(None);
        }
        let mut shares = list_of(T::default(), channels.len())?;
        for (share, weight) in shares.iter_mut().zip(channels) {
            // No channel counts for nothing: what is in it must stay in range, too.
            *share = T::from_single((weight / most).max(1e-9));
        }
        let [_, height, width] = &scheme.phases.axes;
        Ok(Some(Self { channels: shares, large, block: [height.source_stride, width.source_stride] }))
    }
}

/// The magnitudes of each kernel of a source channel: fine channels × `taps`.
fn find_magnitudes<A: FloatElement>(kernels: &ArrayView4<'_, A>, taps: usize, found: &mut [Magnitudes], backend: Backend) {
    if let Some(values) = kernels.to_slice().and_then(A::as_rows) {
        return backend.run(FindMagnitudes { values, len: taps, found });
    }
    for (kernel, found) in kernels.outer_iter().zip(found) {
        let magnitudes = kernel.iter().map(|value| value.to_row().magnitude_bits());
        let (bits, sum) = magnitudes.fold((0, 0.0), |(most, sum), bits| (bits.max(most), sum + f32::from_bits(bits.cast_unsigned())));
        *found = Magnitudes::new(bits, sum);
    }
}

/// Finds the largest weight of each source channel of a group. Returns the mean, over kernels, of the sum of their weights as shares of these:
/// the least of any output channel. `None` if an output channel has too few kernels with large weights.
fn fill_of_outputs(direction: Direction, fine: usize, kernels: &[Magnitudes], channels: &mut [f32]) -> Option<f64> {
    let source = channels.len();
    let expands = direction == Direction::Expand;
    for (coarse, row) in kernels.chunks_exact(fine.max(1)).enumerate() {
        if expands {
            channels[coarse] = in_lanes(row, |most, kernel, _| larger(most, kernel.largest)).into_iter().fold(0.0, larger);
        } else {
            channels.iter_mut().zip(row).for_each(|(most, kernel)| *most = larger(*most, kernel.largest));
        }
    }
    // A channel without weights takes no part in any output: its share is 1.
    let shares = |kernel: &Magnitudes, most: f32| match most {
        0.0 => (1.0, 1.0),
        _ => (kernel.largest / most, kernel.sum / most),
    };
    let add = |(largest, sum): (f32, f32), (of_kernel, of_sum)| (largest + of_kernel, sum + of_sum);
    let mut filled = vec![(0.0_f32, 0.0_f32); kernels.len() / source.max(1)];
    for (coarse, row) in kernels.chunks_exact(fine.max(1)).enumerate() {
        if expands {
            filled.iter_mut().zip(row).for_each(|(filled, kernel)| *filled = add(*filled, shares(kernel, channels[coarse])));
        } else {
            let lanes = in_lanes(row, |filled, kernel, fine| add(filled, shares(kernel, channels[fine])));
            filled[coarse] = lanes.into_iter().fold((0.0, 0.0), add);
        }
    }
    let least = filled.into_iter().fold((f64::INFINITY, f64::INFINITY), |least, (largest, sum)| {
        (least.0.min(f64::from(largest) / source as f64), least.1.min(f64::from(sum) / source as f64))
    });
    (least.0 >= LEAST_FILLED).then_some(least.1)
}

fn larger(a: f32, b: f32) -> f32 {
    if b > a { b } else { a }
}

/// Folds every eighth kernel, with its number, into the same lane: sums of different lanes do not wait for each other.
fn in_lanes<R: Copy + Default>(kernels: &[Magnitudes], mut fold: impl FnMut(R, &Magnitudes, usize) -> R) -> [R; 8] {
    let mut lanes = [R::default(); 8];
    for (block, kernels) in kernels.chunks(lanes.len()).enumerate() {
        for (lane, kernel) in kernels.iter().enumerate() {
            lanes[lane] = fold(lanes[lane], kernel, block * lanes.len() + lane);
        }
    }
    lanes
}

/// Of each picture whether its pixels are spread evenly, seen with these weights.
pub(super) fn even_pictures<A: FloatElement>(
    source: &ArrayView5<'_, A>,
    weights: &EvenWeights<A::Row>,
    backend: Backend,
) -> Result<Vec<bool>, Error> {
    let mut even = list_of(true, source.dim().0)?;
    tasks::each_piece(&mut even, 1, 0, source.len() >= SMALL_WORK, &|picture, even| {
        even.fill(is_even_picture(&source.index_axis(Axis(0), picture), weights, backend));
    });
    Ok(even)
}

/// What is known of a part of a picture.
#[derive(Debug, Clone, Copy)]
struct Extremes {
    /// The smallest and the largest sum of the magnitudes of a block.
    smallest_block: f64,
    largest_block: f64,
    /// The largest sum of a pixel, and the largest summand.
    largest_pixel: f64,
    largest_number: f64,
    /// All magnitudes; infinite or NaN if a number is.
    total: f64,
}

impl Extremes {
    fn and(self, other: Self) -> Self {
        Self {
            smallest_block: self.smallest_block.min(other.smallest_block),
            largest_block: self.largest_block.max(other.largest_block),
            largest_pixel: self.largest_pixel.max(other.largest_pixel),
            largest_number: self.largest_number.max(other.largest_number),
            total: self.total + other.total,
        }
    }
}

/// `picture` is channels × 1 × height × width.
fn is_even_picture<A: FloatElement>(picture: &ArrayView4<'_, A>, weights: &EvenWeights<A::Row>, backend: Backend) -> bool {
    let (channels, _, height, width) = picture.dim();
    let [block_height, block_width] = weights.block;
    // Whole blocks, and as many pixels as the list of sums holds.
    let columns = (width.min(PIXELS / block_height) / block_width * block_width).max(block_width);
    let rows = (PIXELS / columns / block_height * block_height).max(block_height);
    if rows * columns > PIXELS {
        return false;
    }
    let parts_of_row = width.div_ceil(columns);
    let part = |part: usize| {
        let (row, column) = (part / parts_of_row * rows, part % parts_of_row * columns);
        let part = picture.slice(s![.., 0, row..height.min(row + rows), column..width.min(column + columns)]);
        extremes_of_part(&part, weights, backend)
    };
    let parts = 0..height.div_ceil(rows) * parts_of_row;
    let Some(found) = tasks::reduce(parts, picture.len() >= SMALL_WORK, &part, &Extremes::and) else { return true };
    let Extremes { smallest_block, largest_block, largest_pixel, largest_number, total } = found;
    let fill = total / (largest_number * (channels * height * width) as f64);
    // An infinity or a NaN is in the sum of all.
    total == 0.0
        || (total.is_finite()
            && RANGE.contains(&largest_pixel)
            && largest_block.max(largest_pixel) <= MOST_SPREAD * smallest_block
            && weights.large * fill >= LEAST_LARGE)
}

/// `part` is channels × height × width, of at most [`PIXELS`] pixels.
fn extremes_of_part<A: FloatElement>(part: &ArrayView3<'_, A>, weights: &EvenWeights<A::Row>, backend: Backend) -> Extremes {
    let (channels, height, width) = part.dim();
    let mut sums = [A::Row::default(); PIXELS];
    let sums = &mut sums[..height * width];
    let mut bits = 0;
    for first in (0..channels).step_by(CHANNELS) {
        // The last ones may be fewer: a channel that counts for nothing takes the place of one that is not there.
        let of: [_; CHANNELS] = std::array::from_fn(|place| part.index_axis(Axis(0), (first + place).min(channels - 1)));
        let shares: [_; CHANNELS] = std::array::from_fn(|place| weights.channels.get(first + place).copied().unwrap_or_default());
        let most = match of.each_ref().map(|channel| channel.to_slice()) {
            [Some(a), ..] if channels == 1 => add_magnitudes([a], [shares[0]], sums, backend),
            [Some(a), Some(b), Some(c), Some(d)] => add_magnitudes([a, b, c, d], shares, sums, backend),
            _ => of.iter().zip(shares).map(|(channel, share)| add_scattered(channel.iter(), share, sums)).fold(0, i32::max),
        };
        bits = bits.max(most);
    }
    let number = |bits: i32| f64::from(f32::from_bits(bits.cast_unsigned()));
    let (total, pixel) = backend.run(SumMagnitudes(&*sums));
    let (smallest_block, largest_block) = extremes_of_blocks(sums, width, weights.block);
    Extremes { smallest_block, largest_block, largest_pixel: number(pixel), largest_number: number(bits), total }
}

/// The smallest and the largest sum of a whole block, in lines of `len` sums of pixels, which are changed.
fn extremes_of_blocks<T: Real>(sums: &mut [T], len: usize, [height, width]: [usize; 2]) -> (f64, f64) {
    // By the bits, whose order is that of numbers that are not negative: such loops become vectors.
    let (mut least, mut most) = (i32::MAX, 0);
    for lines in sums.chunks_exact_mut(len * height) {
        let (line, others) = lines.split_at_mut(len);
        for other in others.chunks_exact(len) {
            line.iter_mut().zip(other).for_each(|(sum, &other)| *sum = *sum + other);
        }
        let of_line = match width {
            1 => extremes_of_line::<T, 1>(line),
            2 => extremes_of_line::<T, 2>(line),
            3 => extremes_of_line::<T, 3>(line),
            _ => line.chunks_exact(width).fold((i32::MAX, 0), |found, block| and_block(found, block)),
        };
        (least, most) = (least.min(of_line.0), most.max(of_line.1));
    }
    let number = |bits: i32| f64::from(f32::from_bits(bits.cast_unsigned()));
    (if least == i32::MAX { f64::INFINITY } else { number(least) }, number(most))
}

/// The bits of the smallest and of the largest sum of `WIDTH` neighbours.
fn extremes_of_line<T: Real, const WIDTH: usize>(line: &[T]) -> (i32, i32) {
    line.as_chunks::<WIDTH>().0.iter().fold((i32::MAX, 0), |found, block| and_block(found, block))
}

#[inline(always)]
fn and_block<T: Real>((least, most): (i32, i32), block: &[T]) -> (i32, i32) {
    let sum = block.iter().fold(T::zero(), |sum, &pixel| sum + pixel).magnitude_bits();
    (least.min(sum), most.max(sum))
}

/// `sums[i] += Σ weights[c]·|channels[c][i]|`; returns the bits of the largest product.
fn add_magnitudes<A: FloatElement, const N: usize>(
    channels: [&[A]; N],
    weights: [A::Row; N],
    sums: &mut [A::Row],
    backend: Backend,
) -> i32 {
    if channels.iter().all(|channel| A::as_rows(channel).is_some()) {
        let channels = channels.map(|channel| A::as_rows(channel).unwrap_or_default());
        return backend.run(AddMagnitudes { channels, weights, sums });
    }
    const LEN: usize = 256;
    let (mut rows, mut most) = ([[A::Row::default(); LEN]; N], 0);
    for (sums, first) in sums.chunks_mut(LEN).zip((0..).step_by(LEN)) {
        for (row, channel) in rows.iter_mut().zip(channels) {
            <A as Convert<A::Row>>::widen(&channel[first..first + sums.len()], row);
        }
        let channels = rows.each_ref().map(|row| &row[..sums.len()]);
        most = most.max(backend.run(AddMagnitudes { channels, weights, sums }));
    }
    most
}

/// The same for one channel of any layout.
fn add_scattered<'a, A: FloatElement>(channel: impl Iterator<Item = &'a A>, weight: A::Row, sums: &mut [A::Row]) -> i32 {
    sums.iter_mut().zip(channel).fold(0, |most, (sum, value)| {
        let product = Float::abs(value.to_row()) * weight;
        *sum = *sum + product;
        most.max(product.magnitude_bits())
    })
}

/// Whether the channels of both factors of a weight gradient are filled so well that each pair has large products.
pub(super) fn even_channels<A: FloatElement>(factors: [&ArrayView5<'_, A>; 2], backend: Backend) -> bool {
    let least = |factor: &ArrayView5<'_, A>| {
        let fill = |channel| fill_of_channel(factor, channel, backend);
        tasks::reduce(0..factor.dim().1, factor.len() >= SMALL_WORK, &fill, &f64::min).unwrap_or(1.0)
    };
    // The coarse factor says how many pixels are added.
    let products = factors.map(|factor| factor.len() / factor.dim().1.max(1)).into_iter().min().unwrap_or(0);
    products as f64 * least(factors[0]) * least(factors[1]) >= LEAST_LARGE
}

/// The mean magnitude of a channel as a share of the largest; 0 where it is not in range, 1 of zeros, which give zeros.
fn fill_of_channel<A: FloatElement>(factor: &ArrayView5<'_, A>, channel: usize, backend: Backend) -> f64 {
    let (mut sum, mut bits) = (0.0, 0);
    let channel = factor.index_axis(Axis(1), channel);
    let mut add = |values: &[A]| {
        let (of_values, most) = match A::as_rows(values) {
            Some(values) => backend.run(SumMagnitudes(values)),
            None => values.iter().fold((0.0, 0), |(sum, most), value| {
                (sum + Float::abs(value.to_row()).to_double(), most.max(value.to_row().magnitude_bits()))
            }),
        };
        (sum, bits) = (sum + of_values, bits.max(most));
    };
    for picture in channel.outer_iter() {
        match picture.to_slice() {
            Some(values) => add(values),
            None => picture.iter().for_each(|value| add(std::slice::from_ref(value))),
        }
    }
    let largest = f64::from(f32::from_bits(bits.cast_unsigned()));
    match largest {
        0.0 => 1.0,
        _ if RANGE.contains(&largest) => sum / (largest * channel.len() as f64),
        _ => 0.0,
    }
}
