//! Bytes where the framework rounds them once, or not at all: ONNX, JAX, TensorFlow. And how each integer type is rounded.

use crate::definition::{Outside, half_pixel, keys, resized, tent};
use common::{Reference, backends, numbers};
use ndarray::{Array2, Array3, ArrayD, Axis, Ix2, array};
use serde_json::Value;
use upsample::{Backend, Coordinates, Element, Filter, Profile, Resize, ndarray};

fn size(case: &Value) -> [usize; 2] {
    let size = numbers(&case["size"], 2).unwrap();
    [size[0] as usize, size[1] as usize]
}

fn resize_bytes(resize: &Resize, x: &Array2<u8>, size: [usize; 2]) -> Array2<u8> {
    let view = x.view().insert_axis(Axis(0)).insert_axis(Axis(0));
    let y = resize.plan([x.nrows(), x.ncols()], size).unwrap().forward(view).unwrap();
    y.index_axis_move(Axis(0), 0).index_axis_move(Axis(0), 0)
}

/// How far a number is from the nearest one that ends in a half.
fn from_half(value: f64) -> f64 {
    ((value - 0.5).round() - (value - 0.5)).abs()
}

/// The sums of an ONNX case from their definition.
fn onnx_sums(case: &Value, x: &Array2<u8>) -> Array2<f64> {
    let outside = if case["exclude_outside"] == 1 { Outside::Dropped } else { Outside::Clamped };
    let size = size(case);
    let axis = |axis: usize| {
        let sizes = (x.shape()[axis], size[axis]);
        let antialias = case["antialias"] == 1;
        if case["mode"] == "linear" {
            half_pixel(tent, 1.0, antialias, sizes, outside)
        } else {
            half_pixel(|x| keys(x, -0.75), 2.0, antialias, sizes, outside)
        }
    };
    resized(&x.mapv(f64::from), &axis(0), &axis(1))
}

#[test]
fn onnx_rounds_once_halves_to_even() {
    let mut reference = Reference::open("golden/bytes_once.json", "golden/bytes_once.npz");
    let (mut failures, mut seen, mut bytes, mut ties) = (Vec::new(), 0, 0, 0);
    for case in reference.cases.clone().iter().filter(|case| case["framework"] == "onnx") {
        let x: Array2<u8> = reference.read::<u8>(&format!("in/{}", case["input"].as_str().unwrap())).into_dimensionality::<Ix2>().unwrap();
        let recorded: ArrayD<u8> = reference.read(&format!("{}/y", case["id"]));
        let resize = if case["mode"] == "linear" { Resize::linear() } else { Resize::cubic() };
        let resize = resize.profile(Profile::Onnx).antialias(case["antialias"] == 1).exclude_outside(case["exclude_outside"] == 1);
        let found = resize_bytes(&resize, &x, size(case));
        let sums = onnx_sums(case, &x);
        // The reference computes cubic weights in `f32`, off by 2^-24 of themselves; a sum of 255 times two axes of them by about 1e-4.
        let near = if case["mode"] == "linear" { 1e-6 } else { 1e-3 };
        for ((&found, &recorded), &sum) in found.iter().zip(&recorded).zip(&sums) {
            let rounded = sum.round_ties_even().clamp(0.0, 255.0);
            let by_definition = f64::from(found) == rounded || from_half(sum) <= 1e-6 && (f64::from(found) - sum).abs() <= 0.501;
            let by_record = found == recorded || from_half(sum) <= near && found.abs_diff(recorded) == 1;
            if !by_definition || !by_record {
                failures.push(format!("{found}, recorded {recorded}, sum {sum}: {case}"));
            }
            ties += usize::from(found != recorded);
            bytes += 1;
        }
        seen += 1;
    }
    assert!(seen >= 250 && bytes >= 10_000, "{seen} cases, {bytes} bytes");
    assert!(failures.is_empty(), "{} of {bytes}:\n{}", failures.len(), failures.join("\n"));
    // Sums on a half whose weights are thirds and the like: the last bit decides, in the reference as here.
    assert!(ties * 100 <= bytes, "{ties} of {bytes} sums are rounded otherwise");
}

/// Whether the centre of an input pixel lies exactly where TensorFlow's Gaussian is cut, at 1.5 of the stretched filter.
fn at_the_cut(n: usize, m: usize) -> bool {
    // The distance |(i + 1/2) - (o + 1/2)·n/m| against 1.5 · max(n/m, 1), both times 2m.
    let stretched = 3 * n.max(m);
    (0..n).any(|i| (0..m).any(|o| ((2 * i + 1) * m).abs_diff((2 * o + 1) * n) == stretched))
}

#[test]
fn jax_and_tensorflow_sums_rounded() {
    let mut reference = Reference::open("golden/bytes_once.json", "golden/bytes_once.npz");
    let (mut failures, mut seen, mut cut) = (Vec::new(), 0, 0);
    for case in reference.cases.clone().iter().filter(|case| case["framework"] != "onnx") {
        let x: Array2<u8> = reference.read::<u8>(&format!("in/{}", case["input"].as_str().unwrap())).into_dimensionality::<Ix2>().unwrap();
        let recorded: ArrayD<f32> = reference.read(&format!("{}/y", case["id"]));
        let resize = match case["method"].as_str().unwrap() {
            "linear" | "bilinear" => Resize::linear(),
            "cubic" | "bicubic" => Resize::cubic(),
            "lanczos3" => Resize::filter(Filter::Lanczos { lobes: 3 }),
            "mitchellcubic" => Resize::filter(Filter::Mitchell),
            "gaussian" => Resize::filter(Filter::Gaussian),
            method => panic!("{method}"),
        };
        let antialias = case["antialias"] == true;
        let profile = if case["framework"] == "jax" { Profile::Jax } else { Profile::TensorFlow };
        let [height, width] = size(case);
        if case["method"] == "gaussian" && (at_the_cut(x.nrows(), height) || at_the_cut(x.ncols(), width)) {
            // TensorFlow's `f32` decides whether the pixel at the cut counts, by 0.011 of the middle one.
            cut += 1;
            continue;
        }
        let found = resize_bytes(&resize.profile(profile).antialias(antialias), &x, [height, width]);
        // Without antialias TensorFlow looks cubic weights up in a table of 1024 fractions; it is up to 0.2 off.
        let table = profile == Profile::TensorFlow && case["method"] == "bicubic" && !antialias;
        let tolerance = 0.5 + if table { 0.25 } else { 1e-3 };
        for (&found, &sum) in found.iter().zip(&recorded) {
            if !((f64::from(found) - f64::from(sum.clamp(0.0, 255.0))).abs() <= tolerance) {
                failures.push(format!("{found}, sum {sum}: {case}"));
            }
        }
        seen += 1;
    }
    assert!(failures.is_empty(), "{}:\n{}", failures.len(), failures.join("\n"));
    assert_eq!((seen, cut), (505, 9));
}

#[test]
fn reported_bytes() {
    let y = resize_bytes(&Resize::cubic().profile(Profile::Onnx), &array![[0, 255], [0, 0]], [4, 4]);
    assert_eq!(y.row(1), array![0, 45, 153, 218]);
}

/// The middle of two pixels at align-corners is their mean; three quarters of one is a sum with a fraction.
fn mean<A: Element>(backend: Backend, profile: Profile, a: A, b: A) -> A {
    let resize = Resize::linear().profile(profile).coordinates(Coordinates::AlignCorners).backend(backend);
    resize.plan([2], [3]).unwrap().forward(&Array3::from_shape_vec((1, 1, 2), vec![a, b]).unwrap()).unwrap()[[0, 0, 1]]
}

#[test]
fn halves_are_rounded_as_each_type_has_it() {
    for backend in backends() {
        let name = format!("{backend:?}");
        // Half away from zero.
        for (a, b, expected) in [(0, 1, 1), (1, 2, 2), (-1, 0, -1), (-1, -2, -2), (-2, -3, -3), (3, -2, 1), (-3, 2, -1), (5, 7, 6)] {
            assert_eq!(mean::<i8>(backend, Profile::Torch, a, b), expected, "i8 {a} {b} {name}");
            assert_eq!(mean::<i16>(backend, Profile::Torch, a.into(), b.into()), i16::from(expected), "i16 {a} {b} {name}");
            assert_eq!(mean::<i32>(backend, Profile::Torch, a.into(), b.into()), i32::from(expected), "i32 {a} {b} {name}");
        }
        for (a, b, expected) in [(0, 1, 1), (1, 2, 2), (2, 3, 3), (254, 255, 255), (3, 5, 4)] {
            assert_eq!(mean::<u16>(backend, Profile::Torch, a, b), expected, "u16 {a} {b} {name}");
            // Half up.
            assert_eq!(mean::<u8>(backend, Profile::Torch, a as u8, b as u8), expected as u8, "u8 {a} {b} {name}");
        }
        // Half to even, where bytes are rounded once.
        for (a, b, expected) in [(0, 1, 0), (1, 2, 2), (2, 3, 2), (3, 4, 4), (254, 255, 254), (3, 5, 4)] {
            for profile in [Profile::Onnx, Profile::OpenCv, Profile::Jax, Profile::TensorFlow] {
                assert_eq!(mean::<u8>(backend, profile, a, b), expected, "u8 {profile:?} {a} {b} {name}");
            }
        }
    }
}

/// Linear weights of every pair of sizes are whole numbers over `2m`, so that sums are exact in integers. A sum on a half is rounded to even on
/// every backend, even where no weight is a binary fraction, such as 1/6 and 5/6.
#[test]
fn sums_on_a_half_are_rounded_to_even() {
    // The weights of one axis, times 2m.
    let weights = |n: usize, m: usize, o: usize| -> Vec<i64> {
        let position = ((2 * o as i64 + 1) * n as i64 - m as i64).clamp(0, 2 * m as i64 * (n as i64 - 1));
        let (first, rest) = (position / (2 * m as i64), position % (2 * m as i64));
        (0..n as i64)
            .map(|i| {
                if i == first {
                    2 * m as i64 - rest
                } else if i == first + 1 {
                    rest
                } else {
                    0
                }
            })
            .collect()
    };
    let (available, mut halves) = (backends(), 0);
    for (height, width) in (1..=8).flat_map(|height| (1..=8).map(move |width| (height, width))) {
        // Bytes near each other, so that many sums lie on a half.
        let x = Array2::from_shape_fn((height, width), |(h, w)| (100 + (5 * h * h + 7 * w * w + h * w) % 13) as u8);
        for [out_height, out_width] in [[2, 6], [3, 4], [6, 6], [6, 10], [10, 14], [12, 3], [12, 24]] {
            for &backend in &available {
                let resize = Resize::linear().profile(Profile::Onnx).backend(backend);
                for ((h, w), &found) in resize_bytes(&resize, &x, [out_height, out_width]).indexed_iter() {
                    let (vertical, horizontal) = (weights(height, out_height, h), weights(width, out_width, w));
                    let sum: i64 = x.indexed_iter().map(|((i, j), &x)| vertical[i] * horizontal[j] * i64::from(x)).sum();
                    let unit = (4 * out_height * out_width) as i64;
                    let (whole, twice_rest) = (sum / unit, 2 * (sum % unit));
                    let up = twice_rest > unit || twice_rest == unit && whole % 2 == 1;
                    assert_eq!(
                        i64::from(found),
                        whole + i64::from(up),
                        "{height}×{width} to {out_height}×{out_width}, {h} {w}, {backend:?}"
                    );
                    halves += usize::from(twice_rest == unit);
                }
            }
        }
    }
    assert!(halves >= 1000, "{halves}");
}

/// The number below a half is not rounded up: 0.49999997 in `f32`, by two pixels of which one counts so much.
#[test]
fn the_number_below_a_half_is_rounded_down() {
    let below = f64::from(f32::from_bits(0.5_f32.to_bits() - 1));
    let filter = Filter::custom(1.0, move |distance| if distance < 0.0 { 1.0 - below } else { below });
    for backend in backends() {
        // The output pixel lies between both.
        let plan = Resize::filter(filter.clone()).backend(backend).plan([2], [1]).unwrap();
        let run = |a: i16, b: i16| plan.forward(&array![[[a, b]]]).unwrap()[[0, 0, 0]];
        assert_eq!((run(0, 1), run(1, 0), run(0, -1), run(-1, 0)), (0, 1, 0, -1), "{backend:?}");
        let single = plan.forward(&array![[[0.0_f32, 1.0]]]).unwrap()[[0, 0, 0]];
        assert!(f64::from(single) == below, "{single}");
        let y = plan.forward(&array![[[0_u16, 1]]]).unwrap()[[0, 0, 0]];
        assert_eq!(y, 0, "u16 {backend:?}");
        assert_eq!(plan.forward(&array![[[0_i8, 1]]]).unwrap()[[0, 0, 0]], 0, "i8 {backend:?}");
        assert_eq!(plan.forward(&array![[[0_i32, 1]]]).unwrap()[[0, 0, 0]], 0, "i32 {backend:?}");
    }
}
