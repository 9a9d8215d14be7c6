//! Gradients: exact adjoints, and slopes.

use common::spatial;
use ndarray::{Array, Array4, Dimension};
use proptest::prelude::*;
use upsample::{FloatElement, Output, Resize, ResizeConv, Spatial, SpatialRank, Tensor, Update};

use crate::fused::cases;
use crate::naive::{Case, cast, noise};

fn dot<D: Dimension>(a: &Array<f64, D>, b: &Array<f64, D>) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn adjoint<const RANK: usize>(case: &Case) -> Result<(), TestCaseError>
where
    f64: FloatElement,
    Spatial<RANK>: SpatialRank,
    for<'a> Tensor<'a, f64, RANK>: From<&'a Output<f64, RANK>>,
{
    let Some(shape) = case.y_shape() else { return Ok(()) };
    let input: [usize; RANK] = case.input[3 - RANK..].try_into().unwrap();
    let kernel: [usize; RANK] = case.kernel[3 - RANK..].try_into().unwrap();
    let plan = case.operator().plan(input, kernel).unwrap();
    let x = cast::<f64, RANK>(&noise(case.x_shape(), 4));
    let weight = cast::<f64, RANK>(&noise(case.weight_shape(), 5));
    let dy = cast::<f64, RANK>(&noise(shape, 6));
    let pairing = dot(&plan.forward(&x, &weight, None).unwrap(), &dy);
    let products = dy.len() * case.channels[0] * case.kernel.iter().product::<usize>();
    let near = |found: f64| (found - pairing).abs() <= 4.0 * f64::EPSILON * (products + 8) as f64;
    prop_assert!(near(dot(&x, &plan.input_gradient(&dy, &weight).unwrap())));
    prop_assert!(near(dot(&weight, &plan.weight_gradient(&x, &dy).unwrap())));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn gradients_are_adjoint(case in cases()) {
        match case.rank {
            1 => adjoint::<1>(&case)?,
            2 => adjoint::<2>(&case)?,
            _ => adjoint::<3>(&case)?,
        }
    }
}

/// The gradients of the loss `Σ y²/2`, against the difference quotient.
#[test]
fn finite_differences() {
    let base = ResizeConv::new().padding_of([1, 2], [0, 3]).dilation([1, 2]).groups(2);
    for (name, up) in [
        ("nearest, fused", base.clone().factor([2, 3])),
        ("nearest, two steps", base.clone().size([7, 5])),
        ("bilinear", base.clone().resize(Resize::bilinear()).factor(2)),
        ("bicubic to a size", base.resize(Resize::bicubic()).size([7, 5])),
    ] {
        let x: Array4<f64> = cast::<f64, 2>(&noise([2, 4, 1, 3, 2], 1));
        let weight: Array4<f64> = cast::<f64, 2>(&noise([4, 2, 1, 3, 2], 2));
        let loss = |x: &Array4<f64>, weight: &Array4<f64>| up.forward(x, weight, None).unwrap().mapv(|y| y * y / 2.0).sum();
        let dy = up.forward(&x, &weight, None).unwrap();
        let mut dx = Array4::zeros(x.dim());
        up.plan(spatial(&dx), spatial(&weight))
            .and_then(|plan| plan.input_gradient_into(&dy, &weight, &mut dx, Update::Overwrite))
            .unwrap();
        let dw = up.weight_gradient(&x, &dy, [3, 2]).unwrap();
        let check = |array: &Array4<f64>, gradient: &Array4<f64>, loss: &dyn Fn(&Array4<f64>) -> f64| {
            for (index, &gradient) in gradient.iter().enumerate() {
                let [up, down] = [1e-5, -1e-5].map(|step| {
                    let mut moved = array.clone();
                    moved.as_slice_mut().unwrap()[index] += step;
                    loss(&moved)
                });
                let slope = (up - down) / 2e-5;
                assert!((slope - gradient).abs() <= 1e-6 * (1.0 + gradient.abs()), "{name}, {index}: {slope}, gradient {gradient}");
            }
        };
        check(&x, &dx, &|x| loss(x, &weight));
        check(&weight, &dw, &|weight| loss(&x, weight));
    }
}
