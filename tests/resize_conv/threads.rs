//! The same bits for any number of threads.

use ndarray::Array4;
use upsample::{Resize, ResizeConv};

use crate::naive::{cast, noise};

#[test]
fn same_bits_for_any_number_of_threads() {
    for (name, up, x, weight) in [
        ("fused", ResizeConv::doubling(3).unwrap(), [2, 32, 1, 40, 33], [32, 24, 1, 3, 3]),
        ("fused, depthwise", ResizeConv::doubling(5).unwrap().groups(16), [1, 16, 1, 40, 40], [16, 1, 1, 5, 5]),
        ("bilinear", ResizeConv::doubling(3).unwrap().resize(Resize::bilinear()), [2, 24, 1, 30, 33], [24, 20, 1, 3, 3]),
    ] {
        let [x, weight] = [(x, 1), (weight, 2)].map(|(shape, seed)| cast::<f32, 2>(&noise(shape, seed)));
        let kernel = [weight.dim().2, weight.dim().3];
        let results = || {
            let y: Array4<f32> = up.forward(&x, &weight, None).unwrap();
            let (dx, dw) = (up.input_gradient(&y, &weight).unwrap(), up.weight_gradient(&x, &y, kernel).unwrap());
            [y, dx, dw].map(|array| array.iter().map(|value| value.to_bits()).collect::<Vec<_>>())
        };
        let pool = |threads: usize| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let one = pool(1).install(results);
        for threads in [2, 3, 8] {
            assert_eq!(pool(threads).install(results), one, "{name}: {threads} threads");
        }
    }
}
