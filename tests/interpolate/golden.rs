//! Pictures resized by OpenCV, tensors by JAX and TensorFlow, and the profiles that reproduce them.

use common::{Reference, difference, numbers};
use ndarray::{ArrayD, Axis};
use ndarray_npy::ReadableElement;
use serde_json::Value;
use upsample::{Coordinates, Element, Filter, FloatElement, Profile, Resize, Rounding, Target, Tensor4, ndarray};

/// H×W, H×W×C or N×H×W×C.
pub fn resize_picture<A: Element>(resize: &Resize, x: &ArrayD<A>, target: Target<2>) -> ArrayD<A> {
    let (missing_batch, missing_channel) = (x.ndim() < 4, x.ndim() < 3);
    let mut view = x.view();
    if missing_channel {
        view = view.insert_axis(Axis(2));
    }
    if missing_batch {
        view = view.insert_axis(Axis(0));
    }
    let x = Tensor4::from_nhwc(view.into_dimensionality().unwrap());
    let y = resize.plan(x.spatial(), target).unwrap().forward(x).unwrap().permuted_axes([0, 2, 3, 1]).into_dyn();
    let y = if missing_batch { y.index_axis_move(Axis(0), 0) } else { y };
    if missing_channel { y.index_axis_move(Axis(2), 0) } else { y }
}

pub fn target(case: &Value) -> Target<2> {
    match numbers(&case["scale"], 2) {
        Some(scale) => Target::Scale([scale[0], scale[1]]),
        None => {
            let size = numbers(&case["size"], 2).unwrap();
            Target::Size([size[0] as usize, size[1] as usize])
        }
    }
}

pub fn check<A: Element + ReadableElement + Into<f64>>(reference: &mut Reference, case: &Value, resize: &Resize) -> f64 {
    let id = case["id"].as_u64().unwrap();
    let x: ArrayD<A> = reference.read(&case["input"].as_str().map_or(format!("{id}/x"), |input| format!("in/{input}")));
    let y: ArrayD<A> = reference.read(&format!("{id}/y"));
    let found = resize_picture(resize, &x, target(case));
    assert_eq!(found.shape(), y.shape(), "{case}");
    found.iter().zip(&y).fold(0.0, |largest: f64, (&a, &b)| largest.max((a.into() - b.into()).abs()))
}

pub fn report(failures: &[String], seen: usize, at_least: usize) {
    assert!(seen >= at_least, "{seen} cases");
    assert!(failures.is_empty(), "{} of {seen} differ:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn opencv_within_one() {
    let mut reference = Reference::open("golden/opencv.json", "golden/opencv.npz");
    let (mut seen, mut failures) = (0, Vec::new());
    for case in reference.cases.clone() {
        let resize = match case["filter"].as_str().unwrap() {
            "nearest" => Resize::nearest(),
            "nearest_exact" => Resize::nearest_exact(),
            "linear" => Resize::bilinear(),
            "cubic" => Resize::bicubic(),
            "lanczos4" => Resize::filter(Filter::Lanczos { lobes: 4 }),
            _ => continue, // area weighs partly covered pixels, linear_exact is linear in other arithmetic
        }
        .profile(Profile::OpenCv);
        let exact = case["filter"].as_str().unwrap().starts_with("nearest");
        let (error, tolerance) = match case["dtype"].as_str().unwrap() {
            "uint8" => (check::<u8>(&mut reference, &case, &resize), 1.0),
            "uint16" => (check::<u16>(&mut reference, &case, &resize), 1.0),
            _ => (check::<f32>(&mut reference, &case, &resize), 1e-2),
        };
        if !(error <= if exact { 0.0 } else { tolerance }) {
            failures.push(format!("{error}: {case}"));
        }
        seen += 1;
    }
    report(&failures, seen, 250);
}

/// The gradient of a N×H×W×C case against `dx`.
fn gradient_difference<A: FloatElement + ReadableElement + Into<f64>>(reference: &mut Reference, case: &Value, resize: &Resize) -> f64 {
    let id = case["id"].as_u64().unwrap();
    let dy: ArrayD<A> = reference.read(&format!("{id}/dy"));
    let dx: ArrayD<A> = reference.read(&format!("{id}/dx"));
    let input = [dx.shape()[1], dx.shape()[2]];
    let plan = resize.plan(input, target(case)).unwrap();
    let found = plan.input_gradient(Tensor4::from_nhwc(dy.view().into_dimensionality().unwrap())).unwrap();
    difference(&found.permuted_axes([0, 2, 3, 1]).into_dyn().mapv(Into::into).view(), &dx.mapv(Into::into).view())
}

#[test]
fn jax() {
    let mut reference = Reference::open("golden/jax.json", "golden/jax.npz");
    let (mut seen, mut failures) = (0, Vec::new());
    for case in reference.cases.clone() {
        let resize = match case["method"].as_str().unwrap() {
            "nearest" => Resize::nearest(),
            "linear" => Resize::linear().antialias(case["antialias"] == true),
            "cubic" => Resize::cubic().antialias(case["antialias"] == true),
            "lanczos3" => Resize::filter(Filter::Lanczos { lobes: 3 }).antialias(case["antialias"] == true),
            "lanczos5" => Resize::filter(Filter::Lanczos { lobes: 5 }).antialias(case["antialias"] == true),
            method => panic!("{method}"),
        }
        .profile(Profile::Jax);
        let forward = check::<f32>(&mut reference, &case, &resize);
        let gradient = gradient_difference::<f32>(&mut reference, &case, &resize);
        if !(forward <= 1e-5 * 4.0) || !(gradient <= 1e-5) {
            failures.push(format!("forward {forward:e}, gradient {gradient:e}: {case}"));
        }
        seen += 1;
    }
    report(&failures, seen, 100);
}

#[test]
fn tensorflow() {
    let mut reference = Reference::open("golden/tensorflow.json", "golden/tensorflow.npz");
    let (mut seen, mut failures) = (0, Vec::new());
    for case in reference.cases.clone() {
        let one = case["function"] == "tf.compat.v1.image.resize";
        let resize = match case["method"].as_str().unwrap() {
            "nearest" => Resize::nearest(),
            "bilinear" => Resize::bilinear(),
            "bicubic" => Resize::bicubic(),
            "lanczos3" => Resize::filter(Filter::Lanczos { lobes: 3 }),
            "lanczos5" => Resize::filter(Filter::Lanczos { lobes: 5 }),
            "gaussian" => Resize::filter(Filter::Gaussian),
            "mitchellcubic" => Resize::filter(Filter::Mitchell),
            _ => continue,
        };
        // The Gaussian is cut where it is still 0.01, and here a pixel lies right at the cut: TensorFlow's f32 positions decide.
        let tie = case["method"] == "gaussian" && case["size"] == serde_json::json!([3, 13]);
        if one || tie {
            continue; // version 1's functions have coordinates of their own
        }
        let resize = resize.profile(Profile::TensorFlow);
        let resize = if case["antialias"] == true { resize.antialias(true) } else { resize };
        let error = check::<f32>(&mut reference, &case, &resize);
        // Without antialias TensorFlow looks bicubic weights up in a table of 1024 positions.
        let tolerance = if case["method"] == "bicubic" && case["antialias"] != true { 5e-3 } else { 4e-5 };
        if !(error <= tolerance) {
            failures.push(format!("{error:e}: {case}"));
        }
        seen += 1;
    }
    report(&failures, seen, 90);
}

/// A profile is nothing but the knobs that its documentation lists.
#[test]
fn profiles_equal_their_knobs() {
    let x = ndarray::Array4::from_shape_fn((1, 2, 9, 7), |(_, c, h, w)| ((c * 31 + h * 17 + w * 5) % 23) as f64);
    let knobs: [(&str, Profile, Resize, Resize); 8] = [
        ("torch cubic", Profile::Torch, Resize::cubic(), Resize::cubic().cubic_coefficient(-0.75).antialias(false).exclude_outside(false)),
        (
            "onnx nearest",
            Profile::Onnx,
            Resize::nearest(),
            Resize::nearest().coordinates(Coordinates::HalfPixel).rounding(Rounding::RoundPreferFloor),
        ),
        ("onnx cubic", Profile::Onnx, Resize::cubic(), Resize::cubic().cubic_coefficient(-0.75).exclude_outside(false)),
        ("opencv cubic", Profile::OpenCv, Resize::cubic(), Resize::cubic().cubic_coefficient(-0.75)),
        ("pillow cubic", Profile::Pillow, Resize::cubic(), Resize::cubic().cubic_coefficient(-0.5).antialias(true).exclude_outside(true)),
        ("pillow linear", Profile::Pillow, Resize::linear(), Resize::linear().antialias(true).exclude_outside(true)),
        ("jax cubic", Profile::Jax, Resize::cubic(), Resize::cubic().cubic_coefficient(-0.5).antialias(true).exclude_outside(true)),
        (
            "tensorflow cubic",
            Profile::TensorFlow,
            Resize::cubic(),
            Resize::cubic().cubic_coefficient(-0.5).antialias(false).exclude_outside(true),
        ),
    ];
    for (name, profile, word, by_hand) in knobs {
        for size in [[18, 14], [5, 4], [13, 21]] {
            let by_word = word.clone().profile(profile).plan([9, 7], size).unwrap().forward(&x).unwrap();
            let by_hand = by_hand.plan([9, 7], size).unwrap().forward(&x).unwrap();
            assert_eq!(by_word, by_hand, "{name} {size:?}");
        }
    }
}
