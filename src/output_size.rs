//! The one place where sizes are computed and checked.
//!
//! | operator | output size of an axis |
//! |---|---|
//! | transposed convolution | `(n - 1)·s + d·(k - 1) + 1 + output_padding - p_begin - p_end`; plainly `(n - 1)·s + k - 2p` |
//! | convolution, its inverse | `⌊(n + p_begin + p_end - d·(k - 1) - 1) / s⌋ + 1`; plainly `(n + 2p - k)/s + 1` |
//! | resizing by a scale | `⌊n · scale⌋` ([`ScaleRule::Floor`]) or rounded ([`ScaleRule::Round`]) |
//!
//! `n` is the input size and `scale` what it is multiplied with; `k`, `s`, `d` and `p` are the kernel, stride, dilation and padding of a
//! [`Window`]. All of it in checked integer arithmetic, additions first, so that a valid length 1 with padding does not underflow.
//!
//! ```
//! use upsample::output_size::{self, Window};
//!
//! // 4×4 kernel, stride 2, padding 1: exactly twice the size.
//! let window = Window::new(4).stride(2).padding(1);
//! assert_eq!(output_size::conv_transpose(32, &window)?, 64);
//! assert_eq!(output_size::convolution(64, &window)?, 32);
//!
//! // 3×3, stride 2 gives 2n+1 without padding: one pixel has to be cropped. The solver says where.
//! let solved = output_size::solve(32, 64, &Window::new(3).stride(2))?;
//! assert_eq!((solved.padding_begin, solved.padding_end, solved.output_padding), (1, 1, 1));
//! assert_eq!(output_size::conv_transpose(32, &solved)?, 64);
//! # Ok::<(), upsample::Error>(())
//! ```

use crate::error::{Axis, Error};

/// The window of a convolution or transposed convolution along one axis.
///
/// ```
/// use upsample::output_size::Window;
///
/// let window = Window::new(3).stride(2).dilation(2).padding_of(1, 0);
/// assert_eq!(window.dilated_kernel()?, 5); // taps at 0, 2 and 4
/// # Ok::<(), upsample::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window {
    /// k: taps of the kernel.
    pub kernel: usize,
    /// s: a transposed convolution enlarges by it, a convolution shrinks by it.
    pub stride: usize,
    /// d: distance between neighbouring taps.
    pub dilation: usize,
    /// p: pixels cropped from (transposed convolution) or zeros added to (convolution) the beginning. A negative number does the other of
    /// the two: zeros, or the bias, are added to the output of a transposed convolution, pixels are cropped from the input of a convolution.
    pub padding_begin: isize,
    /// p at the end.
    pub padding_end: isize,
    /// Pixels added to the end of a transposed convolution's output; 0 for a convolution.
    pub output_padding: usize,
}

impl Window {
    /// A window of `kernel` taps: stride 1, dilation 1, no padding.
    #[must_use]
    pub const fn new(kernel: usize) -> Self {
        Self { kernel, stride: 1, dilation: 1, padding_begin: 0, padding_end: 0, output_padding: 0 }
    }

    /// Sets the stride.
    #[must_use]
    pub const fn stride(self, stride: usize) -> Self {
        Self { stride, ..self }
    }

    /// Sets the dilation.
    #[must_use]
    pub const fn dilation(self, dilation: usize) -> Self {
        Self { dilation, ..self }
    }

    /// Sets the padding of both ends, which may be negative.
    #[must_use]
    pub const fn padding(self, padding: isize) -> Self {
        Self { padding_begin: padding, padding_end: padding, ..self }
    }

    /// Sets the padding of each end, which may be negative.
    #[must_use]
    pub const fn padding_of(self, begin: isize, end: isize) -> Self {
        Self { padding_begin: begin, padding_end: end, ..self }
    }

    /// Sets the output padding.
    #[must_use]
    pub const fn output_padding(self, output_padding: usize) -> Self {
        Self { output_padding, ..self }
    }

    /// The extent of the dilated kernel, `d·(k - 1) + 1`.
    ///
    /// # Errors
    /// [`Error::InvalidAxisParameter`] for a kernel, stride or dilation of 0, [`Error::SizeOverflow`].
    pub fn dilated_kernel(&self) -> Result<usize, Error> {
        self.dilated_kernel_of(Axis::Number(0))
    }

    pub(crate) fn dilated_kernel_of(&self, axis: Axis) -> Result<usize, Error> {
        for (parameter, value) in [("kernel", self.kernel), ("stride", self.stride), ("dilation", self.dilation)] {
            if value == 0 {
                let requirement = "at least 1".to_owned();
                return Err(Error::InvalidAxisParameter { parameter, axis, value, requirement });
            }
        }
        (self.kernel - 1)
            .checked_mul(self.dilation)
            .and_then(|span| span.checked_add(1))
            .ok_or(Error::SizeOverflow { argument: "dilated kernel", axis })
    }

    /// The padding of both ends together, in 128 bits, in which nothing overflows.
    fn padding_total(&self, axis: Axis) -> Result<i128, Error> {
        let total = self.padding_begin.checked_add(self.padding_end);
        total.map(|total| total as i128).ok_or(Error::SizeOverflow { argument: "padding", axis })
    }

    /// The padding before the first pixel, of a window that has no negative one.
    pub(crate) fn zeros_before(&self) -> usize {
        self.padding_begin.max(0).cast_unsigned()
    }

    /// Pixels at both ends of the fine grid that the kernel never meets, for negative paddings leave them outside.
    pub(crate) fn margins(&self) -> [usize; 2] {
        [self.padding_begin, self.padding_end].map(|padding| padding.min(0).unsigned_abs())
    }

    fn no_output(&self, axis: Axis, input: usize, dilated_kernel: usize) -> Error {
        Error::NoOutput {
            axis,
            input,
            kernel: self.kernel,
            dilated_kernel,
            padding_begin: self.padding_begin,
            padding_end: self.padding_end,
        }
    }
}

/// The size that a transposed convolution makes of `input` pixels:
/// `(input - 1)·stride + dilation·(kernel - 1) + 1 + output_padding - padding_begin - padding_end`.
///
/// The output padding must be smaller than the stride or the dilation, as in PyTorch: more would be pixels that no input reaches.
///
/// ```
/// use upsample::output_size::{Window, conv_transpose};
/// assert_eq!(conv_transpose(5, &Window::new(3).stride(2).padding(1).output_padding(1))?, 10); // (5-1)·2 + 3 + 1 - 2
/// # Ok::<(), upsample::Error>(())
/// ```
///
/// # Errors
/// [`Error::ZeroSize`], [`Error::InvalidAxisParameter`], [`Error::SizeOverflow`], and [`Error::NoOutput`] when padding crops everything.
pub fn conv_transpose(input: usize, window: &Window) -> Result<usize, Error> {
    conv_transpose_of(Axis::Number(0), input, window)
}

/// [`conv_transpose`] with the axis named in errors.
pub(crate) fn conv_transpose_of(axis: Axis, input: usize, window: &Window) -> Result<usize, Error> {
    let dilated_kernel = window.dilated_kernel_of(axis)?;
    let limit = window.stride.max(window.dilation);
    if window.output_padding >= limit {
        return Err(Error::InvalidAxisParameter {
            parameter: "output padding",
            axis,
            value: window.output_padding,
            requirement: format!("smaller than the stride ({}) or the dilation ({})", window.stride, window.dilation),
        });
    }
    let full = full_size(axis, input, window, dilated_kernel)?;
    let uncropped = full.checked_add(window.output_padding).ok_or(Error::SizeOverflow { argument: "output", axis })?;
    match uncropped as i128 - window.padding_total(axis)? {
        ..1 => Err(window.no_output(axis, input, dilated_kernel)),
        size => signed_size(size).ok_or(Error::SizeOverflow { argument: "output", axis }),
    }
}

/// A padding as a signed number: none that does not fit one is of use.
pub(crate) fn signed_padding(padding: usize) -> isize {
    isize::try_from(padding).unwrap_or(isize::MAX)
}

/// A size that fits an isize, too: indices are also used as signed numbers.
fn signed_size(size: i128) -> Option<usize> {
    isize::try_from(size).ok().and_then(|size| usize::try_from(size).ok())
}

/// `(input - 1)·stride + dilated_kernel`: the output before anything is cropped.
fn full_size(axis: Axis, input: usize, window: &Window, dilated_kernel: usize) -> Result<usize, Error> {
    let steps = input.checked_sub(1).ok_or(Error::ZeroSize { argument: "input", axis })?;
    let size = steps.checked_mul(window.stride).and_then(|size| size.checked_add(dilated_kernel));
    // Indices are also used as signed numbers, so the limit is that of isize.
    size.filter(|&size| isize::try_from(size).is_ok()).ok_or(Error::SizeOverflow { argument: "output", axis })
}

/// How many pixels a transposed convolution makes `output` of: the largest input whose output is not longer, or the smallest that has an
/// output at all, with up to `more` output padding. What it makes of them is `output`, or there is no such input.
pub(crate) fn conv_transpose_input_of(axis: Axis, output: usize, window: &Window, more: usize) -> Result<usize, Error> {
    let (of_one, stride) = (size_of_one(axis, window)?, window.stride as i128);
    let steps = (output as i128 - of_one).div_euclid(stride);
    let fewest = (stride - of_one - more as i128).div_euclid(stride).max(0);
    usize::try_from(steps.max(fewest) + 1).map_err(|_| Error::SizeOverflow { argument: "input", axis })
}

/// The size that a transposed convolution makes of one pixel, not positive where nothing is left: in 128 bits nothing overflows.
fn size_of_one(axis: Axis, window: &Window) -> Result<i128, Error> {
    let full = window.dilated_kernel_of(axis)? as i128 + window.output_padding as i128;
    Ok(full - window.padding_begin as i128 - window.padding_end as i128)
}

/// How many pixels, each repeated `factor` times, a convolution of stride 1 makes `output` of: the largest input whose output is not longer,
/// or the smallest that has an output at all.
pub(crate) fn enlarged_input_of(axis: Axis, output: usize, factor: usize, window: &Window) -> Result<usize, Error> {
    // In 128 bits nothing overflows.
    let lost = window.dilated_kernel_of(axis)? as i128 - 1 - window.padding_begin as i128 - window.padding_end as i128;
    let factor = factor as i128;
    let fewest = (lost + factor).div_euclid(factor).max(1);
    let input = (output as i128 + lost).div_euclid(factor).max(fewest);
    usize::try_from(input).map_err(|_| Error::SizeOverflow { argument: "input", axis })
}

/// PyTorch's `output_size`: the window with the output padding, less than the stride, that makes `output` of `input` pixels.
pub(crate) fn with_output_size(axis: Axis, input: usize, output: usize, window: &Window) -> Result<Window, Error> {
    let of_one = size_of_one(axis, &window.output_padding(0))?;
    let steps = input.checked_sub(1).ok_or(Error::ZeroSize { argument: "input", axis })?;
    let natural = (steps as i128).checked_mul(window.stride as i128).and_then(|size| size.checked_add(of_one));
    let natural = natural.ok_or(Error::SizeOverflow { argument: "output", axis })?;
    let most = window.stride - 1;
    match usize::try_from(output as i128 - natural) {
        Ok(output_padding) if output > 0 && output_padding <= most => Ok(window.output_padding(output_padding)),
        _ => {
            let largest = natural + most as i128;
            if largest < 1 {
                return Err(window.no_output(axis, input, window.dilated_kernel_of(axis)?));
            }
            let size = |size: i128| usize::try_from(size.max(1)).map_err(|_| Error::SizeOverflow { argument: "output", axis });
            Err(Error::OutputSizeOutOfRange { axis, input, requested: output, smallest: size(natural)?, largest: size(largest)? })
        }
    }
}

/// The size that a convolution makes of `input` pixels, the inverse of [`conv_transpose`]:
/// `⌊(input + padding_begin + padding_end - dilation·(kernel - 1) - 1) / stride⌋ + 1`.
///
/// ```
/// use upsample::output_size::{Window, convolution};
/// assert_eq!(convolution(10, &Window::new(3).stride(2).padding(1))?, 5); // ⌊(10 + 2 - 3) / 2⌋ + 1
/// # Ok::<(), upsample::Error>(())
/// ```
///
/// # Errors
/// [`Error::ZeroSize`], [`Error::InvalidAxisParameter`], [`Error::SizeOverflow`], and [`Error::NoOutput`] when the kernel does not fit
/// the padded input.
pub fn convolution(input: usize, window: &Window) -> Result<usize, Error> {
    convolution_of(Axis::Number(0), input, window)
}

/// [`convolution`] with the axis named in errors.
pub(crate) fn convolution_of(axis: Axis, input: usize, window: &Window) -> Result<usize, Error> {
    let dilated_kernel = window.dilated_kernel_of(axis)?;
    if window.output_padding != 0 {
        return Err(Error::InvalidAxisParameter {
            parameter: "output padding",
            axis,
            value: window.output_padding,
            requirement: "0 in a convolution".to_owned(),
        });
    }
    if input == 0 {
        return Err(Error::ZeroSize { argument: "input", axis });
    }
    let padded = input as i128 + window.padding_total(axis)?;
    if padded > isize::MAX as i128 || isize::try_from(input).is_err() {
        return Err(Error::SizeOverflow { argument: "padded input", axis });
    }
    match signed_size(padded - dilated_kernel as i128) {
        None => Err(window.no_output(axis, input, dilated_kernel)),
        Some(room) => Ok(room / window.stride + 1),
    }
}

/// Which padding and output padding make a transposed convolution of `input` pixels exactly `output` pixels long.
///
/// Of `window` the kernel, stride and dilation count; its paddings are replaced. The padding is symmetric, and output padding
/// evens out an odd difference, as PyTorch can express it; where the stride is 1 and no output padding is allowed, the odd pixel is
/// cropped from the end.
///
/// ```
/// use upsample::Error;
/// use upsample::output_size::{Window, solve};
///
/// assert_eq!(solve(5, 10, &Window::new(4).stride(2))?, Window::new(4).stride(2).padding(1));
/// // Without padding 12 pixels come out, and output padding adds one at most.
/// assert!(matches!(solve(5, 20, &Window::new(4).stride(2)), Err(Error::UnreachableSize { nearest: 13, .. })));
/// # Ok::<(), upsample::Error>(())
/// ```
///
/// # Errors
/// Those of [`conv_transpose`], and [`Error::UnreachableSize`] where no padding gives the size, with the nearest size that one gives.
pub fn solve(input: usize, output: usize, window: &Window) -> Result<Window, Error> {
    solve_of(Axis::Number(0), input, output, window)
}

/// [`solve`] with the axis named in errors.
pub(crate) fn solve_of(axis: Axis, input: usize, output: usize, window: &Window) -> Result<Window, Error> {
    let dilated_kernel = window.dilated_kernel_of(axis)?;
    let full = full_size(axis, input, window, dilated_kernel)?;
    let most_output_padding = window.stride.max(window.dilation) - 1;
    let largest = full.checked_add(most_output_padding).ok_or(Error::SizeOverflow { argument: "output", axis })?;
    if output == 0 || output > largest {
        let nearest = if output == 0 { 1 } else { largest };
        return Err(Error::UnreachableSize { axis, input, requested: output, nearest });
    }
    if isize::try_from(output).is_err() {
        return Err(Error::SizeOverflow { argument: "output", axis });
    }
    if output > full {
        return Ok(Window { padding_begin: 0, padding_end: 0, output_padding: output - full, ..*window });
    }
    let crop = full - output;
    let odd = crop % 2;
    let output_padding = if most_output_padding > 0 { odd } else { 0 };
    // The crop fits an isize, as the full size does.
    let end = (crop + output_padding) / 2 + (odd - output_padding);
    let begin = (crop + output_padding) / 2;
    Ok(Window { padding_begin: begin.cast_signed(), padding_end: end.cast_signed(), output_padding, ..*window })
}

/// How a scale becomes a size.
///
/// ```
/// use upsample::output_size::{ScaleRule, scaled};
/// assert_eq!(scaled(5, 1.5, ScaleRule::Floor)?, 7); // 7.5
/// assert_eq!(scaled(5, 1.5, ScaleRule::Round)?, 8);
/// # Ok::<(), upsample::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum ScaleRule {
    /// `⌊n · scale⌋`, in f64: PyTorch, ONNX.
    #[default]
    Floor,
    /// `n · scale` rounded to nearest, halves to even: OpenCV. What [`Profile::Pillow`](crate::Profile::Pillow) takes, too; Pillow itself
    /// asks for sizes.
    Round,
}

/// The size that `scale` makes of `input` pixels.
///
/// ```
/// use upsample::output_size::{ScaleRule, scaled};
/// assert_eq!(scaled(640, 0.4, ScaleRule::Floor)?, 256);
/// assert!(scaled(1, 0.4, ScaleRule::Floor).is_err()); // not one pixel is left
/// # Ok::<(), upsample::Error>(())
/// ```
///
/// # Errors
/// [`Error::InvalidScale`] unless the scale is positive and finite, [`Error::ScaleTooSmall`] when not one pixel is left,
/// [`Error::SizeOverflow`] when the size is larger than 2⁵³, from where on neighbouring sizes can no longer be told apart,
/// [`Error::ZeroSize`] for an empty axis.
pub fn scaled(input: usize, scale: f64, rule: ScaleRule) -> Result<usize, Error> {
    scaled_of(Axis::Number(0), input, scale, rule)
}

/// [`scaled`] with the axis named in errors.
pub(crate) fn scaled_of(axis: Axis, input: usize, scale: f64, rule: ScaleRule) -> Result<usize, Error> {
    if input == 0 {
        return Err(Error::ZeroSize { argument: "input", axis });
    }
    #[allow(clippy::cast_precision_loss)] // sizes beyond 2^53 are refused
    scaled_length(axis, (input, input as f64), scale, rule)
}

/// The size that `scale` makes of a part of `input` pixels that has the given length.
pub(crate) fn scaled_length(axis: Axis, (input, length): (usize, f64), scale: f64, rule: ScaleRule) -> Result<usize, Error> {
    if !(scale.is_finite() && scale > 0.0) {
        return Err(Error::InvalidScale { axis, scale });
    }
    let exact = length * scale;
    let size = match rule {
        ScaleRule::Floor => exact.floor(),
        ScaleRule::Round => exact.round_ties_even(),
    };
    if size < 1.0 {
        return Err(Error::ScaleTooSmall { axis, scale, input });
    }
    // Above 2^53 neighbouring sizes can no longer be told apart.
    if size > 9_007_199_254_740_992.0 {
        return Err(Error::SizeOverflow { argument: "output", axis });
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // in 1..=2^53
    Ok(size as usize)
}

/// The number of elements of a tensor, checked: its bytes must fit an `isize`, as memory demands.
pub(crate) fn element_count<A>(argument: &'static str, shape: &[usize]) -> Result<usize, Error> {
    // An axis of size 0 makes an empty tensor, whatever the others are; ndarray still wants their product to fit.
    let count = shape.iter().filter(|&&size| size != 0).try_fold(1_usize, |count, &size| count.checked_mul(size));
    match count.and_then(|count| count.checked_mul(size_of::<A>().max(1))).filter(|&bytes| isize::try_from(bytes).is_ok()) {
        Some(_) => Ok(shape.iter().product()),
        None => Err(Error::TooLarge { argument, shape: shape.to_vec() }),
    }
}

/// Replaces the input size of each axis by its output size, which `of_axis` computes.
pub(crate) fn of_axes(
    sizes: &mut [usize],
    windows: &[Window],
    of_axis: fn(Axis, usize, &Window) -> Result<usize, Error>,
) -> Result<(), Error> {
    let rank = sizes.len();
    for (index, (size, window)) in sizes.iter_mut().zip(windows).enumerate() {
        *size = of_axis(Axis::spatial(rank, index), *size, window)?;
    }
    Ok(())
}
