//! Runs a resize whose rows are converted before and after the passes: weighted by opacity, to light, or after blocks have been averaged.

use std::mem::MaybeUninit;

use ndarray::{ArrayView3, ArrayViewMut3};

use crate::error::Error;
use crate::kernels::How;
use crate::resize::{IntegerSums, PixelRows, Read, Separable, Write};

use super::light::Colours;
use super::reduce::{Average, Reduction};
use super::sample::Sample;

/// A run. Sizes have been checked.
pub struct Converted<'a, A> {
    pub(super) passes: &'a Separable,
    pub(super) how: How,
    pub(super) colours: Colours,
    pub(super) reduction: Option<Reduction>,
    pub(super) x: ArrayView3<'a, A>,
    pub(super) y: ArrayViewMut3<'a, MaybeUninit<A>>,
}

impl<A: Sample> Converted<'_, A> {
    /// Sums in `f32`, rounded once.
    pub(super) fn in_floats(self) -> Result<(), Error> {
        let colours = self.colours;
        self.run::<f32>(&|from, to| colours.read(from, to), &|from, to| colours.write(from, to))
    }

    fn run<T: Average + Default>(self, read: Read<'_, A, T>, write: Write<'_, T, A>) -> Result<(), Error> {
        let rows = PixelRows { pixels: self.x, read };
        let Some(reduction) = self.reduction else {
            return self.passes.run_pixels(&rows, self.y, write, self.how);
        };
        let averages = reduction.run(&rows)?;
        let copy = |from: &[T], to: &mut [T]| to[..from.len()].copy_from_slice(from);
        self.passes.run_pixels(&PixelRows { pixels: averages.view(), read: &copy }, self.y, write, self.how)
    }
}

impl Converted<'_, u8> {
    /// Whether bytes are summed and rounded as Pillow does it.
    pub(super) fn sums_bytes(&self) -> bool {
        let fixed = matches!(self.passes.integers, IntegerSums::Fixed | IntegerSums::Pillow);
        fixed && !self.passes.has_many_byte_taps() && self.colours.suits_bytes()
    }

    /// Bytes between the passes, as Pillow has them.
    pub(super) fn in_bytes(self) -> Result<(), Error> {
        let colours = self.colours;
        self.run::<u8>(&|from, to| colours.read_bytes(from, to), &|from, to| colours.write_bytes(from, to))
    }
}
