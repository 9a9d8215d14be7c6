//! Transposed convolution, convolution and resize-convolution: forward, prepared, every gradient; element types, layouts and ranks.

use ndarray::{Array1, Array3, Array4};
use upsample::{ConvTranspose, Convolution, FloatElement, Precision, Resize, ResizeConv, Tensor4, Tensor5, Update};

use super::{Ledger, noise};

pub(super) fn calls(ledger: &mut Ledger) {
    transposed(ledger);
    shapes(ledger);
    types(ledger);
    layouts(ledger);
    ranks(ledger);
    resize_convolutions(ledger);
}

/// A convolution with every gradient: batch, channels, height and width of the input; output channels of a group; kernel; stride, padding,
/// dilation, groups.
type Case = (&'static str, [usize; 4], usize, [usize; 2], [usize; 4]);

const CASES: [Case; 12] = [
    ("k4 s2", [1, 24, 24, 28], 20, [4, 4], [2, 1, 1, 1]),
    ("k4 s2, wide", [1, 64, 16, 20], 64, [4, 4], [2, 1, 1, 1]),
    ("k3 s1", [2, 16, 20, 20], 16, [3, 3], [1, 1, 1, 1]),
    ("k3 s1, wide", [1, 64, 18, 33], 64, [3, 3], [1, 1, 1, 1]),
    ("k3 s2", [1, 12, 17, 19], 10, [3, 3], [2, 1, 1, 1]),
    ("k2 s2", [1, 40, 30, 31], 17, [2, 2], [2, 0, 1, 1]),
    ("k6 s2", [1, 12, 25, 25], 12, [6, 6], [2, 2, 1, 1]),
    ("k16 s8", [1, 21, 6, 7], 21, [16, 16], [8, 4, 1, 1]),
    ("few outputs", [1, 32, 40, 45], 3, [4, 4], [2, 1, 1, 1]),
    ("depthwise", [2, 30, 20, 25], 1, [4, 4], [2, 1, 1, 30]),
    ("groups, dilated", [1, 24, 20, 20], 8, [3, 3], [2, 1, 2, 3]),
    ("small pictures", [40, 16, 4, 4], 24, [4, 4], [2, 1, 1, 1]),
];

fn transposed(ledger: &mut Ledger) {
    for (name, [n, c, h, w], out, kernel, [stride, padding, dilation, groups]) in CASES {
        let describe = ConvTranspose::new()
            .stride(stride)
            .padding(padding)
            .dilation(dilation)
            .groups(groups)
            .backend(ledger.backend)
            .precision(Precision::Reduced);
        let plan = describe.plan([h, w], kernel).unwrap();
        let [oh, ow] = plan.output_size();
        let (x, dy) = (noise((n, c, h, w), 5), noise((n, out * groups, oh, ow), 7));
        let weight = noise((c, out, kernel[0], kernel[1]), 6);
        let bias: Array1<f32> = noise(out * groups, 8);
        ledger.record(format!("transposed {name}"), &plan.forward(&x, &weight, Some(&bias)).unwrap());
        ledger.record(format!("transposed {name}, no bias"), &plan.forward(&x, &weight, None).unwrap());
        ledger.record(format!("transposed {name}, prepared"), &plan.prepare(&weight).unwrap().forward(&x, Some(&bias)).unwrap());
        ledger.record(format!("transposed {name}, input gradient"), &plan.input_gradient(&dy, &weight).unwrap());
        ledger.record(format!("transposed {name}, weight gradient"), &plan.weight_gradient(&x, &dy).unwrap());
        ledger.record(format!("transposed {name}, bias gradient"), &plan.bias_gradient(&dy).unwrap());
        let (mut dx, mut dw, mut db) = (x.clone(), weight.clone(), bias.clone());
        plan.input_gradient_into(&dy, &weight, &mut dx, Update::Add).unwrap();
        plan.weight_gradient_into(&x, &dy, &mut dw, Update::Add).unwrap();
        plan.bias_gradient_into(&dy, &mut db, Update::Add).unwrap();
        ledger.record(format!("transposed {name}, input gradient added"), &dx);
        ledger.record(format!("transposed {name}, weight gradient added"), &dw);
        ledger.record(format!("transposed {name}, bias gradient added"), &db);
        let strict = describe.precision(Precision::Strict).plan([h, w], kernel).unwrap();
        ledger.record(format!("transposed {name}, strict"), &strict.forward(&x, &weight, Some(&bias)).unwrap());
        ledger.record(format!("transposed {name}, strict, input gradient"), &strict.input_gradient(&dy, &weight).unwrap());

        let describe = Convolution::new()
            .stride(stride)
            .padding(padding)
            .dilation(dilation)
            .groups(groups)
            .backend(ledger.backend)
            .precision(Precision::Reduced);
        let plan = describe.plan([oh, ow], kernel).unwrap();
        let [ch, cw] = plan.output_size();
        let of_output = noise((n, c, ch, cw), 17);
        let bias: Array1<f32> = noise(c, 18);
        ledger.record(format!("convolution {name}"), &plan.forward(&dy, &weight, Some(&bias)).unwrap());
        ledger.record(format!("convolution {name}, prepared"), &plan.prepare(&weight).unwrap().forward(&dy, None).unwrap());
        ledger.record(format!("convolution {name}, input gradient"), &plan.input_gradient(&of_output, &weight).unwrap());
        ledger.record(format!("convolution {name}, weight gradient"), &plan.weight_gradient(&dy, &of_output).unwrap());
        let (mut dx, mut dw) = (dy.clone(), weight.clone());
        plan.input_gradient_into(&of_output, &weight, &mut dx, Update::Add).unwrap();
        plan.weight_gradient_into(&dy, &of_output, &mut dw, Update::Add).unwrap();
        ledger.record(format!("convolution {name}, input gradient added"), &dx);
        ledger.record(format!("convolution {name}, weight gradient added"), &dw);
    }
}

/// Channel and picture sizes on both sides of the limits at which engines change, forward and weight gradient.
fn shapes(ledger: &mut Ledger) {
    for (c, out) in [(1, 1), (2, 8), (7, 6), (8, 32), (31, 32), (32, 32), (48, 33), (96, 9)] {
        for (h, w) in [(1, 1), (3, 50), (13, 11)] {
            for (kernel, stride) in [(3, 1), (4, 2), (3, 2), (5, 1), (9, 4)] {
                let plan = ConvTranspose::new()
                    .stride(stride)
                    .backend(ledger.backend)
                    .precision(Precision::Reduced)
                    .plan([h, w], [kernel; 2])
                    .unwrap();
                let [oh, ow] = plan.output_size();
                let (x, weight, dy) = (noise((1, c, h, w), 19), noise((c, out, kernel, kernel), 20), noise((1, out, oh, ow), 21));
                let name = format!("transposed {c} to {out}, {h} x {w}, k{kernel} s{stride}");
                ledger.record(name.clone(), &plan.forward(&x, &weight, None).unwrap());
                if stride == 2 || kernel == 5 {
                    ledger.record(format!("{name}, weight gradient"), &plan.weight_gradient(&x, &dy).unwrap());
                }
            }
        }
    }
}

fn types(ledger: &mut Ledger) {
    fn one<A: FloatElement + Into<f64>>(ledger: &mut Ledger, of: impl Fn(f32) -> A + Copy) {
        let kind = std::any::type_name::<A>();
        for (name, [n, c, h, w], out, kernel, [stride, padding, dilation, groups]) in CASES {
            let plan = ConvTranspose::new()
                .stride(stride)
                .padding(padding)
                .dilation(dilation)
                .groups(groups)
                .backend(ledger.backend)
                .precision(Precision::Reduced);
            let plan = plan.plan([h, w], kernel).unwrap();
            let [oh, ow] = plan.output_size();
            let (x, dy) = (noise((n, c, h, w), 22).mapv(of), noise((n, out * groups, oh, ow), 23).mapv(of));
            let weight = noise((c, out, kernel[0], kernel[1]), 24).mapv(of);
            ledger.record(format!("transposed {name}, {kind}"), &plan.forward(&x, &weight, None).unwrap());
            ledger.record(format!("transposed {name}, {kind}, input gradient"), &plan.input_gradient(&dy, &weight).unwrap());
            ledger.record(format!("transposed {name}, {kind}, weight gradient"), &plan.weight_gradient(&x, &dy).unwrap());
            ledger.record(format!("transposed {name}, {kind}, bias gradient"), &plan.bias_gradient(&dy).unwrap());
        }
    }
    one(ledger, f64::from);
    #[cfg(feature = "half")]
    {
        one(ledger, half::f16::from_f32);
        one(ledger, half::bf16::from_f32);
    }
}

/// Channels last, and weights that are reversed or transposed.
fn layouts(ledger: &mut Ledger) {
    for (name, c, out) in [("wide", 40, 36), ("few outputs", 20, 3), ("few inputs", 3, 20)] {
        let plan =
            ConvTranspose::new().stride(2).padding(1).backend(ledger.backend).precision(Precision::Reduced).plan([14, 19], [4, 4]).unwrap();
        let [oh, ow] = plan.output_size();
        let (x, dy) = (noise((2, 14, 19, c), 25), noise((2, oh, ow, out), 26));
        let (x, dy) = (Tensor4::from_nhwc(x.view()), Tensor4::from_nhwc(dy.view()));
        let weight = noise((c, out, 4, 4), 27);
        ledger.record(format!("transposed channels last, {name}"), &plan.forward(x, &weight, None).unwrap());
        ledger.record(format!("transposed channels last, {name}, input gradient"), &plan.input_gradient(dy, &weight).unwrap());
        ledger.record(format!("transposed channels last, {name}, weight gradient"), &plan.weight_gradient(x, dy).unwrap());
        let swapped: Array4<f32> = noise((out, c, 4, 4), 28);
        let weight = swapped.view().permuted_axes([1, 0, 3, 2]);
        ledger.record(format!("transposed weights permuted, {name}"), &plan.forward(x, weight, None).unwrap());
    }
}

fn ranks(ledger: &mut Ledger) {
    let (volume, weight) = (noise((1, 6, 7, 9, 10), 9), noise((6, 5, 3, 3, 3), 10));
    let plan = ConvTranspose::new()
        .stride(2)
        .padding(1)
        .backend(ledger.backend)
        .precision(Precision::Reduced)
        .plan([7, 9, 10], [3, 3, 3])
        .unwrap();
    let [d, h, w] = plan.output_size();
    let dy = noise((1, 5, d, h, w), 18);
    ledger.record("transposed volume", &plan.forward(&volume, &weight, None).unwrap());
    ledger.record("transposed volume, input gradient", &plan.input_gradient(&dy, &weight).unwrap());
    ledger.record("transposed volume, weight gradient", &plan.weight_gradient(&volume, &dy).unwrap());
    let last = noise((1, 7, 9, 10, 6), 29);
    ledger.record("transposed volume, channels last", &plan.forward(Tensor5::from_ndhwc(last.view()), &weight, None).unwrap());
    let (signal, weight): (Array3<f32>, Array3<f32>) = (noise((2, 3, 1000), 11), noise((3, 4, 9), 12));
    let plan = ConvTranspose::new().stride(4).backend(ledger.backend).plan([1000], [9]).unwrap();
    let dy = noise((2, 4, plan.output_size()[0]), 13);
    ledger.record("transposed signal", &plan.forward(&signal, &weight, None).unwrap());
    ledger.record("transposed signal, input gradient", &plan.input_gradient(&dy, &weight).unwrap());
    ledger.record("transposed signal, weight gradient", &plan.weight_gradient(&signal, &dy).unwrap());
}

fn resize_convolutions(ledger: &mut Ledger) {
    let cases = [
        ("doubling", ResizeConv::doubling(3).unwrap(), [20, 25]),
        ("tripling, groups", ResizeConv::new().factor(3).padding(1).groups(4), [11, 13]),
        ("bilinear", ResizeConv::new().resize(Resize::linear().backend(ledger.backend)).factor(2).padding(1), [15, 15]),
        ("by a fraction", ResizeConv::new().scale(1.6).padding(1).dilation(2), [23, 20]),
    ];
    for (name, up, size) in cases {
        let plan = up.backend(ledger.backend).plan(size, [3, 3]).unwrap();
        let [h, w] = plan.output_size();
        let groups = if name.ends_with("groups") { 4 } else { 1 };
        let (x, weight, dy) = (noise((2, 16, size[0], size[1]), 13), noise((16, 12, 3, 3), 14), noise((2, 12 * groups, h, w), 15));
        let bias: Array1<f32> = noise(12 * groups, 16);
        ledger.record(format!("resize-convolution {name}"), &plan.forward(&x, &weight, Some(&bias)).unwrap());
        ledger.record(format!("resize-convolution {name}, prepared"), &plan.prepare(&weight).unwrap().forward(&x, None).unwrap());
        ledger.record(format!("resize-convolution {name}, input gradient"), &plan.input_gradient(&dy, &weight).unwrap());
        ledger.record(format!("resize-convolution {name}, weight gradient"), &plan.weight_gradient(&x, &dy).unwrap());
        let (mut dx, mut dw) = (x.clone(), weight.clone());
        plan.input_gradient_into(&dy, &weight, &mut dx, Update::Add).unwrap();
        plan.weight_gradient_into(&x, &dy, &mut dw, Update::Add).unwrap();
        ledger.record(format!("resize-convolution {name}, input gradient added"), &dx);
        ledger.record(format!("resize-convolution {name}, weight gradient added"), &dw);
        let double = plan.forward(&x.mapv(f64::from), &weight.mapv(f64::from), None).unwrap();
        ledger.record(format!("resize-convolution {name}, f64"), &double);
    }
}
