//! Every operator and gradient by name, over sizes that are cut into many pieces, as lists of bits.

use ndarray::{Array, Array1, Array3, Array4, Array5, Dimension, ShapeBuilder};
use upsample::checkerboard::{Overlap, StrideSpectrum, WeightOverlap};
use upsample::initial_weights::{InterpolationKernel, icnr};
use upsample::output_size::Window;
use upsample::rearrange::*;
use upsample::{AxesTarget, Backend, ConvTranspose, Convolution, Filter, Precision, Profile, Resize, ResizeConv, Tensor4, Update};

/// What an operator computed, and how far another instruction set may be from it.
pub(crate) struct Computed {
    pub(crate) name: String,
    pub(crate) values: Vec<f64>,
    pub(crate) allowed: Allowed,
}

/// How far another instruction set may be from what the portable one computed.
pub(crate) enum Allowed {
    /// So many times the largest number of all.
    OfLargest(f64),
    /// So much, whatever the number: integers.
    Steps(f64),
    /// A distance for each number. Of the portable instruction set only, with which others are compared.
    Each(Vec<f64>),
}

/// How many roundings of its type a sum of products may differ by, relative to the sum of their magnitudes. In the worst of all cases it
/// would be one for every product on both sides; of numbers without a pattern most cancel.
const ROUNDINGS: f64 = 4.0;

/// A sum of products whose magnitudes come to `magnitudes`, in a type whose numbers are `epsilon` apart.
fn rounded(magnitudes: &[f64], epsilon: f64) -> Allowed {
    Allowed::Each(magnitudes.iter().map(|magnitude| ROUNDINGS * epsilon * magnitude).collect())
}

/// The sums of the magnitudes of what sums of products add up, in f64, where they are asked for.
#[derive(Default)]
struct Magnitudes {
    forward: Vec<f64>,
    input: Vec<f64>,
    weight: Vec<f64>,
    bias: Vec<f64>,
}

impl Magnitudes {
    /// With what a gradient was added to.
    fn plus<D: Dimension>(magnitudes: &[f64], start: &Array<f32, D>) -> Vec<f64> {
        magnitudes.iter().zip(start).map(|(magnitude, start)| magnitude + f64::from(start.abs())).collect()
    }
}

fn magnitude<D: Dimension>(array: &Array<f32, D>) -> Array<f64, D> {
    array.mapv(|value| f64::from(value.abs()))
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
        let mut push = |what: &str, values, allowed| all.push(Computed { name: format!("{name}, {what}"), values, allowed });
        // Weights of an axis sum to 1, those of sharpening filters overshoot. A gradient adds up to 2.5 of them on an axis.
        let rounding = 40.0 * f64::from(f32::EPSILON);
        for size in [[300, 340], [75, 411], [160, 60]] {
            let plan = resize.plan([150, 170], size).unwrap();
            let y = plan.forward(&picture).unwrap();
            push(&format!("to {size:?}"), values(&y), Allowed::OfLargest(rounding));
            push(&format!("to {size:?}, gradient"), values(&plan.input_gradient(&y).unwrap()), Allowed::OfLargest(8.0 * rounding));
            let mut added = picture.clone();
            plan.input_gradient_into(&y, &mut added, Update::Add).unwrap();
            push(&format!("to {size:?}, gradient added"), values(&added), Allowed::OfLargest(8.0 * rounding));
            let double = plan.forward(&picture.mapv(f64::from)).unwrap();
            push(&format!("to {size:?}, f64"), values(&double), Allowed::OfLargest(40.0 * f64::EPSILON));
            let bytes = plan.forward(&picture.mapv(|v| (v * 127.0 + 128.0) as u8)).unwrap();
            // Integers are exact, except OpenCV's bytes, which are summed in f32 and rounded once.
            let steps = if name.starts_with("OpenCV") { 1.0 } else { 0.0 };
            push(&format!("to {size:?}, u8"), values(&bytes), Allowed::Steps(steps));
            let shorts = plan.forward(&picture.mapv(|v| (v * 3000.0) as i16)).unwrap();
            // One that lies at a half may be rounded up on one side and down on the other.
            push(&format!("to {size:?}, i16"), values(&shorts), Allowed::Steps(1.0));
        }
        let plan = resize.plan([90, 110], [181, 90]).unwrap();
        let y = plan.forward(Tensor4::from_nhwc(channels_last.view())).unwrap();
        push("channels last", values(&y), Allowed::OfLargest(rounding));
        push("channels last, gradient", values(&plan.input_gradient(&y).unwrap()), Allowed::OfLargest(8.0 * rounding));
        let plan = resize.plan([12, 40, 50], [24, 81, 70]).unwrap();
        let y = plan.forward(&volume).unwrap();
        push("volume", values(&y), Allowed::OfLargest(rounding));
        push("volume, gradient", values(&plan.input_gradient(&y).unwrap()), Allowed::OfLargest(8.0 * rounding));
        let plan = resize.plan([20_000], 2.5).unwrap();
        let y = plan.forward(&signal).unwrap();
        push("signal", values(&y), Allowed::OfLargest(rounding));
        push("signal, gradient", values(&plan.input_gradient(&y).unwrap()), Allowed::OfLargest(8.0 * rounding));
        let target = AxesTarget::Size(vec![100, 33]);
        let found = resize.resize_axes(volume.view().into_dyn(), &[4, 2], &target).unwrap();
        push("axes 4 and 2", values(&found), Allowed::OfLargest(rounding));
        let found = resize.resize_axes_input_gradient(found.view(), volume.shape(), &[4, 2], &target).unwrap();
        push("axes 4 and 2, gradient", values(&found), Allowed::OfLargest(8.0 * rounding));
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
    let (single, judges) = (f64::from(f32::EPSILON), backend == Backend::Portable);
    for (name, [n, c, h, w], out, kernel, [stride, padding, dilation, groups]) in cases {
        let deconv = ConvTranspose::new()
            .stride(stride)
            .padding(padding)
            .dilation(dilation)
            .groups(groups)
            .backend(backend)
            .precision(Precision::Reduced);
        let plan = deconv.plan([h, w], kernel).unwrap();
        let [oh, ow] = plan.output_size();
        let x = noise((n, c, h, w), 5);
        let weight = noise((c, out, kernel[0], kernel[1]), 6);
        let dy = noise((n, out * groups, oh, ow), 7);
        let bias: Array1<f32> = noise(out * groups, 8);
        let mut push =
            |what: &str, values, allowed| all.push(Computed { name: format!("transposed convolution {name}, {what}"), values, allowed });
        let of = if judges {
            let ([x, dy], weight, bias) = ([&x, &dy].map(magnitude), magnitude(&weight), magnitude(&bias));
            Magnitudes {
                forward: values(&plan.forward(&x, &weight, Some(&bias)).unwrap()),
                input: values(&plan.input_gradient(&dy, &weight).unwrap()),
                weight: values(&plan.weight_gradient(&x, &dy).unwrap()),
                bias: values(&plan.bias_gradient(&dy).unwrap()),
            }
        } else {
            Magnitudes::default()
        };
        push("forward", values(&plan.forward(&x, &weight, Some(&bias)).unwrap()), rounded(&of.forward, single));
        let prepared = plan.prepare(&weight).unwrap();
        push("prepared", values(&prepared.forward(&x, Some(&bias)).unwrap()), rounded(&of.forward, single));
        push("input gradient", values(&plan.input_gradient(&dy, &weight).unwrap()), rounded(&of.input, single));
        push("weight gradient", values(&plan.weight_gradient(&x, &dy).unwrap()), rounded(&of.weight, single));
        push("bias gradient", values(&plan.bias_gradient(&dy).unwrap()), rounded(&of.bias, single));
        let (mut dx, mut dw, mut db) = (x.clone(), weight.clone(), bias.clone());
        plan.input_gradient_into(&dy, &weight, &mut dx, Update::Add).unwrap();
        plan.weight_gradient_into(&x, &dy, &mut dw, Update::Add).unwrap();
        plan.bias_gradient_into(&dy, &mut db, Update::Add).unwrap();
        push("input gradient added", values(&dx), rounded(&Magnitudes::plus(&of.input, &x), single));
        push("weight gradient added", values(&dw), rounded(&Magnitudes::plus(&of.weight, &weight), single));
        push("bias gradient added", values(&db), rounded(&Magnitudes::plus(&of.bias, &bias), single));
        let double = [&x, &weight, &dy].map(|array| array.mapv(f64::from));
        push("f64", values(&plan.forward(&double[0], &double[1], None).unwrap()), rounded(&of.forward, f64::EPSILON));
        push("weight gradient, f64", values(&plan.weight_gradient(&double[0], &double[2]).unwrap()), rounded(&of.weight, f64::EPSILON));

        let conv = Convolution::new()
            .stride(stride)
            .padding(padding)
            .dilation(dilation)
            .groups(groups)
            .backend(backend)
            .precision(Precision::Reduced);
        let plan = conv.plan([oh, ow], kernel).unwrap();
        let [ch, cw] = plan.output_size();
        let of_output = noise((n, c, ch, cw), 17);
        let of = if judges {
            let ([x, dy], weight) = ([&dy, &of_output].map(magnitude), magnitude(&weight));
            Magnitudes {
                forward: values(&plan.forward(&x, &weight, None).unwrap()),
                input: values(&plan.input_gradient(&dy, &weight).unwrap()),
                weight: values(&plan.weight_gradient(&x, &dy).unwrap()),
                bias: Vec::new(),
            }
        } else {
            Magnitudes::default()
        };
        push("convolution", values(&plan.forward(&dy, &weight, None).unwrap()), rounded(&of.forward, single));
        let dx = plan.input_gradient(&of_output, &weight).unwrap();
        push("convolution, input gradient", values(&dx), rounded(&of.input, single));
        let dw = plan.weight_gradient(&dy, &of_output).unwrap();
        push("convolution, weight gradient", values(&dw), rounded(&of.weight, single));
    }
    other_ranks(backend, all);
}

/// Transposed convolutions of a volume and of a signal.
fn other_ranks(backend: Backend, all: &mut Vec<Computed>) {
    let (single, judges) = (f64::from(f32::EPSILON), backend == Backend::Portable);
    let mut push = |what: &str, values, magnitudes: Vec<f64>| {
        all.push(Computed { name: format!("transposed convolution, {what}"), values, allowed: rounded(&magnitudes, single) });
    };
    let volume = noise((1, 6, 7, 9, 10), 9);
    let weight = noise((6, 5, 3, 3, 3), 10);
    let plan = ConvTranspose::new().stride(2).padding(1).backend(backend).plan([7, 9, 10], [3, 3, 3]).unwrap();
    let [d, h, w] = plan.output_size();
    let dy = noise((1, 5, d, h, w), 18);
    let [x1, weight1, dy1] = [&volume, &weight, &dy].map(magnitude);
    let judged = |compute: &dyn Fn() -> Vec<f64>| if judges { compute() } else { Vec::new() };
    let of = judged(&|| values(&plan.forward(&x1, &weight1, None).unwrap()));
    push("volume", values(&plan.forward(&volume, &weight, None).unwrap()), of);
    let of = judged(&|| values(&plan.input_gradient(&dy1, &weight1).unwrap()));
    push("volume, input gradient", values(&plan.input_gradient(&dy, &weight).unwrap()), of);
    let of = judged(&|| values(&plan.weight_gradient(&x1, &dy1).unwrap()));
    push("volume, weight gradient", values(&plan.weight_gradient(&volume, &dy).unwrap()), of);
    let signal = noise((2, 3, 5000), 11);
    let weight: Array3<f32> = noise((3, 4, 9), 12);
    let deconv = ConvTranspose::new().stride(4).backend(backend);
    let of = judged(&|| values(&deconv.forward(&magnitude(&signal), &magnitude(&weight), None).unwrap()));
    push("signal", values(&deconv.forward(&signal, &weight, None).unwrap()), of);
}

fn resize_convolutions(backend: Backend, all: &mut Vec<Computed>) {
    let cases = [
        ("doubling", ResizeConv::doubling(3).unwrap(), [40, 50]),
        ("tripling, groups", ResizeConv::new().factor(3).padding(1).groups(4), [21, 23]),
        ("bilinear", ResizeConv::new().resize(Resize::linear().backend(backend)).factor(2).padding(1), [30, 30]),
        ("by a fraction", ResizeConv::new().scale(1.6).padding(1).dilation(2), [33, 20]),
    ];
    let (single, judges) = (f64::from(f32::EPSILON), backend == Backend::Portable);
    for (name, up, size) in cases {
        let plan = up.backend(backend).plan(size, [3, 3]).unwrap();
        let [h, w] = plan.output_size();
        let groups = if name.ends_with("groups") { 4 } else { 1 };
        let (x, weight, dy) = (noise((2, 16, size[0], size[1]), 13), noise((16, 12, 3, 3), 14), noise((2, 12 * groups, h, w), 15));
        let bias: Array1<f32> = noise(12 * groups, 16);
        let mut push =
            |what: &str, values, allowed| all.push(Computed { name: format!("resize, then convolution {name}, {what}"), values, allowed });
        // None of these resizes has a negative weight.
        let of = if judges {
            let ([x, dy], weight, bias) = ([&x, &dy].map(magnitude), magnitude(&weight), magnitude(&bias));
            Magnitudes {
                forward: values(&plan.forward(&x, &weight, Some(&bias)).unwrap()),
                input: values(&plan.input_gradient(&dy, &weight).unwrap()),
                weight: values(&plan.weight_gradient(&x, &dy).unwrap()),
                bias: values(&plan.bias_gradient(&dy).unwrap()),
            }
        } else {
            Magnitudes::default()
        };
        push("forward", values(&plan.forward(&x, &weight, Some(&bias)).unwrap()), rounded(&of.forward, single));
        let prepared = plan.prepare(&weight).unwrap();
        push("prepared", values(&prepared.forward(&x, Some(&bias)).unwrap()), rounded(&of.forward, single));
        push("input gradient", values(&plan.input_gradient(&dy, &weight).unwrap()), rounded(&of.input, single));
        push("weight gradient", values(&plan.weight_gradient(&x, &dy).unwrap()), rounded(&of.weight, single));
        push("bias gradient", values(&plan.bias_gradient(&dy).unwrap()), rounded(&of.bias, single));
        let (mut dx, mut dw, mut db) = (x.clone(), weight.clone(), bias.clone());
        plan.input_gradient_into(&dy, &weight, &mut dx, Update::Add).unwrap();
        plan.weight_gradient_into(&x, &dy, &mut dw, Update::Add).unwrap();
        plan.bias_gradient_into(&dy, &mut db, Update::Add).unwrap();
        push("input gradient added", values(&dx), rounded(&Magnitudes::plus(&of.input, &x), single));
        push("weight gradient added", values(&dw), rounded(&Magnitudes::plus(&of.weight, &weight), single));
        push("bias gradient added", values(&db), rounded(&Magnitudes::plus(&of.bias, &bias), single));
        let double = [&x, &weight].map(|array| array.mapv(f64::from));
        push("f64", values(&plan.forward(&double[0], &double[1], None).unwrap()), rounded(&of.forward, f64::EPSILON));
    }
}

/// Everything that moves, chooses or counts: no instruction set changes a bit of it.
#[cfg_attr(not(feature = "rayon"), allow(dead_code))]
pub(crate) fn exact() -> Vec<Computed> {
    let x = noise((2, 12, 60, 64), 20);
    let mut all = Vec::new();
    let mut push = |name: &str, values: Vec<f64>| all.push(Computed { name: name.to_owned(), values, allowed: Allowed::Steps(0.0) });
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
