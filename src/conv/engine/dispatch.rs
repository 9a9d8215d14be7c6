//! Chooses the engine of a call, for its memory and for its run.

use ndarray::{ArrayView1, ArrayView5, ArrayViewMut5, Axis};

use super::accuracy::{self, EvenWeights};
use super::cost::Uses;
use super::depthwise;
use super::direct::DirectConvolution;
use super::packed_weights::{self, Method, Packed, Panels, Reduced, Unpacked};
use super::phases::{Direction, Geometry};
use super::store::Slot;
use super::strips::Strips;
use super::weight_gradient::WeightGradient;
use super::winograd::{Filters, Lines, Run, Scheme};
use crate::conv::options::Precision;
use crate::element::FloatElement;
use crate::error::Error;
use crate::kernels::{Backend, Real, Reserved, reserve};
use crate::memory::Need;

/// As many blocks of positions can read the weights of a transposed convolution as they are before packing pays. Those of a convolution lie
/// in the order in which they are read.
const FEW_BLOCKS: usize = 2;

/// Expands or contracts with packed weights.
pub(crate) fn run_packed<A: FloatElement, S: Slot<A>>(
    packed: &Packed<A::Row>,
    source: ArrayView5<'_, A>,
    bias: Option<ArrayView1<'_, A>>,
    backend: Backend,
    out: ArrayViewMut5<'_, S>,
) -> Result<(), Error> {
    match &packed.0 {
        Method::Direct(panels) => DirectConvolution::new(panels, source, bias, backend).run(out, None),
        Method::Few(few) => depthwise::Run::new(few, source, bias, backend).run(out),
        Method::Winograd(reduced) if const { A::Row::REDUCES } && reduced.scheme.pays(source.dim().0, Uses::Many) => {
            let even = accuracy::even_pictures(&source, &reduced.even, backend)?;
            let direct = |source| DirectConvolution::new(&reduced.direct, source, bias, backend);
            let need = |even, source| if even { reduced_need(reduced, source, backend) } else { direct(source).need() };
            let reserved = reserve_for_runs::<A>(&even, source, need)?;
            by_runs(&even, source, out, &mut |even, source, out| match even {
                true => run_reduced(reduced, source, bias, backend, (out, reserved.as_ref())),
                false => direct(source).run(out, reserved.as_ref()),
            })
        }
        Method::Winograd(reduced) => DirectConvolution::new(&reduced.direct, source, bias, backend).run(out, None),
    }
}

/// With fewer multiplications.
fn run_reduced<A: FloatElement, S: Slot<A>>(
    Reduced { scheme, points, .. }: &Reduced<A::Row>,
    source: ArrayView5<'_, A>,
    bias: Option<ArrayView1<'_, A>>,
    backend: Backend,
    (out, reserved): (ArrayViewMut5<'_, S>, Option<&Reserved>),
) -> Result<(), Error> {
    if scheme.by_lines {
        Lines::new(scheme, points, source, bias, backend).run(out, reserved)
    } else {
        Run::new(scheme, Filters::Packed(points), source, bias, backend).run(out, reserved)
    }
}

/// The scratch of [`run_reduced`].
fn reduced_need<A: FloatElement>(reduced: &Reduced<A::Row>, source: ArrayView5<'_, A>, backend: Backend) -> Need {
    let Reduced { scheme, points, .. } = reduced;
    if scheme.by_lines {
        Lines::new(scheme, points, source, None, backend).need()
    } else {
        Run::new(scheme, Filters::Packed(points), source, None, backend).need()
    }
}

/// Reserves the scratch of all runs before the first one writes, where there are several.
fn reserve_for_runs<'x, A: FloatElement>(
    even: &[bool],
    mut source: ArrayView5<'x, A>,
    need: impl Fn(bool, ArrayView5<'x, A>) -> Need,
) -> Result<Option<Reserved>, Error> {
    let mut whole = Need::default();
    for alike in even.chunk_by(|one, other| one == other) {
        if alike.len() == even.len() {
            return Ok(None);
        }
        let (of_run, behind) = source.split_at(Axis(0), alike.len());
        whole = whole.or(need(alike[0], of_run));
        source = behind;
    }
    Ok(Some(reserve::<A::Row>(&whole)?))
}

/// Runs of neighbouring pictures that are computed in the same way, one after the other.
fn by_runs<'x, A, S>(
    even: &[bool],
    mut source: ArrayView5<'x, A>,
    mut out: ArrayViewMut5<'_, S>,
    run: &mut impl FnMut(bool, ArrayView5<'x, A>, ArrayViewMut5<'_, S>) -> Result<(), Error>,
) -> Result<(), Error> {
    for alike in even.chunk_by(|one, other| one == other) {
        let (of_run, behind) = source.split_at(Axis(0), alike.len());
        let (out_of_run, out_behind) = out.split_at(Axis(0), alike.len());
        run(alike[0], of_run, out_of_run)?;
        (source, out) = (behind, out_behind);
    }
    Ok(())
}

/// The scratch of [`run_packed`] beside the packed weights.
pub(crate) fn packed_need<A: FloatElement>(packed: &Packed<A::Row>, source: ArrayView5<'_, A>, backend: Backend) -> Need {
    match &packed.0 {
        Method::Direct(panels) => DirectConvolution::new(panels, source, None, backend).need(),
        Method::Few(few) => depthwise::Run::new(few, source, None, backend).need(),
        Method::Winograd(reduced) => {
            let direct = DirectConvolution::new(&reduced.direct, source.view(), None, backend).need();
            let pays = const { A::Row::REDUCES } && reduced.scheme.pays(source.dim().0, Uses::Many);
            if pays { reduced_need(reduced, source, backend).or(direct) } else { direct }
        }
    }
}

/// Expands or contracts with weights that are used once.
pub(crate) fn run_once<A: FloatElement, S: Slot<A>>(
    (geometry, direction): (&Geometry, Direction),
    weight: ArrayView5<'_, A>,
    source: ArrayView5<'_, A>,
    bias: Option<ArrayView1<'_, A>>,
    backend: Backend,
    out: ArrayViewMut5<'_, S>,
) -> Result<(), Error> {
    if let Some(few) = packed_weights::depthwise(geometry, direction, &weight) {
        return depthwise::Run::new(&few.with_weights(&weight)?, source, bias, backend).run(out);
    }
    let way = (geometry, direction);
    if const { !A::Row::REDUCES } {
        return DefinedOnce::new(way, weight, source.dim().0)?.on(source, bias, backend).run(out, None);
    }
    let scheme = Scheme::find(geometry, direction, &weight).filter(|scheme| scheme.pays(source.dim().0, Uses::Once));
    let weights = match &scheme {
        Some(scheme) => EvenWeights::find(direction, geometry.groups, scheme, &weight, backend)?,
        None => None,
    };
    let (Some(scheme), Some(weights)) = (scheme, weights) else {
        return DefinedOnce::new(way, weight, source.dim().0)?.on(source, bias, backend).run(out, None);
    };
    let even = accuracy::even_pictures(&source, &weights, backend)?;
    let defined = if even.iter().all(|&even| even) { None } else { Some(DefinedOnce::new(way, weight, source.dim().0)?) };
    let needs_points =
        even.contains(&true) && (scheme.by_lines || !Run::new(&scheme, Filters::Raw(weight), source.view(), None, backend).prefers_raw());
    let points = if needs_points { scheme.pack(&weight, backend)? } else { Vec::new() };
    let lines = |source| Lines::new(&scheme, &points, source, bias, backend);
    let filters = || if needs_points { Filters::Packed(&points) } else { Filters::Raw(weight) };
    let tiles = |source| Run::new(&scheme, filters(), source, bias, backend);
    let reserved = reserve_for_runs::<A>(&even, source, |even, source| match &defined {
        Some(defined) if !even => defined.on(source, None, backend).need(),
        _ if scheme.by_lines => lines(source).need(),
        _ => tiles(source).need(),
    })?;
    by_runs(&even, source, out, &mut |even, source, out| match &defined {
        Some(defined) if !even => defined.on(source, bias, backend).run(out, reserved.as_ref()),
        _ if scheme.by_lines => lines(source).run(out, reserved.as_ref()),
        _ => tiles(source).run(out, reserved.as_ref()),
    })
}

/// The weights as they are, for one call on `batch` pictures, unless packing them is faster. Only shapes and layout count for the choice.
fn unpacked_for<'w, A: FloatElement>(
    planned: &Panels<A::Row>,
    direction: Direction,
    weight: &ArrayView5<'w, A>,
    batch: usize,
) -> Option<Unpacked<'w, A::Row>> {
    let unpacked = Unpacked::new(direction, planned, weight)?;
    let rows = planned.channels.chunk * planned.phases.count();
    let few = || Strips::count_blocks(&planned.phases, batch, rows) <= FEW_BLOCKS;
    (direction == Direction::Contract || few()).then_some(unpacked)
}

/// The weights of the definition for one call, packed or not.
struct DefinedOnce<'w, T> {
    panels: Panels<T>,
    unpacked: Option<Unpacked<'w, T>>,
}

impl<'w, T: Real> DefinedOnce<'w, T> {
    fn new<A: FloatElement<Row = T>>(
        (geometry, direction): (&Geometry, Direction),
        weight: ArrayView5<'w, A>,
        batch: usize,
    ) -> Result<Self, Error> {
        let panels = packed_weights::plan_panels(geometry, direction, &weight);
        match unpacked_for(&panels, direction, &weight, batch) {
            None => Ok(Self { panels: packed_weights::pack_panels(geometry, direction, weight)?, unpacked: None }),
            unpacked => Ok(Self { panels, unpacked }),
        }
    }

    fn on<'x, A: FloatElement<Row = T>>(
        &self,
        source: ArrayView5<'x, A>,
        bias: Option<ArrayView1<'_, A>>,
        backend: Backend,
    ) -> DirectConvolution<'_, 'x, A> {
        DirectConvolution::new(&self.panels, source, bias, backend).with_unpacked(self.unpacked)
    }
}

/// The scratch of [`run_once`], or of packing the weights and [`run_packed`]. `W` is the type of the weight, `A` that of the source.
pub(crate) fn need<W: FloatElement<Row = A::Row>, A: FloatElement>(
    (geometry, direction): (&Geometry, Direction),
    weight: ArrayView5<'_, W>,
    source: ArrayView5<'_, A>,
    backend: Backend,
    uses: Uses,
) -> Result<Need, Error> {
    let bytes = |count: usize| count.saturating_mul(size_of::<A::Row>());
    if let Some(few) = packed_weights::depthwise(geometry, direction, &weight) {
        return Ok(depthwise::Run::new(&few, source, None, backend).need().with_shared(bytes(weight.len())));
    }
    let planned = packed_weights::plan_panels(geometry, direction, &weight);
    let unpacked = if uses == Uses::Once { unpacked_for(&planned, direction, &weight, source.dim().0) } else { None };
    let mut direct = DirectConvolution::new(&planned, source.view(), None, backend).with_unpacked(unpacked).need();
    if unpacked.is_none() {
        direct = direct.with_shared(bytes(planned.len()?));
        direct.list_bytes = direct.list_bytes.max(planned.packing_list_bytes());
    }
    let direct = direct.with_shared(planned.phases.list_bytes());
    if const { !A::Row::REDUCES } {
        return Ok(direct);
    }
    let scheme = Scheme::find(geometry, direction, &weight).filter(|scheme| uses == Uses::Many || scheme.pays(source.dim().0, Uses::Once));
    let Some(scheme) = scheme else { return Ok(direct) };
    // The largest weight of each kernel, and what each channel and picture is judged by.
    let (coarse, fine, ..) = weight.dim();
    let judging = bytes(2 * (coarse / geometry.groups) * fine + 4 * (coarse + fine * geometry.groups)) + source.dim().0;
    let direct = direct.with_shared(judging);
    let lists = scheme.phases.list_bytes();
    let run = Run::<A>::new(&scheme, Filters::Packed(&[]), source.view(), None, backend);
    let packing = Scheme::packing_lens(&weight).iter().sum();
    if uses == Uses::Once && !scheme.by_lines && run.prefers_raw() {
        return Ok(run.need_raw(packing).with_shared(lists).or(direct));
    }
    let need = if scheme.by_lines { Lines::<A>::new(&scheme, &[], source, None, backend).need() } else { run.need() };
    // Threads keep what packing took, and grow it where running takes more.
    let [outer, inside, _] = need.buffers;
    let need = Need { buffers: [outer, inside, packing], ..need }.with_shared(bytes(scheme.packed_len::<A::Row>()?) + lists);
    Ok(need.or(direct))
}

/// The weight gradient.
pub(crate) fn correlate<A: FloatElement, S: Slot<A>>(
    geometry: &Geometry,
    coarse: ArrayView5<'_, A>,
    fine: ArrayView5<'_, A>,
    backend: Backend,
    out: ArrayViewMut5<'_, S>,
) -> Result<(), Error> {
    if correlates_few(geometry, &coarse, &fine) {
        depthwise::correlate(geometry, coarse, fine, backend, out)
    } else {
        judged(geometry, &coarse, &fine, backend).run(out)
    }
}

/// The weight gradient, by fewer multiplications where its factors allow that.
fn judged<'a, A: FloatElement>(
    geometry: &Geometry,
    coarse: &ArrayView5<'a, A>,
    fine: &ArrayView5<'a, A>,
    backend: Backend,
) -> WeightGradient<'a, A> {
    let correlate = WeightGradient::new(geometry, *coarse, *fine, backend);
    if const { !A::Row::REDUCES } || !correlate.is_reduced() {
        return correlate;
    }
    if accuracy::even_channels([coarse, fine], backend) {
        return correlate;
    }
    let strict = Geometry { precision: Precision::Strict, ..*geometry };
    WeightGradient::new(&strict, *coarse, *fine, backend)
}

/// The scratch of [`correlate`].
pub(crate) fn correlate_need<A: FloatElement>(
    geometry: &Geometry,
    coarse: ArrayView5<'_, A>,
    fine: ArrayView5<'_, A>,
    backend: Backend,
) -> Need {
    if correlates_few(geometry, &coarse, &fine) {
        depthwise::correlate_need(geometry, &fine, backend)
    } else {
        let strict = Geometry { precision: Precision::Strict, ..*geometry };
        let direct = WeightGradient::new(&strict, coarse, fine, backend).need();
        WeightGradient::new(geometry, coarse, fine, backend).need().or(direct)
    }
}

fn correlates_few<A>(geometry: &Geometry, coarse: &ArrayView5<'_, A>, fine: &ArrayView5<'_, A>) -> bool {
    depthwise::suits(geometry, coarse.dim().1 / geometry.groups, fine.dim().1 / geometry.groups)
}
