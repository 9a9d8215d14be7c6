//! Every engine once, on sizes so small that an interpreter or an instrumented build runs them in minutes: what `scripts/miri`,
//! `scripts/address`, `scripts/thread` and `scripts/valgrind` look at. The sizes lie around the widths of the registers, where loops have remainders.

use common::backends;
use ndarray::{Array3, Array4, Array5, Axis, s};
use upsample::rearrange::*;
use upsample::{
    ConvTranspose, Convolution, Coordinates, Element, Filter, Precision, Resize, ResizeConv, StreamingStores, Tensor4, Tensor4Mut, Update,
};

/// Numbers from -1 to 1.
fn noise(shape: [usize; 4]) -> Array4<f32> {
    let mut state = 7_u32;
    Array4::from_shape_simple_fn(shape, || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    })
}

/// Miri interprets: it gets the sizes at the ends.
fn some<T: Clone>(all: &[T]) -> Vec<T> {
    if cfg!(miri) { vec![all[0].clone(), all[all.len() - 1].clone()] } else { all.to_vec() }
}

fn resize_in<A: Element>(resize: &Resize, from: impl Fn(f32) -> A) {
    for input in some(&[[5, 9], [1, 1], [2, 3], [3, 17]]).into_iter().take(if cfg!(miri) { 1 } else { 4 }) {
        for output in some(&[[3, 7], [1, 1], [2, 2], [4, 35], [9, 67], [6, 18]]) {
            let plan = resize.plan(input, output).unwrap();
            for channels in some(&[1, 3, 5]) {
                let x = noise([2, channels, input[0], input[1]]).mapv(&from);
                let y = plan.forward(&x).unwrap();
                let mut last = Array4::from_elem((2, output[0], output[1], channels), A::default());
                plan.forward_into(&x, Tensor4Mut::from_nhwc(last.view_mut())).unwrap();
                assert_eq!(last.permuted_axes([0, 3, 1, 2]), y);
                let turned = x.view().permuted_axes([0, 2, 3, 1]).as_standard_layout().into_owned();
                assert_eq!(plan.forward(Tensor4::from_nhwc(turned.view())).unwrap(), y);
                let mut mirrored = Array4::from_elem((2, channels, output[0], 2 * output[1]), A::default());
                plan.forward_into(x.slice(s![.., .., .., ..]), mirrored.slice_mut(s![.., .., .., ..;-2])).unwrap();
            }
        }
    }
}

#[test]
fn resizing() {
    for backend in backends() {
        for streaming in some(&[StreamingStores::Never, StreamingStores::Always]) {
            for resize in some(&[
                Resize::nearest(),
                Resize::cubic().antialias(true),
                Resize::area(),
                Resize::filter(Filter::Lanczos { lobes: 3 }),
                Resize::linear().coordinates(Coordinates::TfCropAndResize { start: -0.5, end: 1.5 }),
                Resize::linear(),
            ]) {
                let resize = resize.backend(backend).streaming(streaming);
                resize_in(&resize, |v| v);
                resize_in(&resize, |v| (v * 127.0 + 128.0) as u8);
                if !cfg!(miri) {
                    resize_in(&resize, f64::from);
                    resize_in(&resize, |v| (v * 3000.0) as i16);
                    #[cfg(feature = "half")]
                    resize_in(&resize, half::f16::from_f32);
                }
                let plan = resize.plan([2, 3, 5], [4, 3, 11]).unwrap();
                let y = plan.forward(&Array5::<f32>::ones((1, 2, 2, 3, 5))).unwrap();
                let mut dx = plan.input_gradient(&y).unwrap();
                plan.input_gradient_into(&y, &mut dx, Update::Add).unwrap();
                let signal = resize.plan([5], [9]).unwrap();
                let y = signal.forward(&Array3::<f32>::ones((2, 3, 5))).unwrap();
                signal.input_gradient_into(&y, &mut Array3::<f32>::ones((2, 3, 5)), Update::Overwrite).unwrap();
            }
        }
    }
}

#[test]
fn convolutions() {
    // Channels, output channels of a group, kernel, stride, padding, dilation, groups.
    // The engines: strips; depthwise and few channels, row by row; fewer multiplications from 32 channels up.
    let cases: [[usize; 7]; 12] = [
        [6, 1, 4, 2, 1, 1, 6],
        [1, 1, 1, 1, 0, 1, 1],
        [3, 5, 2, 2, 0, 1, 1],
        [4, 3, 4, 2, 1, 1, 1],
        [5, 17, 3, 1, 1, 1, 1],
        [16, 16, 3, 1, 1, 1, 1],
        [4, 2, 3, 2, 1, 2, 2],
        [2, 3, 1, 3, 0, 1, 1],
        [7, 13, 6, 2, 2, 1, 1],
        [1, 3, 5, 3, 1, 1, 1],
        [32, 9, 4, 2, 1, 1, 1],
        [33, 32, 3, 1, 1, 1, 1],
    ];
    for backend in backends() {
        for [channels, out, kernel, stride, padding, dilation, groups] in some(&cases) {
            for size in if cfg!(miri) { vec![[2, 8]] } else { vec![[2, 3], [5, 9], [4, 18], [11, 17]] } {
                let deconv = ConvTranspose::new()
                    .stride(stride)
                    .padding(padding)
                    .dilation(dilation)
                    .groups(groups)
                    .backend(backend)
                    .precision(Precision::Reduced);
                let batch = if cfg!(miri) { 1 } else { 2 };
                let (x, weight) = (noise([batch, channels, size[0], size[1]]), noise([channels, out, kernel, kernel]));
                let Ok(plan) = deconv.plan(size, [kernel, kernel]) else { continue };
                let y = plan.forward(&x, &weight, None).unwrap();
                if cfg!(miri) {
                    // Each engine once: the others of its calls run the same loops.
                    plan.input_gradient(&y, &weight).unwrap();
                    plan.weight_gradient(&x, &y).unwrap();
                    continue;
                }
                assert_eq!(plan.prepare(&weight).unwrap().forward(&x, None).unwrap(), y);
                let mut dx = plan.input_gradient(&y, &weight).unwrap();
                plan.input_gradient_into(&y, &weight, &mut dx, Update::Add).unwrap();
                let mut dw = plan.weight_gradient(&x, &y).unwrap();
                plan.weight_gradient_into(&x, &y, &mut dw, Update::Add).unwrap();
                plan.bias_gradient(&y).unwrap();
                let mut apart = Array4::<f32>::zeros((batch, out * groups, 2 * y.dim().2, 2 * y.dim().3));
                plan.forward_into(&x, &weight, None, apart.slice_mut(s![.., .., ..;2, ..;-2])).unwrap();
                let conv = Convolution::new()
                    .stride(stride)
                    .padding(padding)
                    .dilation(dilation)
                    .groups(groups)
                    .backend(backend)
                    .precision(Precision::Reduced);
                conv.forward(&y, &weight, None).unwrap();
                let double = deconv.forward(&x.mapv(f64::from), &weight.mapv(f64::from), None).unwrap();
                assert!(double.iter().zip(&y).all(|(a, &b)| (a - f64::from(b)).abs() < 1e-3));
            }
        }
    }
}

#[test]
fn resize_convolutions() {
    for backend in backends() {
        for up in some(&[
            ResizeConv::doubling(3).unwrap(),
            ResizeConv::new().factor([3, 1]).padding(2),
            ResizeConv::new().resize(Resize::linear().backend(backend)).factor(2).padding(1),
        ]) {
            let (x, weight) = (noise([2, 4, 3, 9]), noise([4, 3, 3, 3]));
            let plan = up.groups(2).backend(backend).plan([3, 9], [3, 3]).unwrap();
            let y = plan.forward(&x, &weight, None).unwrap();
            assert_eq!(plan.prepare(&weight).unwrap().forward(&x, None).unwrap(), y);
            let mut dx = plan.input_gradient(&y, &weight).unwrap();
            plan.input_gradient_into(&y, &weight, &mut dx, Update::Add).unwrap();
            let mut dw = plan.weight_gradient(&x, &y).unwrap();
            plan.weight_gradient_into(&x, &y, &mut dw, Update::Add).unwrap();
        }
    }
}

#[test]
fn rearranging() {
    let x = noise([2, 12, 4, 6]);
    for order in [ChannelOrder::ChannelFirst, ChannelOrder::DepthFirst] {
        let y = pixel_shuffle(&x, 2, order).unwrap();
        assert_eq!(pixel_unshuffle(&y, 2, order).unwrap(), x);
        let mut last = Array4::zeros((2, 8, 12, 3));
        pixel_shuffle_into(&x, 2, order, Tensor4Mut::from_nhwc(last.view_mut())).unwrap();
        assert_eq!(last.permuted_axes([0, 3, 1, 2]), y);
    }
    let nails = zero_insert(&x, [2, 3], NailSpan::Between).unwrap();
    assert_eq!(decimate(&nails, [2, 3]).unwrap(), x);
    assert_eq!(center_crop(&center_pad(&x, [9, 9]).unwrap(), [4, 6]).unwrap(), x);
    for space in [IndexSpace::Plane, IndexSpace::Tensor] {
        let pool = MaxPool::new([2, 3]).stride([1, 2]).padding([1, 1]).ceil_mode(true).index_space(space);
        let (y, indices) = pool.forward(&x).unwrap();
        pool.input_gradient(&y, &indices, [4, 6]).unwrap();
        let mut mirrored = x.clone();
        mirrored.invert_axis(Axis(3));
        pool.unpool([4, 6]).forward_into(&y, &indices, &mut mirrored).unwrap();
        pool.unpool([4, 6]).input_gradient(&x, &indices).unwrap();
    }
}

/// Work large enough to be handed to other threads.
#[cfg(all(feature = "rayon", not(miri)))]
#[test]
fn threads() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(4).build().unwrap();
    pool.install(|| {
        let x = noise([2, 8, 100, 120]);
        let plan = Resize::cubic().plan([100, 120], [201, 239]).unwrap();
        let y = plan.forward(&x).unwrap();
        plan.input_gradient(&y).unwrap();
        Resize::nearest().plan([100, 120], [201, 239]).unwrap().forward(&x).unwrap();
        let weight = noise([8, 9, 4, 4]);
        let deconv = ConvTranspose::new().stride(2).padding(1);
        let y = deconv.forward(&x, &weight, None).unwrap();
        deconv.input_gradient(&y, &weight).unwrap();
        deconv.weight_gradient(&x, &y, [4, 4]).unwrap();
        deconv.bias_gradient(&y).unwrap();
        for (weight, groups) in [(noise([32, 16, 4, 4]), 1), (noise([32, 1, 4, 4]), 32)] {
            let x = noise([2, 32, 40, 50]);
            let deconv = deconv.clone().groups(groups);
            let y = deconv.forward(&x, &weight, None).unwrap();
            deconv.input_gradient(&y, &weight).unwrap();
            deconv.weight_gradient(&x, &y, [4, 4]).unwrap();
        }
        let (pooled, indices) = MaxPool::new(2).forward(&x).unwrap();
        MaxPool::new(2).input_gradient(&pooled, &indices, [100, 120]).unwrap();
        pixel_shuffle(&x, 2, ChannelOrder::DepthFirst).unwrap();
    });
}
