//! Pixel shuffle: channels become the pixels of a larger picture, and back.

use super::blocks::{self, Blocks};
use super::{copied, expect_shape};
use crate::each_axis::EachAxis;
use crate::error::Error;
use crate::tasks::for_each_part;
use crate::tensor::{Output, Spatial, SpatialRank, Tensor, TensorMut};

/// Which of the many channels become the block of an output channel.
///
/// With `C` output channels and blocks of `b` pixels (the product of the block's sides), pixel `i` of the block of channel `c`,
/// counted row-major, comes from channel
///
/// ```
/// use upsample::rearrange::{ChannelOrder, pixel_shuffle};
///
/// let x = ndarray::array![[[1], [2], [3], [4]]]; // four channels of one pixel: two channels of two
/// assert_eq!(pixel_shuffle(&x, 2, ChannelOrder::ChannelFirst)?, ndarray::array![[[1, 2], [3, 4]]]);
/// assert_eq!(pixel_shuffle(&x, 2, ChannelOrder::DepthFirst)?, ndarray::array![[[1, 3], [2, 4]]]);
/// # Ok::<(), upsample::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum ChannelOrder {
    /// `c·b + i`: the channels of one block are neighbours. PyTorch's `pixel_shuffle`; ONNX `DepthToSpace` with mode `CRD`.
    #[default]
    ChannelFirst,
    /// `i·C + c`: the first pixels of all blocks are neighbours. TensorFlow's `depth_to_space`; ONNX `DepthToSpace` with mode `DCR`
    /// (its default) and `SpaceToDepth`.
    DepthFirst,
}

/// Makes pictures `block` times larger out of their channels: N×(C·b)×H×W becomes N×C×(H·block)×(W·block).
///
/// This is the sub-pixel layer: a convolution makes `b` values for each pixel of the *small* picture, and they become the
/// block of pixels that it enlarges to. It does what a transposed convolution does whose kernel is as large as its stride
/// has windows that do not overlap, but a convolution of any size can come before it. Its weights are best begun with
/// [`icnr`](crate::initial_weights::icnr).
///
/// **When to choose it:** as the last layer of super-resolution, where the convolutions before it should run on the small picture. For 64
/// channels of 64×64 pixels to 128×128 in `f32`, one thread, the shuffle itself takes 0.33 ms and with a 3×3 convolution before it 12.9 ms,
/// as much as a 6×6 transposed convolution can express; a 4×4 one takes 5.9 ms. Random weights make a checkerboard here, too, unless they
/// are those of `icnr`. The crate's [front page](crate) compares all.
///
/// `block` is one number or one for each spatial axis. The gradient with respect to `x` is [`pixel_unshuffle`] of the output's gradient.
///
/// ```
/// use ndarray::{Array, array};
/// use upsample::rearrange::{ChannelOrder, pixel_shuffle};
///
/// let x = Array::from_shape_vec((1, 4, 1, 2), vec![0, 1, 10, 11, 20, 21, 30, 31])?;
/// let y = pixel_shuffle(&x, 2, ChannelOrder::ChannelFirst)?;
/// assert_eq!(y, array![[[[0, 10, 1, 11], [20, 30, 21, 31]]]]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Source: Shi et al., *Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel Convolutional Neural Network*, 2016.
///
/// # Errors
/// [`Error::InvalidAxisParameter`] for channels that the block's pixels do not divide and for a block of 0, [`Error::ZeroSize`],
/// [`Error::SizeOverflow`], and the errors of taking memory.
#[doc(alias("depth_to_space", "DepthToSpace", "PixelShuffle", "sub-pixel", "d2s"))]
pub fn pixel_shuffle<'a, A, const RANK: usize>(
    x: impl Into<Tensor<'a, A, RANK>>,
    block: impl Into<EachAxis<RANK>>,
    order: ChannelOrder,
) -> Result<Output<A, RANK>, Error>
where
    A: Copy + Send + Sync + 'a,
    Spatial<RANK>: SpatialRank,
{
    let x = x.into();
    let (blocks, size) = Blocks::of_deep(&x, block.into().get(), order)?;
    copied(&x, x.batch(), blocks.channels, size, &|origin, piece| blocks.shuffle(&x.view5(), origin, piece))
}

/// [`pixel_shuffle`] into an output of yours, N×C×(H·block)×(W·block).
///
/// # Errors
/// Those of [`pixel_shuffle`], and [`Error::ShapeMismatch`]. Nothing is written then.
pub fn pixel_shuffle_into<'a, 'b, A, const RANK: usize>(
    x: impl Into<Tensor<'a, A, RANK>>,
    block: impl Into<EachAxis<RANK>>,
    order: ChannelOrder,
    output: impl Into<TensorMut<'b, A, RANK>>,
) -> Result<(), Error>
where
    A: Copy + Send + Sync + 'a + 'b,
{
    let (x, output) = (x.into(), output.into());
    let (blocks, size) = Blocks::of_deep(&x, block.into().get(), order)?;
    expect_shape("output", &output, x.batch(), blocks.channels, size)?;
    let output = output.into_view5();
    let axes = blocks::axes(&output);
    for_each_part(output, axes, &|origin, piece| blocks.shuffle(&x.view5(), origin, piece));
    Ok(())
}

/// Makes channels out of blocks of pixels, the inverse of [`pixel_shuffle`]: N×C×(H·block)×(W·block) becomes N×(C·b)×H×W.
///
/// Downsampling that loses nothing. The gradient with respect to `x` is [`pixel_shuffle`] of the output's gradient.
///
/// ```
/// use ndarray::array;
/// use upsample::rearrange::{ChannelOrder, pixel_shuffle, pixel_unshuffle};
///
/// let x = array![[[[0, 10, 1, 11], [20, 30, 21, 31]]]];
/// let y = pixel_unshuffle(&x, 2, ChannelOrder::ChannelFirst)?;
/// assert_eq!(y, array![[[[0, 1]], [[10, 11]], [[20, 21]], [[30, 31]]]]);
/// assert_eq!(pixel_shuffle(&y, 2, ChannelOrder::ChannelFirst)?, x);
/// # Ok::<(), upsample::Error>(())
/// ```
///
/// # Errors
/// [`Error::InvalidAxisParameter`] for a size that the block does not divide and for a block of 0, [`Error::ZeroSize`], and the
/// errors of taking memory.
#[doc(alias("space_to_depth", "SpaceToDepth", "PixelUnshuffle", "s2d"))]
pub fn pixel_unshuffle<'a, A, const RANK: usize>(
    x: impl Into<Tensor<'a, A, RANK>>,
    block: impl Into<EachAxis<RANK>>,
    order: ChannelOrder,
) -> Result<Output<A, RANK>, Error>
where
    A: Copy + Send + Sync + 'a,
    Spatial<RANK>: SpatialRank,
{
    let x = x.into();
    let (blocks, channels, size) = Blocks::of_wide(&x, block.into().get(), order)?;
    copied(&x, x.batch(), channels, size, &|origin, piece| blocks.unshuffle(&x.view5(), origin, piece))
}

/// [`pixel_unshuffle`] into an output of yours, N×(C·b)×H×W.
///
/// # Errors
/// Those of [`pixel_unshuffle`], and [`Error::ShapeMismatch`]. Nothing is written then.
pub fn pixel_unshuffle_into<'a, 'b, A, const RANK: usize>(
    x: impl Into<Tensor<'a, A, RANK>>,
    block: impl Into<EachAxis<RANK>>,
    order: ChannelOrder,
    output: impl Into<TensorMut<'b, A, RANK>>,
) -> Result<(), Error>
where
    A: Copy + Send + Sync + 'a + 'b,
{
    let (x, output) = (x.into(), output.into());
    let (blocks, channels, size) = Blocks::of_wide(&x, block.into().get(), order)?;
    expect_shape("output", &output, x.batch(), channels, size)?;
    let output = output.into_view5();
    let axes = blocks::axes(&output);
    for_each_part(output, axes, &|origin, piece| blocks.unshuffle(&x.view5(), origin, piece));
    Ok(())
}
