//! Operators that move pixels, against their definitions, index by index; indices of unpooling that point anywhere.
#![no_main]

use arbitrary::{Arbitrary, Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use upsample::Tensor5Mut;
use upsample::ndarray::{Array5, ArrayView5};
use upsample::rearrange::*;
use upsample_fuzz::{Laid, Layout, Values, noise};

#[derive(Debug, Clone, Copy)]
struct Small<const FROM: u8, const TO: u8>(usize);

impl<'a, const FROM: u8, const TO: u8> Arbitrary<'a> for Small<FROM, TO> {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(Self(usize::from(u.int_in_range(FROM..=TO)?)))
    }
}

#[derive(Debug, Arbitrary)]
enum Operator {
    Shuffle {
        block: [Small<1, 4>; 3],
        depth_first: bool,
    },
    Nails {
        factor: [Small<1, 4>; 3],
        between: bool,
    },
    Crop {
        begin: [Small<0, 9>; 3],
        size: [Small<0, 9>; 3],
        center: bool,
    },
    Pool {
        kernel: [Small<1, 4>; 3],
        stride: [Small<1, 4>; 3],
        padding: [Small<0, 3>; 3],
        dilation: [Small<1, 3>; 3],
        ceil: bool,
        tensor: bool,
    },
    Unpool {
        indices: Vec<i16>,
        output: [Small<0, 7>; 3],
        counted: Option<[Small<0, 7>; 3]>,
        tensor: bool,
    },
}

#[derive(Debug, Arbitrary)]
struct Case {
    batch: Small<0, 3>,
    channels: Small<0, 5>,
    size: [Small<0, 7>; 3],
    seed: u16,
    values: Values,
    layout: Layout,
    operator: Operator,
}

fn numbers<const FROM: u8, const TO: u8>(small: [Small<FROM, TO>; 3]) -> [usize; 3] {
    small.map(|small| small.0)
}

/// Bits, so that NaN equals itself.
fn bits(array: &Array5<f64>) -> Vec<u64> {
    array.iter().map(|value| value.to_bits()).collect()
}

/// `expected` from a new array and into one whose channels lie last.
#[track_caller]
fn check(case: &Case, what: &str, expected: &Array5<f64>, found: Array5<f64>, into: impl FnOnce(Tensor5Mut<'_, f64>)) {
    assert_eq!(found.dim(), expected.dim(), "{what} {case:?}");
    assert_eq!(bits(&found), bits(expected), "{what} {case:?}");
    let (n, c, d, h, w) = expected.dim();
    let mut last = Array5::from_elem((n, d, h, w, c), 55.0);
    into(Tensor5Mut::from_ndhwc(last.view_mut()));
    let last = last.permuted_axes([0, 4, 1, 2, 3]);
    assert_eq!(bits(&last), bits(expected), "{what} into {case:?}");
}

fn shuffle(case: &Case, block: [usize; 3], depth_first: bool) {
    let order = if depth_first { ChannelOrder::DepthFirst } else { ChannelOrder::ChannelFirst };
    let (pixels, c, [d, h, w]) = (block.iter().product::<usize>(), case.channels.0, numbers(case.size));
    let values = noise([case.batch.0, c * pixels, d, h, w], case.seed, case.values);
    let x = Laid::new(&values, case.layout);
    let found = pixel_shuffle(x.view(), block, order);
    if d * h * w == 0 {
        assert!(found.is_err(), "{case:?}");
        return;
    }
    let deep = |channel: usize, pixel: usize| if depth_first { pixel * c + channel } else { channel * pixels + pixel };
    let expected = Array5::from_shape_fn((case.batch.0, c, d * block[0], h * block[1], w * block[2]), |(n, channel, z, y, u)| {
        let pixel = (z % block[0] * block[1] + y % block[1]) * block[2] + u % block[2];
        x.view()[[n, deep(channel, pixel), z / block[0], y / block[1], u / block[2]]]
    });
    check(case, "shuffle", &expected, found.unwrap(), |out| pixel_shuffle_into(x.view(), block, order, out).unwrap());
    let back = Laid::new(&expected, case.layout);
    if case.layout != Layout::Broadcast {
        let original = x.view().to_owned();
        let found = pixel_unshuffle(back.view(), block, order).unwrap();
        check(case, "unshuffle", &original, found, |out| pixel_unshuffle_into(back.view(), block, order, out).unwrap());
    }
}

fn nails(case: &Case, x: ArrayView5<'_, f64>, factor: [usize; 3], between: bool) {
    let span = if between { NailSpan::Between } else { NailSpan::Blocks };
    let (n, c, d, h, w) = x.dim();
    let found = zero_insert(x, factor, span);
    if d * h * w == 0 {
        assert!(found.is_err() && decimate(x, factor).is_err(), "{case:?}");
        return;
    }
    let size = |size: usize, factor: usize| if between { (size - 1) * factor + 1 } else { size * factor };
    let [d, h, w] = [size(d, factor[0]), size(h, factor[1]), size(w, factor[2])];
    let expected = Array5::from_shape_fn((n, c, d, h, w), |(n, c, d, h, w)| {
        let on_nail = d % factor[0] + h % factor[1] + w % factor[2] == 0;
        if on_nail { x[[n, c, d / factor[0], h / factor[1], w / factor[2]]] } else { 0.0 }
    });
    check(case, "nails", &expected, found.unwrap(), |out| zero_insert_into(x, factor, span, out).unwrap());
    let (n, c, d, h, w) = x.dim();
    let size = (n, c, d.div_ceil(factor[0]), h.div_ceil(factor[1]), w.div_ceil(factor[2]));
    let expected = Array5::from_shape_fn(size, |(n, c, d, h, w)| x[[n, c, d * factor[0], h * factor[1], w * factor[2]]]);
    check(case, "decimate", &expected, decimate(x, factor).unwrap(), |out| decimate_into(x, factor, out).unwrap());
}

fn cut(case: &Case, x: ArrayView5<'_, f64>, begin: [usize; 3], size: [usize; 3], center: bool) {
    let (n, c, d, h, w) = x.dim();
    let outer = [d, h, w];
    let begin = if center { std::array::from_fn(|axis| outer[axis].saturating_sub(size[axis]) / 2) } else { begin };
    let found = if center { center_crop(x, size) } else { crop(x, begin, size) };
    let fits = (0..3).all(|axis| size[axis] > 0 && begin[axis] + size[axis] <= outer[axis]);
    assert_eq!(found.is_ok(), fits, "{case:?}");
    if let Ok(found) = found {
        let expected =
            Array5::from_shape_fn((n, c, size[0], size[1], size[2]), |(n, c, d, h, w)| x[[n, c, d + begin[0], h + begin[1], w + begin[2]]]);
        check(case, "crop", &expected, found, |out| crop_into(x, begin, out).unwrap());
    }
    let wide: [usize; 3] = std::array::from_fn(|axis| outer[axis] + size[axis]);
    let found = zero_pad(x, begin, wide);
    let fits = (0..3).all(|axis| outer[axis] > 0 && begin[axis] <= size[axis]);
    assert_eq!(found.is_ok(), fits, "{case:?}");
    if let Ok(found) = found {
        let expected = Array5::from_shape_fn((n, c, wide[0], wide[1], wide[2]), |(n, c, d, h, w)| {
            let at = [d, h, w];
            let inside = (0..3).all(|axis| (begin[axis]..begin[axis] + outer[axis]).contains(&at[axis]));
            if inside { x[[n, c, d - begin[0], h - begin[1], w - begin[2]]] } else { 0.0 }
        });
        check(case, "pad", &expected, found, |out| zero_pad_into(x, begin, out).unwrap());
    }
}

fn pool(case: &Case, x: ArrayView5<'_, f64>, [k, s, p, d]: [[usize; 3]; 4], ceil: bool, tensor: bool) {
    let space = if tensor { IndexSpace::Tensor } else { IndexSpace::Plane };
    let pool = MaxPool::new(k).stride(s).padding(p).dilation(d).ceil_mode(ceil).index_space(space);
    let Ok((y, indices)) = pool.forward(x) else { return };
    let (batch, channels, depth, height, width) = x.dim();
    let size = [depth, height, width];
    for ((n, c, od, oh, ow), &found) in y.indexed_iter() {
        let mut best: Option<(f64, usize)> = None;
        let out = [od, oh, ow];
        for flat in 0..depth * height * width {
            let at = [flat / (height * width), flat / width % height, flat % width];
            let seen = (0..3).all(|axis| {
                let distance = (at[axis] + p[axis]) as i64 - (out[axis] * s[axis]) as i64;
                distance >= 0 && distance as usize % d[axis] == 0 && distance as usize / d[axis] < k[axis]
            });
            let value = x[[n, c, at[0], at[1], at[2]]];
            if seen && best.is_none_or(|(best, _)| value > best || value.is_nan()) {
                best = Some((value, flat));
            }
        }
        let (value, flat) = best.unwrap();
        let flat = if tensor { (n * channels + c) * depth * height * width + flat } else { flat };
        assert_eq!((value.to_bits(), flat as i64), (found.to_bits(), indices[[n, c, od, oh, ow]]), "{case:?}");
    }
    let dy = noise(y.dim().into(), case.seed ^ 3, Values::Finite);
    let dx = pool.input_gradient(&dy, &indices, size).unwrap();
    let mut expected = Array5::<f64>::zeros(x.dim());
    for ((n, c, ..), (&dy, &index)) in dy.indexed_iter().map(|(at, dy)| (at, (dy, &indices[at]))) {
        let flat = index as usize % (depth * height * width).max(1);
        expected[[n, c, flat / (height * width), flat / width % height, flat % width]] += dy;
    }
    assert!(dx.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-12), "{case:?}");
    // What overlapping windows found twice may be put back twice: the same value.
    let back = pool.unpool(size).forward(&y, &indices).unwrap();
    for ((n, c, d, h, w), &value) in back.indexed_iter() {
        assert!(value == 0.0 || value.to_bits() == x[[n, c, d, h, w]].to_bits(), "{case:?}");
    }
    assert_eq!(back.dim(), (batch, channels, depth, height, width));
}

fn unpool(case: &Case, x: ArrayView5<'_, f64>, found: &[i16], output: [usize; 3], counted: Option<[usize; 3]>, tensor: bool) {
    let space = if tensor { IndexSpace::Tensor } else { IndexSpace::Plane };
    let (batch, channels, ..) = x.dim();
    let mut numbers = found.iter().map(|&index| i64::from(index)).cycle();
    let indices = Array5::from_shape_simple_fn(x.dim(), || numbers.next().unwrap_or(0));
    let unpool = MaxUnpool::to(output).index_space(space);
    let unpool = counted.map_or(unpool, |counted| unpool.counted_in(counted));
    let counted = counted.unwrap_or(output);
    let plane: usize = counted.iter().product();
    let limit = plane * if tensor { batch * channels } else { 1 };
    let valid = output.iter().all(|&size| size > 0)
        && (0..3).all(|axis| counted[axis] > 0 && counted[axis] <= output[axis])
        && x.shape()[2..].iter().all(|&size| size > 0);
    let in_range = indices.iter().all(|&index| index >= 0 && (index as usize) < limit);
    let y = unpool.forward(x, &indices);
    assert_eq!(y.is_ok(), valid && in_range, "{case:?}: {y:?}");
    let dy = noise([batch, channels, output[0], output[1], output[2]], case.seed ^ 9, case.values);
    let dx = unpool.input_gradient(&dy, &indices);
    let Ok(y) = y else {
        assert!(dx.is_err(), "{case:?}");
        return;
    };
    let mut expected = Array5::<f64>::zeros(y.dim());
    let mut owner = Array5::from_elem(y.dim(), None);
    for (place, ((n, c, ..), (&value, &index))) in x.indexed_iter().map(|(at, x)| (at, (x, &indices[at]))).enumerate() {
        let (n, c) = if tensor { (index as usize / plane / channels, index as usize / plane % channels) } else { (n, c) };
        let flat = index as usize % plane;
        let at = [n, c, flat / (counted[1] * counted[2]), flat / counted[2] % counted[1], flat % counted[2]];
        expected[at] = value;
        owner[at] = Some(place);
    }
    check(case, "unpool", &expected, y, |out| unpool.forward_into(x, &indices, out).unwrap());
    let mut gradient = vec![0.0; x.len()];
    for (owner, &dy) in owner.iter().zip(&dy) {
        if let Some(owner) = *owner {
            gradient[owner] = dy;
        }
    }
    let gradient = Array5::from_shape_vec(x.dim(), gradient).unwrap();
    check(case, "unpool gradient", &gradient, dx.unwrap(), |out| unpool.input_gradient_into(&dy, &indices, out).unwrap());
}

fuzz_target!(|case: Case| {
    let [d, h, w] = numbers(case.size);
    let values = noise([case.batch.0, case.channels.0, d, h, w], case.seed, case.values);
    let x = Laid::new(&values, case.layout);
    match &case.operator {
        &Operator::Shuffle { block, depth_first } => shuffle(&case, numbers(block), depth_first),
        &Operator::Nails { factor, between } => nails(&case, x.view(), numbers(factor), between),
        &Operator::Crop { begin, size, center } => cut(&case, x.view(), numbers(begin), numbers(size), center),
        &Operator::Pool { kernel, stride, padding, dilation, ceil, tensor } => {
            pool(&case, x.view(), [numbers(kernel), numbers(stride), numbers(padding), numbers(dilation)], ceil, tensor);
        }
        Operator::Unpool { indices, output, counted, tensor } => {
            unpool(&case, x.view(), indices, numbers(*output), counted.map(numbers), *tensor);
        }
    }
});
