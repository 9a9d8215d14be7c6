//! Convolutions bound their scratch memory by the caches, whatever the picture, and fused ones hold no enlarged picture.

use ndarray::Array4;
use upsample::{ConvTranspose, Resize, ResizeConv, Update};

use crate::peak;

const MIB: usize = 1 << 20;

pub(crate) fn is_bounded_whatever_the_picture() {
    let deconv = ConvTranspose::new().stride(2).padding(1);
    let weight = Array4::<f32>::ones((64, 8, 4, 4));
    let weights = weight.len() * size_of::<f32>();
    for size in [256, 512] {
        let x = Array4::<f32>::ones((1, 64, size, size));
        let mut y = Array4::<f32>::zeros((1, 8, 2 * size, 2 * size));
        let dy = y.clone();
        let (mut dx, mut dw) = (x.clone(), weight.clone());
        let plan = deconv.plan([size, size], [4, 4]).unwrap();
        // Two fresh threads, that have no scratch yet.
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        pool.install(|| {
            let table = [
                ("forward", peak(|| plan.forward_into(&x, &weight, None, &mut y).unwrap())),
                ("input gradient", peak(|| plan.input_gradient_into(&dy, &weight, &mut dx, Update::Overwrite).unwrap())),
                ("weight gradient", peak(|| plan.weight_gradient_into(&x, &dy, &mut dw, Update::Overwrite).unwrap())),
            ];
            for (name, peak) in table {
                println!("{name}, {size}×{size}: {peak} bytes; the input has {}", x.len() * size_of::<f32>());
                // The sums of the weight gradient are at most 4 MiB, however often positions are split.
                assert!(peak <= weights + 8 * MIB, "{name}, {size}×{size}: {peak} bytes");
            }
        });
        assert_eq!(y[[0, 0, size, size]], 256.0);
    }
}

pub(crate) fn holds_no_enlarged_picture() {
    let (channels, size, factor) = (64, 192, 3);
    let x = Array4::<f32>::ones((1, channels, size, size));
    let enlarged = x.len() * factor * factor * size_of::<f32>(); // 81 MiB
    let weight = Array4::<f32>::ones((channels, 2, 3, 3));
    let mut y = Array4::<f32>::zeros((1, 2, factor * size, factor * size));
    let dy = y.clone();
    let (mut dx, mut dw) = (x.clone(), weight.clone());
    let fused = ResizeConv::new().factor(factor).padding(1);
    let two_steps = fused.clone().resize(Resize::bilinear());
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    let mut measured = |up: &ResizeConv| {
        let plan = up.plan([size, size], [3, 3]).unwrap();
        pool.install(|| {
            [
                ("forward", peak(|| plan.forward_into(&x, &weight, None, &mut y).unwrap())),
                ("input gradient", peak(|| plan.input_gradient_into(&dy, &weight, &mut dx, Update::Overwrite).unwrap())),
                ("weight gradient", peak(|| plan.weight_gradient_into(&x, &dy, &mut dw, Update::Overwrite).unwrap())),
            ]
        })
    };
    for (name, peak) in measured(&fused) {
        println!("fused, {name}: {peak} bytes; enlarged the picture has {enlarged}");
        assert!(peak <= 10 * MIB, "{name}: {peak} bytes");
    }
    // The measure sees it where it is.
    for (name, peak) in measured(&two_steps) {
        println!("two steps, {name}: {peak} bytes");
        assert!(peak >= enlarged, "{name}: {peak} bytes");
    }
}
