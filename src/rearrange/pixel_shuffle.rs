//! Pixel shuffle: channels become the pixels of a larger picture, and back.

use ndarray::{ArrayView5, ArrayViewMut5, s};

use super::{copied, expect_pixels, expect_shape};
use crate::each_axis::EachAxis;
use crate::error::{Axis, Error};
use crate::pieces::for_each_piece;
use crate::rearrange::ANY_AXIS;
use crate::tensor::{Output, Spatial, SpatialRank, Tensor, TensorMut, three_axes};

/// Which of the many channels become the block of an output channel.
///
/// With `C` output channels and blocks of `b` pixels (the product of the block's sides), pixel `i` of the block of channel `c`,
/// counted row-major, comes from channel
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
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
/// [`Error::Groups`] when the channels cannot be divided by the block's pixels, [`Error::ZeroSize`],
/// [`Error::InvalidAxisParameter`] for a block of 0, and the errors of taking memory.
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
    for_each_piece(output.into_view5(), &ANY_AXIS, &|origin, piece| blocks.shuffle(&x.view5(), origin, piece));
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
    for_each_piece(output.into_view5(), &ANY_AXIS, &|origin, piece| blocks.unshuffle(&x.view5(), origin, piece));
    Ok(())
}

/// The correspondence between the channels of the deep tensor and the pixels of the wide one.
struct Blocks {
    /// Sides of a block, missing axes 1.
    sides: [usize; 3],
    /// Channels of the wide tensor.
    channels: usize,
    order: ChannelOrder,
}

impl Blocks {
    /// For `x` to be shuffled, with the size that it gets.
    fn of_deep<A, const RANK: usize>(
        x: &Tensor<'_, A, RANK>,
        block: [usize; RANK],
        order: ChannelOrder,
    ) -> Result<(Self, [usize; RANK]), Error> {
        expect_pixels("x", x)?;
        let pixels = pixels_of(block)?;
        let mut size = x.spatial();
        for index in 0..RANK {
            let axis = Axis::spatial(RANK, index);
            size[index] = size[index].checked_mul(block[index]).ok_or(Error::SizeOverflow { argument: "output", axis })?;
        }
        if !x.channels().is_multiple_of(pixels) {
            return Err(Error::Groups { argument: "x", channels: x.channels(), groups: pixels });
        }
        Ok((Self { sides: three_axes(block, 1), channels: x.channels() / pixels, order }, size))
    }

    /// For `x` to be unshuffled, with the channels and the size that it gets.
    fn of_wide<A, const RANK: usize>(
        x: &Tensor<'_, A, RANK>,
        block: [usize; RANK],
        order: ChannelOrder,
    ) -> Result<(Self, usize, [usize; RANK]), Error> {
        expect_pixels("x", x)?;
        let pixels = pixels_of(block)?;
        let mut size = x.spatial();
        for index in 0..RANK {
            let axis = Axis::spatial(RANK, index);
            if !size[index].is_multiple_of(block[index]) {
                let requirement = format!("a multiple of the block ({})", block[index]);
                return Err(Error::InvalidAxisParameter { parameter: "size", axis, value: size[index], requirement });
            }
            size[index] /= block[index];
        }
        let channels = x.channels().checked_mul(pixels).ok_or(Error::SizeOverflow { argument: "output", axis: Axis::Channel })?;
        Ok((Self { sides: three_axes(block, 1), channels: x.channels(), order }, channels, size))
    }

    fn pixels(&self) -> usize {
        self.sides.iter().product()
    }

    /// The deep channel that holds the pixel at `within` of the blocks of `channel`.
    fn deep_channel(&self, channel: usize, within: [usize; 3]) -> usize {
        let pixel = (within[0] * self.sides[1] + within[1]) * self.sides[2] + within[2];
        match self.order {
            ChannelOrder::ChannelFirst => channel * self.pixels() + pixel,
            ChannelOrder::DepthFirst => pixel * self.channels + channel,
        }
    }

    /// The inverse of [`deep_channel`](Self::deep_channel).
    fn channel_and_pixel(&self, deep_channel: usize) -> (usize, [usize; 3]) {
        let (channel, pixel) = match self.order {
            ChannelOrder::ChannelFirst => (deep_channel / self.pixels(), deep_channel % self.pixels()),
            ChannelOrder::DepthFirst => (deep_channel % self.channels, deep_channel / self.channels),
        };
        let [_, height, width] = self.sides;
        (channel, [pixel / (height * width), pixel / width % height, pixel % width])
    }

    /// Writes a piece of the wide tensor, row by row: each is interleaved from as many rows of `x` as the block is wide.
    fn shuffle<A: Copy>(&self, x: &ArrayView5<'_, A>, origin: [usize; 5], mut piece: ArrayViewMut5<'_, A>) {
        let (shape, [depth, height, width]) = (piece.dim().into(), self.sides);
        let contiguous = x.as_slice();
        // Channels innermost, as channels-last tensors want it; no loss to the others, whose pieces are mostly of one channel.
        for_each_row(shape, |[n, c, d, h]| {
            let [channel, z, y] = [c + origin[1], d + origin[2], h + origin[3]];
            let source = |w| [n + origin[0], self.deep_channel(channel, [z % depth, y % height, w]), z / depth, y / height];
            let mut row = piece.slice_mut(s![n, c, d, h, ..]);
            if let (Some(x_slice), Some(row)) = (contiguous, row.as_slice_mut()) {
                interleave(row, width, |w| contiguous_row(x_slice, x.dim().into(), source(w)));
            } else {
                for w in 0..width {
                    let [n, c, d, h] = source(w);
                    row.slice_mut(s![w..;width]).assign(&x.slice(s![n, c, d, h, ..]));
                }
            }
        });
    }

    /// Writes a piece of the deep tensor, row by row: each is every so manyth pixel of a row of `x`.
    fn unshuffle<A: Copy>(&self, x: &ArrayView5<'_, A>, origin: [usize; 5], mut piece: ArrayViewMut5<'_, A>) {
        let (shape, [depth, height, width]) = (piece.dim().into(), self.sides);
        let contiguous = x.as_slice();
        for_each_row(shape, |[n, c, d, h]| {
            let (channel, [z, y, w]) = self.channel_and_pixel(c + origin[1]);
            let source = [n + origin[0], channel, (d + origin[2]) * depth + z, (h + origin[3]) * height + y];
            let mut row = piece.slice_mut(s![n, c, d, h, ..]);
            if let (Some(x_slice), Some(row)) = (contiguous, row.as_slice_mut()) {
                pick(row, width, w, contiguous_row(x_slice, x.dim().into(), source));
            } else {
                let [n, c, d, h] = source;
                row.assign(&x.slice(s![n, c, d, h, w..;width]));
            }
        });
    }
}

/// The pixels of a block, all sides of which must be at least 1.
pub(crate) fn pixels_of<const RANK: usize>(block: [usize; RANK]) -> Result<usize, Error> {
    block.iter().enumerate().try_fold(1_usize, |pixels, (index, &side)| {
        let axis = Axis::spatial(RANK, index);
        if side == 0 {
            return Err(Error::InvalidAxisParameter { parameter: "block", axis, value: 0, requirement: "at least 1".to_owned() });
        }
        pixels.checked_mul(side).ok_or(Error::SizeOverflow { argument: "block", axis })
    })
}

fn for_each_row([batch, channels, depth, height, _]: [usize; 5], mut work: impl FnMut([usize; 4])) {
    for n in 0..batch {
        for d in 0..depth {
            for h in 0..height {
                for c in 0..channels {
                    work([n, c, d, h]);
                }
            }
        }
    }
}

fn contiguous_row<A>(x: &[A], [_, channels, depth, height, width]: [usize; 5], [n, c, d, h]: [usize; 4]) -> &[A] {
    let start = (((n * channels + c) * depth + d) * height + h) * width;
    &x[start..start + width]
}

/// `out[i·width + w] = source(w)[i]`. The usual widths are unrolled, which lets them be vectorised.
fn interleave<'a, A: Copy + 'a>(out: &mut [A], width: usize, source: impl Fn(usize) -> &'a [A]) {
    match width {
        1 => out.copy_from_slice(source(0)),
        2 => interleave_rows(out, [source(0), source(1)]),
        3 => interleave_rows(out, [source(0), source(1), source(2)]),
        4 => interleave_rows(out, [source(0), source(1), source(2), source(3)]),
        _ => {
            for w in 0..width {
                for (out, &value) in out[w..].iter_mut().step_by(width).zip(source(w)) {
                    *out = value;
                }
            }
        }
    }
}

fn interleave_rows<A: Copy, const WIDTH: usize>(out: &mut [A], rows: [&[A]; WIDTH]) {
    let (blocks, _) = out.as_chunks_mut::<WIDTH>();
    let rows = rows.map(|row| &row[..blocks.len()]);
    for (i, block) in blocks.iter_mut().enumerate() {
        *block = std::array::from_fn(|w| rows[w][i]);
    }
}

/// `out[i] = row[i·width + w]`.
fn pick<A: Copy>(out: &mut [A], width: usize, w: usize, row: &[A]) {
    match width {
        1 => out.copy_from_slice(row),
        2 => pick_from_blocks::<A, 2>(out, w, row),
        3 => pick_from_blocks::<A, 3>(out, w, row),
        4 => pick_from_blocks::<A, 4>(out, w, row),
        _ => {
            for (out, &value) in out.iter_mut().zip(row[w..].iter().step_by(width)) {
                *out = value;
            }
        }
    }
}

fn pick_from_blocks<A: Copy, const WIDTH: usize>(out: &mut [A], w: usize, row: &[A]) {
    for (out, block) in out.iter_mut().zip(row.as_chunks::<WIDTH>().0) {
        *out = block[w];
    }
}
