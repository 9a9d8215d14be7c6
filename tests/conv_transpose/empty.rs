//! Of nothing, every sum is 0: +0 in every type, for the bits are compared by those who hash or print them.

use ndarray::{Array, Array1, Array3, Array4, Dimension};
use upsample::{ConvTranspose, Convolution, Error, FloatElement, Output, ResizeConv, Spatial, SpatialRank, Tensor, Update};

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
    plan.bias_gradient_into(&dy, &mut db, Update::Overwrite).unwrap();
    assert_positive_zeros("bias gradient into", &db, &[more]);
    let mut db = Array1::from_elem(more, A::from_f64(0.0));
    plan.bias_gradient_into(&dy, &mut db, Update::Add).unwrap();
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

/// Groups, batches and taps without anything in them are not gone through one by one: as many as these would take from half a minute to
/// years.
#[test]
fn nothing_takes_no_time() {
    const MANY: usize = 1 << 40;
    // One output channel each, and no input: the bias alone.
    let groups = 1 << 22;
    let (x, weight) = (Array4::<f32>::ones((1, 0, 1, 1)), Array4::<f32>::ones((0, 1, 1, 1)));
    let bias = Array1::from_shape_fn(groups, |channel| channel as f32);
    let is_bias = |name: &str, y: Array4<f32>| assert!(y.dim() == (1, groups, 1, 1) && y.iter().eq(&bias), "{name}");
    let deconv = ConvTranspose::new().groups(groups);
    let plan = deconv.plan([1, 1], [1, 1]).unwrap();
    is_bias("forward", deconv.forward(&x, &weight, Some(&bias)).unwrap());
    is_bias("prepared", plan.prepare(&weight).unwrap().forward(&x, Some(&bias)).unwrap());
    let mut y = Array4::from_elem((1, groups, 1, 1), f32::NAN);
    plan.forward_into(&x, &weight, Some(&bias), &mut y).unwrap();
    is_bias("into", y);
    is_bias("resize-convolution", ResizeConv::new().groups(groups).forward(&x, &weight, Some(&bias)).unwrap());
    let dy = Array4::<f32>::ones((1, groups, 1, 1));
    assert_eq!(deconv.input_gradient(&dy, &weight).unwrap().dim(), (1, 0, 1, 1));
    assert_eq!(deconv.weight_gradient(&x, &dy, [1, 1]).unwrap().dim(), (0, 1, 1, 1));
    // The convolution of nothing, of as many groups.
    let (conv, weight) = (Convolution::new().groups(groups), Array4::<f32>::ones((groups, 0, 1, 1)));
    is_bias("convolution", conv.forward(&x, &weight, Some(&bias)).unwrap());
    assert_eq!(conv.input_gradient(&dy, &weight, [1, 1]).unwrap().dim(), (1, 0, 1, 1));
    assert_eq!(conv.weight_gradient(&x, &dy, [1, 1]).unwrap().dim(), (groups, 0, 1, 1));
    // Gradients of an empty batch.
    let (x, dy) = (Array4::<f32>::ones((0, groups, 1, 1)), Array4::<f32>::ones((0, groups, 1, 1)));
    assert_positive_zeros("weight gradient", &deconv.weight_gradient(&x, &dy, [1, 1]).unwrap(), &[groups, 1, 1, 1]);
    assert_positive_zeros("weight gradient", &conv.weight_gradient(&x, &dy, [1, 1]).unwrap(), &[groups, 1, 1, 1]);

    // Pictures without channels, and without pixels.
    let (x, weight) = (Array4::<f32>::ones((MANY, 0, 1, 1)), Array4::<f32>::ones((0, 0, 3, 3)));
    let (deconv, conv) = (ConvTranspose::new(), Convolution::new().padding(1));
    assert_eq!(deconv.forward(&x, &weight, None).unwrap().dim(), (MANY, 0, 3, 3));
    assert_eq!(conv.forward(&x, &weight, None).unwrap().dim(), (MANY, 0, 1, 1));
    assert_eq!(deconv.weight_gradient(&x, &Array4::<f32>::ones((MANY, 0, 3, 3)), [3, 3]).unwrap().dim(), (0, 0, 3, 3));
    assert_eq!(conv.weight_gradient(&x, &x, [3, 3]).unwrap().dim(), (0, 0, 3, 3));
    assert_positive_zeros("bias gradient", &deconv.bias_gradient(&Array4::<f32>::ones((MANY, 3, 1, 0))).unwrap(), &[3]);
}

/// Kernels can be larger than any memory, where one weight is broadcast to all taps: nothing needs no list of them.
#[test]
fn kernels_of_any_size_meet_nothing() {
    const TAPS: usize = 1 << 50;
    let one = ndarray::arr0(1.0_f32);
    let (nothing, weight) = (Array3::<f32>::ones((0, 1, 1)), one.broadcast((1, 1, TAPS)).unwrap());
    let (deconv, conv) = (ConvTranspose::new(), Convolution::new());
    assert_eq!(deconv.forward(&nothing, weight, None).unwrap().dim(), (0, 1, TAPS));
    let dy = Array3::<f32>::ones((0, 1, TAPS));
    assert_eq!(deconv.input_gradient(&dy, weight).unwrap().dim(), (0, 1, 1));
    assert_eq!(conv.forward(&dy, weight, None).unwrap().dim(), (0, 1, 1));
    assert_eq!(conv.input_gradient(&nothing, weight, [TAPS]).unwrap().dim(), (0, 1, TAPS));
    for error in [
        deconv.weight_gradient(&nothing, &dy, [TAPS]).unwrap_err(),
        conv.weight_gradient(&dy, &nothing, [TAPS]).unwrap_err(),
        ResizeConv::new().padding(TAPS - 1).forward(&Array3::<f32>::ones((1, 1, 1)), weight, None).unwrap_err(),
    ] {
        assert!(matches!(error, Error::OutOfMemory { .. } | Error::TooLarge { .. }), "{error}");
    }
}

/// Where every tap belongs to a phase of its own, and each phase reads other pixels: time grows with the taps, not with their square.
#[test]
fn as_many_phases_as_taps() {
    const TAPS: usize = 1 << 16;
    const CHANNELS: usize = 12; // with fewer, phases are moved onto each other, far apart as they are
    let (one, x) = (ndarray::arr0(1.0_f32), Array3::<f32>::ones((1, 1, 2)));
    let weight = one.broadcast((1, CHANNELS, TAPS)).unwrap();
    let (stride, dilation, begin, size) = (TAPS + 1, TAPS, TAPS / 2 * TAPS, 2 * TAPS);
    let full = stride + dilation * (TAPS - 1) + 1;
    let deconv = ConvTranspose::new().stride(stride).dilation(dilation).padding_of(begin, full - begin - size);
    let y = deconv.forward(&x, weight, None).unwrap();
    let mut expected = vec![0.0; size];
    for (pixel, tap) in [0, 1].into_iter().flat_map(|pixel| (0..TAPS).map(move |tap| (pixel, tap))) {
        let place = (pixel * stride + tap * dilation).checked_sub(begin);
        if let Some(sum) = place.and_then(|place| expected.get_mut(place)) {
            *sum += 1.0;
        }
    }
    for y in y.rows() {
        assert!(y.iter().eq(&expected));
    }
}
