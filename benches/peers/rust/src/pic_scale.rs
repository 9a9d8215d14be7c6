//! The crate `pic-scale`: pictures of 1 to 4 channels, with a plan, on threads of its own.

use std::hint::black_box;
use std::rc::Rc;
use std::sync::Arc;

use pic_scale::{
    ImageSize, ImageStore, ImageStoreMut, LinearScaler, PicScaleError, Resampling, ResamplingFunction, Scaler, ThreadingPolicy,
};

use crate::case::Case;
use crate::engine::Engine;

pub fn engine(case: &Case) -> Result<Engine, String> {
    if !case.is_resize() || !case.is_forward() || case.batch() != 1 || case.input.len() != 4 {
        return Err("resizes pictures only".to_owned());
    }
    match (case.dtype.as_str(), case.channels()) {
        ("u8", 3) if case.linear_light => of_pixels::<u8, 3>(case, |(_, linear), from, to| linear.plan_rgb_resampling(from, to)),
        ("u8", 4) if case.linear_light => of_pixels::<u8, 4>(case, |(_, linear), from, to| linear.plan_rgba_resampling(from, to, true)),
        _ if case.linear_light => Err("no such pixel type".to_owned()),
        ("u8", 3) => of_pixels::<u8, 3>(case, |(scaler, _), from, to| scaler.plan_rgb_resampling(from, to)),
        ("u8", 4) => of_pixels::<u8, 4>(case, |(scaler, _), from, to| scaler.plan_rgba_resampling(from, to, true)),
        ("u16", 3) => of_pixels::<u16, 3>(case, |(scaler, _), from, to| scaler.plan_rgb_resampling16(from, to, 16)),
        ("u16", 4) => of_pixels::<u16, 4>(case, |(scaler, _), from, to| scaler.plan_rgba_resampling16(from, to, true, 16)),
        ("f32", 1) => of_pixels::<f32, 1>(case, |(scaler, _), from, to| scaler.plan_planar_resampling_f32(from, to)),
        ("f32", 3) if case.is_channels_last() => {
            of_pixels::<f32, 3>(case, |(scaler, _), from, to| scaler.plan_rgb_resampling_f32(from, to))
        }
        ("f32", 4) if case.is_channels_last() => {
            of_pixels::<f32, 4>(case, |(scaler, _), from, to| scaler.plan_rgba_resampling_f32(from, to, true))
        }
        _ => Err("no such pixel type".to_owned()),
    }
}

type Planner<A, const CHANNELS: usize> = fn(&(Scaler, LinearScaler), ImageSize, ImageSize) -> Result<Arc<Resampling<A, CHANNELS>>, PicScaleError>;

fn of_pixels<A, const CHANNELS: usize>(case: &Case, planner: Planner<A, CHANNELS>) -> Result<Engine, String>
where
    A: bytemuck::Pod + Default + std::fmt::Debug,
{
    let function = match case.method.as_str() {
        "nearest" => ResamplingFunction::Nearest,
        "linear" => ResamplingFunction::Bilinear,
        "cubic" => ResamplingFunction::CatmullRom,
        _ => ResamplingFunction::Lanczos3,
    };
    let threads = rayon::current_num_threads();
    let policy = if threads == 1 { ThreadingPolicy::Single } else { ThreadingPolicy::Fixed(threads) };
    let scalers = (Scaler::new(function).set_threading_policy(policy), LinearScaler::new(function).set_threading_policy(policy));
    let ([height, width], [target_height, target_width]) = (case.input_picture(), case.output_picture());
    let text = |error: PicScaleError| error.to_string();
    let plan = planner(&scalers, ImageSize::new(width, height), ImageSize::new(target_width, target_height)).map_err(text)?;
    let source = Rc::new(ImageStore::<A, CHANNELS>::new(case.read_source()?, width, height).map_err(text)?);
    let mut reused = ImageStoreMut::<A, CHANNELS>::alloc(target_width, target_height);
    plan.resample(&source, &mut reused).map_err(text)?;

    let (plan_of_allocated, source_of_allocated) = (plan.clone(), source.clone());
    let (plan_of_output, source_of_output) = (plan.clone(), source.clone());
    Ok(Engine {
        allocated: Some(Box::new(move || {
            let mut new = ImageStoreMut::alloc(target_width, target_height);
            plan_of_allocated.resample(&source_of_allocated, &mut new).expect("it ran before");
            black_box(new);
        })),
        reused: Some(Box::new(move || plan.resample(&source, black_box(&mut reused)).expect("it ran before"))),
        output: Box::new(move || {
            let mut new = ImageStoreMut::alloc(target_width, target_height);
            plan_of_output.resample(&source_of_output, &mut new).expect("it ran before");
            bytemuck::cast_slice(new.as_bytes()).to_vec()
        }),
    })
}
