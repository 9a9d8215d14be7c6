//! The crate `burn-flex`, burn's own CPU backend: always into a new output.

use std::hint::black_box;
use std::rc::Rc;

use burn_backend::TensorData;
use burn_backend::ops::{ConvTransposeOptions, InterpolateMode, InterpolateOptions, ModuleOps};
use burn_flex::{Flex, FlexTensor};

use crate::case::{Case, read};
use crate::engine::Engine;

pub fn engine(case: &Case) -> Result<Engine, String> {
    if case.input.len() != 4 || case.dtype != "f32" || case.is_channels_last() || case.antialias {
        return Err("no such operator in burn".to_owned());
    }
    let call = Rc::new(if case.is_resize() { resize(case)? } else { convolution(case)? });
    call();
    let call_of_output = call.clone();
    Ok(Engine {
        allocated: Some(Box::new(move || {
            black_box(call());
        })),
        reused: None,
        output: Box::new(move || call_of_output().into_data().as_bytes().to_vec()),
    })
}

type Call = Box<dyn Fn() -> FlexTensor>;

fn tensor(file: &str, shape: &[usize]) -> Result<FlexTensor, String> {
    Ok(FlexTensor::from_data(TensorData::new(read::<f32>(file)?, shape.to_vec())))
}

fn resize(case: &Case) -> Result<Call, String> {
    let mode = match case.method.as_str() {
        "nearest" => InterpolateMode::Nearest,
        "linear" => InterpolateMode::Bilinear,
        "cubic" => InterpolateMode::Bicubic,
        _ => return Err("no such method in burn".to_owned()),
    };
    let options = InterpolateOptions::new(mode).with_align_corners(case.align_corners);
    let size = case.output_picture();
    let x = tensor(&case.files.x, &case.input)?;
    if case.is_forward() {
        return Ok(Box::new(move || Flex::interpolate(x.clone(), size, options.clone())));
    }
    let dy = tensor(&case.files.dy, &case.output)?;
    Ok(Box::new(move || Flex::interpolate_backward(x.clone(), dy.clone(), size, options.clone())))
}

fn convolution(case: &Case) -> Result<Call, String> {
    let twice = |value: usize| [value, value];
    let options = ConvTransposeOptions::new(twice(case.stride), twice(case.padding), twice(case.output_padding), twice(1), case.groups);
    let x = tensor(&case.files.x, &case.input)?;
    let weight = tensor(&case.files.weight, &case.weight_shape())?;
    let bias = tensor(&case.files.bias, &[case.output[1]])?;
    if case.is_forward() {
        return Ok(Box::new(move || Flex::conv_transpose2d(x.clone(), weight.clone(), Some(bias.clone()), options.clone())));
    }
    let dy = tensor(&case.files.dy, &case.output)?;
    Ok(match case.pass.as_str() {
        "input_gradient" => Box::new(move || Flex::conv_transpose2d_x_backward(weight.clone(), dy.clone(), options.clone())),
        _ => Box::new(move || Flex::conv_transpose2d_weight_backward(x.clone(), weight.clone(), dy.clone(), options.clone())),
    })
}
