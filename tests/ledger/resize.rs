//! Resizing: methods, profiles and options; element types, layouts and ranks; gradients.

use ndarray::{Array, Array4, Axis, Ix4, s};
use upsample::{
    AspectRatio, AxesTarget, Coordinates, Element, Filter, NearestRule, Profile, Resize, Rounding, StreamingStores, Tensor4, Tensor5,
    Update,
};

use super::{Ledger, noise};

pub(super) fn calls(ledger: &mut Ledger) {
    for (name, resize) in methods() {
        let resize = resize.backend(ledger.backend);
        sizes(ledger, name, &resize);
        types(ledger, name, &resize);
        layouts(ledger, name, &resize);
        ranks(ledger, name, &resize);
    }
    options(ledger);
}

fn methods() -> Vec<(&'static str, Resize)> {
    vec![
        ("nearest", Resize::nearest()),
        ("linear", Resize::linear()),
        ("linear, antialiased", Resize::linear().antialias(true)),
        ("cubic", Resize::cubic()),
        ("area", Resize::area()),
        ("Lanczos, antialiased", Resize::filter(Filter::Lanczos { lobes: 3 }).antialias(true)),
        ("Pillow's linear", Resize::linear().profile(Profile::Pillow)),
        ("OpenCV's linear", Resize::linear().profile(Profile::OpenCv)),
        ("linear, 11 bits", Resize::linear_fixed(11)),
    ]
}

/// Enlarged and reduced, forward, gradient, gradient added.
fn sizes(ledger: &mut Ledger, name: &str, resize: &Resize) {
    let x = noise((2, 3, 50, 70), 1);
    for size in [[100, 140], [75, 61], [20, 150]] {
        let plan = resize.plan([50, 70], size).unwrap();
        let y = plan.forward(&x).unwrap();
        ledger.record(format!("{name}: {size:?}"), &y);
        ledger.record(format!("{name}: {size:?}, gradient"), &plan.input_gradient(&y).unwrap());
        let mut added = x.clone();
        plan.input_gradient_into(&y, &mut added, Update::Add).unwrap();
        ledger.record(format!("{name}: {size:?}, gradient added"), &added);
    }
}

fn types(ledger: &mut Ledger, name: &str, resize: &Resize) {
    fn one<A: Element + Into<f64>>(ledger: &mut Ledger, name: &str, resize: &Resize, of: impl Fn(f32) -> A) {
        let x = noise((1, 3, 41, 47), 2).mapv(of);
        for size in [[82, 94], [60, 31]] {
            let y = resize.plan([41, 47], size).unwrap().forward(&x).unwrap();
            ledger.record(format!("{name}: {}, {size:?}", std::any::type_name::<A>()), &y);
        }
    }
    one(ledger, name, resize, f64::from);
    one(ledger, name, resize, |value| (value * 127.0 + 128.0) as u8);
    one(ledger, name, resize, |value| (value * 127.0) as i8);
    one(ledger, name, resize, |value| (value * 3e4 + 3e4) as u16);
    one(ledger, name, resize, |value| (value * 3e4) as i16);
    one(ledger, name, resize, |value| (value * 2e9) as i32);
    #[cfg(feature = "half")]
    {
        one(ledger, name, resize, half::f16::from_f32);
        one(ledger, name, resize, half::bf16::from_f32);
    }
    let dy = noise((1, 3, 82, 94), 3).mapv(f64::from);
    ledger.record(format!("{name}: f64, gradient"), &resize.plan([41, 47], [82, 94]).unwrap().input_gradient(&dy).unwrap());
}

/// Channels last with 1 to 9 channels, floats and bytes; transposed, cut out and reversed arrays.
fn layouts(ledger: &mut Ledger, name: &str, resize: &Resize) {
    let plan = resize.plan([37, 45], [90, 61]).unwrap();
    for channels in [1, 2, 3, 4, 9] {
        let x = noise((1, 37, 45, channels), 4);
        let y = plan.forward(Tensor4::from_nhwc(x.view())).unwrap();
        ledger.record(format!("{name}: {channels} channels last"), &y);
        let bytes = x.mapv(|value| (value * 127.0 + 128.0) as u8);
        let found = plan.forward(Tensor4::from_nhwc(bytes.view())).unwrap();
        ledger.record(format!("{name}: {channels} channels last, u8"), &found);
        if channels == 3 {
            ledger.record(format!("{name}: {channels} channels last, gradient"), &plan.input_gradient(&y).unwrap());
        }
    }
    let large = noise((2, 4, 80, 100), 5);
    let cut = large.slice(s![.., 1..;2, 3..77;2, 9..99;2]);
    ledger.record(format!("{name}: every other pixel"), &plan.forward(cut).unwrap());
    let mut reversed = noise((1, 2, 37, 45), 6);
    reversed.invert_axis(Axis(2));
    reversed.invert_axis(Axis(3));
    ledger.record(format!("{name}: reversed"), &plan.forward(&reversed).unwrap());
    let transposed = noise((1, 2, 45, 37), 7);
    ledger.record(format!("{name}: transposed"), &plan.forward(transposed.view().permuted_axes([0, 1, 3, 2])).unwrap());
}

fn ranks(ledger: &mut Ledger, name: &str, resize: &Resize) {
    let signal = noise((3, 4, 2000), 8);
    let plan = resize.plan([2000], 2.5).unwrap();
    let y = plan.forward(&signal).unwrap();
    ledger.record(format!("{name}: signal"), &y);
    ledger.record(format!("{name}: signal, gradient"), &plan.input_gradient(&y).unwrap());
    let volume = noise((1, 2, 9, 21, 25), 9);
    let plan = resize.plan([9, 21, 25], [18, 30, 20]).unwrap();
    let y = plan.forward(&volume).unwrap();
    ledger.record(format!("{name}: volume"), &y);
    ledger.record(format!("{name}: volume, gradient"), &plan.input_gradient(&y).unwrap());
    let last = noise((1, 9, 21, 25, 3), 10);
    ledger.record(format!("{name}: volume, channels last"), &plan.forward(Tensor5::from_ndhwc(last.view())).unwrap());
    let target = AxesTarget::Size(vec![40, 33]);
    let found = resize.resize_axes(volume.view().into_dyn(), &[4, 2], &target).unwrap();
    ledger.record(format!("{name}: axes 4 and 2"), &found);
    let found = resize.resize_axes_input_gradient(found.view(), volume.shape(), &[4, 2], &target).unwrap();
    ledger.record(format!("{name}: axes 4 and 2, gradient"), &found);
}

/// What differs only in its weights or positions: one size each.
fn options(ledger: &mut Ledger) {
    let cases = [
        ("nearest-exact", Resize::nearest_exact()),
        ("nearest, Pillow's rule", Resize::nearest_by(NearestRule::Pillow)),
        ("nearest, OpenCV's rule", Resize::nearest_by(NearestRule::OpenCv)),
        ("nearest, JAX's rule", Resize::nearest_by(NearestRule::Jax)),
        ("nearest, rounded up", Resize::nearest().profile(Profile::Onnx).rounding(Rounding::Ceil)),
        ("cubic, corners aligned", Resize::cubic().coordinates(Coordinates::AlignCorners)),
        ("cubic, asymmetric", Resize::cubic().coordinates(Coordinates::Asymmetric)),
        ("cubic, half pixel symmetric", Resize::cubic().profile(Profile::Onnx).coordinates(Coordinates::HalfPixelSymmetric)),
        ("cubic, coefficient", Resize::cubic().cubic_coefficient(-0.6)),
        ("cubic, outside excluded", Resize::cubic().profile(Profile::Onnx).exclude_outside(true)),
        ("cubic, antialiased", Resize::cubic().antialias(true)),
        ("cubic, Pillow", Resize::cubic().profile(Profile::Pillow)),
        ("cubic, OpenCV", Resize::cubic().profile(Profile::OpenCv)),
        ("cubic, JAX", Resize::cubic().profile(Profile::Jax)),
        ("cubic, TensorFlow", Resize::cubic().profile(Profile::TensorFlow)),
        ("linear, JAX", Resize::linear().profile(Profile::Jax)),
        ("linear, TensorFlow, antialiased", Resize::linear().profile(Profile::TensorFlow).antialias(true)),
        ("linear, streamed", Resize::linear().streaming(StreamingStores::Always)),
        ("nearest, streamed", Resize::nearest().streaming(StreamingStores::Always)),
        ("area, OpenCV", Resize::area().profile(Profile::OpenCv)),
        ("box", Resize::filter(Filter::Box).antialias(true)),
        ("Hamming", Resize::filter(Filter::Hamming).antialias(true)),
        ("Mitchell", Resize::filter(Filter::Mitchell)),
        ("B-spline", Resize::filter(Filter::BSpline)),
        ("linear, 8 bits", Resize::linear_fixed(8)),
        ("linear, not smaller", Resize::linear().profile(Profile::Onnx).aspect_ratio(AspectRatio::NotSmaller)),
        ("linear, crop", Resize::linear().profile(Profile::Onnx).crop(0.2, 0.7).extrapolation(-1.0)),
    ];
    let x = noise((1, 2, 23, 29), 11);
    let bytes: Array4<u8> = Array::from_shape_fn(Ix4(1, 3, 23, 29), |(_, c, y, x)| (c * 91 + y * 37 + x * 59 + x * y) as u8);
    for (name, resize) in cases {
        let plan = resize.backend(ledger.backend).plan([23, 29], [40, 87]).unwrap();
        ledger.record(format!("{name}: option"), &plan.forward(&x).unwrap());
        ledger.record(format!("{name}: option, u8"), &plan.forward(&bytes).unwrap());
    }
}
