//! Profiles: the conventions of a framework, chosen by one name.

use crate::output_size::ScaleRule;
use crate::resize::coordinates::{Coordinates, Rounding};
use crate::resize::nearest::NearestRule;

use super::passes::IntegerSums;
use super::taps::PositionArithmetic;

/// A framework: what each option of [`Resize`](super::Resize) is where it is not set.
///
/// | | size of a scale | nearest | cubic `a` (antialiased) | antialias | outside taps (antialiased) |
/// |---|---|---|---|---|---|
/// | [`Torch`](Self::Torch) | floor | PyTorch's `nearest` | -0.75 (-0.5) | off | clamped (dropped) |
/// | [`Onnx`](Self::Onnx) | floor | half-pixel, halves down | -0.75 | off | clamped |
/// | [`OpenCv`](Self::OpenCv) | round | `⌊o·n/m⌋` | -0.75 | off | clamped |
/// | [`Pillow`](Self::Pillow) | round | `⌊(o+0.5)·n/m⌋`, the steps added up | -0.5 | on | dropped |
/// | [`Jax`](Self::Jax) | floor | `⌊(o+0.5)·n/m⌋` | -0.5 | on | dropped |
/// | [`TensorFlow`](Self::TensorFlow) | floor | `⌊(o+0.5)·n/m⌋` | -0.5 | off | dropped |
///
/// Nearest is computed with the rounding errors of each framework, which sometimes decide between two pixels; [`NearestRule`] has them all.
/// `o` is the index of an output pixel, `n` the input size, `m` the output size. The antialiased case stands in brackets where it differs.
/// All of them place pixels by [`Coordinates::HalfPixel`]. Dropped taps are renormalised: the weights that remain sum to 1.
///
/// ```
/// use upsample::{Profile, Resize};
///
/// let x = ndarray::array![[[0.0, 0.0, 1.0, 1.0]]];
/// let torch = Resize::cubic().plan([4], [2])?.forward(&x)?;
/// let pillow = Resize::cubic().profile(Profile::Pillow).plan([4], [2])?.forward(&x)?; // antialiased
/// assert_ne!(torch, pillow);
/// # Ok::<(), upsample::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Profile {
    /// `torch.nn.functional.interpolate`. Antialiased align-corners samples at `step·(o + 0.5)`, as PyTorch does.
    #[default]
    Torch,
    /// The `Resize` operator of the ONNX standard (opset 19), by its reference. With a scale, align-corners and crop-and-resize measure by
    /// the unrounded output size `n·scale`.
    Onnx,
    /// `cv2.resize`.
    OpenCv,
    /// `PIL.Image.resize`.
    Pillow,
    /// `jax.image.resize`.
    Jax,
    /// `tf.image.resize` of TensorFlow 2.
    TensorFlow,
}

impl Profile {
    pub(crate) fn scale_rule(self) -> ScaleRule {
        match self {
            Self::OpenCv | Self::Pillow => ScaleRule::Round,
            _ => ScaleRule::Floor,
        }
    }

    /// Nearest, and the coordinates its rounding uses where none are set.
    pub(crate) fn nearest(self) -> (NearestRule, Coordinates) {
        match self {
            Self::Torch => (NearestRule::Torch, Coordinates::HalfPixel),
            Self::Onnx => (NearestRule::Rounded(Rounding::RoundPreferFloor), Coordinates::HalfPixel),
            Self::OpenCv => (NearestRule::OpenCv, Coordinates::HalfPixel),
            Self::Pillow => (NearestRule::Pillow, Coordinates::HalfPixel),
            Self::Jax => (NearestRule::Jax, Coordinates::HalfPixel),
            Self::TensorFlow => (NearestRule::TensorFlow, Coordinates::HalfPixel),
        }
    }

    /// `nearest-exact`, where the framework has it.
    pub(crate) fn nearest_exact(self) -> NearestRule {
        match self {
            Self::Torch => NearestRule::TorchExact,
            Self::OpenCv | Self::Pillow => NearestRule::Pillow,
            Self::Onnx | Self::Jax | Self::TensorFlow => NearestRule::IntegerExact,
        }
    }

    /// How positions are computed where neither PyTorch's nor Pillow's arithmetic is followed.
    pub(crate) fn position_arithmetic(self) -> PositionArithmetic {
        if self == Self::Onnx { PositionArithmetic::Onnx } else { PositionArithmetic::Exact }
    }

    /// How whole numbers are summed and rounded.
    pub(crate) fn integers(self) -> IntegerSums {
        match self {
            Self::Torch => IntegerSums::Fixed,
            Self::Pillow => IntegerSums::Pillow,
            Self::Onnx | Self::OpenCv | Self::Jax | Self::TensorFlow => IntegerSums::RoundedOnce,
        }
    }

    pub(crate) fn cubic_coefficient(self, antialias: bool) -> f64 {
        match self {
            Self::Torch if antialias => -0.5,
            Self::Torch | Self::Onnx | Self::OpenCv => -0.75,
            Self::Pillow | Self::Jax | Self::TensorFlow => -0.5,
        }
    }

    pub(crate) fn antialias(self) -> bool {
        matches!(self, Self::Pillow | Self::Jax)
    }

    pub(crate) fn exclude_outside(self, antialias: bool) -> bool {
        match self {
            Self::Torch => antialias,
            Self::Onnx | Self::OpenCv => false,
            Self::Pillow | Self::Jax | Self::TensorFlow => true,
        }
    }

    /// Whether align-corners and crop-and-resize measure by `n·scale` unrounded.
    pub(crate) fn fractional_length(self) -> bool {
        self == Self::Onnx
    }
}
