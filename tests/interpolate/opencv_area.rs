//! OpenCV's `INTER_AREA` and `INTER_LINEAR_EXACT`, recorded for three types, by sizes and by scales.

use crate::golden::{resize_picture, target};
use common::Reference;
use ndarray::{ArrayD, Axis};
use ndarray_npy::ReadableElement;
use serde_json::Value;
use upsample::{Element, Profile, Resize, ndarray};

fn description(case: &Value) -> Resize {
    match (case["filter"].as_str().unwrap(), case["dtype"].as_str().unwrap()) {
        ("area", _) => Resize::area(),
        ("linear_exact", "uint8") => Resize::linear_fixed(8),
        ("linear_exact", "uint16") => Resize::linear_fixed(16),
        // Floating point has no exact linear: OpenCV takes the plain one.
        _ => Resize::linear(),
    }
    .profile(Profile::OpenCv)
}

/// Input pixels with their weights.
type Taps = Vec<(usize, f64)>;

/// How much of each input pixel lies between `o·step` and `(o + 1)·step`, divided by how much lies there in all. OpenCV leaves out slivers
/// below a thousandth.
fn coverage(o: usize, n: usize, step: f64) -> Taps {
    let (begin, end) = (o as f64 * step, ((o + 1) as f64 * step).min(n as f64));
    let part = |i: usize| (i, ((i + 1) as f64).min(end) - (i as f64).max(begin));
    let taps = (begin as usize..n.min(end.ceil() as usize)).map(part);
    taps.filter(|&(_, part)| part > 1e-3).map(|(i, part)| (i, part / (end - begin))).collect()
}

/// Linear, at the positions that area has when it enlarges.
fn enlarged(o: usize, n: usize, step: f64) -> Taps {
    let first = (o as f64 * step).floor();
    let fraction = ((o + 1) as f64 - (first + 1.0) / step).max(0.0);
    let first = first as usize;
    vec![(first.min(n - 1), 1.0 - fraction.fract()), ((first + 1).min(n - 1), fraction.fract())]
}

/// Two taps of weights with `bits` fractional bits.
fn fixed(o: usize, n: usize, step: f64, bits: i32) -> Taps {
    let position = (step * (o as f64 + 0.5) - 0.5).clamp(0.0, (n - 1) as f64);
    let unit = 2.0_f64.powi(bits);
    let second = (position.fract() * unit).round_ties_even() / unit;
    vec![(position as usize, 1.0 - second), ((position as usize + 1).min(n - 1), second)]
}

/// The sums from their definition, and how far a recorded one may be off before it is rounded: OpenCV sums bytes and exact linear in whole
/// numbers, all else in `f32`.
fn sums(case: &Value, x: &ArrayD<f64>, y: &[usize]) -> (ArrayD<f64>, f64) {
    let bytes = case["dtype"] == "uint8";
    let steps = [0, 1].map(|axis| 1.0 / case["scale"][axis].as_f64().unwrap_or(y[axis] as f64 / x.shape()[axis] as f64));
    let shrinks = steps.iter().all(|&step| step >= 1.0);
    let taps = |axis: usize, o: usize| {
        let (n, step) = (x.shape()[axis], steps[axis]);
        match (case["filter"] == "area", shrinks) {
            (true, true) => coverage(o, n, step),
            (true, false) => enlarged(o, n, step),
            _ => fixed(o, n, step, if bytes { 8 } else { 16 }),
        }
    };
    let sum = |at: &[usize]| {
        let columns = taps(1, at[1]);
        let row = |i: usize| columns.iter().map(|&(j, weight)| weight * x[&[&[i, j], &at[2..]].concat()[..]]).sum::<f64>();
        taps(0, at[0]).iter().map(|&(i, weight)| weight * row(i)).sum()
    };
    let longest = [0, 1].map(|axis| (0..y[axis]).map(|o| taps(axis, o).len()).max().unwrap());
    let whole = case["filter"] != "area" || shrinks && steps.iter().all(|step| (step - step.round()).abs() < 1e-15);
    // A weight, a product and a sum are each rounded to 24 bits.
    let largest = x.iter().fold(0.0_f64, |largest, value| largest.max(*value));
    let rounding = (longest[0] + longest[1] + 2) as f64 * f64::from(f32::EPSILON) / 2.0 * largest;
    (ArrayD::from_shape_fn(y, |at| sum(ndarray::Dimension::slice(&at))), if whole { 1e-9 } else { rounding })
}

/// How many numbers differ because their sum ends in a half; an error for any other that differs.
fn halves<A: Element + ReadableElement + Into<f64>>(reference: &mut Reference, case: &Value) -> Result<usize, String> {
    let x: ArrayD<A> = reference.read(&format!("in/{}", case["input"].as_str().unwrap()));
    let y: ArrayD<A> = reference.read(&format!("{}/y", case["id"]));
    let found = resize_picture(&description(case), &x, target(case));
    let (found, y) = (found.mapv(Into::<f64>::into), y.mapv(Into::<f64>::into));
    let (sums, rounding) = sums(case, &x.mapv(Into::into), y.shape());
    // Enlarged bytes are summed with weights of 11 bits, cut off on the way.
    let coarse = case["filter"] == "area" && case["dtype"] == "uint8" && (y.shape()[0] > x.shape()[0] || y.shape()[1] > x.shape()[1]);
    let same_halves = case["filter"] == "linear_exact" && case["dtype"] == "uint16";
    let mut ties = 0;
    for (at, &expected) in y.indexed_iter() {
        let (found, sum) = (found[&at], sums[&at]);
        // OpenCV rounds halves up in exact linear, as 16 bits are rounded here, and to even in area.
        let tie = !same_halves && ((sum - 0.5).round() - (sum - 0.5)).abs() <= rounding;
        if found != expected && !(tie || coarse) || (found - expected).abs() > 1.0 || (found - sum).abs() > 0.5 + rounding {
            return Err(format!("{found}, not {expected}, of {sum}, at {at:?}: {case}"));
        }
        ties += usize::from(found != expected && !coarse);
    }
    Ok(ties)
}

fn single_error(reference: &mut Reference, case: &Value) -> f64 {
    let x: ArrayD<f32> = reference.read(&format!("in/{}", case["input"].as_str().unwrap()));
    let y: ArrayD<f32> = reference.read(&format!("{}/y", case["id"]));
    let found = resize_picture(&description(case), &x, target(case));
    assert_eq!(found.shape(), y.shape(), "{case}");
    let largest = x.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    found.iter().zip(&y).fold(0.0_f64, |error, (a, b)| error.max(f64::from((a - b).abs() / largest)))
}

#[test]
fn area_and_exact_linear() {
    let (mut seen, mut ties, mut failures) = (0, 0, Vec::new());
    for name in ["opencv", "opencv_area"] {
        let mut reference = Reference::open(&format!("golden/{name}.json"), &format!("golden/{name}.npz"));
        for case in reference.cases.clone().iter().filter(|case| case["filter"] == "area" || case["filter"] == "linear_exact") {
            let outcome = match case["dtype"].as_str().unwrap() {
                "uint8" => halves::<u8>(&mut reference, case),
                "uint16" => halves::<u16>(&mut reference, case),
                _ => match single_error(&mut reference, case) {
                    error if error <= 2e-6 => Ok(0),
                    error => Err(format!("{error:e}: {case}")),
                },
            };
            match outcome {
                Ok(count) => ties += count,
                Err(failure) => failures.push(failure),
            }
            seen += 1;
        }
    }
    assert!(failures.is_empty(), "{} of {seen}:\n{}", failures.len(), failures.join("\n"));
    println!("{ties} numbers differ where the exact sum lies half-way between two");
    assert_eq!(seen, 350);
}

/// A pixel counts by how much of it is covered.
#[test]
fn weights_are_coverage() {
    let x = ndarray::array![[[10.0, 20.0, 60.0]]];
    let y = Resize::area().profile(Profile::OpenCv).plan([3], [2]).unwrap().forward(&x).unwrap();
    // An output pixel covers one and a half.
    let expected = [(10.0 + 20.0 / 2.0) / 1.5, (20.0 / 2.0 + 60.0) / 1.5];
    for (o, expected) in expected.into_iter().enumerate() {
        let error: f64 = y.index_axis(Axis(2), o)[[0, 0]] - expected;
        assert!(error.abs() <= 60.0 * f64::from(f32::EPSILON));
    }
}
