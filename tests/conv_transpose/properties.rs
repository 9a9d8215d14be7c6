//! What must hold whatever the numbers.

use approx::assert_relative_eq;
use common::spatial;
use ndarray::{Array4, ArrayD};
use proptest::prelude::*;
use upsample::{ConvTranspose, FloatElement, Output, Spatial, SpatialRank, Tensor};

use crate::oracle::{Case, cast, noise, small_cases};

fn dot<D: ndarray::Dimension>(a: &ndarray::Array<f64, D>, b: &ndarray::Array<f64, D>) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// `<A x, y> = <x, Aᵀ y>` for the input, `<A w, y> = <w, Aᵀ y>` for the weight, of both operators.
fn adjoint<const RANK: usize>(case: &Case) -> Result<(), TestCaseError>
where
    f64: FloatElement,
    Spatial<RANK>: SpatialRank,
    for<'a> Tensor<'a, f64, RANK>: From<&'a Output<f64, RANK>>,
{
    let Some(shape) = case.numbers.transposed_shape(&case.x, &case.weight) else { return Ok(()) };
    let kernel: [usize; RANK] = case.weight[2..].try_into().unwrap();
    let plan = case.conv_transpose().plan(case.x[2..].try_into().unwrap(), kernel).unwrap();
    let [x, weight, dy] = [(&case.x, 6), (&case.weight, 7), (&shape, 8)].map(|(shape, seed)| cast::<f64, RANK>(&noise(shape, seed)));
    let pairing = dot(&plan.forward(&x, &weight, None).unwrap(), &dy);
    let near = |found: f64, expected: f64| (found - expected).abs() <= 1e-12 * (1.0 + (x.len() * weight.len()) as f64);
    prop_assert!(near(dot(&x, &plan.input_gradient(&dy, &weight).unwrap()), pairing));
    prop_assert!(near(dot(&weight, &plan.weight_gradient(&x, &dy).unwrap()), pairing));

    let Some(coarse) = case.numbers.convolved_shape(&shape, &case.weight) else { return Ok(()) };
    let plan = case.convolution().plan(shape[2..].try_into().unwrap(), kernel).unwrap();
    let coarse = cast::<f64, RANK>(&noise(&coarse, 9));
    let pairing = dot(&plan.forward(&dy, &weight, None).unwrap(), &coarse);
    let near = |found: f64, expected: f64| (found - expected).abs() <= 1e-12 * (1.0 + (coarse.len() * weight.len()) as f64);
    prop_assert!(near(dot(&dy, &plan.input_gradient(&coarse, &weight).unwrap()), pairing));
    prop_assert!(near(dot(&weight, &plan.weight_gradient(&dy, &coarse).unwrap()), pairing));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn gradients_are_adjoint(case in small_cases()) {
        match case.x.len() {
            3 => adjoint::<1>(&case)?,
            4 => adjoint::<2>(&case)?,
            _ => adjoint::<3>(&case)?,
        }
    }

    /// Twice the size, whatever the kernel.
    #[test]
    fn doubling_doubles(height in 1..20_usize, width in 1..20_usize, kernel in 1..9_usize, other in 1..9_usize) {
        let kernel = [kernel, other];
        let plan = ConvTranspose::doubling(kernel).unwrap().plan([height, width], kernel).unwrap();
        prop_assert_eq!(plan.output_size(), [2 * height, 2 * width]);
    }

    /// An output shape is reached, or the error names one that is.
    #[test]
    fn output_shape_is_reached_or_the_nearest_is_named(input in 1..6_usize, kernel in 1..5_usize, stride in 1..5_usize, size in 0..40_usize) {
        let deconv = ConvTranspose::new().stride(stride);
        match deconv.clone().output_shape(size).plan([input], [kernel]) {
            Ok(plan) => prop_assert_eq!(plan.output_size(), [size]),
            Err(upsample::Error::UnreachableSize { requested, nearest, .. }) => {
                prop_assert_eq!(requested, size);
                prop_assert_eq!(deconv.output_shape(nearest).plan([input], [kernel]).unwrap().output_size(), [nearest]);
            }
            Err(error) => return Err(TestCaseError::fail(error.to_string())),
        }
    }
}

/// The gradients of the loss `Σ y²/2`, against the difference quotient.
#[test]
fn finite_differences() {
    let deconv = ConvTranspose::new().stride([2, 3]).padding([1, 0]).dilation([1, 2]).output_padding([0, 1]).groups(2);
    let x: Array4<f64> = cast::<f64, 2>(&noise(&[2, 4, 3, 2], 1));
    let weight: Array4<f64> = cast::<f64, 2>(&noise(&[4, 2, 3, 2], 2));
    let loss = |x: &Array4<f64>, weight: &Array4<f64>| deconv.forward(x, weight, None).unwrap().mapv(|y| y * y / 2.0).sum();
    let dy = deconv.forward(&x, &weight, None).unwrap();
    let (dx, dw) = (deconv.input_gradient(&dy, &weight).unwrap(), deconv.weight_gradient(&x, &dy, [3, 2]).unwrap());
    let step = 1e-5;
    let quotient = |array: &Array4<f64>, index: usize, loss: &dyn Fn(&Array4<f64>) -> f64| {
        let [up, down] = [step, -step].map(|step| {
            let mut moved = array.clone();
            moved.as_slice_mut().unwrap()[index] += step;
            loss(&moved)
        });
        (up - down) / (2.0 * step)
    };
    for (index, &gradient) in dx.iter().enumerate() {
        assert_relative_eq!(quotient(&x, index, &|x| loss(x, &weight)), gradient, max_relative = 1e-6, epsilon = 1e-6);
    }
    for (index, &gradient) in dw.iter().enumerate() {
        assert_relative_eq!(quotient(&weight, index, &|weight| loss(&x, weight)), gradient, max_relative = 1e-6, epsilon = 1e-6);
    }
}

/// A NaN in the input shows where its copy of the kernel is, and nowhere else.
#[test]
fn nan_stays_in_its_copy_of_the_kernel() {
    let mut x = noise(&[1, 2, 12, 40], 1);
    x[[0, 1, 5, 17]] = f64::NAN;
    let (x, weight) = (cast::<f32, 2>(&x), cast::<f32, 2>(&noise(&[2, 3, 4, 4], 2)));
    let y = ConvTranspose::new().stride(2).padding(1).forward(&x, &weight, None).unwrap();
    for ((_, _, h, w), value) in y.indexed_iter() {
        let inside = (9..13).contains(&h) && (33..37).contains(&w);
        assert_eq!(value.is_nan(), inside, "{h}, {w}");
    }
}

/// ONNX's rule for the odd pixel: SAME_UPPER at the end, everything else at the beginning.
#[test]
fn odd_padding_goes_where_onnx_puts_it() {
    use upsample::AutoPad::{SameLower, SameUpper, Valid};
    let deconv = || ConvTranspose::new().stride(2);
    let of = |deconv: ConvTranspose, input: usize, kernel: usize| {
        let [window] = deconv.plan([input], [kernel]).unwrap().windows();
        [window.padding_begin, window.padding_end, window.output_padding.cast_signed()]
    };
    let table: [(&str, [isize; 3], [isize; 3]); 9] = [
        ("upper: at the end", of(deconv().auto_pad(SameUpper), 5, 3), [0, 1, 0]),
        ("lower: at the beginning", of(deconv().auto_pad(SameLower), 5, 3), [1, 0, 0]),
        ("even", of(deconv().auto_pad(SameLower), 5, 4), [1, 1, 0]),
        ("kernel = stride: none", of(deconv().auto_pad(SameUpper), 5, 2), [0, 0, 0]),
        ("kernel < stride: added at the end", of(deconv().auto_pad(SameUpper), 5, 1), [0, 0, 1]),
        ("valid", of(deconv().auto_pad(Valid), 5, 3), [0, 0, 0]),
        ("output shape: at the beginning", of(deconv().output_shape(10), 5, 3), [1, 0, 0]),
        ("output shape, upper: at the end", of(deconv().output_shape(10).auto_pad(SameUpper), 5, 3), [0, 1, 0]),
        ("output shape one too large: added at the end", of(deconv().output_shape(12), 5, 3), [0, 0, 1]),
    ];
    for (name, found, expected) in table {
        assert_eq!(found, expected, "{name}");
    }
}

/// Buffers of the wrong size are untouched; of the right size wholly written.
#[test]
fn outputs_are_wholly_written_or_untouched() {
    let (x, weight) = (cast::<f32, 2>(&noise(&[2, 3, 5, 6], 1)), cast::<f32, 2>(&noise(&[3, 2, 1, 1], 2)));
    let deconv = ConvTranspose::new().stride(3).output_padding(2);
    let mut y = Array4::from_elem((2, 2, 15, 18), f32::NAN);
    deconv.plan(spatial(&x), spatial(&weight)).and_then(|plan| plan.forward_into(&x, &weight, None, &mut y)).unwrap();
    assert!(y.iter().all(|value| value.is_finite()));
    let mut wrong = Array4::from_elem((2, 2, 15, 17), f32::NAN);
    assert!(deconv.plan(spatial(&x), spatial(&weight)).and_then(|plan| plan.forward_into(&x, &weight, None, &mut wrong)).is_err());
    assert!(wrong.iter().all(|value| value.is_nan()));
    let _: ArrayD<f32> = wrong.into_dyn();
}
