//! What the indices of max pooling point to.

use std::ops::Range;

use ndarray::{ArrayView3, ArrayView5, s};

use crate::error::Error;
use crate::parallel;
use crate::pieces::{Planes, for_each_piece};

/// What the indices of max pooling count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
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
        let pixels = self.pooled_pixels();
        if planes.len() > 1 && planes.len() * pixels > CHECKED_AT_ONCE {
            let middle = planes.start + planes.len() / 2;
            let (mut left, mut right) = (Ok(true), Ok(true));
            let (before, from) = (planes.start..middle, middle..planes.end);
            parallel::join(|| left = self.check_planes(before, limit), || right = self.check_planes(from, limit));
            return Ok(left? & right?);
        }
        let mut own_plane = true;
        for plane in planes {
            for (pixel, &index) in self.of(plane).iter().enumerate() {
                match usize::try_from(index) {
                    Ok(at) if at < limit => own_plane &= self.space == IndexSpace::Plane || at / self.counted_pixels() == plane,
                    _ => return Err((index, plane * pixels + pixel)),
                }
            }
        }
        Ok(own_plane)
    }

    /// The axes of [`Planes`](crate::pieces::Planes) along which the work may be cut: one thread does all of it, in row-major order,
    /// where indices point from one plane into another.
    pub(super) fn axes(&self) -> &'static [usize] {
        if self.own_plane { &[0] } else { &[] }
    }

    /// The indices of a plane: of a channel of a picture, counted through the batch.
    pub(super) fn of(&self, plane: usize) -> ArrayView3<'_, i64> {
        self.indices.slice(s![plane / self.indices.dim().1, plane % self.indices.dim().1, .., .., ..])
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

    /// The element that an index of `plane` points to, counted through the tensor.
    pub(super) fn element(&self, plane: usize, index: i64) -> usize {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // it has been checked
        let index = index as usize;
        let (plane, index) = match self.space {
            IndexSpace::Plane => (plane, index),
            IndexSpace::Tensor if self.counted == self.plane => return index,
            IndexSpace::Tensor => (index / self.counted_pixels(), index % self.counted_pixels()),
        };
        plane * self.pixels() + if self.counted == self.plane { index } else { self.moved(index) }
    }

    /// The pixel of the plane pointed into that stands where `index` stands in the plane in which the indices count.
    fn moved(&self, index: usize) -> usize {
        let [_, height, width] = self.counted;
        let [d, h, w] = [index / (height * width), index / width % height, index % width];
        (d * self.plane[1] + h) * self.plane[2] + w
    }

    /// Calls `write` with every value of `x` and the element of `out` that its index points to, in row-major order within a plane.
    /// `out` is row-major.
    pub(super) fn scatter<A: Copy + Sync, B: Send>(&self, x: &ArrayView5<'_, A>, out: &mut [B], write: impl Fn(&mut B, A) + Sync) {
        let pixels = self.pixels();
        for_each_piece(Planes { elements: out, pixels }, self.axes(), &|[first, ..], planes: Planes<'_, B>| {
            for plane in first..first + planes.elements.len() / pixels {
                let values = x.slice(s![plane / x.dim().1, plane % x.dim().1, .., .., ..]);
                for (&value, &index) in values.iter().zip(self.of(plane)) {
                    write(&mut planes.elements[self.element(plane, index) - first * pixels], value);
                }
            }
        });
    }
}
