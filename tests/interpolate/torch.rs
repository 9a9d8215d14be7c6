//! Every `interpolate` case of PyTorch, forward and gradient, through the public API.

use common::{Reference, difference, numbers};
use ndarray::{Array, ArrayD, Dimension, Ix3, Ix4, Ix5};
use serde_json::Value;
use upsample::{Coordinates, Element, Filter, FloatElement, Resize, ResizePlan, Spatial, SpatialRank, Target, Tensor};

/// The description that a case stands for.
fn description(case: &Value) -> Resize {
    let resize = match case["mode"].as_str().unwrap() {
        "nearest" => Resize::nearest(),
        "nearest-exact" => Resize::nearest_exact(),
        "linear" | "bilinear" | "trilinear" => Resize::linear(),
        "bicubic" => Resize::bicubic(),
        "area" => Resize::area(),
        "lanczos" => Resize::filter(Filter::Lanczos { lobes: 3 }),
        mode => panic!("{mode}"),
    };
    let resize = if case["align_corners"] == true { resize.coordinates(Coordinates::AlignCorners) } else { resize };
    let resize = if case["antialias"] == true { resize.antialias(true) } else { resize };
    resize.recompute_scale(case["recompute_scale_factor"] == true)
}

fn plan<const RANK: usize>(case: &Value, shape: &[usize]) -> ResizePlan<RANK>
where
    Spatial<RANK>: SpatialRank,
{
    let input: [usize; RANK] = shape[2..].try_into().unwrap();
    let target: Target<RANK> = match numbers(&case["size"], RANK) {
        Some(size) => Target::Size(std::array::from_fn(|axis| size[axis] as usize)),
        None => Target::Scale(numbers(&case["scale_factor"], RANK).unwrap().try_into().unwrap()),
    };
    description(case).plan(input, target).unwrap_or_else(|error| panic!("{case}: {error}"))
}

/// Contiguous, or with the channels last, as PyTorch computed the case.
fn laid_out<A: Clone, D: Dimension>(x: &ArrayD<A>, case: &Value) -> Array<A, D> {
    let x = x.clone().into_dimensionality::<D>().unwrap();
    if case["layout"] != "channels_last" {
        return x;
    }
    let (mut to, mut back) = (D::zeros(x.ndim()), D::zeros(x.ndim()));
    for axis in 0..x.ndim() {
        let source = if axis == 0 {
            0
        } else if axis + 1 == x.ndim() {
            1
        } else {
            axis + 1
        };
        to[axis] = source;
        back[source] = axis;
    }
    x.permuted_axes(to).as_standard_layout().into_owned().permuted_axes(back)
}

fn forward<A: Element, const RANK: usize, D: Dimension>(case: &Value, x: &ArrayD<A>) -> ArrayD<A>
where
    Spatial<RANK>: SpatialRank,
    for<'a> Tensor<'a, A, RANK>: From<&'a Array<A, D>>,
{
    plan::<RANK>(case, x.shape()).forward(&laid_out::<A, D>(x, case)).unwrap().into_dyn()
}

fn backward<A: FloatElement, const RANK: usize, D: Dimension>(case: &Value, x: &ArrayD<A>, dy: &ArrayD<A>) -> ArrayD<A>
where
    Spatial<RANK>: SpatialRank,
    for<'a> Tensor<'a, A, RANK>: From<&'a Array<A, D>>,
{
    plan::<RANK>(case, x.shape()).input_gradient(&laid_out::<A, D>(dy, case)).unwrap().into_dyn()
}

fn forward_of_rank<A: Element>(case: &Value, x: &ArrayD<A>) -> ArrayD<A> {
    match x.ndim() {
        3 => forward::<A, 1, Ix3>(case, x),
        4 => forward::<A, 2, Ix4>(case, x),
        _ => forward::<A, 3, Ix5>(case, x),
    }
}

fn backward_of_rank<A: FloatElement>(case: &Value, x: &ArrayD<A>, dy: &ArrayD<A>) -> ArrayD<A> {
    match x.ndim() {
        3 => backward::<A, 1, Ix3>(case, x, dy),
        4 => backward::<A, 2, Ix4>(case, x, dy),
        _ => backward::<A, 3, Ix5>(case, x, dy),
    }
}

/// One case; the differences of forward and gradient, relative to the largest value.
fn differences(case: &Value, reference: &mut Reference) -> (f64, f64) {
    let id = case["id"].as_u64().unwrap();
    let nearest = case["mode"].as_str().unwrap().starts_with("nearest");
    macro_rules! compare {
        ($type:ty, $read:expr, $stored:ty, $to_f64:expr, $gradient:expr) => {{
            let mut get = |name: &str| -> ArrayD<$type> { reference.read::<$stored>(&format!("{id}/{name}")).mapv($read) };
            let (x, y) = (get("x"), get("y"));
            let found = forward_of_rank(case, &x);
            if nearest {
                assert!(found == y, "{case}: nearest differs");
            }
            let mut forward = difference(&found.mapv($to_f64).view(), &y.mapv($to_f64).view());
            if case["dtype"] == "uint8" {
                forward *= y.iter().fold(0.0, |largest: f64, &value| largest.max($to_f64(value)));
            }
            let gradient = $gradient(&x, &mut get);
            (forward, gradient)
        }};
    }
    macro_rules! gradient {
        ($type:ty, $to_f64:expr) => {
            |x: &ArrayD<$type>, get: &mut dyn FnMut(&str) -> ArrayD<$type>| {
                let dy = get("dy");
                let dx = backward_of_rank(case, x, &dy).mapv($to_f64);
                let error = difference(&dx.view(), &get("dx").mapv($to_f64).view());
                if torn(case) && error > 1e-12 {
                    let product = |a: &ArrayD<f64>, b: &ArrayD<f64>| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
                    let (y, dy, x) = (forward_of_rank(case, x).mapv($to_f64), dy.mapv($to_f64), x.mapv($to_f64));
                    return (product(&y, &dy) - product(&x, &dx)).abs() / y.iter().zip(&dy).map(|(y, dy)| (y * dy).abs()).sum::<f64>();
                }
                error
            }
        };
    }
    fn no_gradient<A>(_: &ArrayD<A>, _: &mut dyn FnMut(&str) -> ArrayD<A>) -> f64 {
        0.0
    }
    match case["dtype"].as_str().unwrap() {
        "float32" => compare!(f32, |v| v, f32, f64::from, gradient!(f32, f64::from)),
        "float64" => compare!(f64, |v| v, f64, |v| v, gradient!(f64, |v| v)),
        "uint8" => compare!(u8, |v| v, u8, f64::from, no_gradient),
        #[cfg(feature = "half")]
        "float16" => {
            compare!(half::f16, half::f16::from_bits, u16, |v: half::f16| v.to_f64(), gradient!(half::f16, |v: half::f16| v.to_f64()))
        }
        #[cfg(feature = "half")]
        "bfloat16" => {
            compare!(half::bf16, half::bf16::from_bits, u16, |v: half::bf16| v.to_f64(), gradient!(half::bf16, |v: half::bf16| v.to_f64()))
        }
        _ => (0.0, 0.0),
    }
}

/// PyTorch's own gradient of nearest takes other indices than its forward pass here. Ours is the exact adjoint, `<A x, dy> = <x, Aᵀ dy>`, and
/// is judged by that.
fn torn(case: &Value) -> bool {
    case["mode"] == "nearest" && (case["dtype"] == "float64" || case["scale_factor"] == 2.0000001)
}

fn check(manifest: &str, arrays: &str, at_least: usize) {
    let mut reference = Reference::open(manifest, arrays);
    let cases = reference.cases.clone();
    let mut failures = Vec::new();
    let mut seen = 0;
    for case in cases.iter().filter(|case| case["op"] == "interpolate") {
        let tolerance = match case["dtype"].as_str().unwrap() {
            "float64" => 1e-12,
            // Two sums in `f32` of up to 50 taps, each within 1e-6 of the exact one.
            "float32" if case["mode"] == "lanczos" => 2e-6,
            "float32" => 1e-5,
            "float16" => 2.0_f64.powi(-10), // one unit in the last place
            "bfloat16" => 2.0_f64.powi(-7),
            _ => 1.0, // PyTorch's integer weights are coarser than ours: one step either way
        };
        let (forward, gradient) = differences(case, &mut reference);
        // `!(a <= b)` also catches NaN.
        if !(forward <= tolerance) || !(gradient <= tolerance) {
            failures.push(format!("forward {forward:.2e}, gradient {gradient:.2e}: {case}"));
        }
        seen += 1;
    }
    assert!(seen >= at_least, "{seen} cases");
    assert!(failures.is_empty(), "{} of {seen} cases differ:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn random_cases() {
    check("torch/manifest.json", "torch/cases.npz", 120);
}

#[test]
fn special_cases() {
    check("golden/torch.json", "golden/torch.npz", 120);
}

#[test]
fn lanczos() {
    check("golden/torch_lanczos.json", "golden/torch_lanczos.npz", 80);
}
