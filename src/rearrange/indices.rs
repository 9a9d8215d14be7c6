//! What the indices of max pooling point to.

use std::ops::Range;

use ndarray::{ArrayView3, ArrayView5, s};

use crate::error::Error;
use crate::kernels::{Backend, InstructionSet, Kernel};
use crate::tasks;

/// What the indices of max pooling count.
///
/// ```
/// use ndarray::{Array4, array};
/// use upsample::rearrange::{IndexSpace, MaxPool};
///
/// let x = Array4::from_shape_fn((1, 2, 1, 2), |(_, c, _, w)| c + w);
/// let (_, in_plane) = MaxPool::new([1, 2]).forward(&x)?;
/// let (_, in_tensor) = MaxPool::new([1, 2]).index_space(IndexSpace::Tensor).forward(&x)?;
/// assert_eq!((in_plane, in_tensor), (array![[[[1]], [[1]]]], array![[[[1]], [[3]]]]));
/// # Ok::<(), upsample::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum IndexSpace {
    /// Pixels of one channel of one picture, row-major: `(d·H + h)·W + w`. PyTorch.
    #[default]
    Plane,
    /// Elements of the whole tensor, row-major: `(((n·C + c)·D + d)·H + h)·W + w`. ONNX.
    Tensor,
}

/// This many indices are checked by one thread.
const CHECKED_AT_ONCE: usize = 1 << 16;

/// Indices that have been checked, and the planes that they point into.
pub(super) struct Targets<'a> {
    indices: ArrayView5<'a, i64>,
    space: IndexSpace,
    /// The plane in which the indices count.
    counted: [usize; 3],
    /// The plane that they point into, on every axis at least as large.
    plane: [usize; 3],
    /// Whether every index points into the plane of its own channel and picture.
    own_plane: bool,
}

impl<'a> Targets<'a> {
    /// Checks every index. `batch·channels·counted` and `batch·channels·plane` must be the sizes of tensors that can exist.
    pub(super) fn check(indices: ArrayView5<'a, i64>, space: IndexSpace, counted: [usize; 3], plane: [usize; 3]) -> Result<Self, Error> {
        let planes = indices.dim().0 * indices.dim().1;
        let unchecked = Self { indices, space, counted, plane, own_plane: true };
        let limit = unchecked.counted_pixels() * if space == IndexSpace::Tensor { planes } else { 1 };
        match unchecked.check_planes(0..planes, limit) {
            Ok(own_plane) => Ok(Self { own_plane, ..unchecked }),
            Err((index, position)) => Err(Error::IndexOutOfRange { argument: "indices", index, position, limit }),
        }
    }

    /// Whether every index points into its own plane; or the first index that is out of range, with its position.
    fn check_planes(&self, planes: Range<usize>, limit: usize) -> Result<bool, (i64, usize)> {
        let pooled = self.pooled_pixels();
        if planes.len() > 1 && planes.len() * pooled > CHECKED_AT_ONCE {
            let middle = planes.start + planes.len() / 2;
            let (mut left, mut right) = (Ok(true), Ok(true));
            let (before, from) = (planes.start..middle, middle..planes.end);
            tasks::join(|| left = self.check_planes(before, limit), || right = self.check_planes(from, limit));
            return Ok(left? & right?);
        }
        let mut own_plane = true;
        for plane in planes {
            let indices = self.indices_of(plane);
            let range = AllInRange { indices: indices.to_slice(), begin: self.begin_of(plane), len: self.counted_pixels() };
            if Backend::best().run(range) {
                continue;
            }
            // One by one: they may lie in another layout, point into other planes, or be wrong.
            for (pixel, &index) in indices.iter().enumerate() {
                match usize::try_from(index) {
                    Ok(at) if at < limit => own_plane &= at.wrapping_sub(self.begin_of(plane)) < self.counted_pixels(),
                    _ => return Err((index, plane * pooled + pixel)),
                }
            }
        }
        Ok(own_plane)
    }

    /// The axes along which the work may be cut: one thread does all of it where indices point from one plane into another.
    pub(super) fn axes(&self) -> &'static [usize] {
        if self.own_plane { &[0, 1] } else { &[] }
    }

    /// The number of the first plane of a piece that begins at `origin`.
    pub(super) fn first_plane(&self, origin: [usize; 5]) -> usize {
        origin[0] * self.indices.dim().1 + origin[1]
    }

    /// The indices of a plane: of a channel of a picture, counted through the batch.
    pub(super) fn indices_of(&self, plane: usize) -> ArrayView3<'_, i64> {
        plane_of(&self.indices, plane)
    }

    /// How many pixels a plane that is pointed into has.
    pub(super) fn pixels(&self) -> usize {
        self.plane.iter().product()
    }

    /// How many indices a plane has.
    pub(super) fn pooled_pixels(&self) -> usize {
        let (_, _, depth, height, width) = self.indices.dim();
        depth * height * width
    }

    fn counted_pixels(&self) -> usize {
        self.counted.iter().product()
    }

    /// The index of the first pixel of a plane.
    fn begin_of(&self, plane: usize) -> usize {
        if self.space == IndexSpace::Tensor { plane * self.counted_pixels() } else { 0 }
    }

    /// What turns the indices of `plane` into elements counted from plane `first` on.
    #[inline(always)]
    pub(super) fn element(&self, plane: usize, first: usize) -> impl Fn(i64) -> usize {
        let (pixels, counted_pixels) = (self.pixels(), self.counted_pixels());
        let (begin, here) = (self.begin_of(plane), (plane - first) * pixels);
        let ([_, height, width], [_, height_to, width_to]) = (self.counted, self.plane);
        let simple = self.own_plane && self.counted == self.plane;
        move |index| {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // it has been checked
            let index = index as usize;
            if simple {
                return here + index - begin;
            }
            // Both may lie in another plane, one after this or before it.
            let within = index.wrapping_sub(begin);
            let (plane_begin, index) = match within < counted_pixels {
                true => (here, within),
                false => ((index / counted_pixels - first) * pixels, index % counted_pixels),
            };
            let [d, h, w] = [index / (height * width), index / width % height, index % width];
            plane_begin + (d * height_to + h) * width_to + w
        }
    }

    /// Calls `write` with every value of `x` and the element that its index points to, among the `elements` of the planes from `first` on.
    /// Within a plane the order is row-major.
    pub(super) fn scatter<A: Copy, B>(&self, x: &ArrayView5<'_, A>, first: usize, elements: &mut [B], write: impl Fn(&mut B, A)) {
        for plane in first..first + elements.len() / self.pixels() {
            let (values, indices, element) = (plane_of(x, plane), self.indices_of(plane), self.element(plane, first));
            match (values.to_slice(), indices.to_slice()) {
                (Some(values), Some(indices)) => {
                    for (&value, &index) in values.iter().zip(indices) {
                        write(&mut elements[element(index)], value);
                    }
                }
                _ => {
                    for (&value, &index) in values.iter().zip(indices) {
                        write(&mut elements[element(index)], value);
                    }
                }
            }
        }
    }
}

fn plane_of<'a, A>(view: &ArrayView5<'a, A>, plane: usize) -> ArrayView3<'a, A> {
    let channels = view.dim().1;
    view.slice_move(s![plane / channels, plane % channels, .., .., ..])
}

/// Whether all indices are in `begin..begin + len`; said to be false where they do not lie row by row.
struct AllInRange<'a> {
    indices: Option<&'a [i64]>,
    begin: usize,
    len: usize,
}

impl Kernel for AllInRange<'_> {
    type Output = bool;

    #[inline(always)]
    fn run<I: InstructionSet>(self) -> bool {
        let Some(indices) = self.indices else { return false };
        #[allow(clippy::cast_sign_loss)] // negative ones become too large
        let outside = |index: i64| (index as u64).wrapping_sub(self.begin as u64) >= self.len as u64;
        !indices.iter().fold(false, |any, &index| any | outside(index))
    }
}
