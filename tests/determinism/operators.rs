//! Every operator and gradient by name, over sizes that are cut into many pieces, as lists of bits.

use ndarray::{Array, Array1, Array3, Array4, Array5, Dimension, ShapeBuilder};
use upsample::checkerboard::{Overlap, StrideSpectrum, WeightOverlap};
use upsample::initial_weights::{InterpolationKernel, icnr};
use upsample::output_size::Window;
use upsample::rearrange::*;
use upsample::{AxesTarget, Backend, ConvTranspose, Convolution, Filter, Profile, Resize, ResizeConv, Tensor4};

/// What an operator computed, and how far another instruction set may be from it.
pub(crate) struct Computed {
    pub(crate) name: String,
    pub(crate) values: Vec<f64>,
    /// For one rounding of the type: how many of them, and how large the numbers are.
    pub(crate) tolerance: f64,
}

/// Numbers without a pattern, from -1 to 1.
pub(crate) fn noise<D: Dimension>(shape: impl ShapeBuilder<Dim = D>, seed: u32) -> Array<f32, D> {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    Array::from_shape_simple_fn(shape, || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    })
}

fn values<'a, T: Copy + Into<f64> + 'a>(elements: impl IntoIterator<Item = &'a T>) -> Vec<f64> {
    elements.into_iter().map(|&element| element.into()).collect()
}

/// Everything that sums: these depend on the instruction set.
pub(crate) fn sums(backend: Backend) -> Vec<Computed> {
    let mut all = Vec::new();
    resizing(backend, &mut all);
    convolutions(backend, &mut all);
    resize_convolutions(backend, &mut all);
    all
}

fn resizing(backend: Backend, all: &mut Vec<Computed>) {
    let picture = noise((2, 3, 150, 170), 1);
    let channels_last = noise((1, 90, 110, 5), 2);
    let volume = noise((1, 2, 12, 40, 50), 3);
    let signal = noise((3, 4, 20_000), 4);
    let methods: Vec<(&str, Resize)> = vec![
        ("nearest", Resize::nearest()),
        ("nearest-exact", Resize::nearest_exact()),
        ("linear", Resize::linear()),
        ("linear, antialiased", Resize::linear().antialias(true)),
        ("cubic", Resize::cubic()),
        ("cubic, excluding", Resize::cubic().exclude_outside(true)),
        ("area", Resize::area()),
        ("Lanczos", Resize::filter(Filter::Lanczos { lobes: 3 }).antialias(true)),
        ("Mitchell", Resize::filter(Filter::Mitchell)),
        ("Pillow's cubic", Resize::cubic().profile(Profile::Pillow)),
        ("OpenCV's linear", Resize::linear().profile(Profile::OpenCv)),
    ];
    for (name, resize) in methods {
        let resize = resize.backend(backend);
        let mut push = |what: &str, values, tolerance| all.push(Computed { name: format!("{name}, {what}"), values, tolerance });
        // Weights of an axis sum to 1, those of sharpening filters overshoot; a gradient adds up to the factor of shrinking.
        let rounding = 40.0 * f64::from(f32::EPSILON);
        for size in [[300, 340], [75, 411], [160, 60]] {
            let plan = resize.plan([150, 170], size).unwrap();
            let y = plan.forward(&picture).unwrap();
            push(&format!("to {size:?}"), values(&y), rounding);
            push(&format!("to {size:?}, gradient"), values(&plan.backward(&y).unwrap()), 40.0 * rounding);
            let mut added = picture.clone();
            plan.backward_add_into(&y, &mut added).unwrap();
            push(&format!("to {size:?}, gradient added"), values(&added), 40.0 * rounding);
            let double = plan.forward(&picture.mapv(f64::from)).unwrap();
            push(&format!("to {size:?}, f64"), values(&double), 40.0 * f64::EPSILON);
            let bytes = plan.forward(&picture.mapv(|v| (v * 127.0 + 128.0) as u8)).unwrap();
            // Integers are exact, except OpenCV's bytes, which are summed in f32 and rounded once.
            push(&format!("to {size:?}, u8"), values(&bytes), if name.starts_with("OpenCV") { 1.0 } else { 0.0 });
            let shorts = plan.forward(&picture.mapv(|v| (v * 3000.0) as i16)).unwrap();
            push(&format!("to {size:?}, i16"), values(&shorts), 1.0);
        }
        let plan = resize.plan([90, 110], [181, 90]).unwrap();
        let y = plan.forward(Tensor4::from_nhwc(channels_last.view())).unwrap();
        push("channels last", values(&y), rounding);
        push("channels last, gradient", values(&plan.backward(&y).unwrap()), 40.0 * rounding);
        let plan = resize.plan([12, 40, 50], [24, 81, 70]).unwrap();
        let y = plan.forward(&volume).unwrap();
        push("volume", values(&y), rounding);
        push("volume, gradient", values(&plan.backward(&y).unwrap()), 40.0 * rounding);
        let plan = resize.plan([20_000], 2.5).unwrap();
        let y = plan.forward(&signal).unwrap();
        push("signal", values(&y), rounding);
        push("signal, gradient", values(&plan.backward(&y).unwrap()), 40.0 * rounding);
        let target = AxesTarget::Size(vec![100, 33]);
        let found = resize.resize_axes(volume.view().into_dyn(), &[4, 2], &target).unwrap();
        push("axes 4 and 2", values(&found), rounding);
        let found = resize.resize_axes_backward(found.view(), volume.shape(), &[4, 2], &target).unwrap();
        push("axes 4 and 2, gradient", values(&found), 40.0 * rounding);
    }
}

fn convolutions(backend: Backend, all: &mut Vec<Computed>) {
    // Name; batch, channels and sizes of the input; output channels of a group; kernel; stride, padding, dilation, groups.
    type Case = (&'static str, [usize; 4], usize, [usize; 2], [usize; 4]);
    let cases: [Case; 8] = [
        ("k4 s2", [1, 24, 24, 28], 20, [4, 4], [2, 1, 1, 1]),
        ("k3 s1", [2, 16, 20, 20], 16, [3, 3], [1, 1, 1, 1]),
        ("k2 s2", [1, 40, 30, 31], 17, [2, 2], [2, 0, 1, 1]),
        ("k6 s2", [1, 12, 25, 25], 12, [6, 6], [2, 2, 1, 1]),
        ("few outputs", [1, 32, 40, 45], 3, [4, 4], [2, 1, 1, 1]),
        ("depthwise", [2, 30, 40, 45], 1, [4, 4], [2, 1, 1, 30]),
        ("groups, dilated", [1, 24, 20, 20], 8, [3, 3], [2, 1, 2, 3]),
        ("small pictures", [40, 16, 4, 4], 24, [4, 4], [2, 1, 1, 1]),
    ];
    for (name, [n, c, h, w], out, kernel, [stride, padding, dilation, groups]) in cases {
        let deconv = ConvTranspose::new().stride(stride).padding(padding).dilation(dilation).groups(groups).backend(backend);
        let plan = deconv.plan([h, w], kernel).unwrap();
        let [oh, ow] = plan.output_size();
        let x = noise((n, c, h, w), 5);
        let weight = noise((c, out, kernel[0], kernel[1]), 6);
        let dy = noise((n, out * groups, oh, ow), 7);
        let bias: Array1<f32> = noise(out * groups, 8);
        let taps = kernel[0] * kernel[1];
        let mut push = |what: &str, values: Vec<f64>, products: usize, epsilon: f64| {
            // Fast algorithms with fewer multiplications lose a few bits more.
            let tolerance = epsilon * (16.0 + 4.0 * products as f64);
            all.push(Computed { name: format!("transposed convolution {name}, {what}"), values, tolerance });
        };
        let single = f64::from(f32::EPSILON);
        push("forward", values(&plan.forward(&x, &weight, Some(&bias)).unwrap()), taps * c / groups, single);
        push("prepared", values(&plan.prepare(&weight).unwrap().forward(&x, Some(&bias)).unwrap()), taps * c / groups, single);
        push("input gradient", values(&plan.input_gradient(&dy, &weight).unwrap()), taps * out, single);
        push("weight gradient", values(&plan.weight_gradient(&x, &dy).unwrap()), n * h * w, single);
        push("bias gradient", values(&plan.bias_gradient(&dy).unwrap()), n * oh * ow, single);
        let (mut dx, mut dw, mut db) = (x.clone(), weight.clone(), bias.clone());
        plan.input_gradient_add_into(&dy, &weight, &mut dx).unwrap();
        plan.weight_gradient_add_into(&x, &dy, &mut dw).unwrap();
        plan.bias_gradient_add_into(&dy, &mut db).unwrap();
        push("input gradient added", values(&dx), taps * out, single);
        push("weight gradient added", values(&dw), n * h * w, single);
        push("bias gradient added", values(&db), n * oh * ow, single);
        let double = [&x, &weight, &dy].map(|array| array.mapv(f64::from));
        push("f64", values(&plan.forward(&double[0], &double[1], None).unwrap()), taps * c / groups, f64::EPSILON);
        push("weight gradient, f64", values(&plan.weight_gradient(&double[0], &double[2]).unwrap()), n * h * w, f64::EPSILON);

        let conv = Convolution::new().stride(stride).padding(padding).dilation(dilation).groups(groups).backend(backend);
        let plan = conv.plan([oh, ow], kernel).unwrap();
        let y = plan.forward(&dy, &weight, None).unwrap();
        push("convolution", values(&y), taps * out, single);
        push("convolution, input gradient", values(&plan.input_gradient(&y, &weight).unwrap()), taps * c / groups * taps * out, single);
        push("convolution, weight gradient", values(&plan.weight_gradient(&dy, &y).unwrap()), n * h * w * taps * out, single);
    }
    let volume = noise((1, 6, 7, 9, 10), 9);
    let weight = noise((6, 5, 3, 3, 3), 10);
    let deconv = ConvTranspose::new().stride(2).padding(1).backend(backend);
    let y = deconv.forward(&volume, &weight, None).unwrap();
    let tolerance = f64::from(f32::EPSILON) * 4.0 * 200.0;
    let mut push =
        |what: &str, values, tolerance| all.push(Computed { name: format!("transposed convolution, {what}"), values, tolerance });
    push("volume", values(&y), tolerance);
    push("volume, input gradient", values(&deconv.input_gradient(&y, &weight).unwrap()), 40.0 * tolerance);
    push("volume, weight gradient", values(&deconv.weight_gradient(&volume, &y, [3, 3, 3]).unwrap()), 40.0 * tolerance);
    let signal = noise((2, 3, 5000), 11);
    let weight: Array3<f32> = noise((3, 4, 9), 12);
    let y = ConvTranspose::new().stride(4).backend(backend).forward(&signal, &weight, None).unwrap();
    push("signal", values(&y), tolerance);
}

fn resize_convolutions(backend: Backend, all: &mut Vec<Computed>) {
    let cases = [
        ("doubling", ResizeConv::doubling(3).unwrap(), [40, 50]),
        ("tripling, groups", ResizeConv::new().factor(3).padding(1).groups(4), [21, 23]),
        ("bilinear", ResizeConv::new().resize(Resize::linear().backend(backend)).factor(2).padding(1), [30, 30]),
        ("by a fraction", ResizeConv::new().scale(1.6).padding(1).dilation(2), [33, 20]),
    ];
    for (name, up, size) in cases {
        let plan = up.backend(backend).plan(size, [3, 3]).unwrap();
        let [h, w] = plan.output_size();
        let groups = if name.ends_with("groups") { 4 } else { 1 };
        let (x, weight, dy) = (noise((2, 16, size[0], size[1]), 13), noise((16, 12, 3, 3), 14), noise((2, 12 * groups, h, w), 15));
        let bias: Array1<f32> = noise(12 * groups, 16);
        let mut push = |what: &str, values: Vec<f64>, products: usize, epsilon: f64| {
            let tolerance = epsilon * (16.0 + 4.0 * products as f64);
            all.push(Computed { name: format!("resize, then convolution {name}, {what}"), values, tolerance });
        };
        let single = f64::from(f32::EPSILON);
        push("forward", values(&plan.forward(&x, &weight, Some(&bias)).unwrap()), 9 * 16 * 9, single);
        push("prepared", values(&plan.prepare(&weight).unwrap().forward(&x, Some(&bias)).unwrap()), 9 * 16 * 9, single);
        push("input gradient", values(&plan.input_gradient(&dy, &weight).unwrap()), 9 * 12 * 9, single);
        push("weight gradient", values(&plan.weight_gradient(&x, &dy).unwrap()), 2 * h * w, single);
        push("bias gradient", values(&plan.bias_gradient(&dy).unwrap()), 2 * h * w, single);
        let (mut dx, mut dw, mut db) = (x.clone(), weight.clone(), bias.clone());
        plan.input_gradient_add_into(&dy, &weight, &mut dx).unwrap();
        plan.weight_gradient_add_into(&x, &dy, &mut dw).unwrap();
        plan.bias_gradient_add_into(&dy, &mut db).unwrap();
        push("input gradient added", values(&dx), 9 * 12 * 9, single);
        push("weight gradient added", values(&dw), 2 * h * w, single);
        push("bias gradient added", values(&db), 2 * h * w, single);
        let double = [&x, &weight].map(|array| array.mapv(f64::from));
        push("f64", values(&plan.forward(&double[0], &double[1], None).unwrap()), 9 * 16 * 9, f64::EPSILON);
    }
}

/// Everything that moves, chooses or counts: no instruction set changes a bit of it.
#[cfg_attr(not(feature = "rayon"), allow(dead_code))]
pub(crate) fn exact() -> Vec<Computed> {
    let x = noise((2, 12, 60, 64), 20);
    let mut all = Vec::new();
    let mut push = |name: &str, values: Vec<f64>| all.push(Computed { name: name.to_owned(), values, tolerance: 0.0 });
    for order in [ChannelOrder::ChannelFirst, ChannelOrder::DepthFirst] {
        push("pixel shuffle", values(&pixel_shuffle(&x, 2, order).unwrap()));
        push("pixel unshuffle", values(&pixel_unshuffle(&x, [3, 4], order).unwrap()));
        push("ICNR", values(&icnr(&x, 2, order).unwrap()));
    }
    push("zero insertion", values(&zero_insert(&x, 3, NailSpan::Between).unwrap()));
    push("decimation", values(&decimate(&x, 2).unwrap()));
    push("crop", values(&center_crop(&x, [33, 41]).unwrap()));
    push("padding", values(&center_pad(&x, [90, 95]).unwrap()));
    let pool = MaxPool::new(3).stride(2);
    let (y, indices) = pool.forward(&x).unwrap();
    push("max pooling", values(&y));
    push("its indices", indices.iter().map(|&index| index as f64).collect());
    push("max pooling, gradient", values(&pool.input_gradient(&y, &indices, [60, 64]).unwrap()));
    let unpool = pool.unpool([60, 64]);
    let back: Array4<f32> = unpool.forward(&y, &indices).unwrap();
    push("max unpooling", values(&back));
    push("max unpooling, gradient", values(&unpool.input_gradient(&back, &indices).unwrap()));
    let spectrum = StrideSpectrum::of(&x, 3).unwrap();
    push("spectrum", spectrum.energies().iter().copied().chain([spectrum.rest()]).collect());
    let windows = [Window::new(3).stride(2); 2];
    push("overlap", Overlap::of([90, 80], windows).unwrap().counts().iter().map(|&count| count as f64).collect());
    let weight = noise((8, 4, 3, 3), 21);
    push("overlap of weights", values(WeightOverlap::of(&weight, windows, 2).unwrap().response()));
    let kernel = InterpolationKernel::<3>::cubic(3, -0.75).unwrap();
    let weights: Array5<f32> = kernel.depthwise(5).unwrap();
    push("initial weights", values(&weights));
    all
}
