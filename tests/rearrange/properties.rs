//! Against the definitions, written as plain loops; inverses, adjoints, finite differences; every layout, rank and number of threads.

use ndarray::{Array3, Array4, Array5, ArrayView5, Axis, s};
use proptest::prelude::*;
use upsample::rearrange::*;
use upsample::{Tensor4, Tensor4Mut, Tensor5Mut};

/// Whole numbers that follow no pattern; sums of products of them are exact.
fn numbers(shape: impl Into<[usize; 5]>, seed: u64) -> Array5<f64> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(1);
    Array5::from_shape_simple_fn(shape.into(), || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % 201) as f64 - 100.0
    })
}

fn dot(a: &Array5<f64>, b: &Array5<f64>) -> f64 {
    assert_eq!(a.shape(), b.shape());
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Views of the same values that lie differently in memory: channels last, and mirrored on every axis.
fn with_layouts(x: &Array5<f64>, mut check: impl FnMut(&str, ArrayView5<'_, f64>)) {
    check("row-major", x.view());
    let mut last = Array5::zeros((x.dim().0, x.dim().2, x.dim().3, x.dim().4, x.dim().1));
    last.assign(&x.view().permuted_axes([0, 2, 3, 4, 1]));
    check("channels last", last.view().permuted_axes([0, 4, 1, 2, 3]));
    let mut mirrored = x.slice(s![..;-1, ..;-1, ..;-1, ..;-1, ..;-1]).to_owned();
    (0..5).for_each(|axis| mirrored.invert_axis(Axis(axis)));
    check("mirrored", mirrored.view());
}

/// Runs `write` on outputs that lie differently in memory and compares what it wrote.
fn into_layouts(expected: &Array5<f64>, write: impl Fn(Tensor5Mut<'_, f64>)) {
    let mut plain = Array5::from_elem(expected.raw_dim(), f64::NAN);
    write((&mut plain).into());
    assert_eq!(plain, expected);
    let (n, c, d, h, w) = expected.dim();
    let mut channels_last = Array5::from_elem((n, d, h, w, c), f64::NAN);
    write(Tensor5Mut::from_ndhwc(channels_last.view_mut()));
    assert_eq!(channels_last.permuted_axes([0, 4, 1, 2, 3]), expected);
}

/// `A` and `gradient` are adjoint: `<A x, y> = <x, Aᵀ y>`, exactly, and the gradient is the slope of `<A x, y>`.
fn assert_adjoint(x: &Array5<f64>, forward: impl Fn(&Array5<f64>) -> Array5<f64>, gradient: impl Fn(&Array5<f64>) -> Array5<f64>) {
    let dy = numbers(<[usize; 5]>::from(forward(x).dim()), 77);
    let dx = gradient(&dy);
    assert_eq!(dot(&forward(x), &dy), dot(x, &dx));
    // The operators are linear where they do not choose anew, and a half is small beside whole numbers: the differences are exact.
    for place in [0, x.len() / 3, x.len() - 1] {
        let mut moved = x.clone();
        *moved.iter_mut().nth(place).unwrap() += 0.5;
        let slope = (dot(&forward(&moved), &dy) - dot(&forward(x), &dy)) / 0.5;
        assert_eq!(slope, *dx.iter().nth(place).unwrap(), "place {place}");
    }
}

fn shuffled_by_definition(x: &Array5<f64>, block: [usize; 3], order: ChannelOrder) -> Array5<f64> {
    let (n, deep, d, h, w) = x.dim();
    let pixels = block.iter().product::<usize>();
    let mut y = Array5::zeros((n, deep / pixels, d * block[0], h * block[1], w * block[2]));
    // As ONNX writes it: reshape, transpose, reshape.
    for ((n, channel, d, h, w), &value) in x.indexed_iter() {
        let (c, i) = match order {
            ChannelOrder::ChannelFirst => (channel / pixels, channel % pixels),
            ChannelOrder::DepthFirst => (channel % (deep / pixels), channel / (deep / pixels)),
            other => panic!("{other:?} is not tested"),
        };
        let (i, x) = (i / block[2], i % block[2]);
        let (z, y_in) = (i / block[1], i % block[1]);
        y[[n, c, d * block[0] + z, h * block[1] + y_in, w * block[2] + x]] = value;
    }
    y
}

/// Slides the window step by step; the numbers of windows are found by walking, not by a formula.
fn pooled_by_definition(
    x: &Array5<f64>,
    k: [usize; 3],
    s: [usize; 3],
    p: [usize; 3],
    d: [usize; 3],
    ceil: bool,
) -> (Array5<f64>, Array5<i64>) {
    let size: [usize; 5] = x.dim().into();
    let begins: [Vec<isize>; 3] = std::array::from_fn(|axis| {
        let (n, p, reach) = (size[axis + 2] as isize, p[axis] as isize, (d[axis] * (k[axis] - 1)) as isize);
        let mut begins = vec![];
        let mut begin = -p;
        while begin + reach < n + p {
            begins.push(begin);
            begin += s[axis] as isize;
        }
        let leftover = begin - s[axis] as isize + reach + 1 < n + p;
        if ceil && leftover && begin < n {
            begins.push(begin);
        }
        begins
    });
    let shape = [size[0], size[1], begins[0].len(), begins[1].len(), begins[2].len()];
    let (mut y, mut indices) = (Array5::zeros(shape), Array5::zeros(shape));
    for ((n, c, od, oh, ow), y) in y.indexed_iter_mut() {
        let mut best: Option<(f64, usize)> = None;
        for flat in 0..size[2] * size[3] * size[4] {
            let at = [flat / (size[3] * size[4]), flat / size[4] % size[3], flat % size[4]];
            let seen = [od, oh, ow].into_iter().enumerate().all(|(axis, o)| {
                let distance = at[axis] as isize - begins[axis][o];
                distance >= 0 && distance % d[axis] as isize == 0 && distance / (d[axis] as isize) < k[axis] as isize
            });
            let value = x[[n, c, at[0], at[1], at[2]]];
            if seen && best.is_none_or(|(best, _)| value > best || value.is_nan()) {
                best = Some((value, flat));
            }
        }
        let (value, flat) = best.unwrap();
        (*y, indices[[n, c, od, oh, ow]]) = (value, flat as i64);
    }
    (y, indices)
}

fn sizes(from: usize, to: usize) -> impl Strategy<Value = [usize; 3]> {
    [from..=to, from..=to, from..=to]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pixel_shuffle_is_its_definition((n, c) in (0..3_usize, 1..4_usize), size in sizes(1, 4), block in sizes(1, 5), first: bool) {
        let order = if first { ChannelOrder::ChannelFirst } else { ChannelOrder::DepthFirst };
        let x = numbers([n, c * block.iter().product::<usize>(), size[0], size[1], size[2]], 1);
        let expected = shuffled_by_definition(&x, block, order);
        with_layouts(&x, |layout, x| assert_eq!(pixel_shuffle(x, block, order).unwrap(), expected, "{layout}"));
        with_layouts(&expected, |layout, y| assert_eq!(pixel_unshuffle(y, block, order).unwrap(), x, "{layout}"));
        into_layouts(&expected, |y| pixel_shuffle_into(&x, block, order, y).unwrap());
        into_layouts(&x, |x| pixel_unshuffle_into(&expected, block, order, x).unwrap());
        if n > 0 {
            assert_adjoint(&x, |x| pixel_shuffle(x, block, order).unwrap(), |dy| pixel_unshuffle(dy, block, order).unwrap());
        }
    }

    #[test]
    fn max_pooling_is_its_definition(
        (n, c) in (0..3_usize, 1..3_usize), size in sizes(1, 6), k in sizes(1, 3), s in sizes(1, 3), d in sizes(1, 3), p in sizes(0, 3),
        ceil: bool, spread in 1..100_i32,
    ) {
        let p: [usize; 3] = std::array::from_fn(|axis| p[axis].min((d[axis] * (k[axis] - 1)).div_ceil(2)));
        let pool = MaxPool::new(k).stride(s).padding(p).dilation(d).ceil_mode(ceil);
        // A small spread makes many pixels equal.
        let x = numbers([n, c, size[0], size[1], size[2]], 2).mapv(|value| (value / f64::from(spread)).round());
        let Ok(pooled) = pool.output_size(size) else { return Ok(()) };
        let (y, indices) = pooled_by_definition(&x, k, s, p, d, ceil);
        prop_assert_eq!(&pooled[..], &y.shape()[2..]);
        with_layouts(&x, |layout, x| assert_eq!(pool.forward(x).unwrap(), (y.clone(), indices.clone()), "{layout}"));
        let mut found = Array5::from_elem((n, pooled[0], pooled[1], pooled[2], c), -7);
        into_layouts(&y, |y| pool.forward_into(&x, y, Tensor5Mut::from_ndhwc(found.clone().view_mut())).unwrap());
        pool.forward_into(&x, &mut y.clone(), Tensor5Mut::from_ndhwc(found.view_mut())).unwrap();
        prop_assert_eq!(found.permuted_axes([0, 4, 1, 2, 3]), indices.view());

        // ONNX counts through the tensor.
        let plane = size.iter().product::<usize>();
        let mut counted_through = indices.clone();
        for ((n, channel, ..), index) in counted_through.indexed_iter_mut() {
            *index += ((n * c + channel) * plane) as i64;
        }
        let onnx = pool.index_space(IndexSpace::Tensor);
        prop_assert_eq!(&onnx.forward(&x).unwrap().1, &counted_through);

        // With the choice made, pooling is linear.
        let dy = numbers(<[usize; 5]>::from(y.dim()), 3);
        let dx = pool.input_gradient(&dy, &indices, size).unwrap();
        prop_assert_eq!(dot(&y, &dy), dot(&x, &dx));
        prop_assert_eq!(&onnx.input_gradient(&dy, &counted_through, size).unwrap(), &dx);
        with_layouts(&dy, |layout, dy| assert_eq!(pool.input_gradient(dy, &indices, size).unwrap(), dx, "{layout}"));
        into_layouts(&dx, |out| pool.input_gradient_into(&dy, &indices, out).unwrap());
    }

    #[test]
    fn of_repeated_indices_the_last_counts(
        (n, c) in (1..3_usize, 1..3_usize), pooled in sizes(1, 3), counted in sizes(1, 4), more in sizes(0, 2), whole: bool, seed: u64,
    ) {
        let size: [usize; 3] = std::array::from_fn(|axis| counted[axis] + more[axis]);
        let plane = counted.iter().product::<usize>();
        let (space, limit) = if whole { (IndexSpace::Tensor, n * c * plane) } else { (IndexSpace::Plane, plane) };
        let x = numbers([n, c, pooled[0], pooled[1], pooled[2]], 4);
        let indices = numbers([n, c, pooled[0], pooled[1], pooled[2]], seed).mapv(|value| (value + 100.0) as i64 % limit as i64);

        let mut expected = Array5::zeros((n, c, size[0], size[1], size[2]));
        for ((n, channel, d, h, w), &index) in indices.indexed_iter() {
            let (plane_number, at) = if whole { (index as usize / plane, index as usize % plane) } else { (n * c + channel, index as usize) };
            let place = [at / (counted[1] * counted[2]), at / counted[2] % counted[1], at % counted[2]];
            expected[[plane_number / c, plane_number % c, place[0], place[1], place[2]]] = x[[n, channel, d, h, w]];
        }
        let unpool = MaxUnpool::to(size).counted_in(counted).index_space(space);
        with_layouts(&x, |layout, x| assert_eq!(unpool.forward(x, &indices).unwrap(), expected, "{layout}"));
        into_layouts(&expected, |y| unpool.forward_into(&x, &indices, y).unwrap());
        assert_adjoint(&x, |x| unpool.forward(x, &indices).unwrap(), |dy| unpool.input_gradient(dy, &indices).unwrap());
        let dy = numbers(<[usize; 5]>::from(expected.dim()), 5);
        let dx = unpool.input_gradient(&dy, &indices).unwrap();
        with_layouts(&dy, |layout, dy| assert_eq!(unpool.input_gradient(dy, &indices).unwrap(), dx, "{layout}"));
        into_layouts(&dx, |dx| unpool.input_gradient_into(&dy, &indices, dx).unwrap());
    }

    #[test]
    fn zero_insertion_is_its_definition((n, c) in (1..3_usize, 1..3_usize), size in sizes(1, 4), f in sizes(1, 4), blocks: bool) {
        let span = if blocks { NailSpan::Blocks } else { NailSpan::Between };
        let x = numbers([n, c, size[0], size[1], size[2]], 6);
        let out: [usize; 3] = std::array::from_fn(|axis| if blocks { size[axis] * f[axis] } else { (size[axis] - 1) * f[axis] + 1 });
        let mut expected = Array5::zeros((n, c, out[0], out[1], out[2]));
        for ((n, c, d, h, w), &value) in x.indexed_iter() {
            expected[[n, c, d * f[0], h * f[1], w * f[2]]] = value;
        }
        with_layouts(&x, |layout, x| assert_eq!(zero_insert(x, f, span).unwrap(), expected, "{layout}"));
        with_layouts(&expected, |layout, y| assert_eq!(decimate(y, f).unwrap(), x, "{layout}"));
        into_layouts(&expected, |y| zero_insert_into(&x, f, span, y).unwrap());
        into_layouts(&x, |x| decimate_into(&expected, f, x).unwrap());
        assert_adjoint(&x, |x| zero_insert(x, f, span).unwrap(), |dy| decimate(dy, f).unwrap());
    }

    #[test]
    fn cropping_is_its_definition((n, c) in (1..3_usize, 1..3_usize), size in sizes(1, 4), before in sizes(0, 3), after in sizes(0, 3)) {
        let whole: [usize; 3] = std::array::from_fn(|axis| size[axis] + before[axis] + after[axis]);
        let x = numbers([n, c, whole[0], whole[1], whole[2]], 7);
        let y = Array5::from_shape_fn((n, c, size[0], size[1], size[2]), |(n, c, d, h, w)| x[[n, c, d + before[0], h + before[1], w + before[2]]]);
        with_layouts(&x, |layout, x| assert_eq!(crop(x, before, size).unwrap(), y, "{layout}"));
        into_layouts(&y, |out| crop_into(&x, before, out).unwrap());
        assert_adjoint(&x, |x| crop(x, before, size).unwrap(), |dy| zero_pad(dy, before, whole).unwrap());

        let middle: [usize; 3] = std::array::from_fn(|axis| (before[axis] + after[axis]) / 2);
        prop_assert_eq!(center_crop(&x, size).unwrap(), crop(&x, middle, size).unwrap());
        prop_assert_eq!(center_pad(&y, whole).unwrap(), zero_pad(&y, middle, whole).unwrap());
        let padded = zero_pad(&y, before, whole).unwrap();
        prop_assert_eq!(padded.sum(), y.sum());
        prop_assert_eq!(crop(&padded, before, size).unwrap(), y.view());
        with_layouts(&y, |layout, y| assert_eq!(zero_pad(y, before, whole).unwrap(), padded, "{layout}"));
        into_layouts(&padded, |out| zero_pad_into(&y, before, out).unwrap());
        into_layouts(&center_pad(&y, whole).unwrap(), |out| center_pad_into(&y, out).unwrap());
        into_layouts(&center_crop(&x, size).unwrap(), |out| center_crop_into(&x, out).unwrap());
    }
}

/// The gradient of pooling is the slope of a loss, as long as no maximum moves: values are further apart than the step.
#[test]
fn pooling_finite_differences() {
    for (name, pool, size) in [
        ("2×2", MaxPool::<2>::new(2), [4, 6]),
        ("overlapping, padded", MaxPool::new(3).stride(2).padding(1), [5, 6]),
        ("dilated, a last window that does not fit", MaxPool::new(2).stride([2, 3]).dilation(2).ceil_mode(true), [6, 7]),
    ] {
        // 0, 1, 2, ... in an order without pattern: all are different.
        let count = 2 * 3 * size[0] * size[1];
        let x = Array4::from_shape_fn((2, 3, size[0], size[1]), |(n, c, h, w)| {
            let flat = ((n * 3 + c) * size[0] + h) * size[1] + w;
            (flat * 7919 % count) as f64
        });
        let loss = |x: &Array4<f64>| pool.forward(x).unwrap().0.mapv(|y| y * y / 2.0).sum();
        let (y, indices) = pool.forward(&x).unwrap();
        let dx = pool.input_gradient(&y, &indices, size).unwrap();
        for (place, &gradient) in dx.iter().enumerate() {
            let [up, down] = [0.25, -0.25].map(|step| {
                let mut moved = x.clone();
                moved.as_slice_mut().unwrap()[place] += step;
                loss(&moved)
            });
            // The loss is quadratic, so the central difference is its slope exactly.
            assert_eq!((up - down) / 0.5, gradient, "{name}, pixel {place}");
        }
    }
}

/// Signals and pictures are volumes whose missing axes have size 1.
#[test]
fn ranks_agree() {
    let x: Array3<f64> = numbers([2, 12, 1, 1, 10], 8).remove_axis(Axis(2)).remove_axis(Axis(2));
    let x4: Array4<f64> = x.clone().insert_axis(Axis(2));
    let up = |y: Array3<f64>| y.insert_axis(Axis(2));
    let order = ChannelOrder::DepthFirst;
    assert_eq!(up(pixel_shuffle(&x, 3, order).unwrap()), pixel_shuffle(&x4, [1, 3], order).unwrap());
    assert_eq!(up(pixel_unshuffle(&x, 2, order).unwrap()), pixel_unshuffle(&x4, [1, 2], order).unwrap());
    assert_eq!(up(zero_insert(&x, 2, NailSpan::Between).unwrap()), zero_insert(&x4, 2, NailSpan::Between).unwrap());
    assert_eq!(up(decimate(&x, 3).unwrap()), decimate(&x4, 3).unwrap());
    assert_eq!(up(center_crop(&x, [7]).unwrap()), center_crop(&x4, [1, 7]).unwrap());
    assert_eq!(up(center_pad(&x, [17]).unwrap()), center_pad(&x4, [1, 17]).unwrap());
    let (y, indices) = MaxPool::new(3).padding(1).forward(&x).unwrap();
    let pool = MaxPool::new([1, 3]).padding([0, 1]);
    let (y4, indices4) = pool.forward(&x4).unwrap();
    assert_eq!((up(y), indices.insert_axis(Axis(2))), (y4.clone(), indices4.clone()));
    assert_eq!(pool.unpool([1, 10]).forward(&y4, &indices4).unwrap(), MaxUnpool::to([1, 10]).forward(&y4, &indices4).unwrap());
}

/// Sizes that are cut into many pieces, on pools of 1 to 8 threads, in both layouts: always the same bits.
#[test]
fn large_tensors_on_any_number_of_threads() {
    let x = numbers([2, 36, 1, 65, 63], 9).remove_axis(Axis(2));
    let mut nhwc = Array4::zeros((2, 65, 63, 36));
    nhwc.assign(&x.view().permuted_axes([0, 2, 3, 1]));
    let wide: Array5<f64> = numbers([1, 1, 1, 300, 301], 10);
    let wide = wide.remove_axis(Axis(2));

    let all = || {
        let (y, indices) = MaxPool::new(3).stride(2).padding(1).forward(&x).unwrap();
        let pool = MaxPool::new(2);
        let (small, small_indices) = pool.forward(&wide).unwrap();
        let shuffled = pixel_shuffle(&x, 3, ChannelOrder::ChannelFirst).unwrap();
        let mut into_nhwc = Array4::zeros((2, 65 * 3, 63 * 3, 4));
        pixel_shuffle_into(Tensor4::from_nhwc(nhwc.view()), 3, ChannelOrder::ChannelFirst, Tensor4Mut::from_nhwc(into_nhwc.view_mut()))
            .unwrap();
        assert_eq!(into_nhwc.permuted_axes([0, 3, 1, 2]), shuffled);
        assert_eq!(pixel_unshuffle(&shuffled, 3, ChannelOrder::ChannelFirst).unwrap(), x);
        vec![
            MaxPool::new(3).stride(2).padding(1).input_gradient(&y, &indices, [65, 63]).unwrap(),
            MaxUnpool::to([65, 63]).forward(&y, &indices).unwrap(),
            MaxUnpool::to([65, 63]).input_gradient(&x, &indices).unwrap(),
            pool.unpool([300, 301]).forward(&small, &small_indices).unwrap(),
            zero_insert(&x, 2, NailSpan::Blocks).unwrap(),
            decimate(&wide, [2, 3]).unwrap(),
            center_crop(&x, [33, 50]).unwrap(),
            center_pad(&wide, [333, 350]).unwrap(),
            y,
            indices.mapv(|index| index as f64),
            shuffled,
        ]
    };
    let expected = all();
    let few = x.slice(s![.., ..5, .., ..]).to_owned().insert_axis(Axis(2));
    let (y, indices) = pooled_by_definition(&few, [1, 3, 3], [1, 2, 2], [0, 1, 1], [1; 3], false);
    assert_eq!(expected[8].slice(s![.., ..5, .., ..]), y.remove_axis(Axis(2)));
    assert_eq!(expected[9].slice(s![.., ..5, .., ..]), indices.remove_axis(Axis(2)).mapv(|index| index as f64));
    assert_eq!(decimate(&expected[4], 2).unwrap(), x);
    assert_eq!(center_crop(&expected[7], [300, 301]).unwrap(), wide);
    #[cfg(feature = "rayon")]
    for threads in [1, 2, 3, 8] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert_eq!(pool.install(all), expected, "{threads} threads");
    }
    #[cfg(not(feature = "rayon"))]
    assert_eq!(all(), expected);
}

/// Types without any arithmetic go through the operators that only move.
#[test]
fn any_copy_type() {
    #[derive(Debug, Clone, Copy, PartialEq)]
    struct Label(&'static str);
    let x = Array4::from_shape_vec((1, 4, 1, 1), ["a", "b", "c", "d"].map(Label).to_vec()).unwrap();
    let y = pixel_shuffle(&x, 2, ChannelOrder::ChannelFirst).unwrap();
    assert_eq!(y.iter().map(|label| label.0).collect::<String>(), "abcd");
    assert_eq!(center_crop(&y, [1, 2]).unwrap().iter().map(|label| label.0).collect::<String>(), "ab");
    let pooled = MaxPool::new(2).forward(&ndarray::array![[['x', 'z', 'y', 'w']]]).unwrap();
    assert_eq!(pooled, (ndarray::array![[['z', 'y']]], ndarray::array![[[1, 2]]]));
}

/// f16 gradients are summed in f32: 3000 ones sum to 3000, which they do not in f16.
#[cfg(feature = "half")]
#[test]
fn half_precision_gradients_are_summed_in_single_precision() {
    let one = half::f16::ONE;
    let pool = MaxPool::<1>::new(3000).stride(1);
    let x = Array3::from_shape_fn((1, 1, 5999), |(_, _, i)| if i == 2999 { one } else { half::f16::ZERO });
    let (_, indices) = pool.forward(&x).unwrap();
    let dx = pool.input_gradient(&Array3::from_elem((1, 1, 3000), one), &indices, [5999]).unwrap();
    assert_eq!(dx[[0, 0, 2999]].to_f32(), 3000.0);
}
