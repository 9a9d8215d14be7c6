//! Matrix products with the multiplications of a transposed convolution and nothing else: no gathering, no adding up, no bias.
//! What they take is what a convolution by products takes at the least.

use std::hint::black_box;

use crate::case::Case;
use crate::engine::Engine;

/// C = A·B, row-major, `count` times: one product a group, and for the weight gradient the batch lies in `inner`.
#[derive(Clone, Copy)]
struct Product {
    rows: usize,
    inner: usize,
    columns: usize,
    count: usize,
}

fn product(case: &Case) -> Result<Product, String> {
    if case.is_resize() {
        return Err("no product in a resize".to_owned());
    }
    let positions = case.input[2] * case.input[3];
    let channels = case.input[1] / case.groups;
    let taps = case.output[1] / case.groups * case.kernel * case.kernel;
    let (batch, groups) = (case.batch(), case.groups);
    Ok(match case.pass.as_str() {
        "forward" => Product { rows: taps, inner: channels, columns: positions, count: batch * groups },
        "input_gradient" => Product { rows: channels, inner: taps, columns: positions, count: batch * groups },
        _ => Product { rows: taps, inner: batch * positions, columns: channels, count: groups },
    })
}

fn engine(product: Product, multiply: impl Fn(Product, &[f32], &[f32], &mut [f32]) + 'static) -> Engine {
    let Product { rows, inner, columns, count } = product;
    let (a, b) = (vec![0.5f32; rows * inner], vec![0.25f32; inner * columns]);
    let mut c = vec![0f32; rows * columns];
    Engine {
        allocated: None,
        reused: Some(Box::new(move || {
            for _ in 0..count {
                multiply(product, black_box(&a), black_box(&b), black_box(&mut c));
            }
        })),
        output: Box::new(Vec::new),
    }
}

pub fn gemm_crate(case: &Case) -> Result<Engine, String> {
    let threads = rayon::current_num_threads();
    let parallelism = if threads == 1 { gemm::Parallelism::None } else { gemm::Parallelism::Rayon(threads) };
    Ok(engine(product(case)?, move |Product { rows, inner, columns, .. }, a, b, c| {
        let stride = |length: usize| length as isize;
        // SAFETY: the slices have rows·inner, inner·columns and rows·columns elements, row after row.
        unsafe {
            gemm::gemm(
                rows,
                columns,
                inner,
                c.as_mut_ptr(),
                1,
                stride(columns),
                false,
                a.as_ptr(),
                1,
                stride(inner),
                b.as_ptr(),
                1,
                stride(columns),
                0.0,
                1.0,
                false,
                false,
                false,
                parallelism,
            );
        }
    }))
}

/// Its threads are those of `MATMUL_NUM_THREADS`.
pub fn matrixmultiply_crate(case: &Case) -> Result<Engine, String> {
    Ok(engine(product(case)?, |Product { rows, inner, columns, .. }, a, b, c| {
        let stride = |length: usize| length as isize;
        // SAFETY: the slices have rows·inner, inner·columns and rows·columns elements, row after row.
        unsafe {
            matrixmultiply::sgemm(
                rows,
                inner,
                columns,
                1.0,
                a.as_ptr(),
                stride(inner),
                1,
                b.as_ptr(),
                stride(columns),
                1,
                0.0,
                c.as_mut_ptr(),
                stride(columns),
                1,
            );
        }
    }))
}
