//! What can be wrong with a call, with the numbers that show it.

use std::fmt;

/// An axis of a tensor, named as the field names it.
///
/// ```
/// use upsample::Axis;
/// assert_eq!(Axis::spatial(2, 0), Axis::Height); // of a picture
/// assert_eq!(Axis::Width.to_string(), "width");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Axis {
    /// N, the pictures or signals of a batch.
    Batch,
    /// C, the channels.
    Channel,
    /// D, the first spatial axis of a volume.
    Depth,
    /// H, the rows of a picture.
    Height,
    /// W, the columns of a picture.
    Width,
    /// L, the only spatial axis of a signal.
    Length,
    /// An axis of an array of any rank, by its number.
    Number(usize),
}

impl Axis {
    /// The name of spatial axis `index` of a tensor with `rank` spatial axes: the length of a signal,
    /// the height and width of a picture, the depth, height and width of a volume. Others are named by their number.
    #[must_use]
    pub const fn spatial(rank: usize, index: usize) -> Self {
        match (rank, index) {
            (1, 0) => Self::Length,
            (2, 0) | (3, 1) => Self::Height,
            (2, 1) | (3, 2) => Self::Width,
            (3, 0) => Self::Depth,
            _ => Self::Number(index),
        }
    }

    /// The name of axis `index` of an N×C×spatial tensor with `rank` spatial axes.
    ///
    /// ```
    /// use upsample::Axis;
    /// assert_eq!([0, 1, 2, 3].map(|index| Axis::of_tensor(2, index)), [Axis::Batch, Axis::Channel, Axis::Height, Axis::Width]);
    /// ```
    #[must_use]
    pub const fn of_tensor(rank: usize, index: usize) -> Self {
        match index {
            0 => Self::Batch,
            1 => Self::Channel,
            _ => Self::spatial(rank, index - 2),
        }
    }
}

impl fmt::Display for Axis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Batch => f.write_str("batch"),
            Self::Channel => f.write_str("channel"),
            Self::Depth => f.write_str("depth"),
            Self::Height => f.write_str("height"),
            Self::Width => f.write_str("width"),
            Self::Length => f.write_str("length"),
            Self::Number(index) => write!(f, "number {index}"),
        }
    }
}

/// Why a call cannot be done. Every check happens before memory is taken or output is written.
///
/// ```
/// use upsample::{Axis, Error, bilinear};
///
/// let x = ndarray::Array4::<f32>::ones((1, 3, 4, 5));
/// let error = bilinear(&x, [8, 0]).unwrap_err();
/// assert_eq!(error, Error::ZeroSize { argument: "output", axis: Axis::Width });
/// assert_eq!(error.to_string(), "output: the width axis has size 0; it must be at least 1");
/// ```
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A spatial axis has no pixels, so there is nothing to compute from or to.
    #[error("{argument}: the {axis} axis has size 0; it must be at least 1")]
    ZeroSize {
        /// The argument that has the axis.
        argument: &'static str,
        /// The axis of size 0.
        axis: Axis,
    },
    /// A scale is zero, negative, NaN or infinite.
    #[error("scale of the {axis} axis is {scale}; it must be a positive finite number")]
    InvalidScale {
        /// The axis the scale is for.
        axis: Axis,
        /// The scale as given.
        scale: f64,
    },
    /// A scale makes an axis shorter than one pixel.
    #[error("scale {scale} makes the {axis} axis of size {input} shorter than one pixel")]
    ScaleTooSmall {
        /// The axis the scale is for.
        axis: Axis,
        /// The scale as given.
        scale: f64,
        /// The input size on that axis.
        input: usize,
    },
    /// A size does not fit the machine's integers or memory addresses.
    #[error("{argument}: the size of the {axis} axis overflows")]
    SizeOverflow {
        /// What was being sized.
        argument: &'static str,
        /// The axis whose size overflows.
        axis: Axis,
    },
    /// A tensor holds more elements than memory can address.
    #[error("{argument}: a tensor of shape {shape:?} is larger than memory can address")]
    TooLarge {
        /// What was being sized.
        argument: &'static str,
        /// Its shape.
        shape: Vec<usize>,
    },
    /// Memory for an output, for scratch or for a table could not be allocated.
    #[error("{argument}: {bytes} bytes of memory could not be allocated")]
    OutOfMemory {
        /// What the memory was for.
        argument: &'static str,
        /// How much was asked for.
        bytes: usize,
    },
    /// An axis of an argument is not as long as it must be.
    #[error("{argument}: the {axis} axis has size {found}, expected {expected}")]
    ShapeMismatch {
        /// The argument of the wrong shape.
        argument: &'static str,
        /// The axis that differs.
        axis: Axis,
        /// The size that it must have.
        expected: usize,
        /// The size that it has.
        found: usize,
    },
    /// A slice does not hold as many elements as its shape says.
    #[error("{argument}: the slice has {found} elements, expected {expected}")]
    LengthMismatch {
        /// The argument.
        argument: &'static str,
        /// Elements that its shape needs.
        expected: usize,
        /// Elements that the slice has.
        found: usize,
    },
    /// A list that holds one entry an axis has the wrong number of entries.
    #[error("{argument} has {found} entries, expected one for each of the {expected} axes")]
    AxisCount {
        /// The list.
        argument: &'static str,
        /// How many axes there are.
        expected: usize,
        /// How many entries the list has.
        found: usize,
    },
    /// A number is outside the range in which it has a meaning.
    #[error("{parameter} is {value}; it must be {requirement}")]
    InvalidParameter {
        /// The parameter.
        parameter: &'static str,
        /// Its value.
        value: f64,
        /// What it must be.
        requirement: &'static str,
    },
    /// A number given for one axis is outside the range in which it has a meaning.
    #[error("{}", axis_parameter(parameter, *axis, *value, requirement))]
    InvalidAxisParameter {
        /// The parameter.
        parameter: &'static str,
        /// The axis it is for.
        axis: Axis,
        /// Its value.
        value: usize,
        /// What it must be.
        requirement: String,
    },
    /// The window of a (transposed) convolution leaves no output, or does not fit the input.
    #[error(
        "{axis} axis: no output is left for size {input}, kernel {kernel} (dilated: {dilated_kernel}), \
         padding {padding_begin} + {padding_end}"
    )]
    NoOutput {
        /// The axis without output.
        axis: Axis,
        /// The input size.
        input: usize,
        /// The kernel size.
        kernel: usize,
        /// The extent of the dilated kernel, `dilation * (kernel - 1) + 1`.
        dilated_kernel: usize,
        /// Padding before the first pixel.
        padding_begin: isize,
        /// Padding after the last pixel.
        padding_end: isize,
    },
    /// No padding gives the asked output size.
    #[error("{axis} axis: an output of size {requested} cannot be reached from size {input}; the nearest that can is {nearest}")]
    UnreachableSize {
        /// The axis.
        axis: Axis,
        /// The input size.
        input: usize,
        /// The output size asked for.
        requested: usize,
        /// The nearest size that can be reached.
        nearest: usize,
    },
    /// With the padding as it is, no output padding gives the asked output size.
    #[error(
        "{axis} axis: an output of size {requested} cannot be reached from size {input}; with this padding, \
         sizes from {smallest} to {largest} can"
    )]
    OutputSizeOutOfRange {
        /// The axis.
        axis: Axis,
        /// The input size.
        input: usize,
        /// The output size asked for.
        requested: usize,
        /// The smallest size that can be reached: without output padding.
        smallest: usize,
        /// The largest size that can be reached.
        largest: usize,
    },
    /// The channels cannot be divided into the groups.
    #[error("{argument}: {channels} channels cannot be divided into {groups} groups")]
    Groups {
        /// The argument that has the channels.
        argument: &'static str,
        /// Its channels.
        channels: usize,
        /// The number of groups.
        groups: usize,
    },
    /// An index points outside what it indexes.
    #[error("{argument}: index {index} at position {position} is outside 0..{limit}")]
    IndexOutOfRange {
        /// The argument that holds the index.
        argument: &'static str,
        /// The index.
        index: i64,
        /// Where it stands, counted in row-major order.
        position: usize,
        /// One past the largest index allowed.
        limit: usize,
    },
    /// Options that have no meaning together.
    #[error("{what}: {why}")]
    Unsupported {
        /// The combination asked for.
        what: String,
        /// Why it has no meaning.
        why: &'static str,
    },
}

/// The message of [`Error::InvalidAxisParameter`]. The number of an axis is the axis itself: it is not named twice.
fn axis_parameter(parameter: &str, axis: Axis, value: usize, requirement: &str) -> String {
    match axis {
        Axis::Number(number) if parameter == "number" => format!("axis {number} must be {requirement}"),
        _ => format!("{parameter} of the {axis} axis is {value}; it must be {requirement}"),
    }
}

impl Error {
    /// The error of a call with three spatial axes in the names of `RANK` axes: the last axis of a signal is its length, not a width.
    pub(crate) fn of_rank<const RANK: usize>(self) -> Self {
        match self {
            Self::ShapeMismatch { argument, axis: Axis::Width, expected, found } if RANK == 1 => {
                Self::ShapeMismatch { argument, axis: Axis::Length, expected, found }
            }
            other => other,
        }
    }
}
