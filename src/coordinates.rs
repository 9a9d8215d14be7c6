//! Where an output pixel lies in the input: one rule a convention.
//!
//! Pixel `i` of an axis covers the interval from `i` to `i + 1`; its centre, where its value is taken to be, lies at `i + 0.5`.
//! Positions here count centres, so position 0 is the centre of the first pixel and `-0.5` the picture's edge.
//! Below, `o` is the output index, `n` the input size, `m` the output size, `scale` the output pixels per input pixel
//! (`m / n` where a size was asked for, the scale itself where a scale was).

use crate::error::{Axis, Error};

/// Which input position an output pixel is computed at.
///
/// Positions count the centres of pixels: 0 is the centre of the first pixel, `-0.5` the picture's edge. In the formulas `o` is the index
/// of the output pixel, `n` the size of the input, `m` that of the output, and `scale` the output pixels per input pixel: `m / n` where a
/// size was asked for, the scale itself where a scale was.
///
/// ```
/// use upsample::Coordinates;
///
/// // Enlarging 4 pixels to 8: the first output pixel lies a quarter of an input pixel outside the first centre ...
/// assert_eq!(Coordinates::HalfPixel.position(0, 4, 8), -0.25);
/// // ... or exactly on it.
/// assert_eq!(Coordinates::AlignCorners.position(0, 4, 8), 0.0);
/// assert_eq!(Coordinates::AlignCorners.position(7, 4, 8), 3.0);
/// assert_eq!(Coordinates::Asymmetric.position(3, 4, 8), 1.5);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub enum Coordinates {
    /// `(o + 0.5) / scale - 0.5`: edges of input and output coincide.
    /// PyTorch with `align_corners=False`, ONNX `half_pixel`, OpenCV, Pillow, TensorFlow 2, JAX.
    #[default]
    HalfPixel,
    /// Half-pixel about the picture's centre: `n/2 · (1 - m / (n·scale)) + (o + 0.5) / scale - 0.5`.
    /// It differs from [`HalfPixel`](Self::HalfPixel) where `n·scale` is not whole. ONNX `half_pixel_symmetric`.
    HalfPixelSymmetric,
    /// Half-pixel, but position 0 where the output has one pixel. ONNX `pytorch_half_pixel` (which PyTorch itself does not use any more).
    PytorchHalfPixel,
    /// `o / scale`: the first pixels coincide. ONNX `asymmetric`, Caffe, TensorFlow 1.
    Asymmetric,
    /// `o · (n - 1) / (m - 1)`, and 0 where the output has one pixel: the first and last centres coincide.
    /// PyTorch with `align_corners=True`, ONNX `align_corners`.
    AlignCorners,
    /// `(o + 0.5) / scale`. ONNX `tf_half_pixel_for_nn` (opset 11), TensorFlow 2's rule for nearest with rounding down.
    TfHalfPixelForNn,
    /// `start·(n - 1) + o · (end - start) · (n - 1) / (m - 1)`, and the middle of the region where the output has one pixel:
    /// the first and last centres of a region given in units of the input, 0 its first centre and 1 its last.
    /// Positions outside the input give the extrapolation value. `start > end` mirrors.
    /// ONNX `tf_crop_and_resize`, TensorFlow's `crop_and_resize`.
    TfCropAndResize {
        /// Where the region begins, as a fraction of `n - 1`.
        start: f64,
        /// Where it ends.
        end: f64,
    },
}

/// One axis of a resize: all that a convention asks about it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Geometry {
    /// n.
    pub(crate) input: usize,
    /// m.
    pub(crate) output: usize,
    /// Input pixels per output pixel, `1 / scale`.
    pub(crate) ratio: f64,
    /// The output size that align-corners and crop-and-resize measure by: m, or `n·scale` unrounded as ONNX's reference has it.
    pub(crate) length: f64,
}

#[allow(clippy::cast_precision_loss)] // sizes are far below 2^53
impl Geometry {
    /// Of an axis whose output size was asked for.
    pub(crate) fn of_sizes(input: usize, output: usize) -> Self {
        Self { input, output, ratio: input as f64 / output as f64, length: output as f64 }
    }

    /// Of an axis that a scale was asked for.
    pub(crate) fn of_scale(input: usize, output: usize, scale: f64) -> Self {
        Self { input, output, ratio: 1.0 / scale, length: output as f64 }
    }
}

#[allow(clippy::cast_precision_loss)] // sizes are far below 2^53
impl Coordinates {
    /// The input position of output pixel `index` when `input` pixels are resized to `output` pixels. Sizes of 0 have none; what comes out
    /// for them means nothing.
    #[must_use]
    pub fn position(self, index: usize, input: usize, output: usize) -> f64 {
        self.position_in(index, &Geometry::of_sizes(input, output))
    }

    pub(crate) fn position_in(self, index: usize, axis: &Geometry) -> f64 {
        let (o, n, m) = (index as f64, axis.input as f64, axis.output as f64);
        let ratio = axis.ratio;
        match self {
            Self::HalfPixel => ratio * (o + 0.5) - 0.5,
            // m / (n·scale) = m·ratio / n
            Self::HalfPixelSymmetric => n / 2.0 * (1.0 - m * ratio / n) + ratio * (o + 0.5) - 0.5,
            Self::PytorchHalfPixel if axis.output == 1 => 0.0,
            Self::PytorchHalfPixel => ratio * (o + 0.5) - 0.5,
            Self::Asymmetric => ratio * o,
            Self::AlignCorners if axis.length <= 1.0 => 0.0,
            Self::AlignCorners => o * ((n - 1.0) / (axis.length - 1.0)),
            Self::TfHalfPixelForNn => ratio * (o + 0.5),
            Self::TfCropAndResize { start, end } if axis.length <= 1.0 => 0.5 * (start + end) * (n - 1.0),
            Self::TfCropAndResize { start, end } => start * (n - 1.0) + o * (end - start) * (n - 1.0) / (axis.length - 1.0),
        }
    }

    /// The position as PyTorch computes it for all types but `f64`: every step in `f32`.
    /// In pictures of thousands of pixels that is up to 1e-4 of a pixel off, which shows in the fifth digit.
    #[allow(clippy::cast_possible_truncation)] // rounding to f32 is meant
    pub(crate) fn torch_position(self, index: usize, axis: &Geometry) -> f64 {
        match self {
            Self::HalfPixel => f64::from(axis.ratio as f32 * (index as f32 + 0.5) - 0.5),
            Self::AlignCorners => f64::from(self.step(axis) as f32 * index as f32),
            _ => self.position_in(index, axis),
        }
    }

    /// Input pixels per output pixel: how far an antialiasing filter has to reach.
    pub(crate) fn step(self, axis: &Geometry) -> f64 {
        let n = axis.input as f64;
        match self {
            Self::AlignCorners | Self::TfCropAndResize { .. } if axis.length <= 1.0 => 0.0,
            Self::AlignCorners => (n - 1.0) / (axis.length - 1.0),
            Self::TfCropAndResize { start, end } => ((end - start) * (n - 1.0) / (axis.length - 1.0)).abs(),
            _ => axis.ratio,
        }
    }

    /// Whether positions outside the input are extrapolated.
    pub(crate) fn extrapolates(self) -> bool {
        matches!(self, Self::TfCropAndResize { .. })
    }

    pub(crate) fn check(self) -> Result<(), Error> {
        if let Self::TfCropAndResize { start, end } = self {
            for (parameter, value) in [("region start", start), ("region end", end)] {
                if !value.is_finite() {
                    return Err(Error::InvalidParameter { parameter, value, requirement: "a finite number" });
                }
            }
        }
        Ok(())
    }
}

/// How a position becomes the pixel that nearest interpolation copies. ONNX `nearest_mode`.
///
/// ```
/// use upsample::{Resize, Rounding};
///
/// let x = ndarray::array![[[0, 1, 2, 3]]];
/// let picked = |rounding| Resize::nearest().rounding(rounding).plan([4], [2])?.forward_any(&x); // positions 0.5 and 2.5
/// assert_eq!(picked(Rounding::RoundPreferFloor)?, ndarray::array![[[0, 2]]]);
/// assert_eq!(picked(Rounding::RoundPreferCeil)?, ndarray::array![[[1, 3]]]);
/// # Ok::<(), upsample::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Rounding {
    /// Down. ONNX `floor`.
    Floor,
    /// Up. ONNX `ceil`.
    Ceil,
    /// To the nearest, halves down. ONNX `round_prefer_floor`, its default.
    #[default]
    RoundPreferFloor,
    /// To the nearest, halves up. ONNX `round_prefer_ceil`.
    RoundPreferCeil,
}

impl Rounding {
    /// The pixel of `position` before it is clamped to the input.
    pub(crate) fn round(self, position: f64) -> f64 {
        match self {
            Self::Floor => position.floor(),
            Self::Ceil => position.ceil(),
            Self::RoundPreferFloor => position.floor() + f64::from(position - position.floor() > 0.5),
            Self::RoundPreferCeil => position.floor() + f64::from(position - position.floor() >= 0.5),
        }
    }
}

/// A value for each axis: one for all of them, or one for each in order.
///
/// ```
/// use upsample::{ConvTranspose, Coordinates, Resize};
///
/// let strides = ConvTranspose::new().stride([1, 2]); // height, width; `stride(2)` would be both
/// assert_eq!(strides.plan([5, 5], [1, 1])?.output_size(), [5, 9]);
/// let rules = Resize::linear().coordinates([Coordinates::AlignCorners, Coordinates::HalfPixel]);
/// assert!(rules.plan([4, 4, 4], 2.0).is_err()); // two rules for three axes
/// # Ok::<(), upsample::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum PerAxis<T> {
    /// The same for every axis.
    All(T),
    /// One for each spatial axis, in the order depth, height, width.
    Each(Vec<T>),
}

impl<T> From<T> for PerAxis<T> {
    fn from(value: T) -> Self {
        Self::All(value)
    }
}

impl<T, const RANK: usize> From<[T; RANK]> for PerAxis<T> {
    fn from(values: [T; RANK]) -> Self {
        Self::Each(values.into())
    }
}

impl<T> From<Vec<T>> for PerAxis<T> {
    fn from(values: Vec<T>) -> Self {
        Self::Each(values)
    }
}

impl<T: Copy> PerAxis<T> {
    /// One value for each of `RANK` axes.
    pub(crate) fn resolve<const RANK: usize>(&self, argument: &'static str) -> Result<[T; RANK], Error> {
        match self {
            Self::All(value) => Ok([*value; RANK]),
            Self::Each(values) => {
                values.as_slice().try_into().map_err(|_| Error::AxisCount { argument, expected: RANK, found: values.len() })
            }
        }
    }
}

/// Which output size is asked for: a size for each spatial axis, or a scale.
///
/// ```
/// use upsample::Target;
/// assert_eq!(Target::<2>::from(2.0), Target::Scale([2.0, 2.0]));
/// assert_eq!(Target::from([2.0, 1.5]), Target::Scale([2.0, 1.5]));
/// assert_eq!(Target::from([480, 640]), Target::Size([480, 640]));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target<const RANK: usize> {
    /// The output size of each axis, in pixels.
    Size([usize; RANK]),
    /// Output pixels per input pixel of each axis.
    Scale([f64; RANK]),
}

impl<const RANK: usize> From<f64> for Target<RANK> {
    fn from(scale: f64) -> Self {
        Self::Scale([scale; RANK])
    }
}

impl<const RANK: usize> From<[f64; RANK]> for Target<RANK> {
    fn from(scales: [f64; RANK]) -> Self {
        Self::Scale(scales)
    }
}

impl<const RANK: usize> From<[usize; RANK]> for Target<RANK> {
    fn from(sizes: [usize; RANK]) -> Self {
        Self::Size(sizes)
    }
}

/// How an asked size gives way where it would change the picture's proportions. ONNX `keep_aspect_ratio_policy`.
///
/// ```
/// use upsample::{AspectRatio, Resize};
///
/// let fit = |policy| Resize::linear().aspect_ratio(policy).output_size([60, 40], [90, 90]);
/// assert_eq!(fit(AspectRatio::NotLarger)?, [90, 60]);
/// assert_eq!(fit(AspectRatio::NotSmaller)?, [135, 90]);
/// # Ok::<(), upsample::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum AspectRatio {
    /// The asked size, whatever the proportions. ONNX `stretch`.
    #[default]
    Stretch,
    /// The largest size of the input's proportions that is in no axis larger than asked. Halves are rounded up. ONNX `not_larger`.
    NotLarger,
    /// The smallest size of the input's proportions that is in no axis smaller than asked. Halves are rounded up. ONNX `not_smaller`.
    NotSmaller,
}

/// The scale that all axes share under `policy`, `None` to stretch.
#[allow(clippy::cast_precision_loss)] // sizes are far below 2^53
pub(crate) fn common_scale(policy: AspectRatio, input: &[usize], asked: &[usize]) -> Option<f64> {
    let scales = input.iter().zip(asked).map(|(&n, &m)| m as f64 / n as f64);
    match policy {
        AspectRatio::Stretch => None,
        AspectRatio::NotLarger => scales.reduce(f64::min),
        AspectRatio::NotSmaller => scales.reduce(f64::max),
    }
}

/// Checks that no axis is empty.
pub(crate) fn check_sizes<const RANK: usize>(argument: &'static str, sizes: [usize; RANK]) -> Result<(), Error> {
    match sizes.iter().position(|&size| size == 0) {
        Some(index) => Err(Error::ZeroSize { argument, axis: Axis::spatial(RANK, index) }),
        None => Ok(()),
    }
}
