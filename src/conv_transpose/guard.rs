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

use ndarray::{ArrayView4, ArrayView5, Axis, s};
use num_traits::Float;

use super::phases::Direction;
use super::winograd::Scheme;
use crate::element::{Convert, FloatElement};
use crate::error::Error;
use crate::memory::list_of;
use crate::simd::{AddMagnitudes, Backend, Real, SumMagnitudes};

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
            for (from, to) in of_group.outer_iter().zip(kernels.chunks_exact_mut(fine.max(1))) {
                for (kernel, magnitudes) in from.outer_iter().zip(to) {
                    *magnitudes = match kernel.to_slice() {
                        Some(kernel) => Magnitudes::of(kernel),
                        None => {
                            kernel.iter().fold(Magnitudes::default(), |all, value| all.and(Magnitudes::of(std::slice::from_ref(value))))
                        }
                    };
                }
            }
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

/// The largest magnitude of some numbers, and their sum.
#[derive(Debug, Clone, Copy, Default)]
struct Magnitudes {
    largest: f32,
    sum: f32,
}

impl Magnitudes {
    /// Infinite if one is no number. The largest is found by the bits, whose order is that of the magnitudes, and the sum in four parts: such
    /// loops become vectors.
    fn of<A: FloatElement>(values: &[A]) -> Self {
        let (mut bits, mut sums) = ([0_i32; 4], [0.0_f32; 4]);
        let (fours, rest) = values.as_chunks::<4>();
        let mut add = |lane: usize, value: &A| {
            let magnitude = value.to_row().magnitude_bits();
            bits[lane] = bits[lane].max(magnitude);
            sums[lane] += f32::from_bits(magnitude.cast_unsigned());
        };
        for four in fours {
            (0..4).for_each(|lane| add(lane, &four[lane]));
        }
        rest.iter().for_each(|value| add(0, value));
        let bits = bits.into_iter().fold(0, i32::max);
        let finite = bits < f32::INFINITY.to_bits().cast_signed();
        Self { largest: if finite { f32::from_bits(bits.cast_unsigned()) } else { f32::INFINITY }, sum: sums.iter().sum() }
    }

    fn and(self, other: Self) -> Self {
        Self { largest: self.largest.max(other.largest), sum: self.sum + other.sum }
    }
}

/// Finds the largest weight of each source channel of a group. Returns the mean, over kernels, of the sum of their weights as shares of these:
/// the least of any output channel. `None` if an output channel has too few kernels with large weights.
fn fill_of_outputs(direction: Direction, fine: usize, kernels: &[Magnitudes], channels: &mut [f32]) -> Option<f64> {
    let source = channels.len();
    let expands = direction == Direction::Expand;
    for (coarse, row) in kernels.chunks_exact(fine.max(1)).enumerate() {
        for (fine, kernel) in row.iter().enumerate() {
            let channel = &mut channels[if expands { coarse } else { fine }];
            *channel = channel.max(kernel.largest);
        }
    }
    let out = kernels.len() / source.max(1);
    let mut filled = vec![(0.0_f32, 0.0_f32); out];
    for (coarse, row) in kernels.chunks_exact(fine.max(1)).enumerate() {
        for (fine, kernel) in row.iter().enumerate() {
            let (channel, output) = if expands { (coarse, fine) } else { (fine, coarse) };
            let most = channels[channel];
            // A channel without weights takes no part in any output.
            let share = if most > 0.0 { (kernel.largest / most, kernel.sum / most) } else { (1.0, 1.0) };
            filled[output] = (filled[output].0 + share.0, filled[output].1 + share.1);
        }
    }
    let least = filled.into_iter().fold((f64::INFINITY, f64::INFINITY), |least, (largest, sum)| {
        (least.0.min(f64::from(largest) / source as f64), least.1.min(f64::from(sum) / source as f64))
    });
    (least.0 >= LEAST_FILLED).then_some(least.1)
}

/// Of each picture whether its pixels are spread evenly, seen with these weights.
pub(super) fn even_pictures<A: FloatElement>(
    source: &ArrayView5<'_, A>,
    weights: &EvenWeights<A::Row>,
    backend: Backend,
) -> Result<Vec<bool>, Error> {
    let mut even = list_of(true, source.dim().0)?;
    for (picture, even) in source.outer_iter().zip(&mut even) {
        *even = is_even_picture(&picture, weights, backend);
    }
    Ok(even)
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
    // Of blocks, all channels together; and of single numbers the largest.
    let (mut smallest, mut largest_block, mut largest, mut largest_number, mut total) = (f64::INFINITY, 0.0_f64, 0.0_f64, 0.0_f64, 0.0_f64);
    for (row, column) in (0..height).step_by(rows).flat_map(|row| (0..width).step_by(columns).map(move |column| (row, column))) {
        let part = picture.slice(s![.., 0, row..height.min(row + rows), column..width.min(column + columns)]);
        let mut sums = [A::Row::default(); PIXELS];
        let sums = &mut sums[..part.len_of(Axis(1)) * part.len_of(Axis(2))];
        for (channel, &weight) in part.outer_iter().zip(&weights.channels) {
            let most = match channel.to_slice() {
                Some(values) => add_magnitudes(values, weight, sums, backend),
                None => sums.iter_mut().zip(channel).fold(0, |most, (sum, value)| {
                    *sum = *sum + Float::abs(value.to_row()) * weight;
                    most.max(value.to_row().magnitude_bits())
                }),
            };
            largest_number = largest_number.max(f64::from(f32::from_bits(most.cast_unsigned())) * weight.to_double());
        }
        let (of_part, most) = backend.run(SumMagnitudes(&*sums));
        // An infinity or a NaN of a pixel is in the sum of all.
        if !of_part.is_finite() {
            return false;
        }
        (total, largest) = (total + of_part, largest.max(f64::from(f32::from_bits(most.cast_unsigned()))));
        let (least, most) = extremes_of_blocks(sums, part.len_of(Axis(2)), weights.block);
        (smallest, largest_block) = (smallest.min(least), largest_block.max(most));
    }
    let fill = total / (largest_number * (channels * height * width) as f64);
    largest == 0.0
        || (RANGE.contains(&largest) && largest_block.max(largest) <= MOST_SPREAD * smallest && weights.large * fill >= LEAST_LARGE)
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
        if width == 1 {
            for sum in line {
                (least, most) = (least.min(sum.magnitude_bits()), most.max(sum.magnitude_bits()));
            }
            continue;
        }
        for block in line.chunks_exact(width) {
            let sum = block.iter().fold(T::zero(), |sum, &pixel| sum + pixel).magnitude_bits();
            (least, most) = (least.min(sum), most.max(sum));
        }
    }
    let number = |bits: i32| f64::from(f32::from_bits(bits.cast_unsigned()));
    (if least == i32::MAX { f64::INFINITY } else { number(least) }, number(most))
}

/// `sums[i] += weight·|values[i]|`; returns the bits of the largest magnitude.
fn add_magnitudes<A: FloatElement>(values: &[A], weight: A::Row, sums: &mut [A::Row], backend: Backend) -> i32 {
    if let Some(values) = A::as_rows(values) {
        return backend.run(AddMagnitudes { values, weight, sums });
    }
    let (mut rows, mut most) = ([A::Row::default(); 256], 0);
    for (values, sums) in values.chunks(256).zip(sums.chunks_mut(256)) {
        <A as Convert<A::Row>>::widen(values, &mut rows[..values.len()]);
        most = most.max(backend.run(AddMagnitudes { values: &rows[..values.len()], weight, sums }));
    }
    most
}

/// Whether the channels of both factors of a weight gradient are filled so well that each pair has large products.
pub(super) fn even_channels<A: FloatElement>(factors: [&ArrayView5<'_, A>; 2], backend: Backend) -> bool {
    let least = |factor: &ArrayView5<'_, A>| {
        let fills = (0..factor.dim().1).map(|channel| fill_of_channel(factor, channel, backend));
        fills.fold(1.0, f64::min)
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
