//! This crate's transposed convolution: planned once, with weights packed at every call or once.

use std::hint::black_box;
use std::rc::Rc;

use upsample::ndarray::{Array1, Array4};
use upsample::{ConvPlan, ConvTranspose, Error, Update};

use crate::case::{Case, read};
use crate::engine::Engine;
use crate::upsample_resize::bytes;

pub fn engine(case: &Case) -> Result<Engine, String> {
    let given = Given::new(case)?;
    match case.pass.as_str() {
        "forward" => engine_of(
            &case.output,
            given,
            |Given { plan, x, weight, bias, .. }| plan.forward(x, weight, Some(bias)),
            |Given { plan, x, weight, bias, .. }, y| plan.forward_into(x, weight, Some(bias), y),
        ),
        "input_gradient" => engine_of(
            &case.input,
            given,
            |Given { plan, dy, weight, .. }| plan.input_gradient(dy, weight),
            |Given { plan, dy, weight, .. }, dx| plan.input_gradient_into(dy, weight, dx, Update::Overwrite),
        ),
        _ => engine_of(
            &case.weight_shape(),
            given,
            |Given { plan, x, dy, .. }| plan.weight_gradient(x, dy),
            |Given { plan, x, dy, .. }, dw| plan.weight_gradient_into(x, dy, dw, Update::Overwrite),
        ),
    }
}

pub fn prepared(case: &Case) -> Result<Engine, String> {
    if case.is_resize() || !case.is_forward() {
        return Err("weights are prepared for the forward pass".to_owned());
    }
    let given = Given::new(case)?;
    let prepared = given.plan.prepare(&given.weight).map_err(|error| error.to_string())?;
    engine_of(
        &case.output,
        (prepared, given),
        |(prepared, given)| prepared.forward(&given.x, Some(&given.bias)),
        |(prepared, given), y| prepared.forward_into(&given.x, Some(&given.bias), y),
    )
}

/// The plan and the arrays of a case.
struct Given {
    plan: ConvPlan<2>,
    x: Array4<f32>,
    dy: Array4<f32>,
    weight: Array4<f32>,
    bias: Array1<f32>,
}

impl Given {
    fn new(case: &Case) -> Result<Self, String> {
        let operator =
            ConvTranspose::new().stride(case.stride).padding(case.padding).output_padding(case.output_padding).groups(case.groups);
        let array = |file: &str, shape: &[usize]| -> Result<Array4<f32>, String> {
            Array4::from_shape_vec(four(shape), read(file)?).map_err(|error| error.to_string())
        };
        Ok(Self {
            plan: operator.plan(case.input_picture(), [case.kernel; 2]).map_err(|error| error.to_string())?,
            x: array(&case.files.x, &case.input)?,
            dy: array(&case.files.dy, &case.output)?,
            weight: array(&case.files.weight, &case.weight_shape())?,
            bias: Array1::from_vec(read(&case.files.bias)?),
        })
    }
}

fn four(shape: &[usize]) -> [usize; 4] {
    std::array::from_fn(|axis| shape[axis])
}

/// `call` returns an output of `shape`, `call_into` writes one.
fn engine_of<G: 'static>(
    shape: &[usize],
    given: G,
    call: impl Fn(&G) -> Result<Array4<f32>, Error> + 'static,
    call_into: impl Fn(&G, &mut Array4<f32>) -> Result<(), Error> + 'static,
) -> Result<Engine, String> {
    let mut reused = Array4::zeros(four(shape));
    call_into(&given, &mut reused).map_err(|error| error.to_string())?;
    let given = Rc::new(given);
    let given_of_call = given.clone();
    let call = Rc::new(move || call(&given_of_call).expect("it ran before"));
    let call_of_output = call.clone();
    Ok(Engine {
        allocated: Some(Box::new(move || {
            black_box(call());
        })),
        reused: Some(Box::new(move || call_into(&given, black_box(&mut reused)).expect("it ran before"))),
        output: Box::new(move || bytes(&call_of_output())),
    })
}
