//! What fewer multiplications cost in precision, against the naive loops in f64.

use ndarray::{Array, ArrayD, Dimension};
use upsample::Precision;

use crate::oracle::{case, cast, noise};

/// Root mean square.
fn error<D: Dimension>(found: &Array<f32, D>, exact: &ArrayD<f64>) -> f64 {
    let squares = found.iter().zip(exact).map(|(&found, exact)| (f64::from(found) - exact).powi(2));
    (squares.sum::<f64>() / exact.len() as f64).sqrt()
}

#[test]
fn error_is_within_four_times_that_of_the_plain_sum() {
    let cases = [
        ("two taps a phase", case(&[2, 64, 14, 14], &[64, 32, 4, 4], [2, 1, 0, 1, 1])),
        ("two taps a phase, many channels", case(&[1, 256, 14, 14], &[256, 32, 4, 4], [2, 1, 0, 1, 1])),
        ("two taps a phase, several blocks", case(&[1, 32, 37, 37], &[32, 49, 4, 4], [2, 1, 0, 1, 1])),
        ("three taps", case(&[1, 64, 16, 16], &[64, 48, 3, 3], [1, 1, 0, 1, 1])),
        ("three taps, many channels", case(&[1, 256, 8, 8], &[256, 32, 3, 3], [1, 1, 0, 1, 1])),
        ("three taps a phase", case(&[1, 48, 12, 12], &[48, 32, 6, 6], [2, 2, 0, 1, 1])),
    ];
    for (name, case) in cases {
        let shape = case.numbers.transposed_shape(&case.x, &case.weight).unwrap();
        let [x, weight, dy] = [(&case.x, 1), (&case.weight, 2), (&shape, 3)].map(|(shape, seed)| {
            // Numbers that are not exact in f32.
            noise(shape, seed).mapv(|value| f64::from((value * 1.1) as f32))
        });
        let (xs, weights, dys) = (cast::<f32, 2>(&x), cast::<f32, 2>(&weight), cast::<f32, 2>(&dy));
        let results = [Precision::Reduced, Precision::Strict].map(|precision| {
            let plan = case.conv_transpose().precision(precision).plan([case.x[2], case.x[3]], [case.weight[2], case.weight[3]]).unwrap();
            [
                plan.forward(&xs, &weights, None).unwrap(),
                plan.input_gradient(&dys, &weights).unwrap(),
                plan.weight_gradient(&xs, &dys).unwrap(),
            ]
        });
        let exact = [
            case.numbers.expand(&x, &weight, &shape),
            case.numbers.contract(&dy, &weight, &case.x),
            case.numbers.correlate(&x, &dy, &case.weight),
        ];
        let [reduced, strict] = results;
        for (((what, reduced), strict), exact) in ["forward", "dx", "dw"].iter().zip(&reduced).zip(&strict).zip(&exact) {
            assert_ne!(reduced, strict, "{name}, {what}: the method is not in use");
            let (reduced, strict) = (error(reduced, exact), error(strict, exact));
            println!("{name}, {what}: {reduced:.1e}, {:.2} times {strict:.1e}", reduced / strict);
            assert!(reduced <= 4.0 * strict, "{name}, {what}: {reduced}, plain {strict}");
        }
    }
}
