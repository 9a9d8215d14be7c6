//! How stored numbers stand for light, and rows of pixels between what is stored and what is summed.

use std::mem::MaybeUninit;

use crate::error::Error;
use crate::kernels::{Alpha, Backend, Curve, PremultiplyBytes, ReadPixels, UnpremultiplyBytes, WritePixels, as_maybe_uninit};

use super::sample::Sample;

/// What is averaged: the stored numbers, or the light that they stand for.
///
/// Files store more numbers for dark tones than for bright ones: half the light of white is 188 of 255, not 128. Most programs average the
/// stored numbers, which makes fine bright detail too dark. Averages of light are correct.
///
/// ```
/// use ndarray::Array3;
/// use upsample::picture::{self, Light, PictureResize};
///
/// // Black and white lines, so fine that one pixel of the result covers both.
/// let lines = Array3::from_shape_fn((64, 64, 1), |(y, _, _)| if y % 2 == 0 { 0_u8 } else { 255 });
/// let stored = PictureResize::bilinear().resize(&lines, [8, 8])?;
/// let light = PictureResize::bilinear().light(Light::Srgb).resize(&lines, [8, 8])?;
/// assert_eq!((stored[[4, 4, 0]], light[[4, 4, 0]]), (128, 188));
/// # Ok::<(), upsample::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub enum Light {
    /// The numbers as they are stored: what Pillow, OpenCV and PyTorch average.
    #[default]
    Stored,
    /// Light, of pictures in sRGB: the piecewise curve of IEC 61966-2-1.
    Srgb,
    /// Light, of pictures stored as `light^(1/gamma)`. Old television has 2.2, Adobe RGB 563/256.
    Gamma(f64),
}

impl Light {
    pub(super) fn check(self) -> Result<(), Error> {
        match self {
            Self::Gamma(value) if !(0.1..=10.0).contains(&value) => {
                Err(Error::InvalidParameter { parameter: "gamma", value, requirement: "from 0.1 to 10" })
            }
            _ => Ok(()),
        }
    }

    /// From stored numbers to light, and back.
    #[allow(clippy::cast_possible_truncation)] // rounding to f32 is meant
    fn curves(self) -> Option<[Curve; 2]> {
        let power = |power: f64| Curve { knee: 0.0, slope: 0.0, shift: 0.0, power: power as f32, scale: 1.0, offset: 0.0 };
        match self {
            Self::Stored => None,
            Self::Gamma(gamma) => Some([power(gamma), power(1.0 / gamma)]),
            Self::Srgb => Some(Curve::SRGB),
        }
    }
}

/// Converts the rows of a picture to the values that are summed, where 1 is white, and back.
#[derive(Clone, Copy)]
pub(super) struct Colours {
    curves: Option<[Curve; 2]>,
    channels: usize,
    alpha: Alpha,
    backend: Backend,
}

impl Colours {
    pub(super) fn new(light: Light, channels: usize, alpha: Alpha, backend: Backend) -> Self {
        Self { curves: light.curves(), channels, alpha, backend }
    }

    /// Whole pixels to what is summed.
    pub(super) fn read<A: Sample>(&self, from: &[A], to: &mut [f32]) {
        let &Self { curves, channels, alpha, backend } = self;
        let to = &mut to[..from.len()];
        backend.run(ReadPixels { from, to, curve: curves.map(|[curve, _]| curve), channels, alpha });
    }

    /// Whole pixels of sums, rounded and saturated.
    pub(super) fn write<A: Sample>(&self, from: &[f32], to: &mut [MaybeUninit<A>]) {
        let &Self { curves, channels, alpha, backend } = self;
        backend.run(WritePixels { from, to, curve: curves.map(|[_, curve]| curve), channels, alpha });
    }

    /// Whether rows of bytes are converted by [`read_bytes`](Self::read_bytes) and [`write_bytes`](Self::write_bytes).
    pub(super) fn suits_bytes(&self) -> bool {
        self.curves.is_none()
    }

    /// Whole pixels of bytes with Pillow's roundings.
    pub(super) fn read_bytes(&self, from: &[u8], to: &mut [u8]) {
        let to = &mut to[..from.len()];
        if self.alpha == Alpha::Weights {
            self.backend.run(PremultiplyBytes { from, to, channels: self.channels });
        } else {
            to.copy_from_slice(from);
        }
    }

    /// Back, with Pillow's roundings.
    pub(super) fn write_bytes(&self, from: &[u8], to: &mut [MaybeUninit<u8>]) {
        if self.alpha == Alpha::Weights {
            self.backend.run(UnpremultiplyBytes { from, to, channels: self.channels });
        } else {
            to.copy_from_slice(as_maybe_uninit(from));
        }
    }
}
