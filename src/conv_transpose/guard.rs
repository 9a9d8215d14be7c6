//! Whether fewer multiplications are safe for the data of a call.
//!
//! Winograd's filtering adds pixels of a tile and taps of a kernel before it multiplies them, and takes them apart again afterwards. Where
//! one pixel is very much larger than its neighbours, what is left of them has lost its digits: pixels of 1 around one of -1e9 come out as
//! 0. The same happens to an output whose weights are large only for channels in which its pixels are small, to sums near the ends of the
//! range, and to what lies beside an infinity or a NaN.
//!
//! So the data are looked at first, which takes about a hundredth of the time of the products, and what is not spread evenly is computed
//! as it is defined:
//!
//! - *Pixels.* The magnitudes of a pixel's channels, each weighted by the largest of its weights, are added. The largest of these sums in a
//!   picture is to be at most [`MOST_SPREAD`] times the smallest.
//! - *Weights.* Of each output channel, the weights of the source channels are to be [`LEAST_FILLED`] of the largest that those channels
//!   have, on the average: then what is known of all channels together holds of each output.
//! - *Weight gradients* add over pixels, not channels. There each channel of both factors is to have the magnitude of at least
//!   [`LEAST_PIXELS`] pixels like its largest.
//!
//! Everything is to be far from the ends of the range of `f32`. The limits come from the error of the sums: an output's error is below
//! `ε·(c + 8)·A` for sums over `c` channels of products whose magnitudes add up to `A` in its tile, `A` being 9 times (taps of 2) to 7
//! times (taps of 3) what the output itself reads where pixels and weights are spread evenly; it is to stay below `16·ε·K·Σ|x||w|`.

use ndarray::{ArrayView5, Axis, s};
use num_traits::Float;

use super::phases::Direction;
use crate::element::{Convert, FloatElement};
use crate::error::Error;
use crate::memory::list_of;
use crate::simd::{AddMagnitudes, Backend, Real, SumMagnitudes};

/// How many times as large as the smallest pixel of a picture the largest may be.
const MOST_SPREAD: f64 = 32.0;
/// The least share of the largest weights that those of an output channel have on the average.
const LEAST_FILLED: f64 = 0.15;
/// The fewest pixels of the largest magnitude that a channel is worth.
const LEAST_PIXELS: f64 = 8.0;
/// Between these magnitudes neither sums nor products leave the range of `f32`, nor do they lose digits at its lower end.
const RANGE: std::ops::RangeInclusive<f64> = 1e-15..=1e15;
/// Pixels that are looked at together.
const PIXELS: usize = 1024;

/// What each source channel of all groups counts: its largest weight, as a share of the largest of all. `None` if the weights are not spread
/// evenly.
pub(super) fn channel_weights<A: FloatElement>(
    direction: Direction,
    groups: usize,
    weight: &ArrayView5<'_, A>,
) -> Result<Option<Vec<A::Row>>, Error> {
    let (coarse, fine) = (weight.dim().0 / groups.max(1), weight.dim().1);
    let source = if direction == Direction::Expand { coarse } else { fine };
    // Coarse channels × fine channels: the largest weight of a kernel.
    let mut of_kernels = list_of(0.0_f32, coarse * fine)?;
    let mut channels = list_of(0.0_f32, source * groups)?;
    for (group, channels) in (0..groups).zip(channels.chunks_exact_mut(source.max(1))) {
        let of_group = weight.slice(s![group * coarse..(group + 1) * coarse, .., .., .., ..]);
        for (kernels, largest) in of_group.outer_iter().zip(of_kernels.chunks_exact_mut(fine.max(1))) {
            for (kernel, largest) in kernels.outer_iter().zip(largest) {
                *largest = match kernel.to_slice() {
                    Some(kernel) => largest_magnitude(kernel),
                    None => kernel.iter().fold(0.0, |most, value| most.max(largest_magnitude(std::slice::from_ref(value)))),
                };
            }
        }
        if !is_filled(direction, fine, &of_kernels, channels) {
            return Ok(None);
        }
    }
    let most = channels.iter().copied().fold(0.0, f32::max);
    if !RANGE.contains(&f64::from(most)) {
        return Ok(None);
    }
    let mut shares = list_of(A::Row::default(), channels.len())?;
    for (share, weight) in shares.iter_mut().zip(channels) {
        // No channel counts for nothing: what is in it must stay in range, too.
        *share = A::Row::from_single((weight / most).max(1e-9));
    }
    Ok(Some(shares))
}

/// Finds the largest weight of each source channel of a group; tells whether the output channels are filled with such weights.
fn is_filled(direction: Direction, fine: usize, of_kernels: &[f32], channels: &mut [f32]) -> bool {
    let rows = || of_kernels.chunks_exact(fine.max(1));
    let share = |weight: f32, most: f32| if most > 0.0 { f64::from(weight / most) } else { 1.0 };
    match direction {
        Direction::Expand => {
            let mut filled = vec![0.0; fine];
            for (row, most) in rows().zip(&mut *channels) {
                *most = row.iter().copied().fold(0.0, f32::max);
                filled.iter_mut().zip(row).for_each(|(sum, &weight)| *sum += share(weight, *most));
            }
            filled.iter().all(|&sum| sum >= LEAST_FILLED * channels.len() as f64)
        }
        Direction::Contract => {
            for row in rows() {
                channels.iter_mut().zip(row).for_each(|(most, &weight)| *most = most.max(weight));
            }
            let filled = |row: &[f32]| row.iter().zip(&*channels).map(|(&weight, &most)| share(weight, most)).sum::<f64>();
            rows().all(|row| filled(row) >= LEAST_FILLED * channels.len() as f64)
        }
    }
}

/// The largest magnitude, infinite if one is no number. By the bits, whose order is that of the magnitudes: such loops become vectors.
fn largest_magnitude<A: FloatElement>(values: &[A]) -> f32 {
    let bits = values.iter().fold(0, |most: i32, value| most.max(value.to_row().magnitude_bits()));
    if bits >= f32::INFINITY.to_bits().cast_signed() { f32::INFINITY } else { f32::from_bits(bits.cast_unsigned()) }
}

/// Of each picture whether its pixels are spread evenly, where each channel counts as `channels` says.
pub(super) fn even_pictures<A: FloatElement>(
    source: &ArrayView5<'_, A>,
    channels: &[A::Row],
    backend: Backend,
) -> Result<Vec<bool>, Error> {
    let (height, width) = (source.len_of(Axis(3)), source.len_of(Axis(4)));
    let (rows, columns) = ((PIXELS / width.max(1)).max(1), width.clamp(1, PIXELS));
    let parts = || (0..height).step_by(rows).flat_map(|row| (0..width).step_by(columns).map(move |column| (row, column)));
    let mut even = list_of(true, source.dim().0)?;
    for (picture, even) in source.outer_iter().zip(&mut even) {
        let (mut smallest, mut largest, mut finite) = (f64::INFINITY, 0.0_f64, true);
        for (row, column) in parts() {
            let part = picture.slice(s![.., 0, row..height.min(row + rows), column..width.min(column + columns)]);
            let mut sums = [A::Row::default(); PIXELS];
            let sums = &mut sums[..part.len_of(Axis(1)) * part.len_of(Axis(2))];
            for (channel, &weight) in part.outer_iter().zip(channels) {
                if let Some(values) = channel.to_slice() {
                    add_magnitudes(values, weight, sums, backend);
                } else {
                    sums.iter_mut().zip(channel).for_each(|(sum, value)| *sum = *sum + Float::abs(value.to_row()) * weight);
                }
            }
            for sum in sums.iter().map(|sum| sum.to_double()) {
                finite &= sum.is_finite();
                (smallest, largest) = (smallest.min(sum), largest.max(sum));
            }
        }
        *even = finite && (largest == 0.0 || (RANGE.contains(&largest) && largest <= MOST_SPREAD * smallest));
    }
    Ok(even)
}

/// `sums[i] += weight·|values[i]|`.
fn add_magnitudes<A: FloatElement>(values: &[A], weight: A::Row, sums: &mut [A::Row], backend: Backend) {
    if let Some(values) = A::as_rows(values) {
        return backend.run(AddMagnitudes { values, weight, sums });
    }
    let mut rows = [A::Row::default(); 256];
    for (values, sums) in values.chunks(256).zip(sums.chunks_mut(256)) {
        <A as Convert<A::Row>>::widen(values, &mut rows[..values.len()]);
        backend.run(AddMagnitudes { values: &rows[..values.len()], weight, sums });
    }
}

/// Whether each channel of both factors of a weight gradient is spread over many pixels.
pub(super) fn even_channels<A: FloatElement>(factors: [&ArrayView5<'_, A>; 2], backend: Backend) -> bool {
    factors.into_iter().all(|factor| (0..factor.dim().1).all(|channel| is_even_channel(factor, channel, backend)))
}

fn is_even_channel<A: FloatElement>(factor: &ArrayView5<'_, A>, channel: usize, backend: Backend) -> bool {
    let (mut sum, mut largest) = (0.0, 0.0_f32);
    for picture in factor.index_axis(Axis(1), channel).outer_iter() {
        let mut add = |values: &[A]| {
            sum += match A::as_rows(values) {
                Some(values) => backend.run(SumMagnitudes(values)),
                None => values.iter().map(|value| Float::abs(value.to_row()).to_double()).sum(),
            };
            largest = largest.max(largest_magnitude(values));
        };
        match picture.to_slice() {
            Some(values) => add(values),
            None => picture.iter().for_each(|value| add(std::slice::from_ref(value))),
        }
    }
    // A channel of zeros gives zeros.
    largest == 0.0 || (RANGE.contains(&f64::from(largest)) && sum >= LEAST_PIXELS * f64::from(largest))
}
