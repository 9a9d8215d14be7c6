//! The crate `candle-core`: nearest, bilinear and ungrouped transposed convolution, forward only, always into a new output.

use std::hint::black_box;
use std::rc::Rc;

use candle_core::{Device, Result as CandleResult, Tensor};

use crate::case::{Case, read};
use crate::engine::Engine;

pub fn engine(case: &Case) -> Result<Engine, String> {
    if case.input.len() != 4 || case.dtype != "f32" || !case.is_forward() || case.is_channels_last() || case.antialias {
        return Err("no such operator in candle".to_owned());
    }
    let tensor = |elements: Vec<f32>, shape: &[usize]| Tensor::from_vec(elements, shape, &Device::Cpu).map_err(|error| error.to_string());
    let x = tensor(case.read_source()?, &case.input)?;
    let [height, width] = case.output_picture();
    let call: Box<dyn Fn() -> CandleResult<Tensor>> = if case.is_resize() {
        let align_corners = case.align_corners;
        match case.method.as_str() {
            "nearest" => Box::new(move || x.upsample_nearest2d(height, width)),
            "linear" => Box::new(move || x.upsample_bilinear2d(height, width, align_corners)),
            _ => return Err("no such method in candle".to_owned()),
        }
    } else {
        if case.groups != 1 {
            return Err("candle has no groups here".to_owned());
        }
        let weight = tensor(read(&case.files.weight)?, &case.weight_shape())?;
        let bias = tensor(read(&case.files.bias)?, &[1, case.output[1], 1, 1])?;
        let (padding, output_padding, stride) = (case.padding, case.output_padding, case.stride);
        Box::new(move || x.conv_transpose2d(&weight, padding, output_padding, stride, 1)?.broadcast_add(&bias))
    };
    call().map_err(|error| error.to_string())?;
    let call = Rc::new(call);
    let call_of_output = call.clone();
    Ok(Engine {
        allocated: Some(Box::new(move || {
            black_box(call().expect("it ran before"));
        })),
        reused: None,
        output: Box::new(move || {
            let y = call_of_output().and_then(|y| y.flatten_all()?.to_vec1::<f32>()).expect("it ran before");
            bytemuck::cast_slice(&y).to_vec()
        }),
    })
}
