//! One number for every spatial axis, or one for each.

/// A setting of every spatial axis: one number for all of them, or an array with one for each, in the order depth, height, width.
///
/// Arguments are `impl Into<EachAxis<RANK>>`, so `2` and `[2, 3]` go straight in.
///
/// ```
/// use upsample::rearrange::{NailSpan, zero_insert};
///
/// let x = ndarray::Array4::<u8>::ones((1, 1, 4, 4));
/// assert_eq!(zero_insert(&x, 2, NailSpan::Blocks)?.dim(), (1, 1, 8, 8));
/// assert_eq!(zero_insert(&x, [1, 3], NailSpan::Blocks)?.dim(), (1, 1, 4, 12));
/// # Ok::<(), upsample::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EachAxis<const RANK: usize>([usize; RANK]);

impl<const RANK: usize> EachAxis<RANK> {
    /// One number for each axis.
    #[must_use]
    pub const fn get(self) -> [usize; RANK] {
        self.0
    }
}

impl<const RANK: usize> From<usize> for EachAxis<RANK> {
    fn from(all: usize) -> Self {
        Self([all; RANK])
    }
}

impl<const RANK: usize> From<[usize; RANK]> for EachAxis<RANK> {
    fn from(each: [usize; RANK]) -> Self {
        Self(each)
    }
}
