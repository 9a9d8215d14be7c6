//! The engines for each element type, compiled once in this crate instead of anew in every crate that uses it.

use std::mem::MaybeUninit;

use ndarray::{ArrayView1, ArrayView5, ArrayViewMut1, ArrayViewMut5};

use super::bias_gradient::channel_sums;
use super::correlate::Correlate;
use super::few_channels;
use super::gather::Gather;
use super::panels::{self, Method, Packed};
use super::phases::{Direction, Geometry};
use super::store::Slot;
use super::winograd::{Filters, Lines, Run, Scheme};
use crate::element::{Element, FloatElement};
use crate::error::Error;
use crate::simd::Backend;

/// The engines over elements of one type. All shapes have been checked.
#[allow(clippy::missing_errors_doc)] // hidden; what its callers document
pub trait TypedConvolution: Element {
    /// Packs a weight, coarse channels × fine channels of a group × kernel.
    fn pack(geometry: &Geometry, direction: Direction, weight: ArrayView5<'_, Self>, backend: Backend) -> Result<Packed<Self::Row>, Error>;

    /// Packs a weight of sums.
    fn pack_rows(
        geometry: &Geometry,
        direction: Direction,
        weight: ArrayView5<'_, Self::Row>,
        backend: Backend,
    ) -> Result<Packed<Self::Row>, Error>;

    /// Expands or contracts `source` into all of `out`.
    fn gather(
        packed: &Packed<Self::Row>,
        source: ArrayView5<'_, Self>,
        bias: Option<ArrayView1<'_, Self>>,
        backend: Backend,
        out: ArrayViewMut5<'_, MaybeUninit<Self>>,
    );

    /// Expands or contracts `source` into all of `out`, which is untouched if there is an error, with weights that are used once.
    fn gather_once(
        way: (&Geometry, Direction),
        weight: ArrayView5<'_, Self>,
        source: ArrayView5<'_, Self>,
        bias: Option<ArrayView1<'_, Self>>,
        backend: Backend,
        out: ArrayViewMut5<'_, MaybeUninit<Self>>,
    ) -> Result<(), Error>;

    /// Expands or contracts `source`, added to `out`, which is untouched if there is an error.
    fn gather_add(
        way: (&Geometry, Direction),
        weight: ArrayView5<'_, Self>,
        source: ArrayView5<'_, Self>,
        backend: Backend,
        out: ArrayViewMut5<'_, Self>,
    ) -> Result<(), Error>;

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

    /// Expands or contracts `source` with packed weights, added to `out`.
    fn gather_packed_add(packed: &Packed<Self::Row>, source: ArrayView5<'_, Self>, backend: Backend, out: ArrayViewMut5<'_, Self>);

    /// The sum of each channel into all of `out`.
    fn sum_channels(dy: ArrayView5<'_, Self>, out: ArrayViewMut1<'_, MaybeUninit<Self>>);

    /// The sum of each channel, added to `out`.
    fn sum_channels_add(dy: ArrayView5<'_, Self>, out: ArrayViewMut1<'_, Self>);
}

/// Expands or contracts with packed weights.
fn run_packed<A: FloatElement, S: Slot<A>>(
    packed: &Packed<A::Row>,
    source: ArrayView5<'_, A>,
    bias: Option<ArrayView1<'_, A>>,
    backend: Backend,
    out: ArrayViewMut5<'_, S>,
) {
    match &packed.0 {
        Method::Direct(panels) => Gather::new(panels, source, bias, backend).run(out),
        Method::Few(few) => few_channels::Run::new(few, source, bias, backend).run(out),
        Method::Winograd { scheme, points } if scheme.by_lines => Lines::new(scheme, points, source, bias, backend).run(out),
        Method::Winograd { scheme, points } => Run::new(scheme, Filters::Packed(points), source, bias, backend).run(out),
    }
}

/// Expands or contracts with weights that are used once.
fn run_once<A: FloatElement, S: Slot<A>>(
    (geometry, direction): (&Geometry, Direction),
    weight: ArrayView5<'_, A>,
    source: ArrayView5<'_, A>,
    bias: Option<ArrayView1<'_, A>>,
    backend: Backend,
    out: ArrayViewMut5<'_, S>,
) -> Result<(), Error> {
    if let Some(few) = panels::few_channels(geometry, direction, &weight) {
        few_channels::Run::new(&few, source, bias, backend).run(out);
        return Ok(());
    }
    let Some(scheme) = Scheme::find(geometry, direction, &weight) else {
        Gather::new(&panels::pack_panels(geometry, direction, weight)?, source, bias, backend).run(out);
        return Ok(());
    };
    if scheme.by_lines {
        Lines::new(&scheme, &scheme.pack(&weight, backend)?, source, bias, backend).run(out);
        return Ok(());
    }
    let run = Run::new(&scheme, Filters::Raw(weight), source, bias, backend);
    if run.prefers_raw() {
        run.run(out);
    } else {
        run.with_packed(&scheme.pack(&weight, backend)?).run(out);
    }
    Ok(())
}

/// The weight gradient.
fn correlate<A: FloatElement, S: Slot<A>>(
    geometry: &Geometry,
    coarse: ArrayView5<'_, A>,
    fine: ArrayView5<'_, A>,
    backend: Backend,
    out: ArrayViewMut5<'_, S>,
) {
    let (of_coarse, of_fine) = (coarse.dim().1 / geometry.groups, fine.dim().1 / geometry.groups);
    if few_channels::suits(geometry, of_coarse, of_fine) {
        few_channels::correlate(geometry, coarse, fine, backend, out);
    } else {
        Correlate::new(geometry, coarse, fine, backend).run(out);
    }
}

macro_rules! typed {
    ($($element:ty),+) => {
        $(impl TypedConvolution for $element {
            fn pack(geometry: &Geometry, direction: Direction, weight: ArrayView5<'_, Self>, backend: Backend) -> Result<Packed<Self::Row>, Error> {
                panels::pack(geometry, direction, weight, backend)
            }

            fn pack_rows(
                geometry: &Geometry,
                direction: Direction,
                weight: ArrayView5<'_, Self::Row>,
                backend: Backend,
            ) -> Result<Packed<Self::Row>, Error> {
                panels::pack(geometry, direction, weight, backend)
            }

            fn gather(
                packed: &Packed<Self::Row>,
                source: ArrayView5<'_, Self>,
                bias: Option<ArrayView1<'_, Self>>,
                backend: Backend,
                out: ArrayViewMut5<'_, MaybeUninit<Self>>,
            ) {
                run_packed(packed, source, bias, backend, out);
            }

            fn gather_once(
                way: (&Geometry, Direction),
                weight: ArrayView5<'_, Self>,
                source: ArrayView5<'_, Self>,
                bias: Option<ArrayView1<'_, Self>>,
                backend: Backend,
                out: ArrayViewMut5<'_, MaybeUninit<Self>>,
            ) -> Result<(), Error> {
                run_once(way, weight, source, bias, backend, out)
            }

            fn gather_add(
                way: (&Geometry, Direction),
                weight: ArrayView5<'_, Self>,
                source: ArrayView5<'_, Self>,
                backend: Backend,
                out: ArrayViewMut5<'_, Self>,
            ) -> Result<(), Error> {
                run_once::<Self, Self>(way, weight, source, None, backend, out)
            }

            fn correlate(
                geometry: &Geometry,
                coarse: ArrayView5<'_, Self>,
                fine: ArrayView5<'_, Self>,
                backend: Backend,
                out: ArrayViewMut5<'_, MaybeUninit<Self>>,
            ) -> Result<(), Error> {
                correlate(geometry, coarse, fine, backend, out);
                Ok(())
            }

            fn correlate_add(
                geometry: &Geometry,
                coarse: ArrayView5<'_, Self>,
                fine: ArrayView5<'_, Self>,
                backend: Backend,
                out: ArrayViewMut5<'_, Self>,
            ) -> Result<(), Error> {
                correlate::<Self, Self>(geometry, coarse, fine, backend, out);
                Ok(())
            }

            fn gather_packed_add(
                packed: &Packed<Self::Row>,
                source: ArrayView5<'_, Self>,
                backend: Backend,
                out: ArrayViewMut5<'_, Self>,
            ) {
                run_packed(packed, source, None, backend, out);
            }

            fn correlate_rows(
                geometry: &Geometry,
                coarse: ArrayView5<'_, Self>,
                fine: ArrayView5<'_, Self>,
                backend: Backend,
                out: ArrayViewMut5<'_, MaybeUninit<Self::Row>>,
            ) -> Result<(), Error> {
                correlate(geometry, coarse, fine, backend, out);
                Ok(())
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
