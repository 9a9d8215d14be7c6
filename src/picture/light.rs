//! How stored numbers stand for light, and rows of pixels between what is stored and what is summed.

use std::mem::MaybeUninit;

use crate::error::Error;
use crate::kernels::{ApplyCurve, Backend, Curve, PremultiplyBytes, UnpremultiplyBytes, as_maybe_uninit};
use crate::resize::{PIECE, piece_of_pixels};

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
            Self::Srgb => Some([
                // ((x + 0.055)/1.055)^2.4, with the division as a factor.
                Curve { knee: 0.04045, slope: 1.0 / 12.92, shift: 0.055, power: 2.4, scale: 1.055_f64.powf(-2.4) as f32, offset: 0.0 },
                Curve { knee: 0.003_130_8, slope: 12.92, shift: 0.0, power: 1.0 / 2.4, scale: 1.055, offset: -0.055 },
            ]),
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

/// What the last channel is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alpha {
    /// A colour like the others.
    None,
    /// The opacity, averaged like the colours.
    Independent,
    /// The opacity, by which colours are multiplied before they are averaged and divided afterwards.
    Weights,
}

impl Colours {
    pub(super) fn new(light: Light, channels: usize, alpha: Alpha, backend: Backend) -> Self {
        Self { curves: light.curves(), channels, alpha, backend }
    }

    /// Whole pixels to what is summed.
    pub(super) fn read<A: Sample>(&self, from: &[A], to: &mut [f32]) {
        for (to, &value) in to.iter_mut().zip(from) {
            *to = value.to_unit();
        }
        let to = &mut to[..from.len()];
        if let Some([curve, _]) = self.curves {
            self.curve_colours(curve, to, |element| from[element].to_unit());
        }
        if self.alpha == Alpha::Weights {
            each_pixel(to, self.channels, |colour, alpha| colour * alpha);
        }
    }

    /// Whole pixels of sums, rounded and saturated.
    pub(super) fn write<A: Sample>(&self, from: &[f32], to: &mut [MaybeUninit<A>]) {
        let (mut row, len) = ([0.0; PIECE], piece_of_pixels(self.channels));
        for (from, to) in from.chunks(len).zip(to.chunks_mut(len)) {
            let row = &mut row[..from.len()];
            row.copy_from_slice(from);
            if self.alpha == Alpha::Weights {
                each_pixel(row, self.channels, |colour, alpha| if alpha > A::INVISIBLE { colour / alpha } else { 0.0 });
            }
            if !A::HAS_MORE {
                // Integers cannot store what a filter overshoots.
                row.iter_mut().for_each(|value| *value = value.clamp(0.0, 1.0));
            }
            if let Some([_, curve]) = self.curves {
                self.curve_colours(curve, row, |element| from[element]);
            }
            for (to, &value) in to.iter_mut().zip(&*row) {
                to.write(A::of_unit(value));
            }
        }
    }

    /// Applies a curve to the colours of a row of whole pixels. `alpha` has the opacities, by the number of their element.
    fn curve_colours(&self, curve: Curve, row: &mut [f32], alpha: impl Fn(usize) -> f32) {
        self.backend.run(ApplyCurve { row, curve });
        if self.alpha != Alpha::None {
            (self.channels - 1..row.len()).step_by(self.channels).for_each(|element| row[element] = alpha(element));
        }
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
        let (mut row, len) = ([0; PIECE], piece_of_pixels(self.channels));
        for (from, to) in from.chunks(len).zip(to.chunks_mut(len)) {
            let row = &mut row[..from.len()];
            row.copy_from_slice(from);
            if self.alpha == Alpha::Weights {
                self.backend.run(UnpremultiplyBytes { row, channels: self.channels });
            }
            to.copy_from_slice(as_maybe_uninit(row));
        }
    }
}

/// Replaces each colour by what `change` makes of it and the pixel's opacity.
fn each_pixel(row: &mut [f32], channels: usize, change: impl Fn(f32, f32) -> f32) {
    if channels == 4 {
        for pixel in row.as_chunks_mut::<4>().0 {
            let [red, green, blue, alpha] = *pixel;
            *pixel = [change(red, alpha), change(green, alpha), change(blue, alpha), alpha];
        }
    } else {
        for pixel in row.as_chunks_mut::<2>().0 {
            pixel[0] = change(pixel[0], pixel[1]);
        }
    }
}
