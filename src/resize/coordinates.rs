//! Where an output pixel lies in the input: one rule a convention.
//!
//! Pixel `i` of an axis covers the interval from `i` to `i + 1`; its centre, where its value is taken to be, lies at `i + 0.5`.
//! Positions here count centres, so position 0 is the centre of the first pixel and `-0.5` the picture's edge.
//! Below, `o` is the output index, `n` the input size, `m` the output size, `scale` the output pixels per input pixel
//! (`m / n` where a size was asked for, the scale itself where a scale was).

use crate::error::{Axis, Error};
use crate::tensor::first_axes;

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

/// A position in the input: the whole pixel at or before it, and the distance from there, in `[0, 1)`.
///
/// In two parts, a half is a half and a whole number is whole, however large the picture is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Position {
    pub(crate) pixel: i64,
    pub(crate) rest: f64,
}

#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)] // pixels are kept within 2^52
impl Position {
    /// Positions further out than any input are all the same.
    const FARTHEST: f64 = (1_u64 << 52) as f64;

    pub(crate) fn of_number(position: f64) -> Self {
        let position = position.clamp(-Self::FARTHEST, Self::FARTHEST);
        Self { pixel: position.floor() as i64, rest: position - position.floor() }
    }

    /// The exact quotient. `denominator` is positive.
    fn of_fraction(numerator: i128, denominator: i128) -> Self {
        // The usual sizes: divisions of 128 bits are slow.
        if let (Ok(numerator), Ok(denominator)) = (i32::try_from(numerator), i32::try_from(denominator)) {
            let (pixel, rest) = (numerator.div_euclid(denominator), numerator.rem_euclid(denominator));
            return Self { pixel: pixel.into(), rest: f64::from(rest) / f64::from(denominator) };
        }
        let farthest = Self::FARTHEST as i128;
        let (pixel, rest) = (numerator.div_euclid(denominator), numerator.rem_euclid(denominator));
        Self { pixel: pixel.clamp(-farthest, farthest) as i64, rest: rest as f64 / denominator as f64 }
    }

    pub(crate) fn value(self) -> f64 {
        self.pixel as f64 + self.rest
    }

    /// The nearest position between the first and the last centre of `n` pixels.
    pub(crate) fn clamped(self, n: usize) -> Self {
        let last = n as i64 - 1;
        if self.pixel < 0 {
            Self { pixel: 0, rest: 0.0 }
        } else if self.pixel >= last {
            Self { pixel: last, rest: 0.0 }
        } else {
            self
        }
    }
}

/// Output pixels per input pixel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Scale {
    /// The ratio of two sizes: positions are rational numbers, and are computed as such.
    Ratio {
        /// Output pixels,
        output: usize,
        /// for so many input pixels.
        input: usize,
    },
    /// As it was asked for.
    Number(f64),
}

/// One axis of a resize: all that a convention asks about it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Geometry {
    /// n.
    pub(crate) input: usize,
    /// m.
    pub(crate) output: usize,
    pub(crate) scale: Scale,
    /// Input pixels per output pixel, `1 / scale`.
    pub(crate) ratio: f64,
    /// The edges of the part that is resized, if it is not the whole input. Positions are those of half-pixel.
    pub(crate) part: Option<[f64; 2]>,
    /// Align-corners and crop-and-resize measure by `n·scale` unrounded instead of by m, as ONNX's reference does.
    pub(crate) fractional_length: bool,
}

#[allow(clippy::cast_precision_loss)] // sizes are far below 2^53
impl Geometry {
    /// Of an axis whose output size was asked for.
    pub(crate) fn of_sizes(input: usize, output: usize) -> Self {
        Self { output, ..Self::of_ratio(input, output, (output, input)) }
    }

    /// Of an axis whose scale is that of `sizes`, output and input, of another axis.
    pub(crate) fn of_ratio(input: usize, output: usize, sizes: (usize, usize)) -> Self {
        let scale = Scale::Ratio { output: sizes.0, input: sizes.1 };
        Self { input, output, scale, ratio: sizes.1 as f64 / sizes.0 as f64, part: None, fractional_length: false }
    }

    /// Of an axis that a scale was asked for.
    pub(crate) fn of_scale(input: usize, output: usize, scale: f64) -> Self {
        Self { input, output, scale: Scale::Number(scale), ratio: 1.0 / scale, part: None, fractional_length: false }
    }

    /// Of an axis of which the part between two edges is resized; `length` is what lies between them, as the framework rounds it.
    pub(crate) fn of_part(input: usize, output: usize, part: [f64; 2], length: f64) -> Self {
        let ratio = length / output as f64;
        Self { part: Some(part), ratio, ..Self::of_scale(input, output, 1.0 / ratio) }
    }

    /// Where the part begins that is resized.
    pub(crate) fn begin(&self) -> f64 {
        self.part.map_or(0.0, |part| part[0])
    }

    /// Input pixels per output pixel as OpenCV computes them: by way of the scale, rounded once more.
    pub(crate) fn opencv_ratio(&self) -> f64 {
        match self.scale {
            Scale::Ratio { .. } => 1.0 / (self.output as f64 / self.input as f64),
            Scale::Number(scale) => 1.0 / scale,
        }
    }

    /// The output size that align-corners and crop-and-resize measure by.
    fn length(&self) -> f64 {
        match self.scale {
            _ if !self.fractional_length => self.output as f64,
            Scale::Ratio { output, input } => self.input as f64 * output as f64 / input as f64,
            Scale::Number(scale) => self.input as f64 * scale,
        }
    }
}

#[allow(clippy::cast_precision_loss)] // sizes are far below 2^53
impl Coordinates {
    /// The input position of output pixel `index` when `input` pixels are resized to `output` pixels. Sizes of 0 have none; what comes out
    /// for them means nothing.
    #[must_use]
    pub fn position(self, index: usize, input: usize, output: usize) -> f64 {
        self.position_in(index, &Geometry::of_sizes(input, output)).value()
    }

    pub(crate) fn position_in(self, index: usize, axis: &Geometry) -> Position {
        match self.fraction(index, axis) {
            Some((numerator, denominator)) => Position::of_fraction(numerator, denominator),
            None => Position::of_number(self.number(index, axis)),
        }
    }

    /// The position as a quotient of whole numbers, where it is one and its parts are small enough.
    fn fraction(self, index: usize, axis: &Geometry) -> Option<(i128, i128)> {
        const MOST: usize = 1 << 36; // three of them multiplied fit
        let Scale::Ratio { output, input } = axis.scale else { return None };
        let [o, n, m, p, q] = [index, axis.input, axis.output, output, input];
        if [o, n, m, p, q].iter().any(|&size| size > MOST) || [n, m, p, q].contains(&0) {
            return None;
        }
        let [o, n, m, p, q] = [o, n, m, p, q].map(|size| size as i128);
        Some(match self {
            Self::PytorchHalfPixel if m == 1 => (0, 1),
            Self::HalfPixel | Self::PytorchHalfPixel => ((2 * o + 1) * q - p, 2 * p),
            Self::HalfPixelSymmetric => ((n - 1) * p + (2 * o + 1 - m) * q, 2 * p),
            Self::Asymmetric => (o * q, p),
            Self::TfHalfPixelForNn => ((2 * o + 1) * q, 2 * p),
            Self::AlignCorners if axis.fractional_length && n * p <= q => (0, 1),
            Self::AlignCorners if axis.fractional_length => (o * (n - 1) * q, n * p - q),
            Self::AlignCorners if m == 1 => (0, 1),
            Self::AlignCorners => (o * (n - 1), m - 1),
            Self::TfCropAndResize { .. } => return None,
        })
    }

    /// The position in `f64`.
    fn number(self, index: usize, axis: &Geometry) -> f64 {
        let (o, n, m, length) = (index as f64, axis.input as f64, axis.output as f64, axis.length());
        // Divided by the scale, not multiplied by its inverse: that is rounded once less.
        let scaled = |pixels: f64| match axis.scale {
            Scale::Number(scale) if axis.part.is_none() => pixels / scale,
            _ => pixels * axis.ratio,
        };
        match self {
            Self::PytorchHalfPixel if axis.output == 1 => 0.0,
            Self::HalfPixel | Self::PytorchHalfPixel => axis.begin() + scaled(o + 0.5) - 0.5,
            Self::HalfPixelSymmetric => (n - 1.0) / 2.0 + scaled(o + (1.0 - m) / 2.0),
            Self::Asymmetric => scaled(o),
            Self::AlignCorners if length <= 1.0 => 0.0,
            Self::AlignCorners => o * (n - 1.0) / (length - 1.0),
            Self::TfHalfPixelForNn => scaled(o + 0.5),
            Self::TfCropAndResize { start, end } if length <= 1.0 => 0.5 * (start + end) * (n - 1.0),
            Self::TfCropAndResize { start, .. } if index == 0 => start * (n - 1.0),
            // The end is where it was asked for, whatever the rounding of the steps before.
            Self::TfCropAndResize { end, .. } if o == length - 1.0 => end * (n - 1.0),
            Self::TfCropAndResize { start, end } => start * (n - 1.0) + o * (end - start) * (n - 1.0) / (length - 1.0),
        }
    }

    /// The position as PyTorch computes it for `f64`: a product with the rounded ratio.
    pub(crate) fn torch_position_double(self, index: usize, axis: &Geometry) -> Position {
        match (self, axis.scale) {
            (Self::HalfPixel, Scale::Number(_)) => Position::of_number(axis.ratio * (index as f64 + 0.5) - 0.5),
            _ => self.position_in(index, axis),
        }
    }

    /// The position as PyTorch computes it for all types but `f64`: every step in `f32`.
    /// In pictures of thousands of pixels that is up to 1e-4 of a pixel off, which shows in the fifth digit.
    #[allow(clippy::cast_possible_truncation)] // rounding to f32 is meant
    pub(crate) fn torch_position_single(self, index: usize, axis: &Geometry) -> Position {
        match self {
            Self::HalfPixel => Position::of_number(f64::from(axis.ratio as f32 * (index as f32 + 0.5) - 0.5)),
            Self::AlignCorners => Position::of_number(f64::from(self.step(axis) as f32 * index as f32)),
            _ => self.position_in(index, axis),
        }
    }

    /// Input pixels from one output pixel to the next.
    pub(crate) fn step(self, axis: &Geometry) -> f64 {
        let (n, length) = (axis.input as f64, axis.length());
        match self {
            Self::AlignCorners | Self::TfCropAndResize { .. } if length <= 1.0 => 0.0,
            Self::AlignCorners => (n - 1.0) / (length - 1.0),
            Self::TfCropAndResize { start, end } => ((end - start) * (n - 1.0) / (length - 1.0)).abs(),
            _ => axis.ratio,
        }
    }

    /// Where a position takes its value: inside the input, or nowhere (`None`) if it is extrapolated.
    ///
    /// A region that ends at a border's centre ends inside, even if rounding has carried its position a little further.
    pub(crate) fn inside(self, position: Position, axis: &Geometry) -> Option<Position> {
        let Self::TfCropAndResize { start, end } = self else { return Some(position) };
        let last = (axis.input - 1) as f64;
        let rounding = 4.0 * f64::EPSILON * (1.0 + start.abs() + end.abs()) * axis.input as f64;
        let found = position.value();
        if (0.0..=last).contains(&found) {
            Some(position)
        } else if (-rounding..=last + rounding).contains(&found) {
            Some(position.clamped(axis.input))
        } else {
            None
        }
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

/// Refuses edges that are no part of an axis of `input` pixels; `most` says what the end must be.
#[allow(clippy::cast_precision_loss)] // sizes are far below 2^53
pub(crate) fn check_edges([begin, end]: [f64; 2], input: usize, most: &'static str) -> Result<(), Error> {
    if !(begin >= 0.0 && begin < end) {
        return Err(Error::InvalidParameter { parameter: "crop begin", value: begin, requirement: "at least 0 and before the end" });
    }
    if !(end <= input as f64) {
        return Err(Error::InvalidParameter { parameter: "crop end", value: end, requirement: most });
    }
    Ok(())
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
#[non_exhaustive]
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
    pub(crate) fn round(self, position: Position) -> i64 {
        let Position { pixel, rest } = position;
        let up = match self {
            Self::Floor => false,
            Self::Ceil => rest > 0.0,
            Self::RoundPreferFloor => rest > 0.5,
            Self::RoundPreferCeil => rest >= 0.5,
        };
        pixel + i64::from(up)
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
        Ok(first_axes(self.resolve_axes(argument, RANK)?))
    }

    /// The same for a rank that is known at run time. The first `rank` values count.
    pub(crate) fn resolve_axes(&self, argument: &'static str, rank: usize) -> Result<[T; 3], Error> {
        match self {
            Self::All(value) => Ok([*value; 3]),
            Self::Each(values) => match values[..] {
                [a] if rank == 1 => Ok([a; 3]),
                [a, b] if rank == 2 => Ok([a, b, b]),
                [a, b, c] if rank == 3 => Ok([a, b, c]),
                _ => Err(Error::AxisCount { argument, expected: rank, found: values.len() }),
            },
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
#[non_exhaustive]
pub enum Target<const RANK: usize> {
    /// The output size of each axis, in pixels.
    Size([usize; RANK]),
    /// Output pixels per input pixel of each axis.
    Scale([f64; RANK]),
}

/// A [`Target`] of any rank.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Asked<'a> {
    Size(&'a [usize]),
    Scale(&'a [f64]),
}

impl<const RANK: usize> Target<RANK> {
    pub(crate) fn asked(&self) -> Asked<'_> {
        match self {
            Self::Size(sizes) => Asked::Size(sizes),
            Self::Scale(scales) => Asked::Scale(scales),
        }
    }
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
#[non_exhaustive]
pub enum AspectRatio {
    /// The asked size, whatever the proportions. ONNX `stretch`.
    #[default]
    Stretch,
    /// The largest size of the input's proportions that is in no axis larger than asked. Halves are rounded up. ONNX `not_larger`.
    NotLarger,
    /// The smallest size of the input's proportions that is in no axis smaller than asked. Halves are rounded up. ONNX `not_smaller`.
    NotSmaller,
}

/// The axis whose scale all axes share under `policy`, `None` to stretch. The ratios of the sizes are compared exactly.
pub(crate) fn common_axis(policy: AspectRatio, input: &[usize], asked: &[usize]) -> Option<usize> {
    // Whether axis `a` has a smaller scale than axis `b`.
    let smaller = |a: usize, b: usize| (asked[a] as u128 * input[b] as u128) < (asked[b] as u128 * input[a] as u128);
    let axes = 0..input.len();
    match policy {
        AspectRatio::Stretch => None,
        AspectRatio::NotLarger => axes.reduce(|best, axis| if smaller(axis, best) { axis } else { best }),
        AspectRatio::NotSmaller => axes.reduce(|best, axis| if smaller(best, axis) { axis } else { best }),
    }
}

/// `size · output / input`, halves rounded up, at least 1.
pub(crate) fn scaled_by_ratio(size: usize, (output, input): (usize, usize)) -> Option<usize> {
    let (size, output, input) = (size as u128, output as u128, input as u128);
    let doubled = size.checked_mul(output)?.checked_mul(2)?.checked_add(input)?;
    usize::try_from(doubled / (2 * input)).ok().map(|size| size.max(1))
}

/// Checks that no axis is empty.
pub(crate) fn check_sizes(argument: &'static str, sizes: &[usize]) -> Result<(), Error> {
    match sizes.iter().position(|&size| size == 0) {
        Some(index) => Err(Error::ZeroSize { argument, axis: Axis::spatial(sizes.len(), index) }),
        None => Ok(()),
    }
}
