//! Filters by where they come from: splines by their truncated powers and by solving for them, sharpened kernels by convolution.

use upsample::Filter;

/// The B-spline of `degree` pieces' degree, by truncated powers: `Σ (-1)^k C(degree + 1, k) max(x + (degree + 1)/2 - k, 0)^degree / degree!`.
fn b_spline(degree: i32, x: f64) -> f64 {
    let order = degree + 1;
    let (mut sum, mut binomial, mut factorial) = (0.0, 1.0, 1.0);
    for k in 0..=order {
        let sign = if k % 2 == 0 { 1.0 } else { -1.0 };
        sum += sign * binomial * (x + f64::from(order) / 2.0 - f64::from(k)).max(0.0).powi(degree);
        binomial *= f64::from(order - k) / f64::from(k + 1);
    }
    (1..=degree).for_each(|k| factorial *= f64::from(k));
    sum / factorial
}

fn sharpened(taps: &[f64], x: f64) -> f64 {
    let middle = (taps.len() / 2) as f64;
    taps.iter().enumerate().map(|(k, tap)| tap * b_spline(2, x - (k as f64 - middle))).sum()
}

/// How much sample `k` of six counts at `t` between samples 2 and 3 of their natural cubic spline: its second derivatives solve
/// `M(i-1) + 4 M(i) + M(i+1) = 6 (y(i-1) - 2 y(i) + y(i+1))`, and are 0 at both ends.
fn spline36(x: f64) -> f64 {
    let x = x.abs();
    if x >= 3.0 {
        return 0.0;
    }
    // The sample lies `x` behind or before the place: samples 2, 1, 0 for distances below 1, 2, 3.
    let t = x.fract();
    let k = 2 - x.floor() as usize;
    let y = |i: usize| f64::from(u8::from(i == k));
    let mut right: [f64; 6] = std::array::from_fn(|i| if (1..5).contains(&i) { 6.0 * (y(i - 1) - 2.0 * y(i) + y(i + 1)) } else { 0.0 });
    let mut diagonal = [4.0; 6];
    for i in 2..5 {
        diagonal[i] -= 1.0 / diagonal[i - 1];
        right[i] -= right[i - 1] / diagonal[i - 1];
    }
    let mut second = [0.0; 6];
    for i in (1..5).rev() {
        second[i] = (right[i] - second[i + 1]) / diagonal[i];
    }
    let (a, b) = (1.0 - t, t);
    a * y(2) + b * y(3) + ((a.powi(3) - a) * second[2] + (b.powi(3) - b) * second[3]) / 6.0
}

const SHARP_2013: [f64; 3] = [-0.25, 1.5, -0.25];
const SHARP_2021: [f64; 7] = [-1.0 / 144.0, 6.0 / 144.0, -35.0 / 144.0, 204.0 / 144.0, -35.0 / 144.0, 6.0 / 144.0, -1.0 / 144.0];

/// A filter, its support, what it is, and its values at whole distances.
fn rows() -> Vec<(Filter, f64, Box<dyn Fn(f64) -> f64>, Vec<f64>)> {
    vec![
        (Filter::BSpline, 2.0, Box::new(|x| b_spline(3, x)), vec![2.0 / 3.0, 1.0 / 6.0, 0.0]),
        (Filter::Spline36, 3.0, Box::new(spline36), vec![1.0, 0.0, 0.0, 0.0]),
        (Filter::MagicKernelSharp2013, 2.5, Box::new(|x| sharpened(&SHARP_2013, x)), vec![17.0 / 16.0, 0.0, -1.0 / 32.0, 0.0]),
        (
            Filter::MagicKernelSharp2021,
            4.5,
            Box::new(|x| sharpened(&SHARP_2021, x)),
            vec![577.0 / 576.0, 0.0, 0.0, 0.0, -1.0 / 1152.0, 0.0],
        ),
    ]
}

#[test]
fn weights_are_what_the_filters_are() {
    for (filter, support, expected, whole) in rows() {
        assert_eq!(filter.support(), support, "{filter:?}");
        for step in -5000..=5000 {
            let x = f64::from(step) / 1000.0;
            let (found, expected) = (filter.weight(x), expected(x));
            // Sums of a dozen powers up to 9² of numbers near 1.
            assert!((found - expected).abs() <= 1e-13, "{filter:?} at {x}: {found}, not {expected}");
        }
        for (distance, &expected) in whole.iter().enumerate() {
            for x in [distance as f64, -(distance as f64)] {
                assert!((filter.weight(x) - expected).abs() <= 1e-15, "{filter:?} at {x}: {}", filter.weight(x));
            }
        }
    }
}

#[test]
fn weights_sum_to_one() {
    for (filter, support, ..) in rows() {
        let reach = support.ceil() as i32 + 1;
        for phase in 0..100 {
            let t = f64::from(phase) / 100.0;
            let sum: f64 = (-reach..=reach).map(|k| filter.weight(f64::from(k) - t)).sum();
            assert!((sum - 1.0).abs() <= 1e-14, "{filter:?} at {t}: {sum}");
        }
        // Simpson's rule is exact for cubics; every half pixel begins a piece.
        let pieces = 4 * reach;
        let simpson = |piece: i32| {
            let (begin, width) = (f64::from(piece) / 2.0, 0.5);
            let middle = begin + width / 2.0;
            (filter.weight(begin) + 4.0 * filter.weight(middle) + filter.weight(begin + width)) * width / 6.0
        };
        let integral: f64 = (-pieces..pieces).map(simpson).sum();
        assert!((integral - 1.0).abs() <= 1e-14, "{filter:?}: {integral}");
    }
}
