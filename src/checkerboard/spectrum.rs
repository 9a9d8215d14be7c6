//! The energy of a picture at the frequencies of a stride.

use std::f64::consts::TAU;

use ndarray::{Array3, ArrayView3, Axis as NdAxis, s};

use crate::each_axis::EachAxis;
use crate::error::{Axis, Error};
use crate::memory::list_of;
use crate::memory::uninit;
use crate::tensor::{Spatial, SpatialArray, SpatialRank, Tensor, five_axes, three_axes};

/// How much of a picture repeats with the period of a stride: its energy at the frequencies `j / stride`.
///
/// A pattern with period `s` along an axis has the frequencies `0, 1/s, 2/s, …, (s-1)/s` cycles a pixel and no others. So these are
/// all that a checkerboard can have, while of a picture's own content only little falls on exactly these: of white noise
/// as much as on any other frequency.
///
/// Energies are those of the discrete Fourier transform divided by the number of pixels, so that they sum to the sum of the squared pixels
/// (Parseval). Those of all channels and all pictures of a batch are added up. Pixels at the end that do not fill a period are left out.
///
/// ```
/// use ndarray::Array4;
/// use upsample::checkerboard::StrideSpectrum;
///
/// // A smooth ramp, without and with a checkerboard of a tenth of its height.
/// let clean = Array4::from_shape_fn((1, 1, 64, 64), |(_, _, h, w)| (h + w) as f64 / 128.0);
/// let board = Array4::from_shape_fn((1, 1, 64, 64), |(_, _, h, w)| clean[[0, 0, h, w]] + 0.1 * ((h + w) % 2) as f64);
/// assert!(StrideSpectrum::of(&clean, 2)?.prominence() < 2.0);
/// assert!(StrideSpectrum::of(&board, 2)?.prominence() > 50.0);
/// # Ok::<(), upsample::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct StrideSpectrum<const RANK: usize>
where
    Spatial<RANK>: SpatialRank,
{
    energies: SpatialArray<f64, RANK>,
    rest: f64,
    /// How many frequencies of one plane the rest consists of.
    rest_frequencies: usize,
}

impl<const RANK: usize> StrideSpectrum<RANK>
where
    Spatial<RANK>: SpatialRank,
{
    /// Measures a picture, or a batch of them. `stride` is one number or one for each spatial axis.
    ///
    /// # Errors
    /// [`Error::InvalidAxisParameter`] for a stride of 0 or larger than the picture, [`Error::ZeroSize`], and the errors of taking memory.
    pub fn of<'a, A>(picture: impl Into<Tensor<'a, A, RANK>>, stride: impl Into<EachAxis<RANK>>) -> Result<Self, Error>
    where
        A: Copy + Into<f64> + 'a,
    {
        let (picture, stride) = (picture.into(), stride.into().get());
        let mut size = picture.spatial();
        for index in 0..RANK {
            let (axis, value) = (Axis::spatial(RANK, index), stride[index]);
            if size[index] == 0 {
                return Err(Error::ZeroSize { argument: "picture", axis });
            }
            if !(1..=size[index]).contains(&value) {
                let requirement = format!("at least 1 and at most the picture's size ({})", size[index]);
                return Err(Error::InvalidAxisParameter { parameter: "stride", axis, value, requirement });
            }
            size[index] -= size[index] % stride[index];
        }
        let [depth, height, width] = three_axes(size, 1);
        let pixels = depth * height * width;
        let energies = uninit::filled("spectrum", five_axes(1, 1, stride), 0.0)?;
        let periods: usize = energies.len();
        let mut spectrum = Self { energies: Spatial::<RANK>::narrow_to_spatial(energies), rest: 0.0, rest_frequencies: pixels - periods };
        let planes = picture.view5();
        let phases = uninit::filled("spectrum", five_axes(1, 1, stride), (0.0, 0.0))?;
        let mut phases = phases.index_axis_move(NdAxis(0), 0).index_axis_move(NdAxis(0), 0);
        let mut signal = list_of((0.0, 0.0), stride.into_iter().max().unwrap_or(1))?;
        for plane in planes.outer_iter().flat_map(ndarray::ArrayView4::into_outer_iter) {
            spectrum.add(plane.slice(s![..depth, ..height, ..width]), &mut phases, &mut signal);
        }
        Ok(spectrum)
    }

    /// Measures a pattern of which one period is given.
    pub(super) fn of_period(period: SpatialArray<f64, RANK>) -> Self {
        let mut spectrum = Self { energies: period.mapv(|_| 0.0), rest: 0.0, rest_frequencies: 0 };
        let period = Spatial::<RANK>::widen(period.view());
        let longest = period.shape().iter().copied().max().unwrap_or(1);
        spectrum.add(period, &mut Array3::from_elem(period.dim(), (0.0, 0.0)), &mut vec![(0.0, 0.0); longest]);
        spectrum
    }

    /// Adds the energies of a plane, whose sizes are multiples of the strides. There is an entry of `phases` for each of the stride's, and
    /// room for the longest row of them in `signal`.
    fn add<A: Copy + Into<f64>>(&mut self, plane: ArrayView3<'_, A>, phases: &mut Array3<(f64, f64)>, signal: &mut [(f64, f64)]) {
        phases.fill((0.0, 0.0));
        let stride = phases.dim();
        #[allow(clippy::cast_precision_loss)] // no plane has 2^53 pixels
        let pixels = plane.len() as f64;
        let mean = plane.iter().map(|&value| value.into()).sum::<f64>() / pixels;
        // The constant is taken out first: beside a large one, small energies would drown in rounding.
        let mut variation = 0.0;
        for ((d, h, w), &value) in plane.indexed_iter() {
            let difference = value.into() - mean;
            variation += difference * difference;
            phases[[d % stride.0, h % stride.1, w % stride.2]].0 += difference;
        }
        let constant = pixels * mean * mean;
        let varies = variation > constant * ROUNDING;
        (0..3).for_each(|axis| fourier_transform(phases, NdAxis(axis), signal));
        for (number, (energy, &mut (re, im))) in self.energies.iter_mut().zip(phases).enumerate() {
            let of_plane = if number == 0 { constant } else { (re * re + im * im) / pixels };
            if number == 0 || varies {
                *energy += of_plane;
                variation -= if number == 0 { 0.0 } else { of_plane };
            }
        }
        if varies && self.rest_frequencies > 0 {
            self.rest += variation.max(0.0);
        }
    }

    /// The energy at each of the stride's frequencies: element `[j, k]` of a picture is that of `j / stride` cycles a pixel vertically and
    /// `k / stride` horizontally. The first element is the constant part.
    #[must_use]
    pub fn energies(&self) -> &SpatialArray<f64, RANK> {
        &self.energies
    }

    /// The energy of the constant part, the pixels' mean.
    #[must_use]
    pub fn constant(&self) -> f64 {
        self.energies.first().copied().unwrap_or_default()
    }

    /// The energy at the stride's frequencies, without the constant part.
    #[must_use]
    pub fn at_stride(&self) -> f64 {
        self.energies.iter().skip(1).sum()
    }

    /// The energy at all other frequencies.
    #[must_use]
    pub fn rest(&self) -> f64 {
        self.rest
    }

    /// The share of the picture's variation that is at the stride's frequencies, from 0 to 1. 0 where nothing varies.
    #[must_use]
    pub fn share(&self) -> f64 {
        share(self.at_stride(), self.rest)
    }

    /// The share of the repeating pattern's energy that is not constant, from 0 (even) to 1: the answer to a constant input is judged by
    /// it.
    #[must_use]
    pub fn unevenness(&self) -> f64 {
        share(self.at_stride(), self.constant())
    }

    /// How many times as much energy one of the stride's frequencies has as one of the others, on average: about 1 for noise, less
    /// for smooth pictures, much more for a checkerboard. 0 where there is no energy at the stride's frequencies, infinity where there
    /// is no other.
    #[must_use]
    pub fn prominence(&self) -> f64 {
        if self.at_stride() == 0.0 {
            return 0.0;
        }
        #[allow(clippy::cast_precision_loss)] // no plane has 2^53 pixels
        let per_frequency = |energy: f64, frequencies: usize| energy / frequencies.max(1) as f64;
        per_frequency(self.at_stride(), self.energies.len() - 1) / per_frequency(self.rest, self.rest_frequencies)
    }
}

/// A plane that varies by less than a millionth of a millionth of its mean counts as constant: it is no more than rounding.
const ROUNDING: f64 = 1e-24;

fn share(part: f64, other: f64) -> f64 {
    if part == 0.0 { 0.0 } else { part / (part + other) }
}

/// The discrete Fourier transform along an axis by its definition; the axes are as short as strides. `signal` has room for one row.
fn fourier_transform(values: &mut Array3<(f64, f64)>, axis: NdAxis, signal: &mut [(f64, f64)]) {
    for mut lane in values.lanes_mut(axis) {
        let signal = &mut signal[..lane.len()];
        signal.iter_mut().zip(&lane).for_each(|(copy, &value)| *copy = value);
        for (frequency, value) in lane.iter_mut().enumerate() {
            *value = signal.iter().enumerate().fold((0.0, 0.0), |(re, im), (place, &(x, y))| {
                #[allow(clippy::cast_precision_loss)] // both are smaller than a stride
                let (sin, cos) = (-TAU * (frequency * place % signal.len()) as f64 / signal.len() as f64).sin_cos();
                (re + x * cos - y * sin, im + x * sin + y * cos)
            });
        }
    }
}
