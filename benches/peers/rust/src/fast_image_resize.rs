//! The crate `fast_image_resize`: pictures of 1 to 4 channels, on the threads of rayon's pool.

use std::hint::black_box;
use std::rc::Rc;

use fast_image_resize::images::Image;
use fast_image_resize::pixels::{F32, F32x3, F32x4, InnerPixel, U8x3, U8x4, U16x3, U16x4};
use fast_image_resize::{FilterType, PixelTrait, ResizeAlg, ResizeOptions, Resizer};

use crate::case::Case;
use crate::engine::Engine;

pub fn engine(case: &Case) -> Result<Engine, String> {
    if !case.is_resize() || !case.is_forward() || case.batch() != 1 || case.input.len() != 4 {
        return Err("resizes pictures only".to_owned());
    }
    match (case.dtype.as_str(), case.channels()) {
        _ if case.linear_light => Err("has no linear light".to_owned()),
        ("u8", 3) => of_pixels::<U8x3>(case),
        ("u8", 4) => of_pixels::<U8x4>(case),
        ("u16", 3) => of_pixels::<U16x3>(case),
        ("u16", 4) => of_pixels::<U16x4>(case),
        ("f32", 4) if case.is_channels_last() => of_pixels::<F32x4>(case),
        ("f32", 1) => of_pixels::<F32>(case),
        ("f32", 3) if case.is_channels_last() => of_pixels::<F32x3>(case),
        _ => Err("no such pixel type".to_owned()),
    }
}

/// `Resizer::resize` would choose the pixel type itself, and compile every one of them here for minutes.
fn of_pixels<P: PixelTrait + InnerPixel>(case: &Case) -> Result<Engine, String> {
    let options = ResizeOptions::new().resize_alg(match case.method.as_str() {
        "nearest" => ResizeAlg::Nearest,
        "linear" => ResizeAlg::Convolution(FilterType::Bilinear),
        "cubic" => ResizeAlg::Convolution(FilterType::CatmullRom),
        _ => ResizeAlg::Convolution(FilterType::Lanczos3),
    });
    let image = |[height, width]: [usize; 2]| Image::new(width as u32, height as u32, P::pixel_type());
    let target = case.output_picture();
    let mut source = image(case.input_picture());
    source.buffer_mut().copy_from_slice(&case.read_source::<u8>()?);

    let mut resizer = Resizer::new();
    let resize = move |resizer: &mut Resizer, output: &mut Image| {
        let (x, mut y) = (source.typed_image::<P>(), output.typed_image_mut::<P>());
        let (x, y) = x.as_ref().zip(y.as_mut()).expect("the pixel types agree");
        resizer.resize_typed(x, y, &options).expect("sizes are positive");
    };
    let resize = Rc::new(resize);
    let (resize_of_allocated, resize_of_output) = (resize.clone(), resize.clone());
    let mut resizer_of_allocated = Resizer::new();
    let mut reused = image(target);
    Ok(Engine {
        allocated: Some(Box::new(move || {
            let mut new = image(target);
            resize_of_allocated(&mut resizer_of_allocated, &mut new);
            black_box(new);
        })),
        reused: Some(Box::new(move || resize(&mut resizer, black_box(&mut reused)))),
        output: Box::new(move || {
            let mut new = image(target);
            resize_of_output(&mut Resizer::new(), &mut new);
            new.into_vec()
        }),
    })
}
