//! Weights to begin training with, so that an upsampling layer starts as a good interpolation and without a checkerboard.
//!
//! | layer | weights | what the layer then computes |
//! |---|---|---|
//! | transposed convolution, kernel = stride | [`InterpolationKernel::nearest`] | nearest neighbour: windows that do not overlap |
//! | transposed convolution, kernel about twice the stride | [`InterpolationKernel::linear`] | bilinear interpolation, half-pixel |
//! | transposed convolution, kernel about four times the stride | [`InterpolationKernel::cubic`] | bicubic interpolation, half-pixel |
//! | convolution, then [`pixel_shuffle`](crate::rearrange::pixel_shuffle) | [`icnr`] | the convolution, then nearest neighbour |
//!
//! All are even: every phase of the output has weights of the same sum, as
//! [`WeightOverlap`](crate::checkerboard::WeightOverlap) shows.

use crate::each_axis::EachAxis;
use crate::element::FloatElement;
use crate::error::{Axis, Error};
use crate::memory::uninit;
use crate::output_size::Window;
use crate::rearrange::ChannelOrder;
use crate::tensor::{Output, Spatial, SpatialRank, Tensor, five_axes, three_axes};

/// A kernel with which a transposed convolution interpolates, and the windows to use it with.
///
/// With stride `f`, kernel `k` and padding `(k - f) / 2`, the transposed convolution makes pictures exactly `f` times larger, and away from
/// the border it *is* the interpolation with half-pixel coordinates: output pixel `o` lies at `(o + 0.5)/f - 0.5`, and input
/// `i` reaches it with the filter's weight for that distance. This holds for even and for odd factors; an odd kernel has its middle on a
/// pixel, an even one between two.
///
/// | | filter | kernel for factor `f` | factor 2 | factor 3 |
/// |---|---|---|---|---|
/// | [`nearest`](Self::nearest) | box | `f` | 2, padding 0 | 3, padding 0 |
/// | [`linear`](Self::linear) | tent | `2f - f mod 2` | 4, padding 1 | 5, padding 1 |
/// | [`cubic`](Self::cubic) | cubic of Keys | `4f - f mod 2` | 8, padding 3 | 11, padding 4 |
///
/// At the border it differs: interpolation repeats the border's pixels, a transposed convolution has nothing there. The outermost
/// `(k - f) / 2` pixels of the output lack the weight that would fall outside, so they are darker: with `linear` and factor 2 the first
/// pixel is 3/4 of what it should be, with factor 8 9/16, approaching 1/2. With `cubic` and `a` = -0.75 the first three are 0.77, 1.11 and
/// 1.04 of what they should be for factor 2. Along several axes these multiply: the corner of a picture has 9/16 of its bilinear value.
///
/// ```
/// use ndarray::array;
/// use upsample::initial_weights::InterpolationKernel;
/// use upsample::output_size::Window;
///
/// let kernel = InterpolationKernel::<1>::linear(2)?;
/// assert_eq!(kernel.windows(), [Window::new(4).stride(2).padding(1)]);
/// assert_eq!(kernel.depthwise::<f32>(1)?, array![[[0.25, 0.75, 0.75, 0.25]]]);
/// # Ok::<(), upsample::Error>(())
/// ```
///
/// Source of the bilinear kernel: Long, Shelhamer and Darrell, *Fully Convolutional Networks for Semantic Segmentation*, 2015.
#[derive(Debug, Clone, PartialEq)]
#[doc(alias("bilinear", "get_upsampling_weight", "bilinear_kernel"))]
pub struct InterpolationKernel<const RANK: usize> {
    windows: [Window; RANK],
    taps: [Vec<f64>; RANK],
}

impl<const RANK: usize> InterpolationKernel<RANK> {
    /// Nearest neighbour: a kernel of ones as large as the stride, so that windows do not overlap. `factor` is one number or one for
    /// each spatial axis.
    ///
    /// ```
    /// use upsample::initial_weights::InterpolationKernel;
    /// assert_eq!(InterpolationKernel::<2>::nearest(3)?.taps(), &[[1.0; 3].to_vec(), [1.0; 3].to_vec()]);
    /// # Ok::<(), upsample::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidAxisParameter`] for a factor of 0, [`Error::SizeOverflow`], [`Error::OutOfMemory`].
    pub fn nearest(factor: impl Into<EachAxis<RANK>>) -> Result<Self, Error> {
        Self::new(factor.into(), 1, |_| 1.0)
    }

    /// Linear, bilinear or trilinear interpolation: the kernel of FCN.
    ///
    /// ```
    /// use upsample::initial_weights::InterpolationKernel;
    /// assert_eq!(InterpolationKernel::<1>::linear(2)?.taps(), &[vec![0.25, 0.75, 0.75, 0.25]]);
    /// # Ok::<(), upsample::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidAxisParameter`] for a factor of 0, [`Error::SizeOverflow`], [`Error::OutOfMemory`].
    pub fn linear(factor: impl Into<EachAxis<RANK>>) -> Result<Self, Error> {
        Self::new(factor.into(), 2, |distance| 1.0 - distance)
    }

    /// Cubic or bicubic interpolation with the cubic of Keys (1981), whose slope at distance 1 is `a`: -0.75 in PyTorch and
    /// OpenCV, -0.5 in Pillow and TensorFlow.
    ///
    /// ```
    /// use upsample::initial_weights::InterpolationKernel;
    /// assert_eq!(InterpolationKernel::<2>::cubic(2, -0.75)?.windows()[0].kernel, 8);
    /// # Ok::<(), upsample::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidAxisParameter`] for a factor of 0, [`Error::InvalidParameter`] unless `a` is finite, [`Error::SizeOverflow`],
    /// [`Error::OutOfMemory`].
    pub fn cubic(factor: impl Into<EachAxis<RANK>>, a: f64) -> Result<Self, Error> {
        if !a.is_finite() {
            return Err(Error::InvalidParameter { parameter: "cubic coefficient", value: a, requirement: "a finite number" });
        }
        Self::new(factor.into(), 4, |distance| match distance {
            x if x <= 1.0 => ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0,
            x => (((x - 5.0) * x + 8.0) * x - 4.0) * a,
        })
    }

    /// The kernel that samples a filter `extent` input pixels wide.
    fn new(factor: EachAxis<RANK>, extent: usize, filter: impl Fn(f64) -> f64) -> Result<Self, Error> {
        let factor = factor.get();
        let mut kernel = Self { windows: [Window::new(1); RANK], taps: std::array::from_fn(|_| Vec::new()) };
        for (index, &factor) in factor.iter().enumerate() {
            let axis = Axis::spatial(RANK, index);
            if factor == 0 {
                let requirement = "at least 1".to_owned();
                return Err(Error::InvalidAxisParameter { parameter: "factor", axis, value: 0, requirement });
            }
            // The filter is zero at its ends, so an odd factor, which samples them, needs a tap less.
            let size = factor.checked_mul(extent).ok_or(Error::SizeOverflow { argument: "kernel", axis })?;
            let size = if extent > 1 { size - factor % 2 } else { size };
            let taps = &mut kernel.taps[index];
            let bytes = size.saturating_mul(size_of::<f64>());
            taps.try_reserve_exact(size).map_err(|_| Error::OutOfMemory { argument: "kernel", bytes })?;
            #[allow(clippy::cast_precision_loss)] // no kernel has 2^53 taps
            taps.extend((0..size).map(|tap| filter((2.0 * tap as f64 - (size - 1) as f64).abs() / (2 * factor) as f64)));
            kernel.windows[index] = Window::new(size).stride(factor).padding(((size - factor) / 2).cast_signed());
        }
        Ok(kernel)
    }

    /// The window of each axis: kernel, stride and padding with which the output is exactly `factor` times as large.
    #[must_use]
    pub fn windows(&self) -> [Window; RANK] {
        self.windows
    }

    /// The weights along each axis; those of the kernel are their products. Those that reach one phase sum to 1.
    #[must_use]
    pub fn taps(&self) -> &[Vec<f64>; RANK] {
        &self.taps
    }

    /// Weights for as many groups as channels, which enlarge each channel on its own: `channels` × 1 × kernel.
    ///
    /// # Errors
    /// Those of taking memory.
    pub fn depthwise<A: FloatElement>(&self, channels: usize) -> Result<Output<A, RANK>, Error>
    where
        Spatial<RANK>: SpatialRank,
    {
        self.weights(channels, 1, |_, _| true)
    }

    /// Weights for one group, which begin with each channel on its own and can learn to mix them: `channels` × `channels` × kernel,
    /// the kernel where input and output channel are the same and zero elsewhere.
    ///
    /// # Errors
    /// Those of taking memory.
    pub fn diagonal<A: FloatElement>(&self, channels: usize) -> Result<Output<A, RANK>, Error>
    where
        Spatial<RANK>: SpatialRank,
    {
        self.weights(channels, channels, |input, output| input == output)
    }

    fn weights<A: FloatElement>(
        &self,
        inputs: usize,
        outputs: usize,
        connected: impl Fn(usize, usize) -> bool,
    ) -> Result<Output<A, RANK>, Error>
    where
        Spatial<RANK>: SpatialRank,
    {
        let shape = five_axes(inputs, outputs, self.windows.map(|window| window.kernel));
        let mut weights = uninit::filled("weights", shape, A::default())?;
        let one = [1.0];
        let taps = three_axes(self.taps.each_ref().map(Vec::as_slice), &one[..]);
        for ((input, output, d, h, w), weight) in weights.indexed_iter_mut() {
            if connected(input, output) {
                *weight = A::from_f64(taps[0][d] * taps[1][h] * taps[2][w]);
            }
        }
        Ok(Spatial::<RANK>::narrow(weights))
    }
}

/// Weights of a convolution before [`pixel_shuffle`](crate::rearrange::pixel_shuffle) that begin without a checkerboard.
///
/// `weight`, C_out × C_in × kernel, is any initialisation of a convolution to C_out channels. Each of its filters is repeated for every
/// pixel of the block that its channel is shuffled to: the result, (C_out · b) × C_in × kernel where a block has b pixels, makes at first
/// what the convolution with `weight` makes, enlarged by nearest neighbour, and training then tells the pixels of a block apart.
/// `block` and `order` are those that the shuffle is called with.
///
/// ```
/// use ndarray::Array4;
/// use upsample::initial_weights::icnr;
/// use upsample::rearrange::ChannelOrder;
///
/// let weight = Array4::from_shape_fn((3, 8, 5, 5), |(o, ..)| o as f32); // stands for random numbers
/// let weights = icnr(&weight, 2, ChannelOrder::ChannelFirst)?;
/// assert_eq!(weights.dim(), (12, 8, 5, 5));
/// assert_eq!(weights[[7, 0, 0, 0]], 1.0); // channels 4 to 7 become channel 1
/// # Ok::<(), upsample::Error>(())
/// ```
///
/// Source: Aitken et al., *Checkerboard artifact free sub-pixel convolution*, 2017.
///
/// # Errors
/// [`Error::InvalidAxisParameter`] for a block of 0, [`Error::SizeOverflow`], and the errors of taking memory.
#[doc(alias = "ICNR")]
pub fn icnr<'a, A, const RANK: usize>(
    weight: impl Into<Tensor<'a, A, RANK>>,
    block: impl Into<EachAxis<RANK>>,
    order: ChannelOrder,
) -> Result<Output<A, RANK>, Error>
where
    A: Copy + Default + Send + Sync + 'a,
    Spatial<RANK>: SpatialRank,
{
    let weight = weight.into();
    let pixels = crate::rearrange::pixels_of(block.into().get())?;
    let outputs = weight.batch();
    let channels = outputs.checked_mul(pixels).ok_or(Error::SizeOverflow { argument: "weights", axis: Axis::Channel })?;
    let mut weights = uninit::filled("weights", five_axes(channels, weight.channels(), weight.spatial()), A::default())?;
    for (channel, mut filter) in weights.outer_iter_mut().enumerate() {
        let repeated = match order {
            ChannelOrder::ChannelFirst => channel / pixels,
            ChannelOrder::DepthFirst => channel % outputs,
        };
        filter.assign(&weight.view5().index_axis(ndarray::Axis(0), repeated));
    }
    Ok(Spatial::<RANK>::narrow(weights))
}
