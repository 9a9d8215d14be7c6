//! Sums of many taps: their error does not grow with the number of taps, whichever axis they lie along, forward and back.

use crate::definition::{Outside, half_pixel, kahan, keys, lanczos, tent};
use common::backends;
use ndarray::{Array3, Array4};
use upsample::{Backend, Element, Filter, Profile, Resize, ndarray};

fn methods() -> Vec<(&'static str, Resize)> {
    vec![
        ("area", Resize::area()),
        ("linear", Resize::linear().antialias(true)),
        ("cubic", Resize::cubic().antialias(true)),
        ("lanczos", Resize::filter(Filter::Lanczos { lobes: 3 }).antialias(true)),
        ("box", Resize::filter(Filter::Box).antialias(true)),
    ]
}

/// Every method on every backend.
fn runs() -> Vec<(String, Resize)> {
    let with = |backend: Backend| methods().into_iter().map(move |(name, resize)| (format!("{name} {backend:?}"), resize.backend(backend)));
    backends().into_iter().flat_map(with).collect()
}

fn assert_near(name: &str, y: impl IntoIterator<Item = f32>, expected: f64) {
    for value in y {
        assert!((f64::from(value) - expected).abs() <= 1e-6 * expected, "{name}: {value}, not {expected}");
    }
}

#[test]
fn ones_stay_ones() {
    for (name, resize) in runs() {
        for (n, m) in [(30, 1), (65, 1), (100, 7), (1000, 1), (65_537, 2), (1_000_000, 3), (4_000_000, 1)] {
            let y = resize.plan([n], [m]).unwrap().forward(&Array3::<f32>::ones((1, 1, n))).unwrap();
            assert_near(&format!("{name} {n} to {m}"), y, 1.0);
        }
        for (input, output) in
            [([300_000, 3], [1, 3]), ([3, 300_000], [3, 1]), ([1500, 1400], [1, 1]), ([900, 1100], [2, 3]), ([40, 50], [5, 5])]
        {
            let [h, w] = input;
            let plan = resize.plan(input, output).unwrap();
            let name = format!("{name} {input:?} to {output:?}");
            assert_near(&name, plan.forward(&Array4::<f32>::ones((1, 1, h, w))).unwrap(), 1.0);
            let last = Array4::<f32>::ones((1, h, w, 2)).permuted_axes([0, 3, 1, 2]);
            assert_near(&format!("{name}, channels last"), plan.forward(&last).unwrap(), 1.0);
        }
    }
}

/// By symmetry each of two pixels gets half of what comes back; of one, all.
#[test]
fn gradients_of_ones() {
    let enlarging = [Resize::nearest(), Resize::linear(), Resize::cubic(), Resize::area(), Resize::filter(Filter::Lanczos { lobes: 3 })];
    for (resize, backend) in enlarging.iter().flat_map(|resize| backends().into_iter().map(move |backend| (resize, backend))) {
        let resize = resize.clone().backend(backend);
        for (n, m) in [(1, 4_000_000), (2, 4_000_000), (2, 100_000), (1, 1000), (2, 130)] {
            let dx = resize.plan([n], [m]).unwrap().input_gradient(&Array3::<f32>::ones((1, 1, m))).unwrap();
            assert_near(&format!("{resize:?} {n} to {m}"), dx, (m / n) as f64);
        }
        for (input, output) in [([2, 3], [200_000, 3]), ([3, 2], [3, 200_000]), ([2, 2], [1200, 1000]), ([1, 2], [700, 900])] {
            let pixels = |size: [usize; 2]| (size[0] * size[1]) as f64;
            let dx = resize.plan(input, output).unwrap().input_gradient(&Array4::<f32>::ones((1, 1, output[0], output[1]))).unwrap();
            assert_near(&format!("{resize:?} {input:?} to {output:?}"), dx, pixels(output) / pixels(input));
        }
    }
}

fn noise(count: usize) -> Vec<f32> {
    let mut state = 99_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// The weights of every output pixel, of a profile without rounded positions.
fn defined(method: &str, n: usize, m: usize, outside: Outside) -> Vec<Vec<f64>> {
    match method {
        "linear" => half_pixel(tent, 1.0, true, (n, m), outside),
        "cubic" => half_pixel(|x| keys(x, -0.5), 2.0, true, (n, m), outside),
        "lanczos" => half_pixel(|x| lanczos(x, 3.0), 3.0, true, (n, m), outside),
        // Of whole factors both are plain means.
        _ => (0..m).map(|o| (0..n).map(|i| if i / (n / m) == o { m as f64 / n as f64 } else { 0.0 }).collect()).collect(),
    }
}

#[test]
fn noise_is_summed_as_in_double() {
    let values = noise(1_000_000);
    for (n, m) in [(64, 1), (66, 1), (5000, 5), (1_000_000, 1), (1_000_000, 2)] {
        for (method, _) in methods() {
            let weights = defined(method, n, m, Outside::Dropped);
            for backend in backends() {
                let resize = methods().into_iter().find(|row| row.0 == method).unwrap().1.profile(Profile::Jax).backend(backend);
                let x = Array3::from_shape_vec((1, 1, n), values[..n].to_vec()).unwrap();
                let y = resize.plan([n], [m]).unwrap().forward(&x).unwrap();
                let column = x.clone().into_shape_with_order((1, 1, n, 1)).unwrap();
                let along_height = resize.plan([n, 1], [m, 1]).unwrap().forward(&column).unwrap();
                for (o, weights) in weights.iter().enumerate() {
                    let products = || weights.iter().zip(&values).map(|(weight, &x)| weight * f64::from(x));
                    let (expected, magnitude) = (kahan(products()), kahan(products().map(f64::abs)));
                    for found in [y[[0, 0, o]], along_height[[0, 0, o, 0]]] {
                        let error = (f64::from(found) - expected).abs();
                        assert!(error <= 1e-6 * magnitude, "{method} {backend:?} {n} to {m}: {found}, not {expected}, of {magnitude}");
                    }
                }
            }
        }
    }
}

#[test]
fn gradients_of_noise_are_summed_as_in_double() {
    let values = noise(1_000_000);
    let kernels: [(&str, Resize, f64, fn(f64) -> f64); 2] =
        [("linear", Resize::linear(), 1.0, tent), ("cubic", Resize::cubic(), 2.0, |x| keys(x, -0.75))];
    for (name, resize, support, kernel) in kernels {
        for (n, m) in [(3, 70), (3, 5000), (2, 1_000_000), (5, 1_000_000)] {
            let weights = half_pixel(kernel, support, false, (n, m), Outside::Clamped);
            for backend in backends() {
                let dy = Array3::from_shape_vec((1, 1, m), values[..m].to_vec()).unwrap();
                let resize = resize.clone().profile(Profile::Onnx).backend(backend);
                let dx = resize.plan([n], [m]).unwrap().input_gradient(&dy).unwrap();
                for i in 0..n {
                    let products = || weights.iter().zip(&values).map(|(weights, &dy)| weights[i] * f64::from(dy));
                    let (expected, magnitude) = (kahan(products()), kahan(products().map(f64::abs)));
                    let error = (f64::from(dx[[0, 0, i]]) - expected).abs();
                    assert!(error <= 1e-6 * magnitude, "{name} {backend:?} {n} to {m}: {}, not {expected}, of {magnitude}", dx[[0, 0, i]]);
                }
            }
        }
    }
}

/// A picture of one value stays so.
fn keeps<A: Element>(name: &str, resize: &Resize, value: A) {
    for (n, m) in [(3000, 1), (30_000, 1), (30_000, 7), (1_000_000, 1)] {
        let y = resize.plan([n], [m]).unwrap().forward(&Array3::from_elem((1, 1, n), value)).unwrap();
        assert!(y.iter().all(|&y| y == value), "{name} {n} to {m}: {value:?} became {:?}", y[[0, 0, 0]]);
    }
    for (input, output) in [([1000, 1000], [1, 1]), ([30_000, 3], [1, 3]), ([700, 900], [2, 5])] {
        let y = resize.plan(input, output).unwrap().forward(&Array4::from_elem((1, 1, input[0], input[1]), value)).unwrap();
        assert!(y.iter().all(|&y| y == value), "{name} {input:?} to {output:?}: {value:?} became {:?}", y[[0, 0, 0, 0]]);
    }
}

#[test]
fn white_stays_white() {
    for (name, resize) in runs() {
        for profile in [Profile::Torch, Profile::Onnx] {
            let (name, resize) = (format!("{name} {profile:?}"), resize.clone().profile(profile));
            keeps(&name, &resize, u8::MAX);
            keeps(&name, &resize, u16::MAX);
        }
        keeps(&name, &resize, i8::MIN);
        keeps(&name, &resize, i16::MIN);
        keeps(&name, &resize, i16::MAX);
        keeps(&name, &resize, i32::MIN);
        keeps(&name, &resize, i32::MAX);
    }
}
