//! Empty batches and no channels: every operator gives an empty result of the right shape.

use common::spatial;
use ndarray::{Array1, Array3, Array4, Array5, IxDyn};
use upsample::checkerboard::{StrideSpectrum, WeightOverlap};
use upsample::initial_weights::{InterpolationKernel, icnr};
use upsample::output_size::Window;
use upsample::rearrange::*;
use upsample::{
    AxesTarget, ConvTranspose, Convolution, Error, Filter, Resize, ResizeConv, Update, bicubic, bilinear, linear, nearest, trilinear,
};

type Table = Vec<(&'static str, Result<Vec<usize>, Error>, Vec<usize>)>;

fn shape<A, D: ndarray::Dimension>(array: ndarray::Array<A, D>) -> Vec<usize> {
    array.shape().to_vec()
}

fn assert_shapes(table: Table) {
    for (name, found, expected) in table {
        assert_eq!(found.as_ref(), Ok(&expected), "{name}");
    }
}

fn picture(n: usize, c: usize) -> Array4<f32> {
    Array4::ones((n, c, 4, 5))
}

#[test]
fn resizing() {
    let (no_batch, no_channels) = (picture(0, 3), picture(2, 0));
    let larger = |n, c| Array4::<f32>::ones((n, c, 8, 10));
    assert_shapes(vec![
        ("nearest", nearest(&no_batch, 2.0).map(shape), vec![0, 3, 8, 10]),
        ("nearest, channels", nearest(&no_channels, 2.0).map(shape), vec![2, 0, 8, 10]),
        ("linear", linear(&Array3::<f64>::ones((0, 0, 4)), 2.0).map(shape), vec![0, 0, 8]),
        ("bilinear", bilinear(&no_batch, [3, 3]).map(shape), vec![0, 3, 3, 3]),
        ("bilinear, channels", bilinear(&no_channels, [3, 3]).map(shape), vec![2, 0, 3, 3]),
        ("bicubic, bytes", bicubic(&Array4::<u8>::ones((0, 3, 4, 5)), 2.0).map(shape), vec![0, 3, 8, 10]),
        ("trilinear", trilinear(&Array5::<f32>::ones((1, 0, 2, 2, 2)), 2.0).map(shape), vec![1, 0, 4, 4, 4]),
    ]);
    for resize in [
        Resize::nearest(),
        Resize::linear(),
        Resize::cubic().antialias(true),
        Resize::area(),
        Resize::filter(Filter::Lanczos { lobes: 3 }).exclude_outside(true),
    ] {
        let plan = resize.plan([4, 5], [8, 10]).unwrap();
        for (n, c) in [(0, 3), (2, 0), (0, 0)] {
            assert_eq!(plan.forward(&picture(n, c)).unwrap().dim(), (n, c, 8, 10), "{resize:?}");
            assert_eq!(plan.input_gradient(&larger(n, c)).unwrap().dim(), (n, c, 4, 5), "{resize:?}");
            plan.forward_into(&picture(n, c), &mut larger(n, c)).unwrap();
            plan.input_gradient_into(&larger(n, c), &mut picture(n, c), Update::Overwrite).unwrap();
            plan.input_gradient_into(&larger(n, c), &mut picture(n, c), Update::Add).unwrap();
        }
        let empty = ndarray::ArrayD::<f32>::ones(IxDyn(&[0, 2, 4, 3]));
        let target = AxesTarget::Size(vec![8]);
        assert_eq!(resize.resize_axes(empty.view(), &[2], &target).unwrap().shape(), [0, 2, 8, 3]);
        let gradient = ndarray::ArrayD::<f32>::ones(IxDyn(&[0, 2, 8, 3]));
        assert_eq!(resize.resize_axes_input_gradient(gradient.view(), &[0, 2, 4, 3], &[2], &target).unwrap().shape(), [0, 2, 4, 3]);
        let signals = ndarray::ArrayD::<f32>::ones(IxDyn(&[3, 4, 0, 2, 1, 2]));
        assert_eq!(resize.resize_axes(signals.view(), &[0], &target).unwrap().shape(), [8, 4, 0, 2, 1, 2]);
    }
    let copying = Resize::nearest().plan([4, 5], [8, 10]).unwrap();
    assert_eq!(copying.forward_any(&Array4::<char>::from_elem((0, 1, 4, 5), 'x')).unwrap().dim(), (0, 1, 8, 10));
}

#[test]
fn convolutions() {
    let deconv = ConvTranspose::new().stride(2).padding(1);
    let conv = Convolution::new().stride(2).padding(1);
    let ones = |n, c, h, w| Array4::<f32>::ones((n, c, h, w));
    for (name, n, inputs, outputs) in
        [("no batch", 0, 3, 6), ("no input channels", 2, 0, 6), ("no output channels", 2, 3, 0), ("nothing", 0, 0, 0)]
    {
        let (x, weight, dy, bias) = (ones(n, inputs, 4, 5), ones(inputs, outputs, 4, 4), ones(n, outputs, 8, 10), Array1::ones(outputs));
        let y = deconv.forward(&x, &weight, Some(&bias)).unwrap();
        assert_eq!(y.dim(), (n, outputs, 8, 10), "{name}");
        assert!(y.iter().all(|&value| value == 1.0) || inputs > 0, "{name}: the bias alone");
        assert_eq!(
            deconv.input_gradient(&dy, &weight).unwrap(),
            ones(n, inputs, 4, 5) * (outputs * 16) as f32 * 0.0 + deconv.input_gradient(&dy, &weight).unwrap(),
            "{name}"
        );
        let dw = deconv.weight_gradient(&x, &dy, [4, 4]).unwrap();
        assert_eq!(dw.dim(), (inputs, outputs, 4, 4), "{name}");
        assert!(n > 0 || dw.iter().all(|&value| value == 0.0), "{name}: no pictures, no gradient");
        let db = deconv.bias_gradient(&dy).unwrap();
        assert_eq!(db.len(), outputs, "{name}");
        assert!(n > 0 || db.iter().all(|&value| value == 0.0), "{name}");
        let fast = deconv.prepare(&weight, [4, 5]).unwrap();
        assert_eq!(fast.forward(&x, Some(&bias)).unwrap(), y, "{name}");
        // The other way round: the same weights, from 8×10 to 4×5.
        assert_eq!(conv.forward(&dy, &weight, None).unwrap().dim(), (n, inputs, 4, 5), "{name}");
        assert_eq!(conv.input_gradient(&x, &weight, [8, 10]).unwrap().dim(), (n, outputs, 8, 10), "{name}");
        assert_eq!(conv.weight_gradient(&dy, &x, [4, 4]).unwrap().dim(), (inputs, outputs, 4, 4), "{name}");
        let mut twice = dw.clone();
        deconv.plan(spatial(&x), spatial(&twice)).and_then(|plan| plan.weight_gradient_into(&x, &dy, &mut twice, Update::Add)).unwrap();
        assert_eq!(twice, &dw * 2.0, "{name}");
    }
}

#[test]
fn groups_without_weights_are_not_counted() {
    // Counted one by one, so many groups would take hours.
    let groups = 1 << 40;
    let (x, weight) = (picture(1, 0), Array4::<f32>::ones((0, 0, 3, 3)));
    let deconv = ConvTranspose::new().groups(groups).plan([4, 5], [3, 3]).unwrap();
    let y = deconv.forward(&x, &weight, None).unwrap();
    let up = ResizeConv::doubling(3).unwrap().groups(groups).plan([4, 5], [3, 3]).unwrap();
    let conv = Convolution::new().groups(groups).plan([4, 5], [3, 3]).unwrap();
    assert_shapes(vec![
        ("prepared", deconv.prepare(&weight).unwrap().forward(&x, None).map(shape), vec![1, 0, 6, 7]),
        ("input gradient", deconv.input_gradient(&y, &weight).map(shape), vec![1, 0, 4, 5]),
        ("weight gradient", deconv.weight_gradient(&x, &y).map(shape), vec![0, 0, 3, 3]),
        ("convolution", conv.forward(&x, &weight, None).map(shape), vec![1, 0, 2, 3]),
        ("convolution, prepared", conv.prepare(&weight).unwrap().forward(&x, None).map(shape), vec![1, 0, 2, 3]),
        ("resize, then convolution", up.forward(&x, &weight, None).map(shape), vec![1, 0, 8, 10]),
        ("its input gradient", up.input_gradient(&Array4::ones((1, 0, 8, 10)), &weight).map(shape), vec![1, 0, 4, 5]),
        ("its weight gradient", up.weight_gradient(&x, &Array4::ones((1, 0, 8, 10))).map(shape), vec![0, 0, 3, 3]),
    ]);
    assert!(deconv.forward_memory(&x, &weight).unwrap().output_bytes == 0);
}

#[test]
fn rearranging() {
    let order = ChannelOrder::DepthFirst;
    let (x, none) = (picture(0, 4), picture(2, 0));
    let indices = |n, c| Array4::<i64>::zeros((n, c, 4, 5));
    assert_shapes(vec![
        ("shuffle", pixel_shuffle(&x, 2, order).map(shape), vec![0, 1, 8, 10]),
        ("shuffle, channels", pixel_shuffle(&none, 2, order).map(shape), vec![2, 0, 8, 10]),
        ("unshuffle", pixel_unshuffle(&x, [2, 1], order).map(shape), vec![0, 8, 2, 5]),
        ("unshuffle, channels", pixel_unshuffle(&none, [2, 1], order).map(shape), vec![2, 0, 2, 5]),
        ("nails", zero_insert(&x, 3, NailSpan::Blocks).map(shape), vec![0, 4, 12, 15]),
        ("nails, channels", zero_insert(&none, 3, NailSpan::Between).map(shape), vec![2, 0, 10, 13]),
        ("decimate", decimate(&x, 3).map(shape), vec![0, 4, 2, 2]),
        ("decimate, channels", decimate(&none, 3).map(shape), vec![2, 0, 2, 2]),
        ("crop", crop(&x, [1, 1], [2, 2]).map(shape), vec![0, 4, 2, 2]),
        ("center crop, channels", center_crop(&none, [2, 2]).map(shape), vec![2, 0, 2, 2]),
        ("pad", zero_pad(&x, [1, 1], [6, 7]).map(shape), vec![0, 4, 6, 7]),
        ("center pad, channels", center_pad(&none, [6, 7]).map(shape), vec![2, 0, 6, 7]),
        ("pool", MaxPool::new(2).forward(&x).map(|(y, _)| shape(y)), vec![0, 4, 2, 2]),
        ("pool, channels", MaxPool::new(2).forward(&none).map(|(_, indices)| shape(indices)), vec![2, 0, 2, 2]),
        ("pool gradient", MaxPool::new(1).input_gradient(&x, &indices(0, 4), [4, 5]).map(shape), vec![0, 4, 4, 5]),
        ("unpool", MaxUnpool::to([8, 10]).forward(&x, &indices(0, 4)).map(shape), vec![0, 4, 8, 10]),
        ("unpool, channels", MaxUnpool::to([8, 10]).forward(&none, &indices(2, 0)).map(shape), vec![2, 0, 8, 10]),
        ("unpool gradient", MaxUnpool::to([4, 5]).input_gradient(&x, &indices(0, 4)).map(shape), vec![0, 4, 4, 5]),
    ]);
}

#[test]
fn weights() {
    let kernel = InterpolationKernel::<2>::linear(2).unwrap();
    assert_shapes(vec![
        ("depthwise", kernel.depthwise::<f32>(0).map(shape), vec![0, 1, 4, 4]),
        ("diagonal", kernel.diagonal::<f64>(0).map(shape), vec![0, 0, 4, 4]),
        ("ICNR", icnr(&Array4::<f32>::ones((0, 3, 2, 2)), 2, ChannelOrder::ChannelFirst).map(shape), vec![0, 3, 2, 2]),
        ("ICNR, channels", icnr(&Array4::<f32>::ones((2, 0, 2, 2)), 2, ChannelOrder::DepthFirst).map(shape), vec![8, 0, 2, 2]),
        ("ICNR, kernel", icnr(&Array4::<f32>::ones((2, 3, 0, 2)), 2, ChannelOrder::DepthFirst).map(shape), vec![8, 3, 0, 2]),
    ]);
    let windows = [Window::new(4).stride(2); 2];
    let overlap = WeightOverlap::of(&Array4::<f32>::ones((0, 3, 4, 4)), windows, 1).unwrap();
    assert!(overlap.response().iter().all(|&value| value == 0.0) && overlap.unevenness() == [0.0; 3]);
    let overlap = WeightOverlap::of(&Array4::<f32>::ones((3, 0, 4, 4)), windows, 3).unwrap();
    assert_eq!(overlap.response().dim(), (1, 0, 2, 2));
    let spectrum = StrideSpectrum::of(&picture(0, 3), 2).unwrap();
    assert_eq!((spectrum.constant(), spectrum.at_stride(), spectrum.prominence(), spectrum.share()), (0.0, 0.0, 0.0, 0.0));
}
