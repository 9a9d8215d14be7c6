//! This crate's resize of H×W×C pictures: planned once, planned at every call, and held to AVX2.

use std::hint::black_box;
use std::rc::Rc;

use upsample::ndarray::Array3;
use upsample::picture::{PictureResize, Sample};
use upsample::{Backend, Resize};

use crate::case::Case;
use crate::engine::Engine;
use crate::upsample_resize::bytes;

/// The plan is made beforehand.
pub fn planned(case: &Case) -> Result<Engine, String> {
    of_type(case, Mode { backend: None, plans: false })
}

/// Every call makes its plan.
pub fn planning(case: &Case) -> Result<Engine, String> {
    of_type(case, Mode { backend: None, plans: true })
}

/// The plan is made beforehand, and instructions beyond AVX2 are not used.
pub fn avx2(case: &Case) -> Result<Engine, String> {
    of_type(case, Mode { backend: Some(Backend::Avx2), plans: false })
}

struct Mode {
    backend: Option<Backend>,
    plans: bool,
}

fn of_type(case: &Case, mode: Mode) -> Result<Engine, String> {
    if !case.picture || case.batch() != 1 {
        return Err("resizes pictures only".to_owned());
    }
    match case.dtype.as_str() {
        "u8" => of::<u8>(case, mode),
        "u16" => of::<u16>(case, mode),
        "f32" => of::<f32>(case, mode),
        _ => Err("no such type here".to_owned()),
    }
}

fn of<A: Sample + bytemuck::Pod>(case: &Case, Mode { backend, plans }: Mode) -> Result<Engine, String> {
    let described = match case.method.as_str() {
        "nearest" => PictureResize::nearest(),
        "linear" => PictureResize::bilinear(),
        "cubic" => PictureResize::bicubic(),
        "lanczos" => PictureResize::lanczos3(),
        method => return Err(format!("no method {method:?} here")),
    };
    // Enlarging is the same with and without antialiasing.
    let described = if case.profile == "opencv" { PictureResize::new(opencv(case)) } else { described };
    let described = if case.linear_light { described.linear_light() } else { described };
    let described = backend.into_iter().fold(described, PictureResize::backend);
    let ([height, width], size) = (case.input_picture(), case.output_picture());
    let text = |error: upsample::Error| error.to_string();
    let x = Array3::from_shape_vec((height, width, case.channels()), case.read_source::<A>()?).map_err(|error| error.to_string())?;
    let plan = described.plan([height, width], size).map_err(text)?;
    let shared = Rc::new((described, plan, x));
    let mut y = shared.1.run(&shared.2).map_err(text)?;
    let (for_output, for_new, for_reused) = (shared.clone(), shared.clone(), shared);
    Ok(Engine {
        allocated: Some(Box::new(move || {
            let (described, plan, x) = &*for_new;
            let y = if plans { described.resize(x, size) } else { plan.run(x) };
            black_box(y.expect("it ran before"));
        })),
        reused: Some(Box::new(move || {
            let (described, plan, x) = &*for_reused;
            let done = if plans { described.resize_into(x, black_box(&mut y)) } else { plan.run_into(x, black_box(&mut y)) };
            done.expect("it ran before");
        })),
        output: Box::new(move || bytes(&for_output.1.run(&for_output.2).expect("it ran before"))),
    })
}

/// OpenCV's numbers, for enlarging.
fn opencv(case: &Case) -> Resize {
    crate::upsample_resize::describe(case)
}
