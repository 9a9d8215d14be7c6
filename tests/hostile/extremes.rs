//! Numbers at the ends of what can be written that have a meaning all the same: they give their result, at once.

use ndarray::{Array3, Array4, Array5, arr0, array};
use upsample::rearrange::{MaxPool, NailSpan, decimate, zero_insert};
use upsample::{Convolution, Resize, ResizeConv, StreamingStores};

/// 2⁶³, taken for an isize, is the smallest, which has no positive counterpart.
const STEPS: [usize; 4] = [usize::MAX, usize::MAX - 1, 1 << 63, isize::MAX as usize];

#[test]
fn steps_that_do_not_fit_an_isize() {
    let (one, many) = (array![[[7_u8]]], array![[[7_u8, 8, 9]]]);
    for step in STEPS {
        assert_eq!(zero_insert(&one, step, NailSpan::Between).unwrap(), one, "{step}");
        assert_eq!(decimate(&many, step).unwrap(), one, "{step}");
        assert_eq!(MaxPool::new(1).stride(step).forward(&many).unwrap(), (one.clone(), array![[[0]]]), "{step}");
    }
}

#[test]
fn pooled_sizes_are_told_without_counting() {
    let pixels = 1_usize << 60;
    let far = MaxPool::<1>::new(2).stride(1).dilation(pixels + 1).padding_of(0, pixels / 2);
    assert_eq!(far.output_size([pixels]).unwrap(), [pixels / 2 - 1]);
    assert_eq!(MaxPool::<1>::new(1 << 61).stride(1).padding(1 << 60).output_size([1]).unwrap(), [2]);
}

/// Where a kernel has one tap, its dilation means nothing.
#[test]
fn one_tap_is_at_any_distance() {
    let (x, weight) = (Array3::from_shape_fn((1, 2, 5), |(_, c, l)| (c + l) as f32), Array3::<f32>::ones((2, 3, 1)));
    for dilation in STEPS {
        for padding in [0, 3] {
            let up = ResizeConv::new().padding(padding).dilation(dilation);
            let y = up.forward(&x, &weight, None).unwrap();
            let other_way = weight.view().permuted_axes([1, 0, 2]);
            assert_eq!(y, Convolution::new().padding(padding).dilation(dilation).forward(&x, other_way, None).unwrap(), "{dilation}");
            let plan = up.plan([5], [1]).unwrap();
            assert_eq!(plan.input_gradient(&y, &weight).unwrap().dim(), x.dim(), "{dilation}");
            assert_eq!(plan.weight_gradient(&x, &y).unwrap().dim(), weight.dim(), "{dilation}");
        }
    }
}

/// The cost of each order of the passes is more than a usize can count.
#[test]
fn broadcast_volumes_of_astronomical_size_are_resized() {
    let one = arr0(1.0_f32);
    let volume = one.broadcast((1, 1, 1 << 21, 1 << 21, 1)).unwrap();
    let y = Resize::linear().plan([1 << 21, 1 << 21, 1], [1, 1, 1 << 21]).unwrap().forward(volume).unwrap();
    assert_eq!(y, Array5::<f32>::ones((1, 1, 1, 1, 1 << 21)));
}

/// An element that begins at multiples of more than a cache line, where rows that go past the caches are assembled.
#[test]
fn elements_of_any_alignment_are_copied() {
    #[derive(Debug, Clone, Copy, PartialEq)]
    #[repr(align(1024))]
    struct Aligned(u32);
    let x = Array4::from_shape_fn((1, 2, 3, 5), |(_, c, h, w)| Aligned((c * 100 + h * 10 + w) as u32));
    for streaming in [StreamingStores::Always, StreamingStores::Never] {
        let y = Resize::nearest().streaming(streaming).plan([3, 5], 2.0).unwrap().forward_any(&x).unwrap();
        assert!(y.indexed_iter().all(|((n, c, h, w), value)| *value == x[[n, c, h / 2, w / 2]]), "{streaming:?}");
    }
}
