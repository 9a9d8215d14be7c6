//! This crate's resize: planned once, into a new output or a reused one.

use std::hint::black_box;
use std::rc::Rc;

use upsample::ndarray::{Array, Array4, Array5, Dimension};
use upsample::{Coordinates, Filter, Profile, Resize, ResizePlan, Spatial, SpatialRank, Update};

use crate::case::Case;
use crate::engine::Engine;

pub fn engine(case: &Case) -> Result<Engine, String> {
    match (case.dtype.as_str(), case.input.len(), case.is_forward()) {
        ("f32", 4, true) => picture_forward::<f32>(case),
        ("u8", 4, true) => picture_forward::<u8>(case),
        ("f32", 4, false) => picture_backward::<f32>(case),
        ("f32", 5, true) => volume_forward::<f32>(case),
        ("f32", 5, false) => volume_backward::<f32>(case),
        _ => Err("no such type, rank and pass here".to_owned()),
    }
}

/// The description that the case means.
pub fn describe(case: &Case) -> Resize {
    let profile = match case.profile.as_str() {
        "opencv" => Profile::OpenCv,
        "pillow" => Profile::Pillow,
        _ => Profile::Torch,
    };
    let described = match case.method.as_str() {
        "nearest" => Resize::nearest(),
        "linear" => Resize::linear(),
        "cubic" => Resize::cubic(),
        _ => Resize::filter(Filter::Lanczos { lobes: case.lobes }),
    };
    let described = described.profile(profile);
    let described = if case.align_corners { described.coordinates(Coordinates::AlignCorners) } else { described };
    if case.antialias { described.antialias(true) } else { described }
}

fn plan<const RANK: usize>(case: &Case) -> Result<ResizePlan<RANK>, String>
where
    Spatial<RANK>: SpatialRank,
{
    let spatial = |shape: &[usize]| std::array::from_fn::<usize, RANK, _>(|axis| shape[2 + axis]);
    describe(case).plan(spatial(&case.input), spatial(&case.output)).map_err(|error| error.to_string())
}

/// An array of the logical shape N, C, …, whose memory has the case's layout.
pub fn array<A, D: Dimension>(case: &Case, shape: &[usize], elements: Vec<A>) -> Array<A, D> {
    let rank = shape.len();
    let (mut memory, mut places) = (D::zeros(rank), D::zeros(rank));
    for axis in 0..rank {
        // In N, spatial.., C memory the logical axis 1 lies last and the spatial ones move up.
        places[axis] = match axis {
            0 => 0,
            _ if !case.is_channels_last() => axis,
            1 => rank - 1,
            _ => axis - 1,
        };
        memory[places[axis]] = shape[axis];
    }
    Array::from_shape_vec(memory, elements).expect("as many elements as the shape has").permuted_axes(places)
}

/// The bytes of an array, in the order of its memory.
pub fn bytes<A: bytemuck::Pod, D: Dimension>(array: &Array<A, D>) -> Vec<u8> {
    bytemuck::cast_slice(array.as_slice_memory_order().expect("outputs have no gaps")).to_vec()
}

/// One pass of one rank: `$call` returns an output, `$call_into` writes one.
macro_rules! pass {
    ($name:ident, $array:ident, $rank:literal, $element:path, $call:ident, $call_into:ident $(, $update:expr)?) => {
        fn $name<A: $element + bytemuck::Pod>(case: &Case) -> Result<Engine, String> {
            let (source, target) = case.source_and_target();
            let plan = Rc::new(plan::<$rank>(case)?);
            let x: Rc<$array<A>> = Rc::new(array(case, source, case.read_source()?));
            let mut y: $array<A> = array(case, target, vec![A::zeroed(); target.iter().product()]);
            plan.$call_into(&*x, &mut y $(, $update)?).map_err(|error| error.to_string())?;
            let (plan_of_allocated, x_of_allocated) = (plan.clone(), x.clone());
            let (plan_of_output, x_of_output) = (plan.clone(), x.clone());
            Ok(Engine {
                allocated: Some(Box::new(move || {
                    black_box(plan_of_allocated.$call(&*x_of_allocated).expect("it ran before"));
                })),
                reused: Some(Box::new(move || plan.$call_into(&*x, black_box(&mut y) $(, $update)?).expect("it ran before"))),
                output: Box::new(move || bytes(&plan_of_output.$call(&*x_of_output).expect("it ran before"))),
            })
        }
    };
}

pass!(picture_forward, Array4, 2, upsample::Element, forward, forward_into);
pass!(picture_backward, Array4, 2, upsample::FloatElement, input_gradient, input_gradient_into, Update::Overwrite);
pass!(volume_forward, Array5, 3, upsample::Element, forward, forward_into);
pass!(volume_backward, Array5, 3, upsample::FloatElement, input_gradient, input_gradient_into, Update::Overwrite);
