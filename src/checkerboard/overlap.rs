//! How many copies of the kernel overlap on each output pixel.

use ndarray::Array5;

use super::StrideSpectrum;
use crate::error::{Axis, Error};
use crate::memory::uninit;
use crate::output_size::{Window, conv_transpose_of, element_count};
use crate::tensor::{Spatial, SpatialArray, SpatialRank, five_axes, three_axes};

/// How many copies of the kernel a transposed convolution adds up on each output pixel.
///
/// ```
/// use ndarray::array;
/// use upsample::checkerboard::Overlap;
/// use upsample::output_size::Window;
///
/// let overlap = Overlap::of([4], [Window::new(3).stride(2)])?;
/// assert_eq!(overlap.counts(), array![1, 1, 2, 1, 2, 1, 2, 1, 1]);
/// assert_eq!(overlap.phases(), array![2, 1]); // away from the border
/// assert_eq!(overlap.ratio(), 2.0);
///
/// let overlap = Overlap::of([4], [Window::new(4).stride(2)])?;
/// assert_eq!(overlap.counts(), array![1, 1, 2, 2, 2, 2, 2, 2, 1, 1]);
/// assert!(overlap.is_even() && !overlap.is_even_everywhere());
/// # Ok::<(), upsample::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Overlap<const RANK: usize>
where
    Spatial<RANK>: SpatialRank,
{
    counts: SpatialArray<usize, RANK>,
    phases: SpatialArray<usize, RANK>,
}

impl<const RANK: usize> Overlap<RANK>
where
    Spatial<RANK>: SpatialRank,
{
    /// Counts for an input of this size, with one window an axis.
    ///
    /// # Errors
    /// Those of [`conv_transpose`](crate::output_size::conv_transpose), and those of taking memory.
    pub fn of(input: [usize; RANK], windows: [Window; RANK]) -> Result<Self, Error> {
        let (mut output, mut strides) = (input, input);
        for index in 0..RANK {
            output[index] = conv_transpose_of(Axis::spatial(RANK, index), input[index], &windows[index])?;
            strides[index] = windows[index].stride;
        }
        let (input, windows) = (three_axes(input, 1), three_axes(windows, Window::new(1)));
        let steps = windows.map(|window| Steps::of(&window));
        let counts = product(five_axes(1, 1, output), |axis, o| steps[axis].count(input[axis], &windows[axis], o))?;
        let phases = product(five_axes(1, 1, strides), |axis, phase| steps[axis].count_of_phase(&windows[axis], phase))?;
        Ok(Self { counts: Spatial::<RANK>::narrow_to_spatial(counts), phases: Spatial::<RANK>::narrow_to_spatial(phases) })
    }

    /// The number of copies on each output pixel.
    #[must_use]
    pub fn counts(&self) -> &SpatialArray<usize, RANK> {
        &self.counts
    }

    /// The number of copies on a pixel away from the border, by its phase: output pixel `o` has phase `(o + padding_begin) mod stride`.
    #[must_use]
    pub fn phases(&self) -> &SpatialArray<usize, RANK> {
        &self.phases
    }

    /// Whether as many copies overlap on every output pixel away from the border. That is so exactly where the stride divides the kernel's
    /// size and has no divisor in common with the dilation.
    #[must_use]
    pub fn is_even(&self) -> bool {
        all_equal(&self.phases)
    }

    /// Whether as many copies overlap on every output pixel, at the border too.
    #[must_use]
    pub fn is_even_everywhere(&self) -> bool {
        all_equal(&self.counts)
    }

    /// The most copies on a pixel away from the border divided by the fewest: 1 where it is even, infinity where pixels are left out.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        let (most, fewest) = (self.phases.iter().max(), self.phases.iter().min());
        #[allow(clippy::cast_precision_loss)] // ratios beyond 2^53 are rounded
        most.zip(fewest).map_or(1.0, |(&most, &fewest)| most as f64 / fewest as f64)
    }

    /// The spectrum of the pattern away from the border, at the stride's frequencies.
    #[must_use]
    pub fn spectrum(&self) -> StrideSpectrum<RANK> {
        #[allow(clippy::cast_precision_loss)] // counts are small
        StrideSpectrum::of_period(self.phases.mapv(|count| count as f64))
    }
}

fn all_equal<const RANK: usize>(counts: &SpatialArray<usize, RANK>) -> bool
where
    Spatial<RANK>: SpatialRank,
{
    counts.iter().all(|count| Some(count) == counts.first())
}

/// The array whose elements are the products of what `factor` says for each axis.
fn product(shape: [usize; 5], factor: impl Fn(usize, usize) -> usize) -> Result<Array5<usize>, Error> {
    let mut array = uninit::filled("overlap", shape, 1)?;
    let mut factors: [Vec<usize>; 3] = Default::default();
    for (axis, factors) in factors.iter_mut().enumerate() {
        let size = shape[axis + 2];
        element_count::<usize>("overlap", &[size])?;
        factors.try_reserve_exact(size).map_err(|_| Error::OutOfMemory { argument: "overlap", bytes: size * size_of::<usize>() })?;
        factors.extend((0..size).map(|place| factor(axis, place)));
    }
    for ((_, _, d, h, w), product) in array.indexed_iter_mut() {
        *product = factors[0][d].saturating_mul(factors[1][h]).saturating_mul(factors[2][w]);
    }
    Ok(array)
}

/// How the taps of a window step through the phases: tap `t` reaches the positions of phase `t·dilation mod stride`.
///
/// With `g = gcd(dilation, stride)`, a phase that `g` does not divide is never reached, and one that it divides is reached by every
/// `period`th tap.
struct Steps {
    gcd: usize,
    /// `stride / g`.
    period: usize,
    /// What `dilation / g` has to be multiplied with to be 1 modulo the period.
    inverse: usize,
}

impl Steps {
    fn of(window: &Window) -> Self {
        let gcd = gcd(window.dilation, window.stride);
        let period = window.stride / gcd;
        Self { gcd, period, inverse: inverse(window.dilation / gcd, period) }
    }

    /// The first tap that reaches the phase of `position`.
    fn first_tap(&self, position: usize) -> Option<usize> {
        let product = (position / self.gcd) as u128 * self.inverse as u128;
        #[allow(clippy::cast_possible_truncation)] // smaller than the period
        position.is_multiple_of(self.gcd).then_some((product % self.period as u128) as usize)
    }

    /// How many taps reach a phase where no border is near.
    fn count_of_phase(&self, window: &Window, phase: usize) -> usize {
        let first = self.first_tap(phase).filter(|&first| first < window.kernel);
        first.map_or(0, |first| (window.kernel - 1 - first) / self.period + 1)
    }

    /// How many taps bring some input to `output`: those with `position - t·dilation = i·stride` for an input `i`.
    fn count(&self, input: usize, window: &Window, output: usize) -> usize {
        let Some(position) = output.checked_add_signed(window.padding_begin) else { return 0 };
        let Some(first) = self.first_tap(position) else { return 0 };
        // The last input is reached with the lowest tap, the first one with the highest.
        let lowest = position.saturating_sub((input - 1) * window.stride).div_ceil(window.dilation);
        let highest = (position / window.dilation).min(window.kernel - 1);
        let from = first + lowest.saturating_sub(first).div_ceil(self.period) * self.period;
        if from > highest { 0 } else { (highest - from) / self.period + 1 }
    }
}

pub(super) fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// The inverse of `a` modulo `modulus`, which has no divisor in common with it: Euclid's algorithm, in which `t·a` leaves `r`.
fn inverse(a: usize, modulus: usize) -> usize {
    let modulus = modulus as i128;
    let (mut t, mut r) = ((0, 1), (modulus, a as i128 % modulus));
    while r.1 != 0 {
        let quotient = r.0 / r.1;
        t = (t.1, t.0 - quotient * t.1);
        r = (r.1, r.0 - quotient * r.1);
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // in 0..modulus
    let inverse = t.0.rem_euclid(modulus) as usize;
    inverse
}
