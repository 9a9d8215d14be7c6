//! Max pooling that remembers where each maximum was.

use super::indices::{IndexSpace, Targets};
use super::pooling::{add_at, add_at_into, pool, taps};
use super::{MaxUnpool, expect_shape};
use crate::each_axis::EachAxis;
use crate::element::FloatElement;
use crate::error::{Axis, Error};
use crate::memory::uninit;
use crate::output_size::{self, Window, element_count, signed_padding};
use crate::tensor::{Output, Spatial, SpatialRank, Tensor, TensorMut, five_axes, three_axes};

/// Max pooling with indices: the encoder's half of unpooling.
///
/// Of `n` pixels the result has `⌊(n + p_begin + p_end - d·(k - 1) - 1) / s⌋ + 1`, `⌈…⌉ + 1` with [`ceil_mode`](Self::ceil_mode): `k` is
/// the kernel, `s` the stride, `d` the dilation, `p` the padding. Padding is never the maximum. Of equal maxima the first is taken; NaN is
/// larger than everything, and of several NaN the last is taken: the values and the indices are those of PyTorch's `max_pool1d`, `2d` and
/// `3d` with `return_indices=True`.
///
/// ```
/// use ndarray::array;
/// use upsample::rearrange::MaxPool;
///
/// let x = array![[[[1.0, 5.0, 2.0, 0.0], [3.0, 4.0, 8.0, 6.0]]]];
/// let pool = MaxPool::new(2);
/// let (y, indices) = pool.forward(&x)?;
/// assert_eq!(y, array![[[[5.0, 8.0]]]]);
/// assert_eq!(indices, array![[[[1, 6]]]]);
///
/// // The decoder puts values back to where they came from.
/// let z = pool.unpool([2, 4]).forward(&y, &indices)?;
/// assert_eq!(z, array![[[[0.0, 5.0, 0.0, 0.0], [0.0, 0.0, 8.0, 0.0]]]]);
/// # Ok::<(), upsample::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[doc(alias("max_pool2d", "MaxPool2d", "return_indices"))]
pub struct MaxPool<const RANK: usize> {
    windows: [Window; RANK],
    ceil_mode: bool,
    index_space: IndexSpace,
}

impl<const RANK: usize> MaxPool<RANK> {
    /// Windows of `kernel` pixels, one number or one for each spatial axis, which follow one another without overlap (stride = kernel).
    #[must_use]
    pub fn new(kernel: impl Into<EachAxis<RANK>>) -> Self {
        let windows = kernel.into().get().map(|kernel| Window::new(kernel).stride(kernel));
        Self { windows, ceil_mode: false, index_space: IndexSpace::Plane }
    }

    /// Sets the distance between windows. By default it is the kernel's size, as in PyTorch; ONNX has 1.
    #[must_use]
    pub fn stride(self, stride: impl Into<EachAxis<RANK>>) -> Self {
        self.with(stride.into(), Window::stride)
    }

    /// Sets the distance between the pixels of a window.
    #[must_use]
    pub fn dilation(self, dilation: impl Into<EachAxis<RANK>>) -> Self {
        self.with(dilation.into(), Window::dilation)
    }

    /// Lets windows reach this far beyond both ends.
    #[must_use]
    pub fn padding(self, padding: impl Into<EachAxis<RANK>>) -> Self {
        self.with(padding.into(), |window, padding| window.padding(signed_padding(padding)))
    }

    /// Lets windows reach this far beyond each end.
    #[must_use]
    pub fn padding_of(self, begin: impl Into<EachAxis<RANK>>, end: impl Into<EachAxis<RANK>>) -> Self {
        let (begin, end) = (begin.into().get(), end.into().get());
        let windows = std::array::from_fn(|index| self.windows[index].padding_of(signed_padding(begin[index]), signed_padding(end[index])));
        Self { windows, ..self }
    }

    /// Also takes a last window that does not fit as a whole, as long as it begins inside the picture or its padding at the beginning.
    #[must_use]
    pub fn ceil_mode(self, ceil_mode: bool) -> Self {
        Self { ceil_mode, ..self }
    }

    /// Sets what the indices count.
    #[must_use]
    pub fn index_space(self, index_space: IndexSpace) -> Self {
        Self { index_space, ..self }
    }

    fn with(self, values: EachAxis<RANK>, set: fn(Window, usize) -> Window) -> Self {
        let values = values.get();
        Self { windows: std::array::from_fn(|index| set(self.windows[index], values[index])), ..self }
    }

    /// The size that `input` is pooled to.
    ///
    /// # Errors
    /// [`Error::ZeroSize`], [`Error::SizeOverflow`], [`Error::InvalidAxisParameter`], also for padding of more than half a window or so
    /// much dilation that a window sees no pixel, and [`Error::NoOutput`] when no window fits.
    pub fn output_size(&self, input: [usize; RANK]) -> Result<[usize; RANK], Error> {
        let mut size = input;
        for index in 0..RANK {
            size[index] = self.output_size_of(Axis::spatial(RANK, index), input[index], &self.windows[index])?;
        }
        Ok(size)
    }

    fn output_size_of(&self, axis: Axis, input: usize, window: &Window) -> Result<usize, Error> {
        let whole = output_size::convolution_of(axis, input, window)?;
        let dilated_kernel = window.dilated_kernel()?;
        let padding = window.zeros_before().max(window.padding_end.cast_unsigned());
        if padding > dilated_kernel / 2 {
            let requirement = format!("at most half the window, which is {dilated_kernel} with its dilation");
            return Err(Error::InvalidAxisParameter { parameter: "padding", axis, value: padding, requirement });
        }
        // None of this overflows: the padded input fits an isize, and the windows so far lie in it.
        let past_begin = input + window.zeros_before();
        let last_end = (whole - 1) * window.stride + dilated_kernel;
        let next_begins_inside = whole.checked_mul(window.stride).is_some_and(|begin| begin < past_begin);
        let one_more = self.ceil_mode && last_end < past_begin + window.padding_end.cast_unsigned() && next_begins_inside;
        let size = whole + usize::from(one_more);
        // Pixels lie too close for a window to step over them all, unless they are fewer than a step.
        if window.dilation > input && some_window_is_blind(window, input, size) {
            let requirement = format!("at most the size ({input}), so that every window sees a pixel");
            return Err(Error::InvalidAxisParameter { parameter: "dilation", axis, value: window.dilation, requirement });
        }
        Ok(size)
    }

    /// The unpooling that brings what this pooled back to the size `input`.
    #[must_use]
    pub fn unpool(&self, input: [usize; RANK]) -> MaxUnpool<RANK> {
        MaxUnpool::to(input).index_space(self.index_space)
    }

    /// The maxima of `x`, N×C×spatial, and the index of each, both N×C×[`output_size`](Self::output_size).
    ///
    /// # Errors
    /// Those of [`output_size`](Self::output_size), and the errors of taking memory.
    pub fn forward<'a, A>(&self, x: impl Into<Tensor<'a, A, RANK>>) -> Result<(Output<A, RANK>, Output<i64, RANK>), Error>
    where
        A: Copy + PartialOrd + Send + Sync + 'a,
        Spatial<RANK>: SpatialRank,
    {
        let x = x.into();
        let shape = five_axes(x.batch(), x.channels(), self.output_size(x.spatial())?);
        let (mut y, mut indices) = match x.view5().first() {
            Some(&value) => (uninit::filled("output", shape, value)?, uninit::filled("indices", shape, 0)?),
            // An empty batch has no value to begin from, and makes empty outputs.
            None => (uninit::empty("output", shape)?, uninit::empty("indices", shape)?),
        };
        pool(&x.view5(), three_axes(self.windows, Window::new(1)), self.index_space, y.view_mut(), indices.view_mut());
        Ok((Spatial::<RANK>::narrow(y), Spatial::<RANK>::narrow(indices)))
    }

    /// [`forward`](Self::forward) into outputs of yours.
    ///
    /// # Errors
    /// Those of [`forward`](Self::forward), and [`Error::ShapeMismatch`]. Nothing is written then.
    pub fn forward_into<'a, 'b, 'c, A>(
        &self,
        x: impl Into<Tensor<'a, A, RANK>>,
        y: impl Into<TensorMut<'b, A, RANK>>,
        indices: impl Into<TensorMut<'c, i64, RANK>>,
    ) -> Result<(), Error>
    where
        A: Copy + PartialOrd + Send + Sync + 'a + 'b,
    {
        let (x, y, indices) = (x.into(), y.into(), indices.into());
        let size = self.output_size(x.spatial())?;
        expect_shape("output", &y, x.batch(), x.channels(), size)?;
        expect_shape("indices", &indices, x.batch(), x.channels(), size)?;
        pool(&x.view5(), three_axes(self.windows, Window::new(1)), self.index_space, y.into_view5(), indices.into_view5());
        Ok(())
    }

    /// The gradient with respect to the pooled picture, whose size `input` was: each value of `dy` is added where its maximum was.
    /// The sums of `f16` and `bf16` are kept in `f32`.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] unless `dy` and `indices` have the size that `input` is pooled to, [`Error::IndexOutOfRange`], those of
    /// [`output_size`](Self::output_size), and the errors of taking memory.
    pub fn input_gradient<'a, 'b, A>(
        &self,
        dy: impl Into<Tensor<'a, A, RANK>>,
        indices: impl Into<Tensor<'b, i64, RANK>>,
        input: [usize; RANK],
    ) -> Result<Output<A, RANK>, Error>
    where
        A: FloatElement,
        Spatial<RANK>: SpatialRank,
    {
        let (dy, indices) = (dy.into(), indices.into());
        let targets = self.targets(&dy, &indices, input)?;
        let shape = five_axes(dy.batch(), dy.channels(), input);
        add_at(&targets, &dy.view5(), shape).map(Spatial::<RANK>::narrow)
    }

    /// [`input_gradient`](Self::input_gradient) into an array of yours, whose size says what was pooled.
    ///
    /// # Errors
    /// Those of [`input_gradient`](Self::input_gradient). Nothing is written then.
    pub fn input_gradient_into<'a, 'b, 'c, A>(
        &self,
        dy: impl Into<Tensor<'a, A, RANK>>,
        indices: impl Into<Tensor<'b, i64, RANK>>,
        dx: impl Into<TensorMut<'c, A, RANK>>,
    ) -> Result<(), Error>
    where
        A: FloatElement,
    {
        let (dy, indices, dx) = (dy.into(), indices.into(), dx.into());
        dx.expect_batch_channels("gradient", dy.batch(), dy.channels())?;
        let targets = self.targets(&dy, &indices, dx.spatial())?;
        add_at_into(&targets, &dy.view5(), dx.into_view5())
    }

    fn targets<'a, A>(
        &self,
        dy: &Tensor<'_, A, RANK>,
        indices: &Tensor<'a, i64, RANK>,
        input: [usize; RANK],
    ) -> Result<Targets<'a>, Error> {
        let size = self.output_size(input)?;
        dy.expect_spatial("gradient of the output", size)?;
        indices.expect_batch_channels("indices", dy.batch(), dy.channels())?;
        indices.expect_spatial("indices", size)?;
        element_count::<A>("gradient", &five_axes(dy.batch(), dy.channels(), input))?;
        let plane = three_axes(input, 1);
        Targets::check(indices.view5(), self.index_space, plane, plane)
    }
}

/// Whether one of the windows sees no pixel. Those that see a pixel with the same tap follow one another, so the first one tells of all of
/// them; since padding is at most half a window, there are only a few such runs, whatever the sizes.
fn some_window_is_blind(window: &Window, input: usize, windows: usize) -> bool {
    let mut next = 0;
    while next < windows {
        let seeing = taps(window, input, next..=next);
        if seeing.is_empty() {
            return true;
        }
        let pixel = next * window.stride + seeing.start * window.dilation - window.zeros_before();
        next += (input - pixel).div_ceil(window.stride);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blind_windows_are_found_as_by_looking_at_each() {
        let (mut blind, mut sharp) = (0, 0);
        for (input, kernel, stride, dilation) in
            (1..6).flat_map(|n| (1..5).flat_map(move |k| (1..9).flat_map(move |s| (n + 1..n + 9).map(move |d| (n, k, s, d)))))
        {
            let half = usize::div_ceil((kernel - 1) * dilation, 2);
            for (begin, end) in [(0, 0), (half, half), (half, 0), (0, half), (half / 2, half), (half, half / 3)] {
                let window = Window::new(kernel).stride(stride).dilation(dilation).padding_of(begin.cast_signed(), end.cast_signed());
                let Ok(windows) = output_size::convolution(input, &window) else { continue };
                let expected = (0..windows).any(|output| {
                    let pixels = (0..kernel).map(|tap| (output * stride + tap * dilation).wrapping_sub(begin));
                    !pixels.into_iter().any(|pixel| pixel < input)
                });
                assert_eq!(some_window_is_blind(&window, input, windows), expected, "{window:?}, {input} pixels");
                *(if expected { &mut blind } else { &mut sharp }) += 1;
            }
        }
        assert!(blind > 100 && sharp > 100, "{blind}, {sharp}");
    }
}
