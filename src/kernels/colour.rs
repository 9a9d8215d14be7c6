//! Rows of pixels between the form in which pictures store them and the one in which they are summed.

use std::mem::MaybeUninit;

use super::{InstructionSet, Kernel};

/// A transfer curve or its inverse: `slope·x` up to `knee`, `scale·(x + shift)^power + offset` beyond, both mirrored at 0.
///
/// sRGB's curve and its inverse have this form, and so has `x^γ`, without the linear part.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Curve {
    pub(crate) knee: f32,
    pub(crate) slope: f32,
    pub(crate) shift: f32,
    pub(crate) power: f32,
    pub(crate) scale: f32,
    pub(crate) offset: f32,
}

impl Curve {
    /// From numbers of sRGB to light, and back.
    #[allow(clippy::excessive_precision)] // 1.055^-2.4
    pub(crate) const SRGB: [Self; 2] = [
        Self { knee: SRGB_KNEE, slope: 1.0 / 12.92, shift: 0.055, power: 2.4, scale: 0.879_415_46, offset: 0.0 },
        Self { knee: LIGHT_KNEE, slope: 12.92, shift: 0.0, power: 1.0 / 2.4, scale: 1.055, offset: -0.055 },
    ];

    /// The curve at `x`. Infinities and NaN stay as they are.
    #[inline(always)]
    fn at<I: InstructionSet>(&self, value: f32) -> f32 {
        let Self { knee, slope, shift, power, scale, offset } = *self;
        let x = value.abs();
        let curved = fused::<I>(scale, positive_power::<I>(x + shift, power), offset);
        let y = if x <= knee { slope * x } else { curved };
        if x < f32::INFINITY { y.copysign(value) } else { value }
    }
}

/// From numbers of sRGB between 0 and 1 to light: `x/12.92` up to the knee, beyond it a polynomial instead of `((x + 0.055)/1.055)^2.4`.
/// In numbers of sRGB it is off by less than 5e-6.
#[inline(always)]
fn light_of_srgb<I: InstructionSet>(x: f32) -> f32 {
    // Of least largest error on [0.04045, 1], measured in numbers of sRGB.
    const LIGHT: [f32; 8] =
        [0.000_852_759_46, 0.035_329_103, 0.485_911_07, 0.851_095_8, -0.794_230_7, 0.737_976_43, -0.420_852, 0.103_927_47];
    let curved = LIGHT.iter().rev().fold(0.0, |sum, &coefficient| fused::<I>(sum, x, coefficient));
    if x <= SRGB_KNEE { x * (1.0 / 12.92) } else { curved }
}

/// From light between 0 and 1 to numbers of sRGB: `12.92·x` up to the knee, beyond it a polynomial of the fourth root instead of
/// `1.055·x^(1/2.4) - 0.055`. It is off by less than 2e-6.
#[inline(always)]
fn srgb_of_light<I: InstructionSet>(x: f32) -> f32 {
    // Of least largest error from the knee to 1.
    const SRGB: [f32; 7] = [-0.059_546_62, 0.139_604_27, 1.365_920_3, -0.852_955_46, 0.657_185_5, -0.318_413_97, 0.068_207_406];
    let root = x.sqrt().sqrt();
    let curved = SRGB.iter().rev().fold(0.0, |sum, &coefficient| fused::<I>(sum, root, coefficient));
    if x <= LIGHT_KNEE { 12.92 * x } else { curved }
}

/// Where the linear part of the curve from light to sRGB ends.
const LIGHT_KNEE: f32 = 0.003_130_8;

/// Where the linear part of the curve from sRGB to light ends.
const SRGB_KNEE: f32 = 0.04045;

/// How the values of a channel are numbers from 0 to 1, where 1 is white.
pub trait Unit: Copy + Default {
    /// Whether values below 0 and above white can be stored.
    const HAS_MORE: bool;
    /// The largest opacity that is stored as 0.
    const INVISIBLE: f32;

    /// This value as a number from 0 to 1.
    fn to_unit(self) -> f32;

    /// Rounds and saturates.
    fn of_unit(value: f32) -> Self;
}

macro_rules! integer_unit {
    ($integer:ident) => {
        impl Unit for $integer {
            const HAS_MORE: bool = false;
            const INVISIBLE: f32 = 0.5 / $integer::MAX as f32;

            #[inline(always)]
            fn to_unit(self) -> f32 {
                f32::from(self) * (1.0 / $integer::MAX as f32)
            }

            #[inline(always)]
            #[allow(clippy::cast_possible_truncation)] // clamped
            fn of_unit(value: f32) -> Self {
                // NaN becomes 0. Saturating casts would be made one by one.
                let scaled = value.max(0.0).min(1.0) * $integer::MAX as f32 + 0.5;
                let nearest = (scaled + WHOLE) - WHOLE;
                let floor = if nearest > scaled { nearest - 1.0 } else { nearest };
                (floor + WHOLE).to_bits() as $integer
            }
        }
    };
}
integer_unit!(u8);
integer_unit!(u16);

impl Unit for f32 {
    const HAS_MORE: bool = true;
    const INVISIBLE: f32 = 0.0;

    #[inline(always)]
    fn to_unit(self) -> f32 {
        self
    }

    #[inline(always)]
    fn of_unit(value: f32) -> Self {
        value
    }
}

/// What the last channel of a pixel is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alpha {
    /// A colour like the others.
    None,
    /// The opacity, averaged like the colours.
    Independent,
    /// The opacity, by which colours are multiplied before they are averaged and divided afterwards.
    Weights,
}

/// Elements that are converted at a time: whole pixels, where they have alpha, of 2 or 4 channels.
const CHUNK: usize = 128;

/// Applies a curve to every element; compiled once for the types that pictures have.
struct ApplyCurve<'a> {
    values: &'a mut [f32; CHUNK],
    curve: Curve,
    /// The values are between 0 and 1. Those of integers are, and need fewer digits: polynomials will do.
    within: bool,
}

impl Kernel for ApplyCurve<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: InstructionSet>(self) {
        let Self { values, curve, within } = self;
        match curve {
            _ if within && curve == Curve::SRGB[0] => values.iter_mut().for_each(|value| *value = light_of_srgb::<I>(*value)),
            _ if within && curve == Curve::SRGB[1] => values.iter_mut().for_each(|value| *value = srgb_of_light::<I>(*value)),
            _ => values.iter_mut().for_each(|value| *value = curve.at::<I>(*value)),
        }
    }
}

/// Whole pixels to what is summed: numbers from 0 to 1, or the light that they stand for, weighted by opacity.
pub(crate) struct ReadPixels<'a, A> {
    pub(crate) from: &'a [A],
    /// As long.
    pub(crate) to: &'a mut [f32],
    pub(crate) curve: Option<Curve>,
    pub(crate) channels: usize,
    pub(crate) alpha: Alpha,
}

impl<A: Unit> Kernel for ReadPixels<'_, A> {
    type Output = ();

    #[inline(always)]
    fn run<I: InstructionSet>(mut self) {
        let ((from, rest), to) = (self.from.as_chunks::<CHUNK>(), std::mem::take(&mut self.to));
        let (to, rest_to) = to.as_chunks_mut::<CHUNK>();
        for (from, to) in from.iter().zip(to) {
            self.chunk::<I>(from, to);
        }
        if !rest.is_empty() {
            let (mut last, mut values) = ([A::default(); CHUNK], [0.0; CHUNK]);
            last[..rest.len()].copy_from_slice(rest);
            self.chunk::<I>(&last, &mut values);
            rest_to.copy_from_slice(&values[..rest.len()]);
        }
    }
}

impl<A: Unit> ReadPixels<'_, A> {
    #[inline(always)]
    fn chunk<I: InstructionSet>(&self, from: &[A; CHUNK], to: &mut [f32; CHUNK]) {
        let mut stored = [0.0; CHUNK];
        (0..CHUNK).for_each(|at| stored[at] = from[at].to_unit());
        *to = stored;
        if let Some(curve) = self.curve {
            I::call(ApplyCurve { values: to, curve, within: !A::HAS_MORE });
        }
        match self.alpha {
            Alpha::None => {}
            Alpha::Independent => each_pixel(to, &stored, self.channels, |colour, _| colour),
            Alpha::Weights => each_pixel(to, &stored, self.channels, |colour, opacity| colour * opacity),
        }
    }
}

/// Whole pixels of sums, rounded and saturated: what [`ReadPixels`] does, undone.
pub(crate) struct WritePixels<'a, A> {
    pub(crate) from: &'a [f32],
    /// As long.
    pub(crate) to: &'a mut [MaybeUninit<A>],
    pub(crate) curve: Option<Curve>,
    pub(crate) channels: usize,
    pub(crate) alpha: Alpha,
}

impl<A: Unit> Kernel for WritePixels<'_, A> {
    type Output = ();

    #[inline(always)]
    fn run<I: InstructionSet>(mut self) {
        let ((from, rest), to) = (self.from.as_chunks::<CHUNK>(), std::mem::take(&mut self.to));
        let (to, rest_to) = to.as_chunks_mut::<CHUNK>();
        for (from, to) in from.iter().zip(to) {
            self.chunk::<I>(from, to);
        }
        if !rest.is_empty() {
            let (mut last, mut values) = ([0.0; CHUNK], [MaybeUninit::uninit(); CHUNK]);
            last[..rest.len()].copy_from_slice(rest);
            self.chunk::<I>(&last, &mut values);
            rest_to.copy_from_slice(&values[..rest.len()]);
        }
    }
}

impl<A: Unit> WritePixels<'_, A> {
    #[inline(always)]
    fn chunk<I: InstructionSet>(&self, from: &[f32; CHUNK], to: &mut [MaybeUninit<A>; CHUNK]) {
        let mut values = *from;
        if self.alpha == Alpha::Weights {
            let divided = |colour: f32, opacity: f32| if opacity > A::INVISIBLE { colour / opacity } else { 0.0 };
            each_pixel(&mut values, from, self.channels, divided);
        }
        if !A::HAS_MORE {
            // Integers cannot store what a filter overshoots.
            values.iter_mut().for_each(|value| *value = value.clamp(0.0, 1.0));
        }
        if let Some(curve) = self.curve {
            let linear = values;
            I::call(ApplyCurve { values: &mut values, curve, within: !A::HAS_MORE });
            if self.alpha != Alpha::None {
                each_pixel(&mut values, &linear, self.channels, |colour, _| colour);
            }
        }
        (0..CHUNK).for_each(|at| _ = to[at].write(A::of_unit(values[at])));
    }
}

/// Replaces the colours of each pixel by what `change` makes of them and of the opacity in `pixels`, and its last element by that.
///
/// Pixel by pixel: a pixel of 4 elements is a register, and shuffles across pixels compile to worse code.
#[inline(always)]
fn each_pixel(values: &mut [f32; CHUNK], pixels: &[f32; CHUNK], channels: usize, change: impl Fn(f32, f32) -> f32) {
    if channels == 4 {
        for (values, pixel) in values.as_chunks_mut::<4>().0.iter_mut().zip(pixels.as_chunks::<4>().0) {
            let opacity = pixel[3];
            *values = [change(values[0], opacity), change(values[1], opacity), change(values[2], opacity), opacity];
        }
    } else {
        for (values, pixel) in values.as_chunks_mut::<2>().0.iter_mut().zip(pixels.as_chunks::<2>().0) {
            *values = [change(values[0], pixel[1]), pixel[1]];
        }
    }
}

/// Adding this number rounds to a whole number, which the lowest bits of the sum then hold.
const WHOLE: f32 = 12_582_912.0;

/// `a·b + c`.
#[inline(always)]
fn fused<I: InstructionSet>(a: f32, b: f32, c: f32) -> f32 {
    if I::FUSED { a.mul_add(b, c) } else { a * b + c }
}

/// `x^power` for positive normal `x`, by way of `2^(power·log2 x)`. The result is off by less than 1e-6 of itself for `x` from 2^-16 to 2^16
/// and powers up to 3.
#[inline(always)]
fn positive_power<I: InstructionSet>(x: f32, power: f32) -> f32 {
    // Polynomials of least largest error: log2(1 + s)/s on [√½ - 1, √2 - 1] within 6e-9, and 2^f on [-½, ½] within 2e-9 of itself.
    #[allow(clippy::approx_constant)] // fitted: close to the coefficients of the series, but others
    const LOG2: [f32; 10] =
        [1.442_695, -0.721_347_4, 0.480_897_9, -0.360_696_4, 0.288_585_3, -0.239_636_6, 0.204_296, -0.190_612_7, 0.187_826_7, -0.112_974_8];
    #[allow(clippy::approx_constant)]
    const EXP2: [f32; 7] = [1.0, 0.693_147_2, 0.240_226_5, 0.055_503_29, 0.009_618_489, 0.001_339_993, 0.000_153_458_1];
    const SQRT_HALF: i32 = 0x3F35_04F3;
    const MANTISSA: i32 = 0x7F_FFFF;
    let bits = x.to_bits().cast_signed();
    let exponent = (bits - SQRT_HALF) >> 23;
    let s = f32::from_bits(((bits - SQRT_HALF) & MANTISSA).wrapping_add(SQRT_HALF).cast_unsigned()) - 1.0;
    let log = s * LOG2.iter().rev().fold(0.0, |sum, &coefficient| fused::<I>(sum, s, coefficient));
    // The exponent is multiplied separately, so that the fraction keeps its digits.
    let whole = power * exponent as f32;
    let rounded = (fused::<I>(power, log, whole) + WHOLE) - WHOLE;
    let fraction = fused::<I>(power, log, whole - rounded);
    let root = EXP2.iter().rev().fold(0.0, |sum, &coefficient| fused::<I>(sum, fraction, coefficient));
    let scale = ((rounded + WHOLE).to_bits().cast_signed() - WHOLE.to_bits().cast_signed()).clamp(-126, 127) + 127;
    root * f32::from_bits((scale << 23).cast_unsigned())
}

/// Multiplies the colours of pixels of bytes by their last channel: `c·a/255`, rounded to nearest (Blinn 1995), as Pillow does.
/// Pixels have 2 or 4 channels.
pub(crate) struct PremultiplyBytes<'a> {
    pub(crate) from: &'a [u8],
    pub(crate) to: &'a mut [u8],
    pub(crate) channels: usize,
}

impl Kernel for PremultiplyBytes<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: InstructionSet>(self) {
        // Two products in the halves of a number, each of at most 255².
        const LOW: u32 = 0x00FF_00FF;
        let divided = |products: u32| {
            let sum = products + 0x0080_0080;
            sum + ((sum >> 8) & LOW)
        };
        if self.channels == 4 {
            for (from, to) in self.from.as_chunks::<4>().0.iter().zip(self.to.as_chunks_mut::<4>().0) {
                let pixel = u32::from_le_bytes(*from);
                let alpha = pixel >> 24;
                let red_blue = divided((pixel & LOW) * alpha) >> 8;
                // The opacity itself is multiplied by 255/255.
                let green_alpha = divided((pixel >> 8 & 0xFF | 0x00FF_0000) * alpha);
                *to = (red_blue & LOW | green_alpha & !LOW).to_le_bytes();
            }
        } else {
            for (from, to) in self.from.as_chunks::<2>().0.iter().zip(self.to.as_chunks_mut::<2>().0) {
                let pixel = u32::from(u16::from_le_bytes(*from));
                let (grey, alpha) = (pixel & 0xFF, pixel >> 8);
                *to = [(divided(grey * alpha) >> 8) as u8, alpha as u8];
            }
        }
    }
}

/// Divides the colours of pixels of bytes by their last channel: `255·c/a`, rounded down and saturated, as Pillow does. The colours of
/// wholly transparent pixels stay as they are. Pixels have 2 or 4 channels.
pub(crate) struct UnpremultiplyBytes<'a> {
    pub(crate) from: &'a [u8],
    pub(crate) to: &'a mut [MaybeUninit<u8>],
    pub(crate) channels: usize,
}

impl Kernel for UnpremultiplyBytes<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: InstructionSet>(self) {
        if self.channels == 4 {
            for (from, to) in self.from.as_chunks::<4>().0.iter().zip(self.to.as_chunks_mut::<4>().0) {
                let pixel = u32::from_le_bytes(*from);
                let factor = inverse_opacity(pixel >> 24);
                let colour = |shift: u32| divided_colour(pixel >> shift & 0xFF, factor) << shift;
                let divided = colour(0) | colour(8) | colour(16) | pixel & 0xFF00_0000;
                *to = divided.to_le_bytes().map(MaybeUninit::new);
            }
        } else {
            for (&[colour, alpha], to) in self.from.as_chunks::<2>().0.iter().zip(self.to.as_chunks_mut::<2>().0) {
                let colour = divided_colour(colour.into(), inverse_opacity(alpha.into()));
                *to = [colour as u8, alpha].map(MaybeUninit::new);
            }
        }
    }
}

/// `255/alpha`, and 1 for 0.
#[inline(always)]
fn inverse_opacity(alpha: u32) -> f32 {
    if alpha == 0 { 1.0 } else { 255.0 / alpha as f32 }
}

/// `colour·factor`, rounded down and saturated.
///
/// A quotient that is not whole is at least 1/255 away from a whole number, and the product off by less than 1e-4. Rounding the product less
/// 0.498 to nearest therefore rounds the exact quotient down.
#[inline(always)]
fn divided_colour(colour: u32, factor: f32) -> u32 {
    let quotient = (colour as f32 * factor).min(255.0);
    (quotient - 0.498 + WHOLE).to_bits() & 0xFF
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{Backend, as_maybe_uninit_mut};

    fn read<'a>(from: &'a [f32], to: &'a mut [f32], curve: Curve) -> ReadPixels<'a, f32> {
        ReadPixels { from, to, curve: Some(curve), channels: 1, alpha: Alpha::None }
    }

    #[test]
    fn light_of_integers_is_that_of_the_standard() {
        for backend in Backend::available() {
            let (x, mut light) = ((0..=u16::MAX).collect::<Vec<_>>(), vec![0.0; 1 << 16]);
            backend.run(ReadPixels { from: &x, to: &mut light, curve: Some(Curve::SRGB[0]), channels: 1, alpha: Alpha::None });
            for (x, light) in x.into_iter().zip(light) {
                let x = f64::from(x) / 65_535.0;
                let (exact, slope) = if x <= 0.04045 {
                    (x / 12.92, 1.0 / 12.92)
                } else {
                    let base = (x + 0.055) / 1.055;
                    (base.powf(2.4), 2.4 / 1.055 * base.powf(1.4))
                };
                assert!((f64::from(light) - exact).abs() < 5e-6 * slope, "{x}: {light} instead of {exact}, {backend:?}");
            }
            let light: Vec<f32> = (0..=1_000_000).map(|i| i as f32 / 1e6).collect();
            let mut stored = vec![0_u16; light.len()];
            let (curve, to) = (Some(Curve::SRGB[1]), as_maybe_uninit_mut(&mut stored));
            backend.run(WritePixels { from: &light, to, curve, channels: 1, alpha: Alpha::None });
            for (light, stored) in light.into_iter().map(f64::from).zip(stored) {
                let exact = if light <= 0.003_130_8 { 12.92 * light } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 };
                assert!((f64::from(stored) - 65_535.0 * exact).abs() < 0.75, "{light}: {stored}, {backend:?}");
            }
        }
    }

    #[test]
    fn powers_are_those_of_f64() {
        for backend in Backend::available() {
            for power in [1.0 / 2.4, 2.4, 2.2, 1.0 / 2.2, 0.5, 3.0] {
                let curve = Curve { knee: 0.0, slope: 0.0, shift: 0.0, power, scale: 1.0, offset: 0.0 };
                let x: Vec<f32> = (1..100_000).map(|i| i as f32 / 65_536.0).chain([1.0, 2.0, 1000.0, 65_000.0]).collect();
                let mut y = x.clone();
                backend.run(read(&x, &mut y, curve));
                for (x, y) in x.iter().zip(y) {
                    let exact = f64::from(*x).powf(f64::from(power));
                    assert!((f64::from(y) - exact).abs() <= 1e-6 * exact, "{x}^{power}: {y}, {backend:?}");
                }
                let mut special = [0.0; 5];
                backend.run(read(&[0.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, -1.0], &mut special, curve));
                assert_eq!(special[..3], [0.0, f32::INFINITY, f32::NEG_INFINITY]);
                assert!(special[3].is_nan() && (special[4] + 1.0).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn bytes_are_multiplied_and_divided_exactly() {
        let pairs: Vec<u8> = (0..=255_u8).flat_map(|colour| (0..=255).flat_map(move |alpha| [colour, alpha])).collect();
        let fours: Vec<u8> = pairs.as_chunks::<2>().0.iter().flat_map(|&[colour, alpha]| [colour, 7, 255 - colour, alpha]).collect();
        for (backend, (channels, x)) in
            Backend::available().into_iter().flat_map(|backend| [(backend, (2, &pairs)), (backend, (4, &fours))])
        {
            let mut product = vec![0; x.len()];
            backend.run(PremultiplyBytes { from: x, to: &mut product, channels });
            let mut quotient = vec![0; x.len()];
            backend.run(UnpremultiplyBytes { from: x, to: as_maybe_uninit_mut(&mut quotient), channels });
            for (i, &colour) in x.iter().enumerate() {
                let alpha = u32::from(x[i / channels * channels + channels - 1]);
                let is_alpha = i % channels == channels - 1;
                let (colour, factor) = (u32::from(colour), if is_alpha { 255 } else { alpha });
                assert_eq!(u32::from(product[i]), (2 * colour * factor + 255) / 510, "{colour}·{alpha}, {backend:?}");
                let divided = if is_alpha || alpha == 0 { colour } else { (255 * colour / alpha).min(255) };
                assert_eq!(u32::from(quotient[i]), divided, "{colour}/{alpha}, {backend:?}");
            }
        }
    }
}
