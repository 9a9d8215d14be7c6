//! The filters: how much a pixel counts at a distance.
//!
//! A filter is a function of the distance in pixels, zero beyond its *support*. Enlarging evaluates it as it is; antialiasing
//! stretches it by the factor of shrinking, so that every input pixel counts somewhere.

use std::f64::consts::PI;
use std::fmt;
use std::sync::Arc;

/// An interpolation filter: how much a pixel counts at a distance, in pixels, from where the output pixel lies in the input.
///
/// Beyond its *support* a filter is zero. Enlarging evaluates it as it is; [antialiasing](super::Resize::antialias) stretches it by the
/// factor of shrinking, so that every input pixel counts somewhere. [`Resize::filter`](super::Resize::filter) resizes by it.
///
/// ```
/// use upsample::Filter;
///
/// assert_eq!(Filter::Linear.weight(0.25), 0.75);
/// assert_eq!(Filter::Cubic { a: -0.75 }.weight(1.5), -0.09375);
/// let tent = Filter::custom(1.0, |distance| 1.0 - distance.abs());
/// assert_eq!(tent.weight(0.25), 0.75);
/// ```
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum Filter {
    /// 1 inside half a pixel, 0 outside: the average when shrinking. Support 0.5. Pillow's `BOX`.
    Box,
    /// `1 - |x|`: linear, bilinear, trilinear. Support 1.
    Linear,
    /// `sinc(x)·(0.54 + 0.46 cos πx)`: as quick as linear, sharper. Support 1. Pillow's `HAMMING`.
    Hamming,
    /// The cubic of Keys (1981): interpolates, continuous in its slope. Support 2.
    /// PyTorch and OpenCV use `a = -0.75`, Pillow, JAX and TensorFlow -0.5.
    Cubic {
        /// The slope at distance 1.
        a: f64,
    },
    /// The cubic of Mitchell and Netravali (1988), B = C = 1/3: a little blur for less ringing. Support 2.
    Mitchell,
    /// The cubic B-spline (Mitchell and Netravali's B = 1, C = 0): the smoothest, with much blur; it does not interpolate. Support 2.
    BSpline,
    /// Three cubic pieces on each side that interpolate, between cubic and Lanczos in sharpness. Support 3. AviSynth's and zimg's `spline36`.
    Spline36,
    /// The quadratic B-spline ("magic kernel") with its blur removed by `[-1/4, 3/2, -1/4]` (Costella 2013). Support 2.5.
    MagicKernelSharp2013,
    /// The same with the blur removed by seven taps, `[-1, 6, -35, 204, -35, 6, -1] / 144` (Costella, *Solving the mystery of Magic Kernel
    /// Sharp*, 2021). Support 4.5.
    MagicKernelSharp2021,
    /// `sinc(x)·sinc(x/lobes)`: the sharpest, with ringing (Duchon 1979). Support `lobes`. Pillow's `LANCZOS` has 3, OpenCV's 4.
    Lanczos {
        /// How many lobes of the sinc are kept on each side.
        lobes: u8,
    },
    /// `exp(-x²/(2σ²))` with σ = 0.5, cut at 1.5 = 3σ: no ringing, more blur. TensorFlow's `gaussian`.
    Gaussian,
    /// A function of yours.
    Custom(CustomFilter),
}

/// A user's own filter: made by [`Filter::custom`].
#[derive(Clone)]
pub struct CustomFilter {
    support: f64,
    function: Arc<dyn Fn(f64) -> f64 + Send + Sync>,
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Box => f.write_str("Box"),
            Self::Linear => f.write_str("Linear"),
            Self::Hamming => f.write_str("Hamming"),
            Self::Cubic { a } => write!(f, "Cubic {{ a: {a} }}"),
            Self::Mitchell => f.write_str("Mitchell"),
            Self::BSpline => f.write_str("BSpline"),
            Self::Spline36 => f.write_str("Spline36"),
            Self::MagicKernelSharp2013 => f.write_str("MagicKernelSharp2013"),
            Self::MagicKernelSharp2021 => f.write_str("MagicKernelSharp2021"),
            Self::Lanczos { lobes } => write!(f, "Lanczos {{ lobes: {lobes} }}"),
            Self::Gaussian => f.write_str("Gaussian"),
            Self::Custom(custom) => write!(f, "Custom {{ support: {} }}", custom.support),
        }
    }
}

/// Equal if the support is the same and the function is shared: a clone equals its original.
impl PartialEq for CustomFilter {
    fn eq(&self, other: &Self) -> bool {
        self.support == other.support && Arc::ptr_eq(&self.function, &other.function)
    }
}

impl fmt::Debug for CustomFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CustomFilter {{ support: {} }}", self.support)
    }
}

impl Filter {
    /// A filter of your own: `function` of the distance in pixels, taken as 0 at and beyond `support`.
    /// The weights of a pixel are normalised to sum 1, so the function's own integral does not matter; where they sum to 0 or to no finite
    /// number, the nearest pixel counts whole.
    ///
    /// ```
    /// use upsample::{Filter, Resize};
    ///
    /// let bell = Filter::custom(2.0, |distance| (-distance * distance).exp());
    /// let y = Resize::filter(bell).plan([3], [6])?.forward(&ndarray::Array3::<f32>::ones((1, 1, 3)))?;
    /// assert!(y.iter().all(|value| (value - 1.0).abs() < 1e-6));
    /// # Ok::<(), upsample::Error>(())
    /// ```
    pub fn custom(support: f64, function: impl Fn(f64) -> f64 + Send + Sync + 'static) -> Self {
        Self::Custom(CustomFilter { support, function: Arc::new(function) })
    }

    /// The distance in pixels beyond which the filter is 0.
    #[must_use]
    pub fn support(&self) -> f64 {
        match self {
            Self::Box => 0.5,
            Self::Linear | Self::Hamming => 1.0,
            Self::Cubic { .. } | Self::Mitchell | Self::BSpline => 2.0,
            Self::Spline36 => 3.0,
            Self::MagicKernelSharp2013 => 2.5,
            Self::MagicKernelSharp2021 => 4.5,
            Self::Lanczos { lobes } => f64::from(*lobes),
            Self::Gaussian => 1.5,
            Self::Custom(custom) => custom.support,
        }
    }

    /// The weight, not yet normalised, of a pixel at `distance`.
    #[must_use]
    pub fn weight(&self, distance: f64) -> f64 {
        let x = distance.abs();
        if x > self.support() {
            return 0.0;
        }
        match self {
            // Half open, as Pillow has it: a position between two pixels belongs to one of them.
            Self::Box => f64::from(distance > -0.5 && distance <= 0.5),
            Self::Linear => 1.0 - x,
            Self::Hamming if x >= 1.0 => 0.0,
            Self::Hamming => sinc(x) * (0.54 + 0.46 * (PI * x).cos()),
            Self::Cubic { a } => cubic(x, *a),
            Self::Mitchell => mitchell(x),
            Self::BSpline => b_spline(x),
            Self::Spline36 => spline36(x),
            Self::MagicKernelSharp2013 => magic_kernel_sharp_2013(x),
            Self::MagicKernelSharp2021 => magic_kernel_sharp_2021(x),
            Self::Lanczos { lobes } if x >= f64::from(*lobes) => 0.0,
            Self::Lanczos { lobes } => sinc(x) * sinc(x / f64::from(*lobes)),
            Self::Gaussian if x >= 1.5 => 0.0,
            Self::Gaussian => (-2.0 * x * x).exp(),
            Self::Custom(custom) if x >= custom.support => 0.0,
            Self::Custom(custom) => (custom.function)(distance),
        }
    }
}

impl Filter {
    /// Whether the filter is discontinuous, or may be: a pixel at the jump is then a matter of rounding.
    pub(crate) fn jumps(&self) -> bool {
        matches!(self, Self::Box | Self::Gaussian | Self::Custom(_))
    }

    /// [`weight`](Self::weight) to the last bit of Pillow's, whose Hamming window has coefficients of `f32` and whose sinc is not exactly 0
    /// at whole numbers.
    pub(crate) fn pillow_weight(&self, distance: f64) -> f64 {
        let x = distance.abs();
        let sinc = |x: f64| if x == 0.0 { 1.0 } else { (x * PI).sin() / (x * PI) };
        match self {
            Self::Hamming if x == 0.0 => 1.0,
            Self::Hamming if x >= 1.0 => 0.0,
            Self::Hamming => (x * PI).sin() / (x * PI) * (f64::from(0.54_f32) + f64::from(0.46_f32) * (x * PI).cos()),
            Self::Lanczos { lobes } if -f64::from(*lobes) <= distance && distance < f64::from(*lobes) => {
                sinc(distance) * sinc(distance / f64::from(*lobes))
            }
            Self::Cubic { a } if (1.0..2.0).contains(&x) => (((x - 5.0) * x + 8.0) * x - 4.0) * a,
            _ => self.weight(distance),
        }
    }
}

/// `sin(πx) / (πx)`; 0 at whole numbers, where the sine of a rounded `πx` is not.
fn sinc(x: f64) -> f64 {
    if x == 0.0 {
        1.0
    } else if x.fract() == 0.0 {
        0.0
    } else {
        (PI * x).sin() / (PI * x)
    }
}

/// The cubic convolution kernel of Keys (1981) at distance `x >= 0`; `a` is its slope at 1.
fn cubic(x: f64, a: f64) -> f64 {
    if x <= 1.0 {
        ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a
    } else {
        0.0
    }
}

/// The kernel of Mitchell and Netravali (1988) with B = C = 1/3 at distance `x >= 0`.
fn mitchell(x: f64) -> f64 {
    if x <= 1.0 {
        (7.0 * x / 6.0 - 2.0) * x * x + 8.0 / 9.0
    } else if x < 2.0 {
        ((-7.0 / 18.0 * x + 2.0) * x - 10.0 / 3.0) * x + 16.0 / 9.0
    } else {
        0.0
    }
}

/// The cubic B-spline at distance `x >= 0`.
fn b_spline(x: f64) -> f64 {
    if x <= 1.0 {
        (x / 2.0 - 1.0) * x * x + 2.0 / 3.0
    } else if x < 2.0 {
        (2.0 - x).powi(3) / 6.0
    } else {
        0.0
    }
}

/// Spline36 at distance `x >= 0`: a cubic for each of three pixels.
fn spline36(x: f64) -> f64 {
    if x < 1.0 {
        ((13.0 / 11.0 * x - 453.0 / 209.0) * x - 3.0 / 209.0) * x + 1.0
    } else if x < 2.0 {
        let x = x - 1.0;
        ((-6.0 / 11.0 * x + 270.0 / 209.0) * x - 156.0 / 209.0) * x
    } else if x < 3.0 {
        let x = x - 2.0;
        ((1.0 / 11.0 * x - 45.0 / 209.0) * x + 26.0 / 209.0) * x
    } else {
        0.0
    }
}

/// Magic Kernel Sharp 2013 at distance `x >= 0`.
fn magic_kernel_sharp_2013(x: f64) -> f64 {
    if x < 0.5 {
        17.0 / 16.0 - 7.0 / 4.0 * x * x
    } else if x < 1.5 {
        (1.0 - x) * (7.0 / 4.0 - x)
    } else if x < 2.5 {
        -(2.5 - x).powi(2) / 8.0
    } else {
        0.0
    }
}

/// Magic Kernel Sharp 2021 at distance `x >= 0`.
fn magic_kernel_sharp_2021(x: f64) -> f64 {
    if x < 0.5 {
        577.0 / 576.0 - 239.0 / 144.0 * x * x
    } else if x < 1.5 {
        35.0 / 36.0 * (x - 1.0) * (x - 239.0 / 140.0)
    } else if x < 2.5 {
        -1.0 / 6.0 * (x - 2.0) * (x - 65.0 / 24.0)
    } else if x < 3.5 {
        1.0 / 36.0 * (x - 3.0) * (x - 15.0 / 4.0)
    } else if x < 4.5 {
        -(2.0 * x - 9.0).powi(2) / 1152.0
    } else {
        0.0
    }
}
