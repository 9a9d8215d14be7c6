//! Pictures resized by Pillow, to the last bit: recorded ones, and a model of its arithmetic that is checked with them and then asked for
//! sizes that were not recorded.

use crate::golden::{check, report, resize_picture};
use common::{Reference, numbers};
use ndarray::{Array2, ArrayD, Ix2, Ix3, s};
use ndarray_npy::ReadableElement;
use serde_json::Value;
use upsample::picture::PictureResize;
use upsample::{Element, Filter, Profile, Resize, Target, ndarray};

fn description(filter: &str) -> Resize {
    match filter {
        "nearest" => Resize::nearest(),
        "box" => Resize::filter(Filter::Box),
        "bilinear" => Resize::bilinear(),
        "hamming" => Resize::filter(Filter::Hamming),
        "bicubic" => Resize::bicubic(),
        "lanczos" => Resize::filter(Filter::Lanczos { lobes: 3 }),
        filter => panic!("{filter}"),
    }
    .profile(Profile::Pillow)
}

/// A case's box: the edges on the left, at the top, on the right and at the bottom.
fn edges(case: &Value) -> Option<[f64; 4]> {
    numbers(&case["box"], 4).map(|edges| edges.try_into().unwrap())
}

fn described(case: &Value) -> Resize {
    let resize = description(case["filter"].as_str().unwrap());
    match edges(case) {
        Some([left, top, right, bottom]) => resize.crop([top, left], [bottom, right]),
        None => resize,
    }
}

/// Four units in the last place of the largest value.
fn single_tolerance(reference: &mut Reference, case: &Value) -> f64 {
    let x: ArrayD<f32> = reference.read(&format!("in/{}", case["input"].as_str().unwrap()));
    let largest = x.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    4.0 * f64::from(f32::EPSILON) * f64::from(largest)
}

#[test]
fn pictures_to_the_last_bit() {
    let mut reference = Reference::open("golden/pillow.json", "golden/pillow.npz");
    let (mut seen, mut cropped, mut with_alpha, mut failures) = (0, 0, 0, Vec::new());
    for case in reference.cases.clone() {
        if case["mode"] == "RGBA" {
            with_alpha += 1; // a test of their own
            continue;
        }
        let (error, tolerance) = if case["mode"] == "F" {
            (check::<f32>(&mut reference, &case, &described(&case)), single_tolerance(&mut reference, &case))
        } else {
            (check::<u8>(&mut reference, &case, &described(&case)), 0.0)
        };
        if !(error <= tolerance) {
            failures.push(format!("{error}: {case}"));
        }
        cropped += usize::from(edges(&case).is_some());
        seen += 1;
    }
    report(&failures, seen, 234);
    assert_eq!((cropped, with_alpha), (12, 4));
}

#[test]
fn deep_pictures_to_the_last_bit() {
    let mut reference = Reference::open("golden/pillow_deep.json", "golden/pillow_deep.npz");
    let (mut seen, mut nearest, mut overflows, mut with_alpha, mut failures) = (0, 0, 0, 0, Vec::new());
    for case in reference.cases.clone() {
        let resize = described(&case);
        let (error, tolerance) = match case["mode"].as_str().unwrap() {
            // Not supported: Pillow computes nearest of this mode, and of no other, by a product of the step instead of a sum.
            "I;16" if case["filter"] == "nearest" => {
                nearest += 1;
                continue;
            }
            "I;16" => (check::<u16>(&mut reference, &case, &resize), 0.0),
            // What leaves the range of `i32` is -2³¹ in Pillow on x86; here it saturates. See the test of the model.
            "I" if overflow(&mut reference, &case) => {
                overflows += 1;
                continue;
            }
            "I" => (check::<i32>(&mut reference, &case, &resize), 0.0),
            "F" => (check::<f32>(&mut reference, &case, &resize), single_tolerance(&mut reference, &case)),
            _ => {
                with_alpha += 1; // a test of their own
                continue;
            }
        };
        if !(error <= tolerance) {
            failures.push(format!("{error}: {case}"));
        }
        seen += 1;
    }
    assert_eq!((nearest, overflows, with_alpha), (9, 6, 18), "{seen} seen");
    report(&failures, seen, 168 - 9 - 6 - 18);
}

/// Pictures with alpha, premultiplied and back, as Pillow resizes them by every filter but nearest.
#[test]
fn alpha_to_the_last_bit() {
    let (mut seen, mut failures) = (0, Vec::new());
    for name in ["pillow", "pillow_deep"] {
        let mut reference = Reference::open(&format!("golden/{name}.json"), &format!("golden/{name}.npz"));
        let with_alpha = |case: &Value| case["mode"] == "RGBA" || case["mode"] == "LA";
        for case in reference.cases.clone().iter().filter(|case| with_alpha(case)) {
            let x: ArrayD<u8> = reference.read(&format!("in/{}", case["input"].as_str().unwrap()));
            let y: ArrayD<u8> = reference.read(&format!("{}/y", case["id"]));
            let x = x.into_dimensionality::<Ix3>().unwrap();
            let [height, width] = size(case);
            let mut resize = PictureResize::new(description(case["filter"].as_str().unwrap()));
            if let Some([left, top, right, bottom]) = edges(case) {
                resize = resize.crop([top, left], [bottom, right]);
            }
            let found = resize.resize(&x, [height, width]).unwrap();
            let differing = found.iter().zip(&y).filter(|(a, b)| a != b).count();
            if found.shape() != y.shape() || differing > 0 {
                failures.push(format!("{differing} bytes: {case}"));
            }
            seen += 1;
        }
    }
    report(&failures, seen, 4 + 18);
}

/// What a picture's numbers are between the passes and after them.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Mode {
    Byte,
    Short,
    /// With what a sum beyond the range becomes: -2³¹ (x86), or the nearest number.
    Int {
        saturates: bool,
    },
    Float,
}

fn kernel(filter: &str, x: f64) -> f64 {
    let a = -0.5;
    let sinc = |x: f64| if x == 0.0 { 1.0 } else { (x * std::f64::consts::PI).sin() / (x * std::f64::consts::PI) };
    match (filter, x.abs()) {
        ("box", _) => f64::from(u8::from(x > -0.5 && x <= 0.5)),
        ("bilinear", x) if x < 1.0 => 1.0 - x,
        ("hamming", 0.0) => 1.0,
        ("hamming", x) if x < 1.0 => {
            let x = x * std::f64::consts::PI;
            x.sin() / x * (f64::from(0.54_f32) + f64::from(0.46_f32) * x.cos())
        }
        ("bicubic", x) if x < 1.0 => ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0,
        ("bicubic", x) if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * a,
        ("lanczos", _) if (-3.0..3.0).contains(&x) => sinc(x) * sinc(x / 3.0),
        _ => 0.0,
    }
}

/// The first tap and the weights of each of `m` output pixels, of `n` input pixels between two edges.
fn coefficients(filter: &str, n: usize, m: usize, [begin, end]: [f64; 2]) -> Vec<(usize, Vec<f64>)> {
    let scale = f64::from((end - begin) as f32) / m as f64;
    let stretch = scale.max(1.0);
    let support = stretch * [("box", 0.5), ("bicubic", 2.0), ("lanczos", 3.0)].iter().find(|row| row.0 == filter).map_or(1.0, |row| row.1);
    let inverse = 1.0 / stretch;
    let row = |o: usize| {
        let centre = begin + (o as f64 + 0.5) * scale;
        let first = ((centre - support + 0.5) as i64).max(0);
        let last = ((centre + support + 0.5) as i64).min(n as i64);
        let mut weights: Vec<f64> = (first..last).map(|i| kernel(filter, (i as f64 - centre + 0.5) * inverse)).collect();
        let sum = weights.iter().fold(0.0, |sum, weight| sum + weight);
        if sum != 0.0 {
            weights.iter_mut().for_each(|weight| *weight /= sum);
        }
        (first as usize, weights)
    };
    (0..m).map(row).collect()
}

fn summed(mode: Mode, terms: impl Iterator<Item = (f64, f64)>) -> f64 {
    if mode == Mode::Byte {
        let fixed = |weight: f64| (weight * f64::from(1 << 22) + 0.5_f64.copysign(weight)) as i64;
        let sum: i64 = terms.map(|(x, weight)| x as i64 * fixed(weight)).sum();
        return (((1 << 21) + sum) >> 22).clamp(0, 255) as f64;
    }
    let sum = terms.fold(0.0, |sum, (x, weight)| sum + x * weight);
    let rounded = (if sum >= 0.0 { sum + 0.5 } else { sum - 0.5 }).trunc();
    let (least, most) = (f64::from(i32::MIN), f64::from(i32::MAX));
    match mode {
        Mode::Short => rounded.clamp(0.0, 65535.0),
        Mode::Int { saturates: true } => rounded.clamp(least, most),
        Mode::Int { saturates: false } if (least..=most).contains(&rounded) => rounded,
        Mode::Int { saturates: false } => least,
        _ => f64::from(sum as f32),
    }
}

/// One axis of a picture; `x` has it as its columns.
fn pass(mode: Mode, x: &Array2<f64>, rows: &[(usize, Vec<f64>)]) -> Array2<f64> {
    Array2::from_shape_fn((x.nrows(), rows.len()), |(h, o)| {
        let (first, weights) = &rows[o];
        summed(mode, weights.iter().enumerate().map(|(k, &weight)| (x[[h, first + k]], weight)))
    })
}

/// A channel by Pillow's arithmetic. All its types fit `f64`.
fn model(mode: Mode, filter: &str, x: &Array2<f64>, [oh, ow]: [usize; 2], edges: Option<[f64; 4]>) -> Array2<f64> {
    let (h, w) = x.dim();
    let [left, top, right, bottom] = edges.unwrap_or([0.0, 0.0, w as f64, h as f64]).map(|edge| f64::from(edge as f32));
    if left.fract() == 0.0 && top.fract() == 0.0 && right - left == ow as f64 && bottom - top == oh as f64 {
        let (left, top) = (left as usize, top as usize);
        return x.slice(s![top..top + oh, left..left + ow]).to_owned();
    }
    if filter == "nearest" {
        let pixels = |[begin, end]: [f64; 2], m: usize| {
            let step = f64::from((end - begin) as f32) / m as f64;
            std::iter::successors(Some(begin + step * 0.5), |at| Some(at + step)).take(m).map(|at| at as usize).collect::<Vec<_>>()
        };
        let (rows, columns) = (pixels([top, bottom], oh), pixels([left, right], ow));
        return Array2::from_shape_fn((oh, ow), |(o, p)| x[[rows[o], columns[p]]]);
    }
    let widen = |x: Array2<f64>| {
        let needed = ow != w || left != 0.0 || right != ow as f64;
        if needed { pass(mode, &x, &coefficients(filter, w, ow, [left, right])) } else { x }
    };
    let heighten = |x: Array2<f64>| {
        let needed = oh != h || top != 0.0 || bottom != oh as f64;
        if needed { pass(mode, &x.reversed_axes(), &coefficients(filter, h, oh, [top, bottom])).reversed_axes() } else { x }
    };
    let height_first = oh < h && (h - oh) as i64 > 2 * (w as i64 - ow as i64);
    if height_first { widen(heighten(x.clone())) } else { heighten(widen(x.clone())) }
}

fn size(case: &Value) -> [usize; 2] {
    let size = numbers(&case["size"], 2).unwrap();
    [size[0] as usize, size[1] as usize]
}

fn read<A: ReadableElement + Copy + Into<f64>>(reference: &mut Reference, name: &str) -> Array2<f64> {
    reference.read::<A>(name).mapv(Into::into).into_dimensionality::<Ix2>().unwrap()
}

/// Whether a sum of a case of mode I leaves the range.
fn overflow(reference: &mut Reference, case: &Value) -> bool {
    let x = read::<i32>(reference, &format!("in/{}", case["input"].as_str().unwrap()));
    let run = |saturates| model(Mode::Int { saturates }, case["filter"].as_str().unwrap(), &x, size(case), edges(case));
    run(true) != run(false)
}

/// The model is Pillow's arithmetic: recorded pictures of one channel come out to the last bit, those that overflow too. Where they overflow,
/// the crate gives what the model gives when it saturates.
#[test]
fn the_model_is_pillow() {
    let (mut seen, mut saturated) = (0, 0);
    for name in ["pillow", "pillow_deep"] {
        let mut reference = Reference::open(&format!("golden/{name}.json"), &format!("golden/{name}.npz"));
        for case in reference.cases.clone() {
            let filter = case["filter"].as_str().unwrap();
            let names = [format!("in/{}", case["input"].as_str().unwrap()), format!("{}/y", case["id"])];
            let (mode, [x, y]) = match case["mode"].as_str().unwrap() {
                "L" => (Mode::Byte, names.map(|name| read::<u8>(&mut reference, &name))),
                "I;16" if filter != "nearest" => (Mode::Short, names.map(|name| read::<u16>(&mut reference, &name))),
                "I" => (Mode::Int { saturates: false }, names.map(|name| read::<i32>(&mut reference, &name))),
                "F" => (Mode::Float, names.map(|name| read::<f32>(&mut reference, &name))),
                _ => continue,
            };
            let found = model(mode, filter, &x, size(&case), edges(&case));
            let differing: Vec<_> = found.indexed_iter().zip(&y).filter(|((_, a), b)| a != b).take(3).collect();
            assert!(differing.is_empty(), "{differing:?}: {case}");
            if case["mode"] == "I" && overflow(&mut reference, &case) {
                let expected = model(Mode::Int { saturates: true }, filter, &x, size(&case), edges(&case));
                let found = resize_picture(&described(&case), &x.mapv(|x| x as i32).into_dyn(), Target::Size(size(&case)));
                assert_eq!(found.mapv(f64::from), expected.into_dyn(), "{case}");
                saturated += 1;
            }
            seen += 1;
        }
    }
    assert_eq!((seen, saturated), (273, 6));
}

fn compare<A: Element + PartialEq>(
    mode: Mode,
    filter: &str,
    x: &Array2<f64>,
    size: [usize; 2],
    from: fn(f64) -> A,
    back: fn(A) -> f64,
    tolerance: f64,
) -> Option<String> {
    let expected = model(mode, filter, x, size, None);
    let found = resize_picture(&description(filter), &x.mapv(from).into_dyn(), Target::Size(size)).mapv(back);
    let error = found.iter().zip(&expected).fold(0.0_f64, |most, (a, b)| most.max((a - b).abs()));
    (!(error <= tolerance)).then(|| format!("{mode:?} {filter} {:?} to {size:?}: {error}", x.dim()))
}

/// Sizes that were not recorded, at random from the ends of each type's range.
#[test]
fn every_mode_for_many_sizes() {
    let sizes = [1, 2, 3, 5, 8, 13, 21, 34, 55, 64];
    let mut state = 12_345_u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let mut failures = Vec::new();
    for _ in 0..600 {
        let [h, w, oh, ow] = std::array::from_fn(|_| sizes[random(sizes.len())]);
        let filter = ["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"][random(6)];
        let bytes = Array2::from_shape_simple_fn((h, w), || [0.0, 255.0, 255.0, 0.0, 128.0, 7.0][random(6)]);
        failures.extend(compare(Mode::Byte, filter, &bytes, [oh, ow], |x| x as u8, f64::from, 0.0));
        let shorts = Array2::from_shape_simple_fn((h, w), || [0.0, 65535.0, 65535.0, 0.0, 32768.0, 1.0, 12345.0][random(7)]);
        if filter != "nearest" {
            failures.extend(compare(Mode::Short, filter, &shorts, [oh, ow], |x| x as u16, f64::from, 0.0));
        }
        let ends = [0.0, f64::from(i32::MAX), f64::from(i32::MIN), f64::from(1 << 30), 1.0, -1.0, 1_234_567.0];
        let ints = Array2::from_shape_simple_fn((h, w), || ends[random(7)]);
        failures.extend(compare(Mode::Int { saturates: true }, filter, &ints, [oh, ow], |x| x as i32, f64::from, 0.0));
        // The crate sums up to 64 taps in `f32`: half a unit in the last place for each, of partial sums below 2.
        let floats = bytes.mapv(|x| x / 255.0);
        let taps = |n: usize, m: usize| coefficients(filter, n, m, [0.0, n as f64]).iter().map(|row| row.1.len()).max().unwrap();
        let tolerance = (taps(h, oh) + taps(w, ow)).min(64) as f64 * f64::from(f32::EPSILON);
        failures.extend(compare(Mode::Float, filter, &floats, [oh, ow], |x| x as f32, f64::from, tolerance));
    }
    assert!(failures.is_empty(), "{}:\n{}", failures.len(), failures.join("\n"));
}

/// The report: what overshoots is clipped after the width, before the height.
#[test]
fn reported_corner() {
    let x = ndarray::array![[65535_u16, 65535], [65535, 0]];
    let y = resize_picture(&description("bicubic"), &x.into_dyn(), Target::Size([3, 3]));
    assert_eq!(y[[0, 0]], 65535);
}
