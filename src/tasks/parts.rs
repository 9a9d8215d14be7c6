//! Outputs cut into parts that threads write independently.
//!
//! The cuts depend on the shape alone, so every run writes the same elements in the same order within a part.

use ndarray::{ArrayViewMut5, Axis};

use crate::tasks;

/// A part of at most this many elements is not cut further: it fits a core's cache and is too small for two threads.
const PIECE: usize = 1 << 14;

/// What can be cut in two along one of five axes.
pub(crate) trait Cut: Sized + Send {
    /// Sizes of the five axes.
    fn shape(&self) -> [usize; 5];

    /// The parts before and from `at`.
    fn cut(self, axis: usize, at: usize) -> (Self, Self);
}

impl<A: Send> Cut for ArrayViewMut5<'_, A> {
    fn shape(&self) -> [usize; 5] {
        self.dim().into()
    }

    fn cut(self, axis: usize, at: usize) -> (Self, Self) {
        self.split_at(Axis(axis), at)
    }
}

/// Two outputs of one loop. They agree on the axes that are cut; the first determines the amount of work.
impl<V: Cut, W: Cut> Cut for (V, W) {
    fn shape(&self) -> [usize; 5] {
        self.0.shape()
    }

    fn cut(self, axis: usize, at: usize) -> (Self, Self) {
        let (first, second) = (self.0.cut(axis, at), self.1.cut(axis, at));
        ((first.0, second.0), (first.1, second.1))
    }
}

/// Whether an output of `len` elements is cut.
pub(crate) fn cuts(len: usize) -> bool {
    len > PIECE
}

/// Cuts `view` along `axes`, beginning with the first that is longer than 1, and calls `work` with each part and its origin.
/// With the axes in order, parts of a contiguous view are contiguous.
pub(crate) fn for_each_part<V: Cut>(view: V, axes: &[usize], work: &(impl Fn([usize; 5], V) + Sync)) {
    halve(view, [0; 5], axes, work);
}

fn halve<V: Cut>(view: V, origin: [usize; 5], axes: &[usize], work: &(impl Fn([usize; 5], V) + Sync)) {
    let shape = view.shape();
    let next = axes.iter().copied().find(|&axis| shape[axis] > 1);
    match next.filter(|_| cuts(shape.iter().product())) {
        None => work(origin, view),
        Some(axis) => {
            let middle = shape[axis] / 2;
            let (left, right) = view.cut(axis, middle);
            let mut right_origin = origin;
            right_origin[axis] += middle;
            tasks::join(|| halve(left, origin, axes, work), || halve(right, right_origin, axes, work));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array5;

    #[test]
    fn pieces_partition_the_view() {
        for (name, shape, axes) in [
            ("one piece", [1, 2, 3, 4, 5], &[0, 1, 2, 3][..]),
            ("many planes", [3, 41, 1, 40, 50], &[0, 1]),
            ("one large plane", [1, 1, 1, 333, 301], &[0, 1, 2, 3]),
            ("nothing may be cut", [4, 4, 4, 40, 40], &[]),
            ("empty", [0, 4, 4, 40, 40], &[0, 1, 2, 3]),
        ] {
            let mut seen = Array5::<u64>::zeros(shape);
            for_each_part(seen.view_mut(), axes, &|origin, mut piece| {
                for (index, element) in piece.indexed_iter_mut() {
                    let index: [usize; 5] = index.into();
                    let place: [usize; 5] = std::array::from_fn(|axis| index[axis] + origin[axis]);
                    *element += 1 + place.iter().zip(shape).fold(0, |flat, (&at, size)| flat * size as u64 + at as u64);
                }
            });
            assert!(seen.iter().enumerate().all(|(flat, &value)| value == flat as u64 + 1), "{name}");
        }
    }
}
