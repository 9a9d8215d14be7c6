//! Rows of pixels between the form in which pictures store them and the one in which they are summed.

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

/// Applies a curve to every element. Infinities and NaN stay as they are.
pub(crate) struct ApplyCurve<'a> {
    pub(crate) row: &'a mut [f32],
    pub(crate) curve: Curve,
}

impl Kernel for ApplyCurve<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: InstructionSet>(self) {
        let Curve { knee, slope, shift, power, scale, offset } = self.curve;
        for value in self.row {
            let x = value.abs();
            let curved = fused::<I>(scale, positive_power::<I>(x + shift, power), offset);
            let y = if x <= knee { slope * x } else { curved };
            *value = if x < f32::INFINITY { y.copysign(*value) } else { *value };
        }
    }
}

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
    // Adding this number rounds to a whole number, which the lowest bits of the sum then hold.
    const WHOLE: f32 = 12_582_912.0;
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

/// Elements that are converted at a time.
const CHUNK: usize = 64;

impl Kernel for PremultiplyBytes<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: InstructionSet>(self) {
        for (from, to) in self.from.chunks(CHUNK).zip(self.to.chunks_mut(CHUNK)) {
            let factors = alphas(from, self.channels);
            for ((to, &colour), factor) in to.iter_mut().zip(from).zip(factors) {
                let product = u16::from(colour) * u16::from(factor) + 128;
                *to = ((product + (product >> 8)) >> 8) as u8;
            }
        }
    }
}

/// Divides the colours of pixels of bytes by their last channel: `255·c/a`, rounded down and saturated, as Pillow does. The colours of
/// wholly transparent pixels stay as they are. Pixels have 2 or 4 channels.
pub(crate) struct UnpremultiplyBytes<'a> {
    pub(crate) row: &'a mut [u8],
    pub(crate) channels: usize,
}

impl Kernel for UnpremultiplyBytes<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: InstructionSet>(self) {
        for row in self.row.chunks_mut(CHUNK) {
            let divisors = alphas(row, self.channels);
            for (colour, divisor) in row.iter_mut().zip(divisors) {
                // A quotient that is not whole is at least 1/255 away from a whole number. Up to 2^16 an `f32` is off by half of that at most, so
                // that cutting off the fraction gives the exact floor.
                let divisor = if divisor == 0 { 255 } else { divisor };
                let quotient = (255.0 * f32::from(*colour)) / f32::from(divisor);
                *colour = (quotient as i32).min(255) as u8;
            }
        }
    }
}

/// The opacity of each element's pixel, and 255 for the opacities themselves.
#[inline(always)]
fn alphas(row: &[u8], channels: usize) -> [u8; CHUNK] {
    let mut alphas = [255; CHUNK];
    if channels == 4 {
        for (alphas, pixel) in alphas.as_chunks_mut::<4>().0.iter_mut().zip(row.as_chunks::<4>().0) {
            *alphas = [pixel[3], pixel[3], pixel[3], 255];
        }
    } else {
        for (alphas, pixel) in alphas.as_chunks_mut::<2>().0.iter_mut().zip(row.as_chunks::<2>().0) {
            *alphas = [pixel[1], 255];
        }
    }
    alphas
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::Backend;

    #[test]
    fn powers_are_those_of_f64() {
        for backend in Backend::available() {
            for power in [1.0 / 2.4, 2.4, 2.2, 1.0 / 2.2, 0.5, 3.0] {
                let curve = Curve { knee: 0.0, slope: 0.0, shift: 0.0, power, scale: 1.0, offset: 0.0 };
                let x: Vec<f32> = (1..100_000).map(|i| i as f32 / 65_536.0).chain([1.0, 2.0, 1000.0, 65_000.0]).collect();
                let mut y = x.clone();
                backend.run(ApplyCurve { row: &mut y, curve });
                for (x, y) in x.iter().zip(y) {
                    let exact = f64::from(*x).powf(f64::from(power));
                    assert!((f64::from(y) - exact).abs() <= 1e-6 * exact, "{x}^{power}: {y}, {backend:?}");
                }
                let mut special = [0.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, -1.0];
                backend.run(ApplyCurve { row: &mut special, curve });
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
            let mut quotient = x.clone();
            backend.run(UnpremultiplyBytes { row: &mut quotient, channels });
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
