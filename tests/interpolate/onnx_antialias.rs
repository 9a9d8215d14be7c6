//! Antialiasing as the ONNX standard has it: recorded numbers of its reference implementation, and its definition in `f64`.

use crate::definition::{Outside, keys, tent, weights};
use common::{Reference, numbers};
use ndarray::{Array3, ArrayD, array};
use serde_json::Value;
use upsample::{Coordinates, Profile, Resize, Target, ndarray};

const EXTRAPOLATION: f64 = -9.0;

fn coordinates(case: &Value) -> Coordinates {
    match case["coordinate_transformation_mode"].as_str().unwrap() {
        "half_pixel" => Coordinates::HalfPixel,
        "half_pixel_symmetric" => Coordinates::HalfPixelSymmetric,
        "pytorch_half_pixel" => Coordinates::PytorchHalfPixel,
        "align_corners" => Coordinates::AlignCorners,
        "asymmetric" => Coordinates::Asymmetric,
        "tf_crop_and_resize" => {
            let roi = numbers(&case["roi"], 2).unwrap();
            Coordinates::TfCropAndResize { start: roi[0], end: roi[1] }
        }
        mode => panic!("{mode}"),
    }
}

/// The standard's formulas, in `f64`. `length` is the output size before it was rounded down.
fn position(rule: Coordinates, o: usize, n: usize, m: usize, scale: f64) -> f64 {
    let (o, n, m, length) = (o as f64, n as f64, m as f64, scale * n as f64);
    match rule {
        Coordinates::HalfPixelSymmetric => n / 2.0 * (1.0 - m / length) + (o + 0.5) / scale - 0.5,
        Coordinates::PytorchHalfPixel if m == 1.0 => 0.0,
        Coordinates::HalfPixel | Coordinates::PytorchHalfPixel => (o + 0.5) / scale - 0.5,
        Coordinates::Asymmetric => o / scale,
        Coordinates::AlignCorners if m == 1.0 => 0.0,
        Coordinates::AlignCorners => o * (n - 1.0) / (m - 1.0),
        Coordinates::TfCropAndResize { start, end } if m == 1.0 => 0.5 * (start + end) * (n - 1.0),
        Coordinates::TfCropAndResize { start, end } => start * (n - 1.0) + o * (end - start) * (n - 1.0) / (m - 1.0),
        rule => panic!("{rule:?}"),
    }
}

fn defined(case: &Value, x: &[f64], m: usize, scale: f64) -> Vec<f64> {
    let n = x.len();
    let outside = if case["exclude_outside"] == 1 { Outside::Dropped } else { Outside::Clamped };
    let rule = coordinates(case);
    let pixel = |o: usize| {
        let position = position(rule, o, n, m, scale);
        if matches!(rule, Coordinates::TfCropAndResize { .. }) && !(0.0..=(n - 1) as f64).contains(&position) {
            return EXTRAPOLATION;
        }
        let stretch = (1.0 / scale).max(1.0);
        let weights = if case["mode"] == "linear" {
            weights(tent, 1.0, stretch, position, n, outside)
        } else {
            weights(|x| keys(x, -0.75), 2.0, stretch, position, n, outside)
        };
        weights.iter().zip(x).map(|(weight, x)| weight * x).sum()
    };
    (0..m).map(pixel).collect()
}

fn description(case: &Value) -> Resize {
    let resize = if case["mode"] == "linear" { Resize::linear() } else { Resize::cubic() };
    let resize = resize.profile(Profile::Onnx).antialias(true).coordinates(coordinates(case));
    resize.exclude_outside(case["exclude_outside"] == 1).extrapolation(EXTRAPOLATION)
}

/// Input sizes with the target, the output size and the scale, in the recorded order, less those that are not recorded.
fn sizes(case: &Value) -> Vec<(usize, Target<1>, usize, f64)> {
    let skipped: Vec<Vec<f64>> = case["skipped"].as_array().unwrap().iter().map(|pair| numbers(pair, 2).unwrap()).collect();
    let by_size = !case["m"].is_null();
    let wanted = numbers(if by_size { &case["m"] } else { &case["scales"] }, 1).unwrap();
    let pairs = numbers(&case["n"], 1).unwrap().into_iter().flat_map(|n| wanted.iter().map(move |&wanted| (n, wanted)));
    let kept = pairs.filter(|&(n, wanted)| !skipped.iter().any(|pair| pair[..] == [n, wanted]));
    kept.map(|(n, wanted)| {
        if by_size {
            return (n as usize, Target::Size([wanted as usize]), wanted as usize, wanted / n);
        }
        let scale = f64::from(wanted as f32);
        (n as usize, Target::Scale([scale]), (scale * n) as usize, scale)
    })
    .collect()
}

#[test]
fn recorded_and_defined() {
    let mut reference = Reference::open("golden/onnx_antialias.json", "golden/onnx_antialias.npz");
    let x: ArrayD<f64> = reference.read("in/x");
    let x: Vec<f64> = x.into_iter().collect();
    let (mut failures, mut values, mut pairs) = (Vec::new(), 0, 0);
    for case in reference.cases.clone() {
        // The reference computes cubic weights in `f32`: with some left out and the others divided by a small sum, 2.4e-5 of values up to 4.
        let tolerance = if case["mode"] == "linear" { 1e-6 } else { 1e-4 };
        let y: ArrayD<f32> = reference.read(&format!("{}/y", case["id"]));
        let y: Vec<f64> = y.into_iter().map(f64::from).collect();
        let mut begin = 0;
        for (n, target, m, scale) in sizes(&case) {
            let input = Array3::from_shape_fn((1, 1, n), |(_, _, i)| x[i]);
            let found = description(&case).plan([n], target).unwrap().forward(&input).unwrap().into_raw_vec_and_offset().0;
            assert_eq!(found.len(), m, "{case}");
            let recorded = &y[begin..begin + m];
            begin += m;
            let largest = |expected: &[f64]| found.iter().zip(expected).fold(0.0_f64, |most, (a, b)| most.max((a - b).abs()));
            let (by_record, by_definition) = (largest(recorded), largest(&defined(&case, &x[..n], m, scale)));
            if !(by_record <= tolerance && by_definition <= 1e-12) {
                failures.push(format!(
                    "{n} to {target:?}: {by_record:e} {by_definition:e}, {} {} {}",
                    case["id"], case["mode"], case["coordinate_transformation_mode"]
                ));
            }
            pairs += 1;
        }
        assert_eq!(begin, y.len(), "{case}");
        values += y.len();
    }
    assert_eq!(values, 104_231, "{pairs} pairs");
    assert!(failures.is_empty(), "{} of {pairs} pairs:\n{}", failures.len(), failures.join("\n"));
}

/// Coordinates move the filter, they do not stretch it.
#[test]
fn reported_values() {
    let shrunk = |coordinates| {
        let resize = Resize::linear().profile(Profile::Onnx).antialias(true).coordinates(coordinates);
        resize.plan([4], [2]).unwrap().forward(&array![[[1.0, 2.0, 3.0, 10.0]]]).unwrap()
    };
    assert_eq!(shrunk(Coordinates::AlignCorners), array![[[1.25, 8.25]]]);
    assert_eq!(shrunk(Coordinates::TfCropAndResize { start: 0.0, end: 0.5 }), array![[[1.25, 3.25]]]);
}
