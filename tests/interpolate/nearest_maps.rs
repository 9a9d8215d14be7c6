//! Which pixel nearest copies, for all sizes up to 64, in the arithmetic of five frameworks.

use common::{json, npz, read};
use ndarray::{Array3, Array4};
use upsample::{Element, Profile, Resize, ndarray};

/// The maps of all sizes, joined as the recorded ones are; `picture` for one column of a picture instead of a signal.
fn maps<A: Element>(resize: &Resize, picture: bool, number: fn(u8) -> A, back: fn(A) -> u8) -> Vec<u8> {
    let mut joined = Vec::new();
    for (n, m) in (1..=64).flat_map(|n| (1..=64).map(move |m| (n, m))) {
        if picture {
            let x = Array4::from_shape_fn((1, 1, n, 1), |(_, _, i, _)| number(i as u8));
            joined.extend(resize.plan([n, 1], [m, 1]).unwrap().forward(&x).unwrap().into_iter().map(back));
        } else {
            let x = Array3::from_shape_fn((1, 1, n), |(_, _, i)| number(i as u8));
            joined.extend(resize.plan([n], [m]).unwrap().forward(&x).unwrap().into_iter().map(back));
        }
    }
    joined
}

/// The first of each pair of sizes that differs.
fn differences(found: &[u8], expected: &[u8]) -> Vec<(usize, usize)> {
    assert_eq!(found.len(), expected.len());
    let mut begin = 0;
    let sizes = (1..=64).flat_map(|n| (1..=64).map(move |m| (n, m)));
    let differs = |&(_, m): &(usize, usize)| {
        let part = begin..begin + m;
        begin += m;
        found[part.clone()] != expected[part]
    };
    sizes.filter(differs).collect()
}

#[test]
fn each_framework_for_all_sizes() {
    let nearest = |profile| Resize::nearest().profile(profile);
    let exact = |profile| Resize::nearest_exact().profile(profile);
    let (any, f32_only, f64_only) = (["f32", "u8", "f64"].as_slice(), ["f32", "u8"].as_slice(), ["f64"].as_slice());
    let (both, signal, picture) = ([false, true].as_slice(), [false].as_slice(), [true].as_slice());
    let rows = [
        ("opencv_nearest", nearest(Profile::OpenCv), both, any),
        ("opencv_nearest_exact", exact(Profile::OpenCv), both, any),
        ("pillow_nearest", nearest(Profile::Pillow), both, any),
        ("jax_nearest", nearest(Profile::Jax), both, any),
        ("tensorflow_nearest", nearest(Profile::TensorFlow), both, any),
        ("torch_nearest_float32_1d", nearest(Profile::Torch), signal, f32_only),
        ("torch_nearest_float32_2d", nearest(Profile::Torch), picture, f32_only),
        ("torch_nearest_float64_1d", nearest(Profile::Torch), signal, f64_only),
        ("torch_nearest_float64_2d", nearest(Profile::Torch), picture, f64_only),
        ("torch_nearest_exact_float32_1d", exact(Profile::Torch), signal, f32_only),
        ("torch_nearest_exact_float32_2d", exact(Profile::Torch), picture, f32_only),
        ("torch_nearest_exact_float64_1d", exact(Profile::Torch), signal, f64_only),
        ("torch_nearest_exact_float64_2d", exact(Profile::Torch), picture, f64_only),
    ];
    let recorded = json("golden/nearest_maps.json");
    assert_eq!(recorded["maps"].as_array().unwrap().len(), rows.len());
    let mut arrays = npz("golden/nearest_maps.npz");
    for (name, resize, ranks, types) in rows {
        let expected: Vec<u8> = read(&mut arrays, name).into_iter().collect();
        for (&picture, &of) in ranks.iter().flat_map(|rank| types.iter().map(move |of| (rank, of))) {
            let found = match of {
                "u8" => maps(&resize, picture, |i| i, |i: u8| i),
                "f32" => maps(&resize, picture, f32::from, |i: f32| i as u8),
                _ => maps(&resize, picture, f64::from, |i: f64| i as u8),
            };
            let differing = differences(&found, &expected);
            assert!(
                differing.is_empty(),
                "{name}, {of}, picture {picture}: {} pairs, {:?}",
                differing.len(),
                &differing[..differing.len().min(10)]
            );
        }
    }
}

#[test]
fn reported_pixels() {
    let map = |resize: Resize, n: usize, m: usize| {
        let x = Array3::from_shape_fn((1, 1, n), |(_, _, i)| i as u8);
        resize.plan([n], [m]).unwrap().forward(&x).unwrap().into_raw_vec_and_offset().0
    };
    assert_eq!(map(Resize::nearest_exact().profile(Profile::OpenCv), 4, 6), [0, 1, 1, 2, 2, 3]);
    let jax = map(Resize::nearest().profile(Profile::Jax), 10, 25);
    assert_eq!([2, 7, 12, 17, 22].map(|o| jax[o]), [0, 2, 4, 6, 8]);
    assert_eq!(map(Resize::nearest().profile(Profile::TensorFlow), 2, 41)[20], 0);
}
