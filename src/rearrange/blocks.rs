//! The correspondence between channels and the pixels of blocks, and the loops that follow it.

use ndarray::{ArrayView5, ArrayViewMut5, Axis as NdAxis, Slice, indices, s};

use super::{ANY_AXIS, ChannelOrder, expect_pixels};
use crate::error::{Axis, Error};
use crate::tensor::{Tensor, three_axes};

/// The correspondence between the channels of the deep tensor and the pixels of the wide one.
pub(super) struct Blocks {
    /// Sides of a block, missing axes 1.
    sides: [usize; 3],
    /// Channels of the wide tensor.
    pub(super) channels: usize,
    order: ChannelOrder,
}

impl Blocks {
    /// For `x` to be shuffled, with the size that it gets.
    pub(super) fn of_deep<A, const RANK: usize>(
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
            let sides = block.map(|side| side.to_string()).join("×");
            let requirement = format!("a multiple of {pixels}, the pixels of a block of {sides}");
            return Err(Error::InvalidAxisParameter { parameter: "size", axis: Axis::Channel, value: x.channels(), requirement });
        }
        Ok((Self { sides: three_axes(block, 1), channels: x.channels() / pixels, order }, size))
    }

    /// For `x` to be unshuffled, with the channels and the size that it gets.
    pub(super) fn of_wide<A, const RANK: usize>(
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

    /// `count` deep channels from `first` on, each for the next channel.
    fn deep_channels(&self, first: usize, count: usize) -> Slice {
        let step = if self.order == ChannelOrder::ChannelFirst { self.pixels() } else { 1 };
        Slice::new(first as isize, Some((first + (count - 1) * step + 1) as isize), step as isize)
    }

    /// Writes a piece of the wide tensor.
    pub(super) fn shuffle<A: Copy>(&self, x: &ArrayView5<'_, A>, origin: [usize; 5], mut piece: ArrayViewMut5<'_, A>) {
        let ([depth, height, width], shape) = (self.sides, <[usize; 5]>::from(piece.dim()));
        if piece.is_empty() {
            return;
        }
        // Where the row comes from: its place in `x`, which channels apart, and the first pixel of the block that it shows.
        let source = |n, d, h| {
            let [n, d, h] = [n + origin[0], d + origin[2], h + origin[3]];
            ([n, d / depth, h / height], [d % depth, h % height])
        };
        if let (Some(x_rows), Some(rows)) = (Rows::of(x), piece.as_slice_mut()) {
            for (row, (n, c, d, h)) in rows.chunks_exact_mut(shape[4]).zip(indices((shape[0], shape[1], shape[2], shape[3]))) {
                let ([n, z, y], [dz, dy]) = source(n, d, h);
                interleave(row, width, |dx| x_rows.get([n, self.deep_channel(c + origin[1], [dz, dy, dx]), z, y]));
            }
        } else if is_channels_last(&piece) {
            for (n, d, h, w) in indices((shape[0], shape[2], shape[3], shape[4])) {
                let ([n_x, z, y], [dz, dy]) = source(n, d, h);
                let channels = self.deep_channels(self.deep_channel(origin[1], [dz, dy, w % width]), shape[1]);
                piece.slice_mut(s![n, .., d, h, w]).assign(&x.slice(s![n_x, channels, z, y, w / width]));
            }
        } else {
            for (n, d, h, c) in indices((shape[0], shape[2], shape[3], shape[1])) {
                let ([n_x, z, y], [dz, dy]) = source(n, d, h);
                for dx in 0..width {
                    let row = x.slice(s![n_x, self.deep_channel(c + origin[1], [dz, dy, dx]), z, y, ..]);
                    piece.slice_mut(s![n, c, d, h, dx..;width]).assign(&row);
                }
            }
        }
    }

    /// Writes a piece of the deep tensor.
    pub(super) fn unshuffle<A: Copy>(&self, x: &ArrayView5<'_, A>, origin: [usize; 5], mut piece: ArrayViewMut5<'_, A>) {
        let ([depth, height, width], shape) = (self.sides, <[usize; 5]>::from(piece.dim()));
        if piece.is_empty() {
            return;
        }
        let source = |n, d, h, [dz, dy]: [usize; 2]| [n + origin[0], (d + origin[2]) * depth + dz, (h + origin[3]) * height + dy];
        if let (Some(x_rows), Some(rows)) = (Rows::of(x), piece.as_slice_mut()) {
            let channels = rows.chunks_exact_mut(shape[2] * shape[3] * shape[4]).zip(indices((shape[0], shape[1])));
            for (rows, (n, c)) in channels {
                let (channel, [dz, dy, dx]) = self.channel_and_pixel(c + origin[1]);
                for (row, (d, h)) in rows.chunks_exact_mut(shape[4]).zip(indices((shape[2], shape[3]))) {
                    let [n, z, y] = source(n, d, h, [dz, dy]);
                    pick(row, width, dx, x_rows.get([n, channel, z, y]));
                }
            }
        } else if is_channels_last(&piece) && shape[1] == self.channels * self.pixels() {
            for (n, d, h, w) in indices((shape[0], shape[2], shape[3], shape[4])) {
                for (dz, dy, dx) in indices((depth, height, width)) {
                    let [n_x, z, y] = source(n, d, h, [dz, dy]);
                    let channels = self.deep_channels(self.deep_channel(0, [dz, dy, dx]), self.channels);
                    piece.slice_mut(s![n, channels, d, h, w]).assign(&x.slice(s![n_x, .., z, y, w * width + dx]));
                }
            }
        } else {
            for (n, d, h, c) in indices((shape[0], shape[2], shape[3], shape[1])) {
                let (channel, [dz, dy, dx]) = self.channel_and_pixel(c + origin[1]);
                let [n_x, z, y] = source(n, d, h, [dz, dy]);
                piece.slice_mut(s![n, c, d, h, ..]).assign(&x.slice(s![n_x, channel, z, y, dx..;width]));
            }
        }
    }
}

/// Whether the channels of a pixel lie side by side.
fn is_channels_last<A>(view: &ArrayViewMut5<'_, A>) -> bool {
    view.len_of(NdAxis(1)) > 1 && view.stride_of(NdAxis(1)) == 1
}

/// The axes along which an output is cut, so that what lies side by side stays together.
pub(super) fn axes<A>(output: &ArrayViewMut5<'_, A>) -> &'static [usize] {
    if is_channels_last(output) { &[0, 2, 3] } else { &ANY_AXIS }
}

/// The rows of a tensor in row-major order.
struct Rows<'a, A> {
    elements: &'a [A],
    shape: [usize; 5],
}

impl<'a, A> Rows<'a, A> {
    fn of(x: &ArrayView5<'a, A>) -> Option<Self> {
        x.to_slice().map(|elements| Self { elements, shape: x.dim().into() })
    }

    fn get(&self, [n, c, d, h]: [usize; 4]) -> &'a [A] {
        let [_, channels, depth, height, width] = self.shape;
        let start = (((n * channels + c) * depth + d) * height + h) * width;
        &self.elements[start..start + width]
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
