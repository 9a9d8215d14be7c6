//! New arrays that are not filled before they are written. With `kernels/`, the crate's only unsafe code.

use std::mem::MaybeUninit;

use ndarray::{Array, Array5, ArrayView5, ArrayViewMut5, Dimension};

use crate::error::Error;
use crate::output_size::element_count;
use crate::tasks::for_each_part;

/// An array of `shape` whose elements are not yet written; an [`Error`] where there is no memory for it.
pub(crate) fn uninit<A>(argument: &'static str, shape: [usize; 5]) -> Result<Array5<MaybeUninit<A>>, Error> {
    let count = element_count::<A>(argument, &shape)?;
    let mut elements: Vec<MaybeUninit<A>> = Vec::new();
    elements.try_reserve_exact(count).map_err(|_| Error::OutOfMemory { argument, bytes: count * size_of::<A>() })?;
    // SAFETY: the capacity is at least `count`, and a `MaybeUninit` needs no initialisation.
    unsafe { elements.set_len(count) };
    Array5::from_shape_vec(shape, elements).map_err(|_| Error::TooLarge { argument, shape: shape.to_vec() })
}

/// Declares every element of `array` written.
///
/// # Safety
/// Every element has been written.
pub(crate) unsafe fn assume_init<A: Copy, D: Dimension>(array: Array<MaybeUninit<A>, D>) -> Array<A, D> {
    // SAFETY: the caller's promise is the one that is asked for.
    unsafe { array.assume_init() }
}

/// An initialised output, seen as one that is about to be overwritten.
pub(crate) fn as_uninit<A: Copy>(mut view: ArrayViewMut5<'_, A>) -> ArrayViewMut5<'_, MaybeUninit<A>> {
    // SAFETY: `MaybeUninit<A>` has the layout of `A`, and the crate writes only initialised elements through this view.
    unsafe { view.raw_view_mut().cast::<MaybeUninit<A>>().deref_into_view_mut() }
}

/// A number, any bits of which are a value of its type.
///
/// # Safety
/// Every pattern of bits must be a value, and no byte of it padding.
pub(crate) unsafe trait AnyBits: Copy {}

macro_rules! any_bits {
    ($($number:ty),+) => {
        // SAFETY: integers and floating-point numbers, of which any bits are one.
        $(unsafe impl AnyBits for $number {})+
    };
}
any_bits!(f32, f64, u8, u16, i8, i16, i32);
#[cfg(feature = "half")]
any_bits!(half::f16, half::bf16);

/// Numbers seen as those of another type of the same size, whose loops copy them as well.
pub(crate) fn as_alike<A: AnyBits, U: AnyBits>(view: ArrayView5<'_, A>) -> ArrayView5<'_, U> {
    const { assert!(size_of::<A>() == size_of::<U>() && align_of::<A>() == align_of::<U>()) };
    // SAFETY: size and alignment are the same, and any bits are a number of either type.
    unsafe { view.raw_view().cast::<U>().deref_into_view() }
}

/// The same to write.
pub(crate) fn as_alike_mut<A: AnyBits, U: AnyBits>(mut view: ArrayViewMut5<'_, MaybeUninit<A>>) -> ArrayViewMut5<'_, MaybeUninit<U>> {
    const { assert!(size_of::<A>() == size_of::<U>() && align_of::<A>() == align_of::<U>()) };
    // SAFETY: as above; what is written as the one is initialised as the other.
    unsafe { view.raw_view_mut().cast::<MaybeUninit<U>>().deref_into_view_mut() }
}

/// A new array that `work` writes piece by piece (see [`for_each_part`]). Each piece is first filled with `value`, by the
/// thread that then works on it and while it is in that thread's cache, which costs little and needs no promise from `work`.
pub(crate) fn filled_by_pieces<A: Copy + Send + Sync>(
    argument: &'static str,
    shape: [usize; 5],
    value: A,
    axes: &[usize],
    work: &(impl Fn([usize; 5], ArrayViewMut5<'_, A>) + Sync),
) -> Result<Array5<A>, Error> {
    let mut array = uninit(argument, shape)?;
    for_each_part(array.view_mut(), axes, &|origin, piece| work(origin, fill(piece, value)));
    // SAFETY: the pieces partition the array, and each of them has been filled.
    Ok(unsafe { assume_init(array) })
}

/// A new array of `value`s.
pub(crate) fn filled<A: Copy + Send + Sync>(argument: &'static str, shape: [usize; 5], value: A) -> Result<Array5<A>, Error> {
    filled_by_pieces(argument, shape, value, &[0, 1, 2, 3], &|_, _| ())
}

/// An array of `shape`, which has no elements.
pub(crate) fn empty<A>(argument: &'static str, shape: [usize; 5]) -> Result<Array5<A>, Error> {
    Array5::from_shape_vec(shape, Vec::new()).map_err(|_| Error::TooLarge { argument, shape: shape.to_vec() })
}

/// Writes `value` everywhere.
fn fill<A: Copy>(mut view: ArrayViewMut5<'_, MaybeUninit<A>>, value: A) -> ArrayViewMut5<'_, A> {
    view.fill(MaybeUninit::new(value));
    // SAFETY: every element has just been written.
    unsafe { view.assume_init() }
}

/// A new array of `shape`, N×C×D×H×W or in memory N×D×H×W×C. `write` writes every element, or fails.
pub(crate) fn written<A: Copy>(
    argument: &'static str,
    shape: [usize; 5],
    channels_last: bool,
    write: impl FnOnce(ArrayViewMut5<'_, MaybeUninit<A>>) -> Result<(), Error>,
) -> Result<Array5<A>, Error> {
    let [n, c, d, h, w] = shape;
    let mut array =
        if channels_last { uninit(argument, [n, d, h, w, c])?.permuted_axes([0, 4, 1, 2, 3]) } else { uninit(argument, shape)? };
    write(array.view_mut())?;
    // SAFETY: the engines that the crate passes here write every element of their output when they succeed.
    Ok(unsafe { assume_init(array) })
}
