//! The numbers: the naive loops', and those of the two steps one by one.

use common::spatial;
use ndarray::{Array4, Array5};
use proptest::prelude::*;
use upsample::{Convolution, NearestRule, Resize, ResizeConv, Tensor4, Tensor4Mut, Update};

use crate::naive::{Case, Method, cast, noise, run};

/// Cases of every rank; the axes that a rank does not have are points.
pub fn cases() -> impl Strategy<Value = Case> {
    let sizes = |range: std::ops::Range<usize>| [range.clone(), range.clone(), range];
    let numbers = (sizes(1..6), sizes(1..5), sizes(1..5), sizes(1..4), sizes(0..9), sizes(0..9), sizes(0..4));
    let counts = (1..4_usize, 0..3_usize, 1..4_usize, 1..4_usize, 1..3_usize);
    (numbers, counts, any::<bool>(), any::<bool>()).prop_map(|(numbers, counts, linear, whole)| {
        let (mut input, factor, mut kernel, mut dilation, mut begin, mut end, more) = numbers;
        let (rank, batch, from, to, groups) = counts;
        let mut enlarged: [usize; 3] = std::array::from_fn(|axis| input[axis] * factor[axis] + if whole { 0 } else { more[axis] });
        for axis in 0..3 - rank {
            (input[axis], enlarged[axis], kernel[axis], dilation[axis], begin[axis], end[axis]) = (1, 1, 1, 1, 0, 0);
        }
        let method = if linear { Method::Linear } else { Method::Nearest };
        Case { rank, method, batch, channels: [from, to], groups, input, enlarged, kernel, dilation, begin, end }
    })
}

/// The largest error that `terms` roundings can make of numbers that are at most 1 each.
fn check(found: &Array5<f64>, expected: &Array5<f64>, terms: usize, epsilon: f64) -> Result<(), TestCaseError> {
    prop_assert_eq!(found.shape(), expected.shape());
    let tolerance = epsilon * (terms + 8) as f64;
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        prop_assert!((found - expected).abs() <= tolerance, "{index}: {found} instead of {expected}, tolerance {tolerance}");
    }
    Ok(())
}

/// How many products the largest sums of output, input gradient and weight gradient have.
fn terms(case: &Case) -> [usize; 3] {
    let taps: usize = case.kernel.iter().product();
    let copies: usize = (0..3).map(|axis| 2 * case.enlarged[axis].div_ceil(case.input[axis]) + 2).product();
    let pixels: usize = case.y_shape().unwrap()[2..].iter().product();
    // A sum of n terms of size 1 can have partial sums of size n.
    [taps * case.channels[0], taps * copies * case.channels[1], pixels * case.batch.max(1)]
        .map(|terms| terms * terms.checked_ilog2().unwrap_or(0).max(1) as usize)
}

fn against_loops(case: &Case) -> Result<(), TestCaseError> {
    let Some(shape) = case.y_shape() else { return Ok(()) };
    let [x, weight, dy] = [(case.x_shape(), 1), (case.weight_shape(), 2), (shape, 3)].map(|(shape, seed)| noise(shape, seed));
    let bias: Vec<f64> = (0..shape[1]).map(|channel| channel as f64 / 4.0 - 0.5).collect();
    let expected = [case.forward(&x, &weight, &bias), case.input_gradient(&dy, &weight), case.weight_gradient(&x, &dy)];
    let single = match case.rank {
        1 => run::<f32, 1>(case, &bias),
        2 => run::<f32, 2>(case, &bias),
        _ => run::<f32, 3>(case, &bias),
    };
    let double = match case.rank {
        1 => run::<f64, 1>(case, &bias),
        2 => run::<f64, 2>(case, &bias),
        _ => run::<f64, 3>(case, &bias),
    };
    // PyTorch computes the positions of bilinear in the element's own arithmetic.
    let epsilon_of_positions = if case.method == Method::Linear { 8.0 } else { 1.0 };
    for ((found, expected), terms) in single.iter().zip(&expected).zip(terms(case)) {
        check(found, expected, terms, f64::from(f32::EPSILON) * epsilon_of_positions)?;
    }
    for ((found, expected), terms) in double.iter().zip(&expected).zip(terms(case)) {
        check(found, expected, terms, f64::EPSILON * epsilon_of_positions)?;
    }
    Ok(())
}

/// The same as resizing and convolving one after the other.
fn against_two_steps(case: &Case) -> Result<(), TestCaseError> {
    if case.rank != 2 || case.y_shape().is_none() {
        return Ok(());
    }
    let x: Array4<f64> = cast::<f64, 2>(&noise(case.x_shape(), 1));
    let weight: Array4<f64> = cast::<f64, 2>(&noise(case.weight_shape(), 2));
    let resize = if case.method == Method::Linear { Resize::bilinear() } else { Resize::nearest_by(NearestRule::Integer) };
    let enlarged = resize.plan([x.dim().2, x.dim().3], [case.enlarged[1], case.enlarged[2]]).unwrap().forward(&x).unwrap();
    let [from, to] = case.channels;
    let turned = Array4::from_shape_fn((to * case.groups, from, case.kernel[1], case.kernel[2]), |(o, i, h, w)| {
        weight[[o / to * from + i, o % to, h, w]]
    });
    let convolution = Convolution::new()
        .groups(case.groups)
        .dilation([case.dilation[1], case.dilation[2]])
        .padding_of([case.begin[1], case.begin[2]], [case.end[1], case.end[2]]);
    let y = convolution.forward(&enlarged, &turned, None).unwrap();
    let fused = case.operator().forward(&x, &weight, None).unwrap();
    check(&crate::naive::five::<f64, 2>(&fused), &crate::naive::five::<f64, 2>(&y), terms(case)[0], f64::EPSILON)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn equals_the_definition(case in cases()) {
        against_loops(&case)?;
    }

    #[test]
    fn equals_resize_then_convolution(case in cases()) {
        against_two_steps(&case)?;
    }

    /// By whole factors of nearest there is no enlarged picture, otherwise there is.
    #[test]
    fn fused_where_it_can_be(case in cases()) {
        prop_assume!(case.y_shape().is_some() && case.rank == 2);
        let plan = case.operator().plan([case.input[1], case.input[2]], [case.kernel[1], case.kernel[2]]).unwrap();
        let whole = (1..3).all(|axis| case.enlarged[axis] % case.input[axis] == 0);
        prop_assert_eq!(plan.is_fused(), whole && case.method == Method::Nearest);
        prop_assert_eq!(&plan.output_size()[..], &case.y_shape().unwrap()[3..]);
    }

    #[test]
    fn doubling_doubles(height in 1..20_usize, width in 1..20_usize, kernel in 1..9_usize, other in 1..9_usize) {
        let kernel = [kernel, other];
        let plan = ResizeConv::doubling(kernel).unwrap().plan([height, width], kernel).unwrap();
        prop_assert_eq!(plan.output_size(), [2 * height, 2 * width]);
    }
}

fn case(input: [usize; 3], factor: usize, kernel: usize, padding: [usize; 2], channels: [usize; 2], groups: usize) -> Case {
    let enlarged = [1, factor * input[1], factor * input[2]];
    let (kernel, begin, end) = ([1, kernel, kernel], [0, padding[0], padding[0]], [0, padding[1], padding[1]]);
    Case { rank: 2, method: Method::Nearest, batch: 2, channels, groups, input, enlarged, kernel, dilation: [1; 3], begin, end }
}

/// Cases that each way of cutting the work and each border meets.
#[test]
fn chosen_cases() {
    for (name, case) in [
        ("k3 s2, many channels", case([1, 5, 6], 2, 3, [1, 1], [40, 30], 1)),
        ("wide", case([1, 3, 200], 2, 3, [1, 1], [3, 2], 1)),
        ("depthwise", case([1, 6, 7], 2, 3, [1, 1], [1, 1], 20)),
        ("k1: nearest and a mixture of channels", case([1, 4, 5], 3, 1, [0, 0], [3, 4], 1)),
        ("kernel smaller than the factor", case([1, 4, 5], 5, 3, [1, 1], [2, 2], 1)),
        ("padding that is no multiple of the factor", case([1, 4, 5], 3, 5, [1, 2], [2, 2], 1)),
        ("padding larger than the kernel", case([1, 2, 3], 2, 3, [7, 5], [2, 2], 1)),
        ("padding wider than a dilated kernel", Case { dilation: [1, 2, 2], ..case([1, 4, 19], 1, 1, [2, 4], [1, 1], 1) }),
        ("no output channels", case([1, 4, 5], 2, 3, [1, 1], [2, 0], 1)),
        ("no input channels: the bias alone", case([1, 4, 5], 2, 3, [1, 1], [0, 2], 1)),
        ("one pixel", case([1, 1, 1], 4, 3, [1, 1], [2, 2], 1)),
    ] {
        against_loops(&case).unwrap_or_else(|error| panic!("{name}: {error}"));
        against_two_steps(&case).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[cfg(feature = "half")]
#[test]
fn half_sums_in_f32() {
    let case = case([1, 5, 6], 2, 3, [1, 1], [40, 3], 1);
    let [x, weight, dy] = [(case.x_shape(), 1), (case.weight_shape(), 2), (case.y_shape().unwrap(), 3)].map(|(s, seed)| noise(s, seed));
    let expected = [case.forward(&x, &weight, &[0.0; 3]), case.input_gradient(&dy, &weight), case.weight_gradient(&x, &dy)];
    // The result is rounded, nothing before it: the summed weights and the gradient of them stay in f32.
    for (found, expected) in run::<half::f16, 2>(&case, &[0.0; 3]).iter().zip(&expected) {
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() <= expected.abs() * 0.0005 + 1e-4, "{found} instead of {expected}");
        }
    }
}

/// Layouts go in and come out as they are; buffers are written wholly, or added to.
#[test]
fn layouts_and_buffers_agree() {
    for up in [ResizeConv::doubling(3).unwrap(), ResizeConv::doubling(3).unwrap().resize(Resize::bilinear())] {
        let x: Array4<f64> = cast::<f64, 2>(&noise([2, 4, 1, 5, 6], 1));
        let weight: Array4<f64> = cast::<f64, 2>(&noise([4, 3, 1, 3, 3], 2));
        let dy: Array4<f64> = cast::<f64, 2>(&noise([2, 3, 1, 10, 12], 3));
        let bias = ndarray::arr1(&[1.0, 2.0, 3.0]);
        let near = |a: &Array4<f64>, b: &Array4<f64>| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12);

        let y = up.forward(&x, &weight, Some(&bias)).unwrap();
        let nhwc = x.view().permuted_axes([0, 2, 3, 1]).as_standard_layout().into_owned();
        let found = up.forward(Tensor4::from_nhwc(nhwc.view()), &weight, Some(&bias)).unwrap();
        assert!(near(&found, &y));
        assert_eq!(found.strides()[1], 1, "channels last, as the input");
        let mut out = Array4::from_elem((2, 10, 12, 3), f64::NAN);
        let plan = up.plan(spatial(&x), spatial(&weight)).unwrap();
        plan.forward_into(&x, &weight, Some(&bias), Tensor4Mut::from_nhwc(out.view_mut())).unwrap();
        assert!(near(&out.permuted_axes([0, 3, 1, 2]), &y));

        let (dx, dw) = (up.input_gradient(&dy, &weight).unwrap(), up.weight_gradient(&x, &dy, [3, 3]).unwrap());
        let (mut dx_into, mut dw_into) = (Array4::from_elem(x.dim(), f64::NAN), Array4::from_elem(weight.dim(), f64::NAN));
        plan.input_gradient_into(&dy, &weight, &mut dx_into, Update::Overwrite).unwrap();
        plan.weight_gradient_into(&x, &dy, &mut dw_into, Update::Overwrite).unwrap();
        assert!(dx_into == dx && dw_into == dw);
        plan.input_gradient_into(&dy, &weight, &mut dx_into, Update::Add).unwrap();
        plan.weight_gradient_into(&x, &dy, &mut dw_into, Update::Add).unwrap();
        assert!(near(&dx_into, &(&dx * 2.0)) && near(&dw_into, &(&dw * 2.0)));

        let mut db = up.bias_gradient(&dy).unwrap();
        assert!((db[1] - dy.index_axis(ndarray::Axis(1), 1).sum()).abs() < 1e-12);
        plan.bias_gradient_into(&dy, &mut db, Update::Add).unwrap();
        plan.bias_gradient_into(&dy, &mut db, Update::Overwrite).unwrap();
        assert_eq!(db, up.bias_gradient(&dy).unwrap());
    }
}
