//! Nearest interpolation: which input pixel an output pixel copies, and the copying.
//!
//! Conventions differ where a position lies between two pixels; [`NearestRule`] names them. Nothing is computed with the values, so any
//! `Copy` type can be enlarged: labels, indices, masks, pixels of your own.

use std::mem::MaybeUninit;

use ndarray::{ArrayView4, ArrayView5, ArrayViewMut4, ArrayViewMut5, Axis as NdAxis};

use crate::error::{Axis, Error};
use crate::kernels::{Backend, Carry, CopyPixels, CopyRow, CopyRows, Destination, How, as_bytes_mut, finish_streaming};
use crate::memory::bytes_of;
use crate::resize::coordinates::{Coordinates, Geometry, Rounding};
use crate::tasks;

/// Which input pixel nearest interpolation copies: `o` is the index of the output pixel, `n` the input size, `m` the output size.
///
/// ```
/// use upsample::{NearestRule, Resize};
///
/// let x = ndarray::array![[[0, 1]]];
/// let copied_by_41 = |rule| Ok::<_, upsample::Error>(Resize::nearest_by(rule).plan([2], [82])?.forward_any(&x)?[[0, 0, 41]]);
/// assert_eq!(copied_by_41(NearestRule::Integer)?, 1); // ⌊41·2/82⌋
/// assert_eq!(copied_by_41(NearestRule::Torch)?, 0); // rounding errors and all
/// # Ok::<(), upsample::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum NearestRule {
    /// PyTorch's `nearest`: `⌊o·n/m⌋`, in the arithmetic of PyTorch: `n/m` and the product are rounded to
    /// `f32` (for `f64` tensors the product of `f64`s is), so that the result is sometimes *not* the exact floor: enlarging 2 pixels
    /// to 82, pixel 41 copies pixel 0. Pictures whose output height and width add up to 128 at most take another loop of PyTorch's,
    /// in which equal sizes copy and doubling takes `⌊o/2⌋` whatever the scale says.
    #[default]
    Torch,
    /// PyTorch's `nearest-exact`: `⌊(o + 0.5)·n/m⌋`, in the arithmetic of PyTorch.
    TorchExact,
    /// `⌊o·n/m⌋` in exact integer arithmetic. A scale counts only for the output size.
    Integer,
    /// `⌊(o + 0.5)·n/m⌋` in exact integer arithmetic. A scale counts only for the output size.
    IntegerExact,
    /// The position by [`Coordinates`], rounded. ONNX.
    Rounded(Rounding),
    /// Pillow's `NEAREST` and OpenCV's `INTER_NEAREST_EXACT`: `⌊n/m·0.5 + n/m + n/m + …⌋`, the steps added up one by one in `f64`,
    /// rounding errors included. A scale counts only for the output size.
    Pillow,
    /// OpenCV's `INTER_NEAREST`: `⌊o·(1 / (m/n))⌋` in `f64`, with a scale instead of `m/n` where one was asked for.
    OpenCv,
    /// `jax.image.resize` with `nearest`: `⌊(o + 0.5)·(n·(1/m))⌋`, every step rounded to `f32`. A scale counts only for the output size.
    Jax,
    /// `tf.image.resize` with `nearest`: `⌊(o + 0.5)·(n/m)⌋`, every step rounded to `f32`. A scale counts only for the output size.
    TensorFlow,
}

/// How PyTorch computes an index, which depends on the picture and on the element type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TorchArithmetic {
    /// The element type is `f64`.
    pub(crate) double: bool,
    /// A picture whose output height and width add up to 128 at most: PyTorch then has another loop, in `f32` for every type.
    pub(crate) small_picture: bool,
}

impl NearestRule {
    /// The input pixel of every output pixel; `None` where the position is extrapolated.
    pub(crate) fn indices(
        self,
        axis: Axis,
        coordinates: Coordinates,
        geometry: &Geometry,
        torch: TorchArithmetic,
    ) -> Result<Vec<Option<u32>>, Error> {
        if self == Self::Pillow {
            return index_list(axis, geometry, pillow_indices(geometry));
        }
        index_list(axis, geometry, (0..geometry.output).map(|o| self.index(o, coordinates, geometry, torch)))
    }

    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // clamped to the axis, below 2^32
    fn index(self, o: usize, coordinates: Coordinates, axis: &Geometry, torch: TorchArithmetic) -> Option<u32> {
        let (n, m) = (axis.input, axis.output);
        let pixel = match self {
            Self::Torch if n == m && torch.small_picture => return Some(o as u32),
            Self::Torch if m == 2 * n && torch.small_picture => return Some((o / 2) as u32),
            Self::Torch if torch.double && !torch.small_picture => f64::from((o as f64 * axis.ratio) as f32),
            Self::Torch => f64::from(o as f32 * axis.ratio as f32),
            Self::TorchExact if torch.small_picture => f64::from((o as f32 + 0.5) * axis.ratio as f32),
            Self::TorchExact if torch.double => f64::from(((o as f64 + 0.5) * axis.ratio) as f32),
            // PyTorch shifts by half a pixel and back, the first time in a fused multiply-add; f64 holds that product exactly.
            Self::TorchExact => {
                let source = (f64::from(axis.ratio as f32) * (o as f64 + 0.5) - 0.5) as f32;
                f64::from(source.max(0.0) + 0.5)
            }
            Self::Integer => return Some((o as u128 * n as u128 / m as u128) as u32),
            Self::IntegerExact | Self::Pillow => return Some(((2 * o as u128 + 1) * n as u128 / (2 * m as u128)) as u32),
            Self::OpenCv => o as f64 * axis.opencv_ratio(),
            Self::Jax if n == m => return Some(o as u32),
            Self::Jax => f64::from((o as f32 + 0.5) * (n as f32 * (1.0 / m as f32))),
            Self::TensorFlow => f64::from((o as f32 + 0.5) * (n as f32 / m as f32)),
            Self::Rounded(rounding) => {
                let position = coordinates.inside(coordinates.position_in(o, axis), axis)?;
                return Some(rounding.round(position).clamp(0, n as i64 - 1) as u32);
            }
        };
        Some(pixel.floor().clamp(0.0, (n - 1) as f64) as u32)
    }
}

/// A list of one input pixel an output pixel. Refused where input or output have more pixels than the tables can number,
/// or there is no memory for it.
pub(crate) fn index_list(axis: Axis, geometry: &Geometry, indices: impl Iterator<Item = Option<u32>>) -> Result<Vec<Option<u32>>, Error> {
    if u32::try_from(geometry.input.max(geometry.output)).is_err() {
        return Err(Error::SizeOverflow { argument: "weight table", axis });
    }
    let mut list = Vec::new();
    let bytes = geometry.output.saturating_mul(size_of::<Option<u32>>());
    list.try_reserve_exact(geometry.output).map_err(|_| Error::OutOfMemory { argument: "weight table", bytes })?;
    list.extend(indices);
    Ok(list)
}

/// [`NearestRule::Pillow`].
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // clamped to the axis, below 2^32
fn pillow_indices(axis: &Geometry) -> impl Iterator<Item = Option<u32>> {
    // Of a part, the ratio is its length's; otherwise it may be that of a scale, which does not count.
    let step = if axis.part.is_some() { axis.ratio } else { axis.input as f64 / axis.output as f64 };
    let last = (axis.input - 1) as f64;
    let positions = std::iter::successors(Some(axis.begin() + step * 0.5), move |position| Some(position + step));
    positions.take(axis.output).map(move |position| Some(position.floor().clamp(0.0, last) as u32))
}

/// Output elements that one task copies.
const TASK: usize = 1 << 17;

/// The input pixel of every output pixel, for depth, height and width.
#[derive(Debug, Clone)]
pub struct NearestIndices {
    axes: [Vec<u32>; 3],
    /// How often each input pixel comes along the width, where that is the same for all; otherwise 0.
    repeats: usize,
}

impl NearestIndices {
    /// From the input pixel of every output pixel of depth, height and width.
    pub(crate) fn new(axes: [Vec<u32>; 3]) -> Self {
        let width = &axes[2];
        let times = width.iter().take_while(|&&i| i == width[0]).count();
        // The last pixel too: an incomplete group would not be written.
        let whole = times > 0 && width.len().is_multiple_of(times);
        let even = whole && width.iter().enumerate().all(|(o, &i)| o / times == i as usize);
        Self { repeats: if even { times } else { 0 }, axes }
    }

    /// How many output pixels copy each pixel of an input of this size, if it is the same number all along each axis.
    pub(crate) fn whole_factors(&self, input: [usize; 3]) -> Option<[usize; 3]> {
        let factors = [0, 1, 2].map(|axis| self.axes[axis].len() / input[axis].max(1));
        let repeats = |axis: usize| {
            let (indices, factor) = (&self.axes[axis], factors[axis]);
            factor * input[axis] == indices.len() && indices.iter().enumerate().all(|(o, &i)| o / factor == i as usize)
        };
        (0..3).all(repeats).then_some(factors)
    }

    /// Bytes of the lists.
    pub(crate) fn bytes(&self) -> usize {
        self.axes.iter().map(|axis| bytes_of(axis)).sum()
    }

    /// Copies every output pixel from its input pixel. Shapes have been checked.
    pub(crate) fn run<A: Copy + Send + Sync>(&self, x: ArrayView5<'_, A>, y: ArrayViewMut5<'_, MaybeUninit<A>>, how: How) {
        if y.is_empty() {
            return;
        }
        // Channels go last where they lie last in the output, so that a row can be written in one go.
        let channels_last = y.len_of(NdAxis(1)) > 1 && y.stride_of(NdAxis(1)) == 1;
        let order = if channels_last { [0, 2, 3, 4, 1] } else { [0, 1, 2, 3, 4] };
        let spatial = if channels_last { 1 } else { 2 };
        let streams = how.streaming.streams_copy(y.len() * size_of::<A>());
        let job = Job { indices: self, first_spatial: spatial, backend: how.backend, streams };
        job.divide(x.permuted_axes(order), y.permuted_axes(order), 0);
    }
}

#[derive(Clone, Copy)]
struct Job<'a> {
    indices: &'a NearestIndices,
    /// The number of the depth axis: 2, or 1 where the channels come last.
    first_spatial: usize,
    backend: Backend,
    /// The output is written past the caches.
    streams: bool,
}

impl Job<'_> {
    /// Cuts the work in halves, by shape alone; `first` is the first output index along the height.
    fn divide<A: Copy + Send + Sync>(self, x: ArrayView5<'_, A>, y: ArrayViewMut5<'_, MaybeUninit<A>>, first: usize) {
        let height = self.first_spatial + 1;
        if y.len() > TASK
            && let Some(axis) = (0..self.first_spatial).chain([height]).find(|&axis| y.len_of(NdAxis(axis)) > 1)
        {
            let half = y.len_of(NdAxis(axis)) / 2;
            let (top, bottom) = y.split_at(NdAxis(axis), half);
            if axis == height {
                return tasks::join(|| self.divide(x, top, first), || self.divide(x, bottom, first + half));
            }
            let (x_top, x_bottom) = x.split_at(NdAxis(axis), half);
            return tasks::join(|| self.divide(x_top, top, first), || self.divide(x_bottom, bottom, first));
        }
        self.task(x, y, first);
    }

    fn task<A: Copy>(self, x: ArrayView5<'_, A>, mut y: ArrayViewMut5<'_, MaybeUninit<A>>, first: usize) {
        // All channels have the strides of the first.
        let x_is_flat = self.planes(x).next().is_none_or(|plane| plane.is_standard_layout());
        if let Some(y) = y.as_slice_mut().filter(|_| x_is_flat) {
            return self.flat(x, y, first);
        }
        for (x, mut y) in x.into_outer_iter().zip(y.outer_iter_mut()) {
            if self.first_spatial == 1 {
                self.strided_volume(x, y, first);
            } else {
                for (x, y) in x.into_outer_iter().zip(y.outer_iter_mut()) {
                    self.strided_volume(x.insert_axis(NdAxis(3)), y.insert_axis(NdAxis(3)), first);
                }
            }
        }
    }

    /// The channels, or pictures of interleaved channels: `[depth, height, width, interleaved channels]`.
    fn planes<A>(self, x: ArrayView5<'_, A>) -> impl Iterator<Item = ArrayView4<'_, A>> {
        x.into_outer_iter().flat_map(move |x| {
            // One "channel" of all that are interleaved, or channels of nothing interleaved.
            let x = if self.first_spatial == 1 { x.insert_axis(NdAxis(0)) } else { x.insert_axis(NdAxis(4)) };
            x.into_outer_iter()
        })
    }

    /// Both without gaps.
    fn flat<A: Copy>(self, x: ArrayView5<'_, A>, y: &mut [MaybeUninit<A>], first: usize) {
        let NearestIndices { axes: [depths, heights, widths], repeats } = self.indices;
        let planes = self.planes(x);
        let mut carry = None;
        let mut begin = 0;
        let count = x.len_of(NdAxis(0)) * if self.first_spatial == 1 { 1 } else { x.len_of(NdAxis(1)) };
        for x in planes {
            let (_, height, width, inner) = x.dim();
            let pixels = CopyPixels { index: widths, repeats: *repeats, inner };
            if self.streams && pixels.staged::<A>() > 0 && carry.is_none() {
                carry = Some(Carry::new());
            }
            let (row, x) = (width * inner, x.to_slice().unwrap_or_default());
            let rows = y.len() / (count * depths.len() * widths.len() * inner);
            for &d in depths {
                let x = &x[d as usize * height * row..][..height * row];
                let to = Destination { out: &mut *y, begin, carry: carry.as_mut() };
                self.backend.run(CopyRows { pixels, x, row, heights: &heights[first..first + rows], to });
                begin += rows * widths.len() * inner;
            }
        }
        if let Some(mut carry) = carry {
            carry.finish(as_bytes_mut(y));
            finish_streaming();
        }
    }

    fn strided_volume<A: Copy>(self, x: ArrayView4<'_, A>, mut y: ArrayViewMut4<'_, MaybeUninit<A>>, first: usize) {
        let NearestIndices { axes: [depths, heights, widths], repeats } = self.indices;
        for (&d, mut y) in depths.iter().zip(y.outer_iter_mut()) {
            let x = x.index_axis(NdAxis(0), d as usize);
            for (mut row, &h) in y.outer_iter_mut().zip(&heights[first..]) {
                let x = x.index_axis(NdAxis(0), h as usize);
                let inner = x.len_of(NdAxis(1));
                if let (Some(from), Some(to)) = (x.to_slice(), row.as_slice_mut()) {
                    self.backend.run(CopyRow { pixels: CopyPixels { index: widths, repeats: *repeats, inner }, row: from, out: to });
                } else {
                    for (mut pixel, &w) in row.outer_iter_mut().zip(widths) {
                        for (slot, &value) in pixel.iter_mut().zip(x.index_axis(NdAxis(0), w as usize)) {
                            slot.write(value);
                        }
                    }
                }
            }
        }
    }
}
