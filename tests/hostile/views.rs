//! Views of every stride, zero and negative ones too, give what a row-major copy of them gives; hostile values give no panic.

use common::spatial;
use ndarray::{Array1, Array4, ArrayView4, Axis as NdAxis, s};
use upsample::initial_weights::icnr;
use upsample::rearrange::*;
use upsample::{ConvTranspose, Convolution, Filter, Profile, Resize, Tensor4Mut};

fn numbers(shape: [usize; 4]) -> Array4<f32> {
    let mut state = 1_u32;
    Array4::from_shape_simple_fn(shape, || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    })
}

/// Every layout of 2×4×6×5 with its name.
fn with_views(check: impl Fn(&str, ArrayView4<'_, f32>)) {
    let plain = numbers([2, 4, 6, 5]);
    check("row-major", plain.view());
    check("reversed", plain.slice(s![..;-1, ..;-1, ..;-1, ..;-1]));
    check("mirrored", plain.slice(s![.., .., .., ..;-1]));
    let wide = numbers([4, 8, 12, 10]);
    check("every other element", wide.slice(s![..;2, 1..;2, ..;2, 1..;2]));
    check("every other one, backwards", wide.slice(s![..;-2, ..;-2, ..;-2, ..;-2]));
    let last = numbers([2, 6, 5, 4]);
    check("channels last", last.view().permuted_axes([0, 3, 1, 2]));
    check("channels last, mirrored", last.slice(s![.., ..;-1, ..;-1, ..]).permuted_axes([0, 3, 1, 2]));
    let turned = numbers([2, 4, 5, 6]);
    check("transposed", turned.view().permuted_axes([0, 1, 3, 2]));
    let batch_last = numbers([5, 6, 4, 2]);
    check("batch last", batch_last.view().reversed_axes());
    for (name, shape) in [
        ("one picture for all", [1, 4, 6, 5]),
        ("one channel for all", [2, 1, 6, 5]),
        ("one row for all", [2, 4, 1, 5]),
        ("one column for all", [2, 4, 6, 1]),
        ("one pixel for all", [1, 1, 1, 1]),
    ] {
        let few = numbers(shape);
        check(name, few.broadcast((2, 4, 6, 5)).unwrap());
    }
}

#[test]
fn resizing_reads_any_stride() {
    with_views(|name, view| {
        let copy = view.as_standard_layout().into_owned();
        for resize in [
            Resize::nearest(),
            Resize::linear(),
            Resize::cubic(),
            Resize::area(),
            Resize::filter(Filter::Lanczos { lobes: 3 }).antialias(true),
        ] {
            for size in [[12, 10], [3, 2], [7, 11], [6, 5]] {
                let plan = resize.plan([6, 5], size).unwrap();
                assert_eq!(plan.forward(view).unwrap(), plan.forward(&copy).unwrap(), "{name} {resize:?} {size:?}");
                let back = resize.plan(size, [6, 5]).unwrap();
                assert_eq!(back.input_gradient(view).unwrap(), back.input_gradient(&copy).unwrap(), "{name} {resize:?} {size:?} backward");
            }
            let (bytes, plan) = (copy.mapv(|v| (v * 127.0 + 128.0) as u8), resize.plan([6, 5], [9, 8]).unwrap());
            let mut mirrored = bytes.slice(s![.., ..;-1, .., ..;-1]).to_owned();
            mirrored.invert_axis(NdAxis(1));
            mirrored.invert_axis(NdAxis(3));
            assert_eq!(plan.forward(&mirrored).unwrap(), plan.forward(&bytes).unwrap(), "{name} bytes");
        }
    });
}

#[test]
fn convolutions_read_any_stride() {
    with_views(|name, view| {
        let copy = view.as_standard_layout().into_owned();
        let weight = numbers([4, 3, 3, 3]);
        let deconv = ConvTranspose::new().stride(2).padding(1);
        let conv = Convolution::new().padding(1);
        let other = numbers([3, 4, 3, 3]);
        assert_eq!(deconv.forward(view, &weight, None).unwrap(), deconv.forward(&copy, &weight, None).unwrap(), "{name}");
        assert_eq!(conv.forward(view, &other, None).unwrap(), conv.forward(&copy, &other, None).unwrap(), "{name}");
        let dy = numbers([2, 3, 11, 9]);
        let found = deconv.weight_gradient(view, &dy, [3, 3]).unwrap();
        assert_eq!(found, deconv.weight_gradient(&copy, &dy, [3, 3]).unwrap(), "{name}: weight gradient");
        let found = deconv.bias_gradient(view).unwrap();
        let expected = copy.axis_iter(NdAxis(1)).map(|channel| f64::from(channel.sum())).collect::<Vec<_>>();
        assert!(found.iter().zip(expected).all(|(&a, b)| (f64::from(a) - b).abs() < 1e-4), "{name}: bias gradient");
        // As weights: 2 input channels, 4 output channels, 6×5 taps.
        let x = numbers([1, 2, 3, 3]);
        assert_eq!(deconv.forward(&x, view, None).unwrap(), deconv.forward(&x, &copy, None).unwrap(), "{name}: weights");
        let bias = numbers([1, 1, 1, 6]);
        let (reversed, copied): (_, Array1<f32>) = (bias.slice(s![0, 0, 0, ..;-2]), bias.slice(s![0, 0, 0, ..;-2]).to_owned());
        assert_eq!(deconv.forward(view, &weight, Some(&reversed)).unwrap(), deconv.forward(&copy, &weight, Some(&copied)).unwrap());
    });
}

#[test]
fn rearranging_reads_any_stride() {
    with_views(|name, view| {
        let copy = view.as_standard_layout().into_owned();
        for order in [ChannelOrder::ChannelFirst, ChannelOrder::DepthFirst] {
            assert_eq!(pixel_shuffle(view, 2, order).unwrap(), pixel_shuffle(&copy, 2, order).unwrap(), "{name}");
            assert_eq!(pixel_unshuffle(view, [3, 5], order).unwrap(), pixel_unshuffle(&copy, [3, 5], order).unwrap(), "{name}");
            assert_eq!(icnr(view, 2, order).unwrap(), icnr(&copy, 2, order).unwrap(), "{name}");
        }
        assert_eq!(zero_insert(view, 3, NailSpan::Blocks).unwrap(), zero_insert(&copy, 3, NailSpan::Blocks).unwrap(), "{name}");
        assert_eq!(decimate(view, 2).unwrap(), decimate(&copy, 2).unwrap(), "{name}");
        assert_eq!(center_crop(view, [3, 3]).unwrap(), center_crop(&copy, [3, 3]).unwrap(), "{name}");
        assert_eq!(center_pad(view, [9, 9]).unwrap(), center_pad(&copy, [9, 9]).unwrap(), "{name}");
        let pool = MaxPool::new(3).stride(1);
        let (y, indices) = pool.forward(view).unwrap();
        assert_eq!((y.clone(), indices.clone()), pool.forward(&copy).unwrap(), "{name}");
        let everywhere = copy.mapv(|_| 0_i64);
        let mirrored = everywhere.slice(s![..;-1, ..;-1, ..;-1, ..;-1]);
        let unpool = MaxUnpool::to([6, 5]);
        assert_eq!(unpool.forward(view, mirrored).unwrap(), unpool.forward(&copy, &everywhere).unwrap(), "{name}");
        assert_eq!(unpool.input_gradient(view, mirrored).unwrap(), unpool.input_gradient(&copy, &everywhere).unwrap(), "{name}");
        let shape = y.dim();
        let dy = copy.slice(s![.., .., ..shape.2, ..shape.3]);
        let found = pool.input_gradient(dy, &indices, [6, 5]).unwrap();
        assert_eq!(found, pool.input_gradient(&dy.to_owned(), &indices, [6, 5]).unwrap(), "{name}");
    });
}

/// Outputs that lie in any way receive the same numbers, and nothing between their elements is written.
#[test]
fn outputs_of_any_stride_are_filled_and_nothing_else() {
    let x = numbers([2, 3, 4, 5]);
    let weight = numbers([3, 2, 2, 2]);
    let plan = Resize::cubic().plan([4, 5], [8, 10]).unwrap();
    let deconv = ConvTranspose::new().stride(2);
    type Write<'a> = &'a dyn Fn(Tensor4Mut<'_, f32>);
    let writes: [(&str, Array4<f32>, Write<'_>); 4] = [
        ("resize", plan.forward(&x).unwrap(), &|y| plan.forward_into(&x, y).unwrap()),
        ("transposed convolution", deconv.forward(&x, &weight, None).unwrap(), &|y| {
            deconv.plan(spatial(&x), spatial(&weight)).and_then(|plan| plan.forward_into(&x, &weight, None, y)).unwrap()
        }),
        ("nails", zero_insert(&x, 2, NailSpan::Blocks).unwrap(), &|y| zero_insert_into(&x, 2, NailSpan::Blocks, y).unwrap()),
        ("padding", center_pad(&x, [8, 10]).unwrap(), &|y| center_pad_into(&x, y).unwrap()),
    ];
    for (name, expected, write) in writes {
        let (n, c, h, w) = expected.dim();
        let mut spaced = Array4::from_elem((2 * n, 2 * c, 2 * h, 2 * w), 9.0);
        write(spaced.slice_mut(s![..;2, ..;-2, 1..;2, ..;-2]).into());
        assert_eq!(spaced.slice(s![..;2, ..;-2, 1..;2, ..;-2]), expected, "{name}");
        let written = spaced.iter().filter(|&&value| value != 9.0).count();
        assert!(written <= expected.len(), "{name}: {written} of {} elements", expected.len());
        spaced.slice_mut(s![..;2, ..;-2, 1..;2, ..;-2]).fill(9.0);
        assert!(spaced.iter().all(|&value| value == 9.0), "{name}: something between the elements has been written");
        let mut last = Array4::zeros((n, h, w, c));
        write(Tensor4Mut::from_nhwc(last.view_mut()));
        assert_eq!(last.permuted_axes([0, 3, 1, 2]), expected, "{name}: channels last");
    }
}

/// NaN, infinities and the largest numbers go in, and whatever comes out, nothing panics.
#[test]
fn hostile_values_do_not_panic() {
    let values = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN, f32::MIN_POSITIVE / 4.0, -0.0, 1.0];
    let mut next = values.iter().cycle();
    let x = Array4::from_shape_simple_fn((1, 4, 6, 7), || *next.next().unwrap());
    let weight = Array4::from_shape_simple_fn((4, 3, 3, 3), || *next.next().unwrap());
    for profile in [Profile::Torch, Profile::Onnx, Profile::OpenCv, Profile::Pillow, Profile::Jax, Profile::TensorFlow] {
        for resize in [Resize::nearest(), Resize::linear(), Resize::cubic(), Resize::filter(Filter::Gaussian)] {
            let plan = resize.profile(profile).plan([6, 7], [9, 5]).unwrap();
            plan.input_gradient(&plan.forward(&x).unwrap()).unwrap();
        }
    }
    for function in [|_: f64| f64::NAN, |_: f64| f64::INFINITY, |_: f64| 0.0, |x: f64| if x > 0.0 { 1.0 } else { -1.0 }, |_: f64| 1e308] {
        let plan = Resize::filter(Filter::custom(2.0, function)).plan([6, 7], [13, 4]).unwrap();
        plan.forward(&x).unwrap();
        plan.forward(&x.mapv(|v| v as u8)).unwrap();
        plan.forward(&x.mapv(|v| v as i32)).unwrap();
    }
    let steep = Resize::cubic().cubic_coefficient(1e300).plan([6, 7], [13, 14]).unwrap();
    steep.forward(&x).unwrap();
    steep.forward(&x.mapv(|v| v as u8)).unwrap();
    let extrapolating = upsample::Coordinates::TfCropAndResize { start: -1e300, end: 1e300 };
    let far = Resize::linear().coordinates(extrapolating).extrapolation(f64::NAN).plan([6, 7], [3, 3]).unwrap();
    far.forward(&x).unwrap();
    far.forward(&x.mapv(|v| v as u8)).unwrap();
    let deconv = ConvTranspose::new().stride(2);
    let y = deconv.forward(&x, &weight, None).unwrap();
    deconv.input_gradient(&y, &weight).unwrap();
    deconv.weight_gradient(&x, &y, [3, 3]).unwrap();
    deconv.bias_gradient(&y).unwrap();
    let (pooled, indices) = MaxPool::new(2).forward(&x).unwrap();
    MaxPool::new(2).input_gradient(&pooled, &indices, [6, 7]).unwrap();
    let _ = upsample::checkerboard::StrideSpectrum::of(&x, 2).unwrap().prominence();
}
