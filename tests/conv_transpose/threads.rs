//! The same bits for any number of threads.

use ndarray::{Array1, Array4};

use crate::oracle::{Case, cast, chosen_cases, noise};

/// Every result of a case, in bits.
fn results(case: &Case) -> Vec<Vec<u32>> {
    let shape = case.numbers.transposed_shape(&case.x, &case.weight).unwrap();
    let plan = case.conv_transpose().plan([case.x[2], case.x[3]], [case.weight[2], case.weight[3]]).unwrap();
    let [x, weight, dy] = [(&case.x, 1), (&case.weight, 2), (&shape, 3)].map(|(shape, seed)| cast::<f32, 2>(&noise(shape, seed)));
    let bits = |array: Array4<f32>| array.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    let sums: Array1<f32> = plan.bias_gradient(&dy).unwrap();
    vec![
        bits(plan.forward(&x, &weight, None).unwrap()),
        bits(plan.input_gradient(&dy, &weight).unwrap()),
        bits(plan.weight_gradient(&x, &dy).unwrap()),
        sums.iter().map(|value| value.to_bits()).collect(),
    ]
}

#[test]
fn same_bits_for_any_number_of_threads() {
    let larger = [
        ("k4 s2 p1", &[2, 32, 40, 33][..], &[32, 24, 4, 4][..], [2, 1, 0, 1, 1]),
        ("k3 s1 p1", &[1, 40, 50, 60], &[40, 20, 3, 3], [1, 1, 0, 1, 1]),
        ("tiny pictures", &[40, 64, 4, 4], &[64, 70, 4, 4], [2, 1, 0, 1, 1]),
        ("depthwise", &[1, 16, 40, 40], &[16, 1, 4, 4], [2, 1, 0, 1, 16]),
    ];
    let larger = larger.into_iter().map(|(name, x, weight, numbers)| (name, crate::oracle::case(x, weight, numbers)));
    for (name, case) in chosen_cases().into_iter().filter(|(_, case)| case.x.len() == 4).chain(larger) {
        let pool = |threads: usize| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let one = pool(1).install(|| results(&case));
        for threads in [2, 3, 8] {
            assert_eq!(pool(threads).install(|| results(&case)), one, "{name}: {threads} threads");
        }
    }
}
