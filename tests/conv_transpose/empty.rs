//! Of nothing, every sum is 0: +0 in every type, for the bits are compared by those who hash or print them.

use ndarray::{Array, Array1, Dimension};
use upsample::{ConvTranspose, Convolution, FloatElement, Output, ResizeConv, Spatial, SpatialRank, Tensor};

use crate::oracle::{cast, noise};

/// The sign of a zero shows in its reciprocal.
fn assert_positive_zeros<A: FloatElement + Into<f64>, D: Dimension>(name: &str, found: &Array<A, D>, shape: &[usize]) {
    assert_eq!(found.shape(), shape, "{name}");
    for &value in found {
        let value: f64 = value.into();
        assert!(value == 0.0 && value.is_sign_positive(), "{name} in {}: {value:?}", std::any::type_name::<A>());
    }
}

/// All gradients of an empty batch, of `channels` to one more.
fn gradients<A: FloatElement + Into<f64>, const RANK: usize>(channels: usize)
where
    Spatial<RANK>: SpatialRank,
    for<'a> Tensor<'a, A, RANK>: From<&'a Output<A, RANK>>,
{
    let more = channels + 1;
    let shape = |n: usize, c: usize, size: usize| [&[n, c][..], &[size; RANK]].concat();
    let array = |shape: &[usize]| cast::<A, RANK>(&noise(shape, 1));
    let (x, dy) = (array(&shape(0, channels, 4)), array(&shape(0, more, 6)));

    let deconv = ConvTranspose::new();
    let plan = deconv.plan([4; RANK], [3; RANK]).unwrap();
    let dw_shape = shape(channels, more, 3);
    assert_positive_zeros("weight gradient", &deconv.weight_gradient(&x, &dy, [3; RANK]).unwrap(), &dw_shape);
    assert_positive_zeros("planned weight gradient", &plan.weight_gradient(&x, &dy).unwrap(), &dw_shape);
    assert_positive_zeros("bias gradient", &deconv.bias_gradient(&dy).unwrap(), &[more]);
    assert_positive_zeros("planned bias gradient", &plan.bias_gradient(&dy).unwrap(), &[more]);
    let mut db = Array1::from_elem(more, A::from_f64(7.0));
    deconv.bias_gradient_into(&dy, &mut db).unwrap();
    assert_positive_zeros("bias gradient into", &db, &[more]);
    let mut db = Array1::from_elem(more, A::from_f64(0.0));
    plan.bias_gradient_add_into(&dy, &mut db).unwrap();
    assert_positive_zeros("bias gradient added", &db, &[more]);

    let conv = Convolution::new();
    assert_positive_zeros("convolution's weight gradient", &conv.weight_gradient(&dy, &x, [3; RANK]).unwrap(), &dw_shape);
    assert_positive_zeros("convolution's bias gradient", &conv.bias_gradient(&x).unwrap(), &[channels]);

    let up = ResizeConv::doubling(3).unwrap();
    let dy = array(&shape(0, more, 8));
    assert_positive_zeros("resize-convolution's weight gradient", &up.weight_gradient(&x, &dy, [3; RANK]).unwrap(), &dw_shape);
    assert_positive_zeros("resize-convolution's bias gradient", &up.bias_gradient(&dy).unwrap(), &[more]);
}

fn of_type<A: FloatElement + Into<f64>>()
where
    for<'a> Tensor<'a, A, 1>: From<&'a Output<A, 1>>,
    for<'a> Tensor<'a, A, 2>: From<&'a Output<A, 2>>,
    for<'a> Tensor<'a, A, 3>: From<&'a Output<A, 3>>,
{
    for channels in [1, 3, 40] {
        gradients::<A, 1>(channels);
        gradients::<A, 2>(channels);
    }
    gradients::<A, 3>(2);
}

#[test]
fn gradients_of_empty_batches_are_positive_zeros() {
    of_type::<f32>();
    of_type::<f64>();
    #[cfg(feature = "half")]
    {
        of_type::<half::f16>();
        of_type::<half::bf16>();
    }
}

/// Whatever the layout: no sum of zeros is -0, as no sum of nothing is.
#[test]
fn sums_of_negative_zeros_are_positive() {
    let dy = ndarray::Array3::from_elem((2, 3, 40), -0.0_f32);
    for dy in [dy.view(), dy.slice(ndarray::s![.., .., ..;2]), dy.slice(ndarray::s![.., .., ..0]), dy.slice(ndarray::s![..0, .., ..;-1])] {
        assert_positive_zeros("bias gradient", &ConvTranspose::new().bias_gradient(dy).unwrap(), &[3]);
    }
}
