//! The numbers of PyTorch and of the ONNX standard, through the public API.

use approx::assert_relative_eq;
use common::{Reference, data, npz, read, spatial};
use ndarray::{Array1, ArrayD, Dimension};
use ndarray_npy::ReadableElement;
use serde_json::Value;
use upsample::{AutoPad, ConvTranspose, FloatElement, Output, Spatial, SpatialRank, Tensor, TensorMut, Update};

/// One number for each axis of an entry, if it is there.
fn list(case: &Value, name: &str) -> Option<Vec<usize>> {
    Some(case.get(name)?.as_array()?.iter().map(|value| value.as_u64().unwrap() as usize).collect())
}

fn fixed<A: Clone, const RANK: usize>(array: &ArrayD<A>) -> Output<A, RANK>
where
    Spatial<RANK>: SpatialRank,
{
    array.clone().into_dimensionality().unwrap()
}

/// Every difference must be rounding: a few units in the last place for each product of the sum, of the largest value around.
fn assert_close<A: FloatElement + Into<f64>, D: Dimension>(
    name: &str,
    found: &ndarray::Array<A, D>,
    expected: &ArrayD<A>,
    products: usize,
) {
    assert_eq!(found.shape(), expected.shape(), "{name}: shape");
    let precision = if size_of::<A>() == 4 { f64::from(f32::EPSILON) } else { f64::EPSILON };
    let scale = expected.iter().fold(1.0_f64, |largest, &value| largest.max(value.into().abs()));
    let epsilon = precision * (4.0 + products as f64) * scale;
    for (found, expected) in found.iter().zip(expected) {
        let (found, expected): (f64, f64) = ((*found).into(), (*expected).into());
        assert!((found - expected).abs() <= epsilon, "{name}: {found}, expected {expected} ± {epsilon}");
    }
}

fn torch_case<A: FloatElement + ReadableElement + Into<f64>, const RANK: usize>(reference: &mut Reference, case: &Value)
where
    Spatial<RANK>: SpatialRank,
    for<'a> Tensor<'a, A, RANK>: From<&'a Output<A, RANK>>,
    for<'a> TensorMut<'a, A, RANK>: From<&'a mut Output<A, RANK>>,
{
    let name = format!("torch {}", case["id"]);
    let mut array = |field: &str| reference.read::<A>(&format!("{}/{field}", case["id"]));
    let [x, w, y, dy, dx, dw] = ["x", "w", "y", "dy", "dx", "dw"].map(&mut array);
    let has_bias = case["bias"].as_bool().unwrap();
    let bias: Option<Array1<A>> = has_bias.then(|| array("b").into_dimensionality().unwrap());
    let db = has_bias.then(|| array("db"));
    let deconv = ConvTranspose::new()
        .stride(list(case, "stride").unwrap())
        .padding(list(case, "padding").unwrap())
        .output_padding(list(case, "output_padding").unwrap())
        .dilation(list(case, "dilation").unwrap())
        .groups(case["groups"].as_u64().unwrap() as usize);

    let taps: usize = w.shape()[2..].iter().product();
    let pixels: usize = x.shape()[0] * x.shape()[2..].iter().product::<usize>();
    let kernel: [usize; RANK] = w.shape()[2..].try_into().unwrap();
    let (forward, backward, weights) = (x.shape()[1] * taps, dy.shape()[1] * taps, pixels);
    let (x, w, dy) = (fixed::<A, RANK>(&x), fixed::<A, RANK>(&w), fixed::<A, RANK>(&dy));
    let found = deconv.forward(&x, &w, bias.as_deref()).unwrap();
    assert_close(&format!("{name} y"), &found, &y, forward);
    assert_close(&format!("{name} dw"), &deconv.weight_gradient(&x, &dy, kernel).unwrap(), &dw, weights);
    let input: [usize; RANK] = dx.shape()[2..].try_into().unwrap();
    let plan = deconv.plan(input, kernel).unwrap();
    assert_close(&format!("{name} dx"), &plan.input_gradient(&dy, &w).unwrap(), &dx, backward);
    let prepared = plan.prepare(&w).unwrap();
    assert_eq!(prepared.forward(&x, bias.as_deref()).unwrap(), found, "{name}: prepared weights");
    if let Some(db) = db {
        assert_close(&format!("{name} db"), &deconv.bias_gradient(&dy).unwrap(), &db, dy.len() / dy.shape()[1]);
    }
    // The input size is found from that of the gradient.
    let mut into = fixed::<A, RANK>(&dx);
    deconv.plan(spatial(&into), spatial(&w)).and_then(|plan| plan.input_gradient_into(&dy, &w, &mut into, Update::Overwrite)).unwrap();
    assert_eq!(into, deconv.input_gradient(&dy, &w).unwrap(), "{name}");
}

#[test]
fn torch() {
    let mut reference = Reference::open("torch/manifest.json", "torch/cases.npz");
    let mut cases = reference.cases.clone();
    cases.retain(|case| case["op"] == "conv_transpose");
    assert_eq!(cases.len(), 80);
    for case in &cases {
        match (case["rank"].as_u64().unwrap(), case["dtype"].as_str().unwrap()) {
            (1, "float32") => torch_case::<f32, 1>(&mut reference, case),
            (2, "float32") => torch_case::<f32, 2>(&mut reference, case),
            (3, "float32") => torch_case::<f32, 3>(&mut reference, case),
            (1, "float64") => torch_case::<f64, 1>(&mut reference, case),
            (2, "float64") => torch_case::<f64, 2>(&mut reference, case),
            (3, "float64") => torch_case::<f64, 3>(&mut reference, case),
            other => panic!("{other:?}"),
        }
    }
}

/// The operator that a node's attributes describe.
fn of_node(attributes: &Value) -> ConvTranspose {
    let mut deconv = ConvTranspose::new();
    for (name, value) in attributes.as_object().unwrap() {
        let list = || list(attributes, name).unwrap();
        deconv = match name.as_str() {
            "strides" => deconv.stride(list()),
            "dilations" => deconv.dilation(list()),
            "output_padding" => deconv.output_padding(list()),
            "output_shape" => deconv.output_shape(list()),
            "pads" => {
                let pads = list();
                let (begin, end) = pads.split_at(pads.len() / 2);
                deconv.padding_of(begin.to_vec(), end.to_vec())
            }
            "group" => deconv.groups(value.as_u64().unwrap() as usize),
            "auto_pad" => match value.as_str().unwrap() {
                "SAME_UPPER" => deconv.auto_pad(AutoPad::SameUpper),
                "SAME_LOWER" => deconv.auto_pad(AutoPad::SameLower),
                "VALID" => deconv.auto_pad(AutoPad::Valid),
                _ => deconv,
            },
            "kernel_shape" => deconv, // the weight has it
            other => panic!("attribute {other}"),
        };
    }
    deconv
}

#[test]
fn onnx() {
    let manifest = common::json("onnx/manifest.json");
    let cases: Vec<&Value> = manifest.as_array().unwrap().iter().filter(|case| case["op"] == "ConvTranspose").collect();
    assert_eq!(cases.len(), 11);
    for case in cases {
        let name = case["name"].as_str().unwrap();
        assert!(data(&format!("onnx/{name}.npz")).exists());
        let mut arrays = npz(&format!("onnx/{name}.npz"));
        let [x, w, y] = ["in_0", "in_1", "out_0"].map(|field| read::<f32>(&mut arrays, field));
        let deconv = of_node(&case["attributes"]);
        let found: ArrayD<f32> = match x.ndim() {
            3 => deconv.forward(&fixed::<f32, 1>(&x), &fixed::<f32, 1>(&w), None).unwrap().into_dyn(),
            4 => deconv.forward(&fixed::<f32, 2>(&x), &fixed::<f32, 2>(&w), None).unwrap().into_dyn(),
            _ => deconv.forward(&fixed::<f32, 3>(&x), &fixed::<f32, 3>(&w), None).unwrap().into_dyn(),
        };
        let (rtol, atol) = (case["rtol"].as_f64().unwrap() as f32, case["atol"].as_f64().unwrap() as f32);
        assert_eq!(found.shape(), y.shape(), "{name}");
        let (found, y): (Vec<f32>, Vec<f32>) = (found.iter().copied().collect(), y.iter().copied().collect());
        assert_relative_eq!(found[..], y[..], max_relative = rtol, epsilon = atol);
    }
}
