//! Properties that hold for every filter, coordinate rule, rank and layout, and agreement with a naive resize written from the definitions.

use ndarray::{Array, Array5};
use proptest::prelude::*;
use upsample::{Backend, Coordinates, Filter, NearestRule, Profile, Resize, Rounding, ndarray};

/// Every method by name, antialiased where it can be.
fn methods() -> Vec<(&'static str, Resize)> {
    vec![
        ("nearest", Resize::nearest()),
        ("nearest-exact", Resize::nearest_exact()),
        ("nearest integer", Resize::nearest_by(NearestRule::Integer)),
        ("linear", Resize::linear()),
        ("cubic", Resize::cubic()),
        ("cubic excluding", Resize::cubic().exclude_outside(true)),
        ("linear antialias", Resize::linear().antialias(true)),
        ("cubic antialias", Resize::cubic().antialias(true)),
        ("mitchell", Resize::filter(Filter::Mitchell)),
        ("lanczos3", Resize::filter(Filter::Lanczos { lobes: 3 }).antialias(true)),
        ("lanczos4", Resize::filter(Filter::Lanczos { lobes: 4 })),
        ("box", Resize::filter(Filter::Box).antialias(true)),
        ("hamming", Resize::filter(Filter::Hamming).profile(Profile::Pillow)),
        ("gaussian", Resize::filter(Filter::Gaussian).profile(Profile::Onnx).antialias(true)),
        ("area", Resize::area()),
        ("custom", Resize::filter(Filter::custom(1.5, |x| 2.0 - x.abs()))),
    ]
}

fn coordinates() -> Vec<Coordinates> {
    vec![
        Coordinates::HalfPixel,
        Coordinates::HalfPixelSymmetric,
        Coordinates::PytorchHalfPixel,
        Coordinates::Asymmetric,
        Coordinates::AlignCorners,
        Coordinates::TfHalfPixelForNn,
        Coordinates::TfCropAndResize { start: 0.1, end: 0.85 },
        Coordinates::TfCropAndResize { start: 1.2, end: -0.1 },
    ]
}

/// A method with coordinates, where the two go together.
fn described(method: usize, rule: Option<usize>) -> (String, Resize) {
    let (name, resize) = methods().swap_remove(method);
    match rule {
        Some(rule) if name != "area" && name != "nearest integer" => {
            let coordinates = coordinates()[rule];
            let resize = if name.starts_with("nearest") { resize.rounding(Rounding::RoundPreferFloor) } else { resize };
            (format!("{name} {coordinates:?}"), resize.coordinates(coordinates))
        }
        _ => (name.to_owned(), resize),
    }
}

fn noise(shape: [usize; 5], seed: u64) -> Array5<f64> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    Array::from_shape_simple_fn(shape, || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) as f64) / f64::from(1_u32 << 30) - 1.0
    })
}

fn sizes() -> impl Strategy<Value = [usize; 3]> {
    [1..5_usize, 1..9_usize, 1..12_usize]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// `<A x, y> = <x, Aᵀ y>` in every rank and layout.
    #[test]
    fn adjoint(method in 0..16_usize, rule in proptest::option::of(0..8_usize), input in sizes(), output in sizes(), channels in 1..6_usize,
               last in any::<bool>(), seed in any::<u64>()) {
        let (name, resize) = described(method, rule);
        let plan = resize.plan(input, output).unwrap();
        let mut x = noise([2, channels, input[0], input[1], input[2]], seed);
        let mut dy = noise([2, channels, output[0], output[1], output[2]], seed ^ 77);
        if last {
            let to_last = |a: &Array5<f64>| {
                a.view().permuted_axes([0, 2, 3, 4, 1]).as_standard_layout().into_owned().permuted_axes([0, 4, 1, 2, 3])
            };
            (x, dy) = (to_last(&x), to_last(&dy));
        }
        let forward = (&plan.forward(&x).unwrap() * &dy).sum();
        let backward = (&plan.input_gradient(&dy).unwrap() * &x).sum();
        prop_assert!((forward - backward).abs() <= 1e-10 * (dy.len() as f64), "{name}: {forward} {backward}");

        // The same as pictures and as signals: one slice, one row of it.
        let (x, dy) = (x.index_axis_move(ndarray::Axis(2), 0), dy.index_axis_move(ndarray::Axis(2), 0));
        let plan = resize.plan([input[1], input[2]], [output[1], output[2]]).unwrap();
        let (forward, backward) = ((&plan.forward(&x).unwrap() * &dy).sum(), (&plan.input_gradient(&dy).unwrap() * &x).sum());
        prop_assert!((forward - backward).abs() <= 1e-10 * (dy.len() as f64), "{name}, picture: {forward} {backward}");
        let (x, dy) = (x.index_axis_move(ndarray::Axis(2), 0), dy.index_axis_move(ndarray::Axis(2), 0));
        let plan = resize.plan([input[2]], [output[2]]).unwrap();
        let (forward, backward) = ((&plan.forward(&x).unwrap() * &dy).sum(), (&plan.input_gradient(&dy).unwrap() * &x).sum());
        prop_assert!((forward - backward).abs() <= 1e-10 * (dy.len() as f64), "{name}, signal: {forward} {backward}");
    }

    /// Weights sum to 1: a constant stays what it is, in every type, and the gradient keeps the sum.
    #[test]
    fn constants(method in 0..16_usize, rule in proptest::option::of(0..6_usize), input in sizes(), output in sizes(), value in -100..100_i16) {
        let (name, resize) = described(method, rule);
        let plan = resize.plan(input, output).unwrap();
        let [d, h, w] = input;
        let single = plan.forward(&Array5::from_elem((1, 2, d, h, w), f32::from(value))).unwrap();
        prop_assert!(single.iter().all(|&y| (y - f32::from(value)).abs() <= 1e-4), "{name}");
        let bytes = plan.forward(&Array5::from_elem((1, 2, d, h, w), (value + 100) as u8)).unwrap();
        prop_assert!(bytes.iter().all(|&y| y == (value + 100) as u8), "{name}");
        let short = plan.forward(&Array5::from_elem((1, 2, d, h, w), value)).unwrap();
        prop_assert!(short.iter().all(|&y| y == value), "{name}");
        let dx = plan.input_gradient(&Array5::from_elem((1, 1, output[0], output[1], output[2]), 1.0)).unwrap();
        let pixels = (output[0] * output[1] * output[2]) as f64;
        prop_assert!((dx.sum() - pixels).abs() < 1e-9 * pixels.max(1.0), "{name}");
    }

    /// Linear in the input, same shape as the calculator's, scale 1 the identity.
    #[test]
    fn linearity_and_identity(method in 0..16_usize, input in sizes(), scale in 0.3..4.0_f64, seed in any::<u64>()) {
        let (name, resize) = described(method, None);
        let size = input.map(|n| ((n as f64 * scale).floor() as usize).max(1));
        let plan = resize.plan(input, size).unwrap();
        let [d, h, w] = input;
        let (a, b) = (noise([1, 2, d, h, w], seed), noise([1, 2, d, h, w], seed ^ 5));
        let sum = plan.forward(&(&a * 2.0 + &b)).unwrap();
        let parts = plan.forward(&a).unwrap() * 2.0 + plan.forward(&b).unwrap();
        prop_assert!(sum.iter().zip(&parts).all(|(s, p)| (s - p).abs() < 1e-11), "{name}");
        prop_assert_eq!(sum.dim(), (1, 2, size[0], size[1], size[2]));
        // Mitchell, the Gaussian, box-like custom filters blur even at scale 1.
        if !["mitchell", "gaussian", "custom"].contains(&name.as_str()) {
            let same = resize.plan(input, 1.0).unwrap().forward(&a).unwrap();
            prop_assert!(same.iter().zip(&a).all(|(s, p)| (s - p).abs() < 1e-12), "{name}");
        }
    }

    /// Every backend gives the portable one's numbers: floating point within rounding, integers exactly.
    #[test]
    fn backends(method in 0..16_usize, input in [1..40_usize, 1..70_usize], output in [1..90_usize, 1..90_usize], channels in 1..10_usize,
                last in any::<bool>(), seed in any::<u64>()) {
        let (name, resize) = described(method, None);
        let x = noise([1, channels, 1, input[0], input[1]], seed).remove_axis(ndarray::Axis(2));
        let x = if last {
            x.view().permuted_axes([0, 2, 3, 1]).as_standard_layout().into_owned().permuted_axes([0, 3, 1, 2])
        } else {
            x
        };
        let (single, byte) = (x.mapv(|v| v as f32), x.mapv(|v| (v * 127.0 + 128.0) as u8));
        let portable = resize.clone().backend(Backend::Portable).plan(input, output).unwrap();
        let (single_p, byte_p) = (portable.forward(&single).unwrap(), portable.forward(&byte).unwrap());
        let back_p = portable.input_gradient(&single_p).unwrap();
        for backend in common::backends() {
            let plan = resize.clone().backend(backend).plan(input, output).unwrap();
            let y = plan.forward(&single).unwrap();
            prop_assert!(y.iter().zip(&single_p).all(|(a, b)| (a - b).abs() <= 4e-6), "{name} {backend:?}");
            prop_assert_eq!(&plan.forward(&byte).unwrap(), &byte_p, "{} {:?}", name, backend);
            let dx = plan.input_gradient(&single_p).unwrap();
            let largest = back_p.iter().fold(1.0_f32, |m, v| m.max(v.abs()));
            prop_assert!(dx.iter().zip(&back_p).all(|(a, b)| (a - b).abs() <= 1e-5 * largest), "{name} {backend:?}");
        }
    }
}

/// Bilinear and bicubic from their definitions, one output pixel at a time, in f64.
fn naive(x: &Array5<f64>, output: [usize; 2], cubic: bool, align: bool) -> Array5<f64> {
    let (_, _, _, h, w) = x.dim();
    let weights = |o: usize, n: usize, m: usize| -> Vec<(usize, f64)> {
        let position = if align {
            if m == 1 { 0.0 } else { o as f64 * (n - 1) as f64 / (m - 1) as f64 }
        } else {
            (o as f64 + 0.5) * n as f64 / m as f64 - 0.5
        };
        let position = if cubic { position } else { position.max(0.0) };
        let (first, t) = (position.floor(), position - position.floor());
        let clamp = |i: f64| i.clamp(0.0, (n - 1) as f64) as usize;
        if !cubic {
            return vec![(clamp(first), 1.0 - t), (clamp(first + 1.0), t)];
        }
        let a = -0.75;
        let near = |x: f64| (a + 2.0) * x.powi(3) - (a + 3.0) * x.powi(2) + 1.0;
        let far = |x: f64| a * x.powi(3) - 5.0 * a * x.powi(2) + 8.0 * a * x - 4.0 * a;
        vec![
            (clamp(first - 1.0), far(1.0 + t)),
            (clamp(first), near(t)),
            (clamp(first + 1.0), near(1.0 - t)),
            (clamp(first + 2.0), far(2.0 - t)),
        ]
    };
    Array::from_shape_fn((x.dim().0, x.dim().1, 1, output[0], output[1]), |(n, c, _, oh, ow)| {
        let mut sum = 0.0;
        for (i, a) in weights(oh, h, output[0]) {
            for (j, b) in weights(ow, w, output[1]) {
                sum += a * b * x[[n, c, 0, i, j]];
            }
        }
        sum
    })
}

#[test]
fn equals_the_definition() {
    for (number, (input, output)) in
        [([5, 7], [10, 14]), ([7, 5], [3, 9]), ([1, 1], [4, 3]), ([6, 200], [13, 333]), ([64, 48], [128, 96]), ([30, 20], [7, 11])]
            .iter()
            .enumerate()
    {
        let x = noise([2, 3, 1, input[0], input[1]], number as u64 + 1);
        for cubic in [false, true] {
            for align in [false, true] {
                let resize = if cubic { Resize::cubic() } else { Resize::linear() };
                let rule = if align { Coordinates::AlignCorners } else { Coordinates::HalfPixel };
                let plan = resize.coordinates(rule).plan(*input, *output).unwrap();
                let expected = naive(&x, *output, cubic, align).remove_axis(ndarray::Axis(2));
                let x = x.view().index_axis_move(ndarray::Axis(2), 0);
                let found = plan.forward(x).unwrap();
                assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-13), "{input:?} {output:?} {cubic} {align}");
                let single = plan.forward(&x.mapv(|v| v as f32)).unwrap();
                assert!(
                    single.iter().zip(&expected).all(|(&a, b)| (f64::from(a) - b).abs() < 1e-4),
                    "{input:?} {output:?} {cubic} {align}"
                );
            }
        }
    }
}

/// The same bits for any number of threads.
#[cfg(feature = "rayon")]
#[test]
fn threads_do_not_change_a_bit() {
    let volume = noise([1, 2, 20, 60, 50], 3).mapv(|v| v as f32);
    let picture = noise([1, 1, 1, 300, 200], 4).mapv(|v| v as f32).index_axis_move(ndarray::Axis(2), 0);
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut all = Vec::new();
            for (_, resize) in methods() {
                for size in [[40, 120, 100], [31, 25, 70]] {
                    let plan = resize.plan([20, 60, 50], size).unwrap();
                    let y = plan.forward(upsample::Tensor::from(&volume)).unwrap();
                    all.extend(plan.input_gradient(&y).unwrap().iter().map(|v| v.to_bits()));
                    all.extend(y.iter().map(|v| v.to_bits()));
                }
                let plan = resize.plan([300, 200], [601, 900]).unwrap();
                all.extend(plan.forward(&picture).unwrap().iter().map(|v| v.to_bits()));
            }
            all
        })
    };
    let one = run(1);
    for threads in [2, 3, 8] {
        assert!(run(threads) == one, "{threads} threads");
    }
}
