//! The engines for each element type, compiled once in this crate instead of anew in every crate that uses it.

use std::mem::MaybeUninit;

use ndarray::{ArrayView1, ArrayView5, ArrayViewMut1, ArrayViewMut5};

use super::bias_gradient::channel_sums;
use super::correlate::Correlate;
use super::gather::Gather;
use super::panels::{self, Packed};
use super::phases::{Direction, Geometry};
use crate::element::Element;
use crate::error::Error;
use crate::simd::Backend;

/// The engines over elements of one type. All shapes have been checked.
#[allow(clippy::missing_errors_doc)] // hidden; what its callers document
pub trait TypedConvolution: Element {
    /// Packs a weight, coarse channels × fine channels of a group × kernel.
    fn pack(geometry: &Geometry, direction: Direction, weight: ArrayView5<'_, Self>) -> Result<Packed<Self::Row>, Error>;

    /// Packs a weight of sums.
    fn pack_rows(geometry: &Geometry, direction: Direction, weight: ArrayView5<'_, Self::Row>) -> Result<Packed<Self::Row>, Error>;

    /// Expands or contracts `source` into all of `out`.
    fn gather(
        packed: &Packed<Self::Row>,
        source: ArrayView5<'_, Self>,
        bias: Option<ArrayView1<'_, Self>>,
        backend: Backend,
        out: ArrayViewMut5<'_, MaybeUninit<Self>>,
    );

    /// Expands or contracts `source`, added to `out`.
    fn gather_add(packed: &Packed<Self::Row>, source: ArrayView5<'_, Self>, backend: Backend, out: ArrayViewMut5<'_, Self>);

    /// The weight gradient into all of `out`, which is untouched if there is an error.
    fn correlate(
        geometry: &Geometry,
        coarse: ArrayView5<'_, Self>,
        fine: ArrayView5<'_, Self>,
        backend: Backend,
        out: ArrayViewMut5<'_, MaybeUninit<Self>>,
    ) -> Result<(), Error>;

    /// The weight gradient, added to `out`, which is untouched if there is an error.
    fn correlate_add(
        geometry: &Geometry,
        coarse: ArrayView5<'_, Self>,
        fine: ArrayView5<'_, Self>,
        backend: Backend,
        out: ArrayViewMut5<'_, Self>,
    ) -> Result<(), Error>;

    /// The sums of the weight gradient, not rounded, into all of `out`, which is untouched if there is an error.
    fn correlate_rows(
        geometry: &Geometry,
        coarse: ArrayView5<'_, Self>,
        fine: ArrayView5<'_, Self>,
        backend: Backend,
        out: ArrayViewMut5<'_, MaybeUninit<Self::Row>>,
    ) -> Result<(), Error>;

    /// Bytes that [`gather`](Self::gather) takes besides the packed weights: for all threads together, and for each of them.
    fn gather_bytes(packed: &Packed<Self::Row>, source: ArrayView5<'_, Self>, backend: Backend) -> (usize, usize);

    /// Bytes that [`correlate`](Self::correlate) takes: for all threads together, and for each of them.
    fn correlate_bytes(geometry: &Geometry, coarse: ArrayView5<'_, Self>, fine: ArrayView5<'_, Self>, backend: Backend) -> (usize, usize);

    /// The sum of each channel into all of `out`.
    fn sum_channels(dy: ArrayView5<'_, Self>, out: ArrayViewMut1<'_, MaybeUninit<Self>>);

    /// The sum of each channel, added to `out`.
    fn sum_channels_add(dy: ArrayView5<'_, Self>, out: ArrayViewMut1<'_, Self>);
}

macro_rules! typed {
    ($($element:ty),+) => {
        $(impl TypedConvolution for $element {
            fn pack(geometry: &Geometry, direction: Direction, weight: ArrayView5<'_, Self>) -> Result<Packed<Self::Row>, Error> {
                panels::pack(geometry, direction, weight)
            }

            fn pack_rows(
                geometry: &Geometry,
                direction: Direction,
                weight: ArrayView5<'_, Self::Row>,
            ) -> Result<Packed<Self::Row>, Error> {
                panels::pack(geometry, direction, weight)
            }

            fn gather(
                packed: &Packed<Self::Row>,
                source: ArrayView5<'_, Self>,
                bias: Option<ArrayView1<'_, Self>>,
                backend: Backend,
                out: ArrayViewMut5<'_, MaybeUninit<Self>>,
            ) {
                Gather::new(packed, source, bias, backend).run(out);
            }

            fn gather_add(packed: &Packed<Self::Row>, source: ArrayView5<'_, Self>, backend: Backend, out: ArrayViewMut5<'_, Self>) {
                Gather::new(packed, source, None, backend).run::<Self>(out);
            }

            fn correlate(
                geometry: &Geometry,
                coarse: ArrayView5<'_, Self>,
                fine: ArrayView5<'_, Self>,
                backend: Backend,
                out: ArrayViewMut5<'_, MaybeUninit<Self>>,
            ) -> Result<(), Error> {
                Correlate::new(geometry, coarse, fine, backend).run(out)
            }

            fn correlate_add(
                geometry: &Geometry,
                coarse: ArrayView5<'_, Self>,
                fine: ArrayView5<'_, Self>,
                backend: Backend,
                out: ArrayViewMut5<'_, Self>,
            ) -> Result<(), Error> {
                Correlate::new(geometry, coarse, fine, backend).run::<Self>(out)
            }

            fn gather_bytes(packed: &Packed<Self::Row>, source: ArrayView5<'_, Self>, backend: Backend) -> (usize, usize) {
                Gather::new(packed, source, None, backend).bytes()
            }

            fn correlate_rows(
                geometry: &Geometry,
                coarse: ArrayView5<'_, Self>,
                fine: ArrayView5<'_, Self>,
                backend: Backend,
                out: ArrayViewMut5<'_, MaybeUninit<Self::Row>>,
            ) -> Result<(), Error> {
                Correlate::new(geometry, coarse, fine, backend).run(out)
            }

            fn correlate_bytes(
                geometry: &Geometry,
                coarse: ArrayView5<'_, Self>,
                fine: ArrayView5<'_, Self>,
                backend: Backend,
            ) -> (usize, usize) {
                Correlate::new(geometry, coarse, fine, backend).bytes()
            }

            fn sum_channels(dy: ArrayView5<'_, Self>, out: ArrayViewMut1<'_, MaybeUninit<Self>>) {
                channel_sums(dy, out);
            }

            fn sum_channels_add(dy: ArrayView5<'_, Self>, out: ArrayViewMut1<'_, Self>) {
                channel_sums::<Self, Self>(dy, out);
            }
        })+
    };
}
typed!(f32, f64);
#[cfg(feature = "half")]
typed!(half::f16, half::bf16);
