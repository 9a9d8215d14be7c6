//! The input gradient in one call finds the size of the input: of every valid forward pass by a factor, over all small signals.

use ndarray::Array3;
use upsample::{Axis, Error, ResizeConv};

fn signal(len: usize, first: usize) -> Array3<f64> {
    Array3::from_shape_fn((1, 1, len), |(_, _, place)| ((place * 7 + first) % 11) as f64 - 4.0)
}

#[test]
fn every_forward_pass_has_its_input_gradient() {
    let mut count = 0;
    let windows = (1..=4_usize).flat_map(|factor| (1..=5_usize).flat_map(move |kernel| (1..=3_usize).map(move |d| [factor, kernel, d])));
    for [factor, kernel, dilation] in windows {
        for [begin, end] in (-2..=3_isize).flat_map(|begin| (-2..=3).map(move |end| [begin, end])) {
            let (up, weight) = (ResizeConv::new().factor(factor).dilation(dilation).padding_of(begin, end), signal(kernel, 3));
            let label = format!("factor {factor}, kernel {kernel}, dilation {dilation}, padding {begin}, {end}");
            let size = |input: usize| (input * factor) as i64 + (begin + end) as i64 - (dilation * (kernel - 1)) as i64;
            for input in (1..=6).filter(|&input| size(input) > 0) {
                let dy = signal(size(input) as usize, 1);
                let dx = up.input_gradient(&dy, &weight).unwrap_or_else(|error| panic!("{label}, {input} pixels: {error}"));
                // Output o reads pixel ⌊(o + d·t - p)/f⌋ with tap t.
                let mut expected = vec![0.0; input];
                for (o, dy) in dy.iter().enumerate() {
                    for (tap, w) in weight.iter().enumerate() {
                        let place = usize::try_from((o + dilation * tap) as isize - begin).ok().map(|place| place / factor);
                        if let Some(sum) = place.and_then(|place| expected.get_mut(place)) {
                            *sum += w * dy;
                        }
                    }
                }
                assert_eq!(dx.into_raw_vec_and_offset().0, expected, "{label}, {input} pixels");
                count += 1;
            }
            // Sizes that no input has are refused with one that some has.
            let sizes: Vec<usize> = (1..40).map(size).filter(|&size| size > 0).map(|size| size as usize).collect();
            for found in (1..=12).filter(|found| !sizes.contains(found)) {
                match up.input_gradient(&signal(found, 1), &weight) {
                    Err(Error::ShapeMismatch { argument: "output gradient", axis: Axis::Length, expected, found: named }) => {
                        assert!(named == found && sizes.contains(&expected), "{label}: {expected} for {found}");
                    }
                    other => panic!("{label}: {other:?} for {found}"),
                }
            }
        }
    }
    assert!(count > 4_000, "{count}");
}
