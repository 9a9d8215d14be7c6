//! What cannot be done is said with its numbers, and nothing is written.

use ndarray::{Array1, Array4};
use upsample::{Error, Resize, ResizeConv, Update};

fn ones(shape: [usize; 4]) -> Array4<f32> {
    Array4::ones(shape)
}

#[test]
fn plans_are_refused() {
    let up = || ResizeConv::new().factor(2).padding(1);
    let plan = |up: ResizeConv| up.plan([8, 8], [3, 3]).map(|_| ()).unwrap_err().to_string();
    for (name, found, expected) in [
        ("factor 0", plan(up().factor([2, 0])), "factor of the width axis is 0; it must be at least 1"),
        ("a factor too few", plan(up().factor([2])), "factor has 1 entries, expected one for each of the 2 axes"),
        ("padding for three axes", plan(up().padding([1, 2, 3])), "padding has 3 entries, expected one for each of the 2 axes"),
        ("dilation 0", plan(up().dilation(0)), "dilation of the height axis is 0; it must be at least 1"),
        ("no groups", plan(up().groups(0)), "groups is 0; it must be at least 1"),
        ("negative scale", plan(up().scale(-1.0)), "scale of the height axis is -1; it must be a positive finite number"),
        ("no size", plan(up().size([0, 4])), "output: the height axis has size 0; it must be at least 1"),
        (
            "kernel larger than the enlarged picture",
            up().plan([8, 1], [3, 9]).map(|_| ()).unwrap_err().to_string(),
            "width axis: no output is left for size 2, kernel 9 (dilated: 9), padding 1 + 1",
        ),
        (
            "kernel 0",
            up().plan([8, 8], [3, 0]).map(|_| ()).unwrap_err().to_string(),
            "kernel of the width axis is 0; it must be at least 1",
        ),
        (
            "no pixels",
            up().plan([8, 0], [3, 3]).map(|_| ()).unwrap_err().to_string(),
            "input: the width axis has size 0; it must be at least 1",
        ),
        (
            "doubling with kernel 0",
            ResizeConv::doubling([3, 0]).unwrap_err().to_string(),
            "kernel of the number 1 axis is 0; it must be at least 1",
        ),
    ] {
        assert_eq!(found, expected, "{name}");
    }
    for (name, up) in
        [("factor", up().factor(usize::MAX / 3)), ("padding", up().padding(usize::MAX / 2)), ("dilation", up().dilation(usize::MAX))]
    {
        assert!(matches!(up.plan([8, 8], [3, 3]), Err(Error::SizeOverflow { .. })), "{name}");
    }
}

#[test]
fn shapes_are_refused_and_nothing_is_written() {
    for up in [ResizeConv::doubling(3).unwrap().groups(2), ResizeConv::doubling(3).unwrap().groups(2).resize(Resize::bilinear())] {
        let (x, weight, dy) = (ones([2, 4, 5, 6]), ones([4, 3, 3, 3]), ones([2, 6, 10, 12]));
        let mut y = Array4::from_elem((2, 6, 10, 12), f32::NAN);
        let mut narrow = Array4::from_elem((2, 6, 10, 11), f32::NAN);
        let mut dx = Array4::from_elem((2, 4, 5, 6), f32::NAN);
        let mut dw = Array4::from_elem((4, 3, 3, 3), f32::NAN);
        let mut few = Array4::from_elem((4, 2, 3, 3), f32::NAN);
        let plan = up.plan([5, 6], [3, 3]).unwrap();
        for (name, result, expected) in [
            (
                "input channels",
                plan.forward_into(&ones([2, 5, 5, 6]), &weight, None, &mut y),
                "input: the channel axis has size 5, expected 4",
            ),
            (
                "weight channels and groups",
                plan.forward_into(&x, &ones([3, 3, 3, 3]), None, &mut y),
                "weight: 3 channels cannot be divided into 2 groups",
            ),
            ("bias", plan.forward_into(&x, &weight, Some(&Array1::ones(3)), &mut y), "bias: the channel axis has size 3, expected 6"),
            ("output", plan.forward_into(&x, &weight, None, &mut narrow), "output: the width axis has size 11, expected 12"),
            (
                "output gradient's size",
                plan.input_gradient_into(&ones([2, 6, 10, 11]), &weight, &mut dx, Update::Overwrite),
                "output gradient: the width axis has size 11, expected 12",
            ),
            (
                "output gradient's channels",
                plan.input_gradient_into(&ones([2, 5, 10, 12]), &weight, &mut dx, Update::Add),
                "output gradient: the channel axis has size 5, expected 6",
            ),
            (
                "batches",
                plan.weight_gradient_into(&x, &ones([1, 6, 10, 12]), &mut dw, Update::Overwrite),
                "output gradient: the batch axis has size 1, expected 2",
            ),
            (
                "channels of the weight gradient",
                plan.weight_gradient_into(&x, &dy, &mut few, Update::Overwrite),
                "weight gradient: the number 1 axis has size 2, expected 3",
            ),
            (
                "groups of the output gradient",
                plan.weight_gradient_into(&x, &ones([2, 5, 10, 12]), &mut dw, Update::Add),
                "output gradient: 5 channels cannot be divided into 2 groups",
            ),
        ] {
            assert_eq!(result.unwrap_err().to_string(), expected, "{name}");
        }
        for array in [&y, &narrow, &dx, &dw, &few] {
            assert!(array.iter().all(|value| value.is_nan()), "untouched");
        }
        // An odd size is the double of none.
        let error = up.input_gradient(&ones([2, 6, 11, 12]), &weight).unwrap_err().to_string();
        assert_eq!(error, "output gradient: the height axis has size 11, expected 10");
    }
    let error = ResizeConv::new().scale(2.0).input_gradient(&ones([1, 1, 4, 4]), &ones([1, 1, 1, 1])).unwrap_err();
    assert!(matches!(error, Error::Unsupported { .. }));
    let plan = ResizeConv::doubling(3).unwrap().plan([4, 4], [3, 3]).unwrap();
    let prepared = plan.prepare(&ones([2, 2, 3, 3])).unwrap();
    assert!(prepared.forward(&ones([1, 3, 4, 4]), None).is_err());
    assert!(prepared.forward_into(&ones([1, 2, 4, 4]), None, &mut ones([1, 2, 8, 7])).is_err());
    assert!(plan.prepare(&ones([2, 2, 3, 4])).is_err());
}
