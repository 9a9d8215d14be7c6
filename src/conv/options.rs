//! The numbers of a (transposed) convolution as they are given, and what they come to for given sizes.

use crate::error::{Axis, Error};
use crate::kernels::Backend;
use crate::output_size::{self, Window, signed_padding};
use crate::resize::coordinates::PerAxis;
use crate::tensor::first_axes;

/// How ONNX pads by itself.
///
/// ```
/// use upsample::{AutoPad, ConvTranspose};
///
/// let odd_at_end = ConvTranspose::new().stride(2).auto_pad(AutoPad::SameUpper).plan([5], [3])?;
/// assert_eq!(odd_at_end.output_size(), [10]);
/// assert_eq!((odd_at_end.windows()[0].padding_begin, odd_at_end.windows()[0].padding_end), (0, 1));
/// # Ok::<(), upsample::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AutoPad {
    /// The output is `n · stride`; of an odd padding the larger part is at the end.
    SameUpper,
    /// The output is `n · stride`; of an odd padding the larger part is at the beginning.
    SameLower,
    /// No padding.
    Valid,
}

/// Whether a (transposed) convolution may be computed with fewer multiplications than its definition has.
///
/// A phase of two or three taps (kernel = 2 or 3 times the stride, such as k = 4 with s = 2, or k = 3 with s = 1) needs 16 products where
/// the definition has 36, by Winograd's minimal filtering (Winograd, *Arithmetic Complexity of Computations*, 1980; Lavin and Gray, *Fast
/// Algorithms for Convolutional Neural Networks*, 2016) with the points 0, 1, -1 and ∞. The pixels are added and subtracted before they are
/// multiplied, so sums are rounded otherwise than those of the definition. Over the shapes of the crate's tests the root mean square error
/// against `f64` is 0.6 to 1.2 times that of the definition's sum in `f32`: there are fewer roundings, too. A test holds it below 4 times.
///
/// The data of a call are looked at first. Pictures with a pixel far above the others, with an infinity or a NaN, weights or pixels of which
/// few are not small, and numbers near the ends of the range are computed as they are defined, picture by picture. So infinities and NaN
/// reach only the outputs that read them. The error of an output of `K` products stays below `16·ε·K·Σ|x||w|` over what it reads in tests
/// with data of many kinds; that is not proved for numbers chosen against it. [`Strict`](Self::Strict) adds the products and nothing else.
///
/// ```
/// use ndarray::Array4;
/// use upsample::{ConvTranspose, Precision};
///
/// let (x, weight) = (Array4::<f32>::ones((2, 64, 32, 32)), Array4::<f32>::ones((64, 64, 4, 4)));
/// let deconv = ConvTranspose::doubling(4)?;
/// let (fast, strict) = (deconv.forward(&x, &weight, None)?, deconv.precision(Precision::Strict).forward(&x, &weight, None)?);
/// assert!((&fast - &strict).iter().all(|difference| difference.abs() < 1e-4));
/// # Ok::<(), upsample::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Precision {
    /// Fewer multiplications where that is faster, which the shapes decide: in `f32` (and the half types, which are summed in it), in two
    /// dimensions, where channels and pixels are many. Prepared weights take them earlier than weights that are used once.
    #[default]
    Standard,
    /// Fewer multiplications wherever there is a way to, also where they are slower: from 32 summands and 32 rows of sums up
    /// (channels × phases); phases of three taps in rows of 48 positions and more from 8 of the one and 32 of the other up. For
    /// measurements and tests.
    Reduced,
    /// Every output is the plain sum of its products.
    Strict,
}

/// Paddings are signed. What is counted with a `usize` goes in as it is, and so do plain numbers, which are `i32` where nothing else is said.
macro_rules! paddings {
    ($($number:ty: $convert:expr),+) => {
        $(impl From<$number> for PerAxis<isize> {
            fn from(padding: $number) -> Self {
                Self::All($convert(padding))
            }
        }

        impl<const RANK: usize> From<[$number; RANK]> for PerAxis<isize> {
            fn from(paddings: [$number; RANK]) -> Self {
                Self::Each(paddings.map($convert).into())
            }
        }

        impl From<Vec<$number>> for PerAxis<isize> {
            fn from(paddings: Vec<$number>) -> Self {
                Self::Each(paddings.into_iter().map($convert).collect())
            }
        }

        impl From<PerAxis<$number>> for PerAxis<isize> {
            fn from(paddings: PerAxis<$number>) -> Self {
                match paddings {
                    PerAxis::All(padding) => padding.into(),
                    PerAxis::Each(paddings) => paddings.into(),
                }
            }
        })+
    };
}
paddings!(usize: signed_padding, i32: widened);

fn widened(padding: i32) -> isize {
    padding as isize
}

/// What both operators have.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Parameters {
    pub(crate) stride: PerAxis<usize>,
    pub(crate) padding_begin: PerAxis<isize>,
    pub(crate) padding_end: PerAxis<isize>,
    pub(crate) dilation: PerAxis<usize>,
    pub(crate) groups: usize,
    pub(crate) precision: Precision,
    pub(crate) backend: Option<Backend>,
}

impl Default for Parameters {
    fn default() -> Self {
        let (zero, one) = (PerAxis::All(0_isize), PerAxis::All(1));
        Self {
            stride: one.clone(),
            padding_begin: zero.clone(),
            padding_end: zero,
            dilation: one,
            groups: 1,
            precision: Precision::default(),
            backend: None,
        }
    }
}

impl Parameters {
    /// The windows of all axes, without output padding.
    pub(crate) fn windows<const RANK: usize>(&self, kernel: [usize; RANK]) -> Result<[Window; RANK], Error> {
        Ok(first_axes(self.windows_of(&kernel)?))
    }

    /// The windows of a kernel of any rank. The first `kernel.len()` count.
    fn windows_of(&self, kernel: &[usize]) -> Result<[Window; 3], Error> {
        let rank = kernel.len();
        if self.groups == 0 {
            return Err(Error::InvalidParameter { parameter: "groups", value: 0.0, requirement: "at least 1" });
        }
        let stride = self.stride.resolve_axes("stride", rank)?;
        let begin = self.padding_begin.resolve_axes("padding", rank)?;
        let end = self.padding_end.resolve_axes("padding", rank)?;
        let dilation = self.dilation.resolve_axes("dilation", rank)?;
        let mut windows = [Window::new(1); 3];
        for (axis, window) in windows[..rank].iter_mut().enumerate() {
            *window = Window::new(kernel[axis]).stride(stride[axis]).padding_of(begin[axis], end[axis]).dilation(dilation[axis]);
        }
        Ok(windows)
    }
}

/// What a transposed convolution has besides.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OutputRule {
    pub(crate) output_padding: PerAxis<usize>,
    pub(crate) auto_pad: Option<AutoPad>,
    /// ONNX's: the padding follows from it.
    pub(crate) output_shape: Option<PerAxis<usize>>,
    /// PyTorch's: the output padding follows from it.
    pub(crate) output_size: Option<PerAxis<usize>>,
}

impl Default for OutputRule {
    fn default() -> Self {
        Self { output_padding: PerAxis::All(0), auto_pad: None, output_shape: None, output_size: None }
    }
}

impl OutputRule {
    /// The windows with the padding that the rule asks for.
    pub(crate) fn apply<const RANK: usize>(&self, mut windows: [Window; RANK], input: [usize; RANK]) -> Result<[Window; RANK], Error> {
        self.apply_to(&mut windows, &input)?;
        Ok(windows)
    }

    fn apply_to(&self, windows: &mut [Window], input: &[usize]) -> Result<(), Error> {
        let rank = input.len();
        let output_padding = self.output_padding.resolve_axes("output padding", rank)?;
        let output_shape = self.output_shape.as_ref().map(|shape| shape.resolve_axes("output shape", rank)).transpose()?;
        let output_size = self.output_size.as_ref().map(|size| size.resolve_axes("output size", rank)).transpose()?;
        self.check_together(windows, &output_padding[..rank])?;
        for (index, window) in windows.iter_mut().enumerate() {
            let axis = Axis::spatial(rank, index);
            if let Some(size) = output_size {
                *window = output_size::with_output_size(axis, input[index], size[index], window)?;
                continue;
            }
            *window = window.output_padding(output_padding[index]);
            let target = match (self.auto_pad, output_shape) {
                (_, Some(shape)) => Some(shape[index]),
                (Some(AutoPad::SameUpper | AutoPad::SameLower), None) => {
                    let size = input[index].checked_mul(window.stride);
                    Some(size.ok_or(Error::SizeOverflow { argument: "output", axis })?)
                }
                (Some(AutoPad::Valid) | None, None) => None,
            };
            if let Some(target) = target {
                *window = fit(axis, input[index], target, window, self.auto_pad == Some(AutoPad::SameUpper))?;
            }
        }
        Ok(())
    }

    /// Refuses options of which one computes what another says.
    fn check_together(&self, windows: &[Window], output_padding: &[usize]) -> Result<(), Error> {
        let padding = windows.iter().any(|window| window.padding_begin != 0 || window.padding_end != 0);
        let table = [
            (self.auto_pad.is_some() && padding, "padding together with auto_pad", "auto_pad computes the padding"),
            (self.output_shape.is_some() && padding, "padding together with output_shape", TWO_WAYS),
            (self.output_shape.is_some() && self.output_size.is_some(), "output_size together with output_shape", TWO_WAYS),
            (
                self.output_size.is_some() && self.auto_pad.is_some(),
                "output_size together with auto_pad",
                "auto_pad computes the padding, which output_size needs",
            ),
            (
                self.output_size.is_some() && output_padding.iter().any(|&pixels| pixels != 0),
                "output_padding together with output_size",
                "output_size computes the output padding",
            ),
        ];
        match table.into_iter().find(|(wrong, ..)| *wrong) {
            Some((_, what, why)) => Err(Error::Unsupported { what: what.to_owned(), why }),
            None => Ok(()),
        }
    }

    /// The smallest input that has the output that [`output_shape`](Self::output_shape) asks for; all larger ones have it, too.
    pub(crate) fn smallest_input(axis: Axis, target: usize, window: &Window) -> Result<usize, Error> {
        let most = window.stride.max(window.dilation).saturating_sub(1);
        let bare = window.padding(0).output_padding(most);
        let below = output_size::conv_transpose_input_of(axis, target.saturating_sub(1), &bare, 0)?;
        let one_has_it = output_size::conv_transpose_of(axis, 1, &bare).is_ok_and(|size| size >= target);
        Ok(if one_has_it { 1 } else { below.saturating_add(1) })
    }
}

/// What to say to those who ask for an output's size in two ways.
const TWO_WAYS: &str = "output_shape computes the padding from the size, as ONNX does; output_size keeps the padding and computes the \
                        output padding, as PyTorch does";

/// ONNX: the padding that leaves an output of `target`. Where the output is too small even without padding, zeros (or the bias) follow it,
/// as output padding does.
fn fit(axis: Axis, input: usize, target: usize, window: &Window, odd_at_end: bool) -> Result<Window, Error> {
    let bare = window.padding(0);
    let natural = output_size::conv_transpose_of(axis, input, &bare)?;
    let unreachable = |nearest| Error::UnreachableSize { axis, input, requested: target, nearest };
    if target == 0 {
        return Err(unreachable(1));
    }
    if target <= natural {
        let total = natural - target;
        // The natural size fits an isize.
        let (less, more) = ((total / 2).cast_signed(), (total - total / 2).cast_signed());
        return Ok(if odd_at_end { bare.padding_of(less, more) } else { bare.padding_of(more, less) });
    }
    let room = window.stride.max(window.dilation) - 1 - window.output_padding;
    if target - natural > room {
        return Err(unreachable(natural + room));
    }
    Ok(bare.output_padding(window.output_padding + target - natural))
}
