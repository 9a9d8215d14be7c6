//! The crate `fast_image_resize`: pictures of 1 to 4 channels, on the threads of rayon's pool.

use std::hint::black_box;
use std::rc::Rc;

use fast_image_resize::images::Image;
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

use crate::case::Case;
use crate::engine::Engine;

pub fn engine(case: &Case) -> Result<Engine, String> {
    if !case.is_resize() || !case.is_forward() || case.batch() != 1 || case.input.len() != 4 {
        return Err("resizes pictures only".to_owned());
    }
    let pixel = match (case.dtype.as_str(), case.channels()) {
        ("u8", 1) => PixelType::U8,
        ("u8", 3) => PixelType::U8x3,
        ("f32", 1) => PixelType::F32,
        ("f32", 3) if case.is_channels_last() => PixelType::F32x3,
        _ => return Err("no such pixel type".to_owned()),
    };
    let options = ResizeOptions::new().resize_alg(match case.method.as_str() {
        "nearest" => ResizeAlg::Nearest,
        "linear" => ResizeAlg::Convolution(FilterType::Bilinear),
        "cubic" => ResizeAlg::Convolution(FilterType::CatmullRom),
        _ => ResizeAlg::Convolution(FilterType::Lanczos3),
    });
    let image = move |[height, width]: [usize; 2]| Image::new(width as u32, height as u32, pixel);
    let target = case.output_picture();

    let mut source = image(case.input_picture());
    source.buffer_mut().copy_from_slice(&case.read_source::<u8>()?);
    let source = Rc::new(source);
    let (source_of_allocated, source_of_output) = (source.clone(), source.clone());
    let (mut resizer, mut resizer_of_allocated) = (Resizer::new(), Resizer::new());
    let mut reused = image(target);
    Ok(Engine {
        allocated: Some(Box::new(move || {
            let mut new = image(target);
            resizer_of_allocated.resize(&*source_of_allocated, &mut new, &options).expect("the pixel types agree");
            black_box(new);
        })),
        reused: Some(Box::new(move || resizer.resize(&*source, black_box(&mut reused), &options).expect("the pixel types agree"))),
        output: Box::new(move || {
            let mut new = image(target);
            Resizer::new().resize(&*source_of_output, &mut new, &options).expect("the pixel types agree");
            new.into_vec()
        }),
    })
}
