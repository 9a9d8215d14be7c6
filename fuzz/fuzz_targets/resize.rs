//! Resizing by every method against weights written from the definitions, summed in `f64`, and its gradient against the same weights
//! the other way round.
#![no_main]

use std::f64::consts::PI;

use arbitrary::{Arbitrary, Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use upsample::ndarray::{Array5, ArrayView5};
use upsample::{Backend, Coordinates, Element, Filter, NearestRule, Profile, Resize, ResizePlan, Rounding, StreamingStores, Target, Update};
use upsample_fuzz::{Laid, Layout, Values, assert_close, noise};

#[derive(Debug, Clone, Copy)]
struct Small<const FROM: u8, const TO: u8>(usize);

impl<'a, const FROM: u8, const TO: u8> Arbitrary<'a> for Small<FROM, TO> {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(Self(usize::from(u.int_in_range(FROM..=TO)?)))
    }
}

#[derive(Debug, Clone, Copy, Arbitrary, PartialEq, Eq)]
enum Method {
    Nearest,
    Linear,
    Cubic,
    Mitchell,
    Hamming,
    Lanczos,
    Area,
}

#[derive(Debug, Clone, Copy, Arbitrary, PartialEq, Eq)]
enum Rule {
    HalfPixel,
    Symmetric,
    Asymmetric,
    AlignCorners,
    ForNn,
    Crop,
}

#[derive(Debug, Clone, Copy, Arbitrary, PartialEq, Eq)]
enum Type {
    Single,
    Double,
    Byte,
    Short,
}

#[derive(Debug, Arbitrary)]
struct Case {
    method: Method,
    rule: Rule,
    antialias: bool,
    exclude: bool,
    /// Of shrinking and enlarging alike.
    input: [Small<1, 24>; 3],
    output: [Small<1, 40>; 3],
    volume: bool,
    by_scale: bool,
    batch: Small<0, 2>,
    channels: Small<0, 6>,
    seed: u16,
    values: Values,
    layout: Layout,
    out_last: bool,
    backend: u8,
    element: Type,
    streaming: bool,
}

const CROP: (f64, f64) = (0.15, 0.9);

impl Case {
    /// Small enough for thousands of runs a second: volumes are of a few pixels, pictures of some rows, of which some are longer than the
    /// windows that taps are picked from.
    fn sizes(&self) -> ([usize; 3], [usize; 3]) {
        let (input, output) = (self.input.map(|size| size.0), self.output.map(|size| size.0));
        if self.volume {
            return (input.map(|n| n.min(6)), output.map(|m| m.min(7)));
        }
        ([1, input[1].min(9), input[2] * (1 + usize::from(self.seed % 5))], [1, output[1].min(12), output[2]])
    }

    fn scale(&self, n: usize, m: usize) -> f64 {
        (m as f64 + 0.25) / n as f64
    }

    /// Input pixels per output pixel, and the length that align-corners measures by (ONNX: `n·scale`, unrounded).
    fn ratio(&self, n: usize, m: usize) -> (f64, f64) {
        if self.by_scale { (1.0 / self.scale(n, m), n as f64 * self.scale(n, m)) } else { (n as f64 / m as f64, m as f64) }
    }

    /// Where output pixel `o` lies, by the formulas of the ONNX standard.
    fn position(&self, o: usize, n: usize, m: usize) -> f64 {
        let ((ratio, length), o, n) = (self.ratio(n, m), o as f64, n as f64);
        match self.rule {
            Rule::HalfPixel => (o + 0.5) * ratio - 0.5,
            Rule::Symmetric => n / 2.0 * (1.0 - m as f64 * ratio / n) + (o + 0.5) * ratio - 0.5,
            Rule::Asymmetric => o * ratio,
            Rule::AlignCorners if length <= 1.0 => 0.0,
            Rule::AlignCorners => o * (n - 1.0) / (length - 1.0),
            Rule::ForNn => (o + 0.5) * ratio,
            Rule::Crop if length <= 1.0 => 0.5 * (CROP.0 + CROP.1) * (n - 1.0),
            Rule::Crop => CROP.0 * (n - 1.0) + o * (CROP.1 - CROP.0) * (n - 1.0) / (length - 1.0),
        }
    }

    fn stretch(&self, n: usize, m: usize) -> f64 {
        let ((ratio, length), n) = (self.ratio(n, m), n as f64);
        let step = match self.rule {
            Rule::AlignCorners | Rule::Crop if length <= 1.0 => 0.0,
            Rule::AlignCorners => (n - 1.0) / (length - 1.0),
            Rule::Crop => (CROP.1 - CROP.0) * (n - 1.0) / (length - 1.0),
            _ => ratio,
        };
        if self.antialias { step.max(1.0) } else { 1.0 }
    }

    fn filter(&self, x: f64) -> f64 {
        let (x, sinc) = (x.abs(), |x: f64| if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) });
        let cubic = |b: f64, c: f64| {
            if x < 1.0 {
                ((12.0 - 9.0 * b - 6.0 * c) * x.powi(3) + (-18.0 + 12.0 * b + 6.0 * c) * x.powi(2) + (6.0 - 2.0 * b)) / 6.0
            } else if x < 2.0 {
                let cube = (-b - 6.0 * c) * x.powi(3) + (6.0 * b + 30.0 * c) * x.powi(2);
                (cube + (-12.0 * b - 48.0 * c) * x + (8.0 * b + 24.0 * c)) / 6.0
            } else {
                0.0
            }
        };
        match self.method {
            Method::Linear => (1.0 - x).max(0.0),
            Method::Cubic => cubic(0.0, 0.75),
            Method::Mitchell => cubic(1.0 / 3.0, 1.0 / 3.0),
            Method::Hamming if x >= 1.0 => 0.0,
            Method::Hamming => sinc(x) * (0.54 + 0.46 * (PI * x).cos()),
            Method::Lanczos if x >= 3.0 => 0.0,
            Method::Lanczos => sinc(x) * sinc(x / 3.0),
            Method::Nearest | Method::Area => 0.0,
        }
    }

    fn support(&self) -> f64 {
        match self.method {
            Method::Lanczos => 3.0,
            Method::Cubic | Method::Mitchell => 2.0,
            _ => 1.0,
        }
    }

    /// The weights of output pixel `o`; `None` where the definition lies so near a jump that rounding decides.
    fn weights(&self, o: usize, n: usize, m: usize) -> Option<Vec<(usize, f64)>> {
        if self.method == Method::Area {
            let (begin, end) = (o * n / m, ((o + 1) * n).div_ceil(m));
            return Some((begin..end).map(|i| (i, 1.0 / (end - begin) as f64)).collect());
        }
        let position = self.position(o, n, m);
        let last = (n - 1) as f64;
        if self.rule == Rule::Crop {
            if position.abs() < 1e-9 || (position - last).abs() < 1e-9 {
                return None;
            }
            if position < 0.0 || position > last {
                return Some(vec![]);
            }
        }
        if self.method == Method::Nearest {
            let half = position - position.floor() - 0.5;
            if half.abs() < 1e-9 {
                return None;
            }
            return Some(vec![((position + 0.5).floor().clamp(0.0, last) as usize, 1.0)]);
        }
        let stretch = self.stretch(n, m);
        let reach = (self.support() * stretch).ceil() as i64 + 1;
        let centre = position.floor() as i64;
        let mut weights: Vec<(usize, f64)> = Vec::new();
        let mut sum = 0.0;
        for i in centre - reach..=centre + reach {
            let weight = self.filter((i as f64 - position) / stretch);
            let clamped = i.clamp(0, n as i64 - 1);
            if clamped == i || !self.exclude {
                weights.push((clamped as usize, weight));
                sum += weight;
            }
        }
        // Where almost nothing of the filter lies inside, dividing by the sum magnifies rounding.
        if sum.abs() < 1e-3 {
            return None;
        }
        weights.iter_mut().for_each(|(_, weight)| *weight /= sum);
        Some(weights)
    }

    fn description(&self) -> Resize {
        let coordinates = match self.rule {
            Rule::HalfPixel => Coordinates::HalfPixel,
            Rule::Symmetric => Coordinates::HalfPixelSymmetric,
            Rule::Asymmetric => Coordinates::Asymmetric,
            Rule::AlignCorners => Coordinates::AlignCorners,
            Rule::ForNn => Coordinates::TfHalfPixelForNn,
            Rule::Crop => Coordinates::TfCropAndResize { start: CROP.0, end: CROP.1 },
        };
        let resize = match self.method {
            Method::Nearest => Resize::nearest_by(NearestRule::Rounded(Rounding::RoundPreferFloor)),
            Method::Linear => Resize::linear(),
            Method::Cubic => Resize::cubic(),
            Method::Mitchell => Resize::filter(Filter::Mitchell),
            Method::Hamming => Resize::filter(Filter::Hamming),
            Method::Lanczos => Resize::filter(Filter::Lanczos { lobes: 3 }),
            Method::Area => return Resize::area(),
        };
        let resize = resize.profile(Profile::Onnx).coordinates(coordinates).extrapolation(3.0);
        if self.method == Method::Nearest { resize } else { resize.antialias(self.antialias).exclude_outside(self.exclude) }
    }

    fn plan(&self) -> Option<ResizePlan<3>> {
        let (input, output) = self.sizes();
        let backends = Backend::available();
        let backend = backends[usize::from(self.backend) % backends.len()];
        let streaming = if self.streaming { StreamingStores::Always } else { StreamingStores::Never };
        let target = if self.by_scale {
            Target::Scale(std::array::from_fn(|axis| self.scale(input[axis], output[axis])))
        } else {
            Target::Size(output)
        };
        let plan = self.description().backend(backend).streaming(streaming).plan(input, target).unwrap();
        (plan.output_size() == output).then_some(plan)
    }
}

/// Runs into fresh memory and into memory of the other layout, which must agree.
fn run<A: Element>(case: &Case, plan: &ResizePlan<3>, x: ArrayView5<'_, A>) -> Array5<A> {
    let y = plan.forward(x).unwrap();
    let mut laid = if case.out_last {
        y.view().permuted_axes([0, 2, 3, 4, 1]).as_standard_layout().into_owned().permuted_axes([0, 4, 1, 2, 3])
    } else {
        y.as_standard_layout().into_owned()
    };
    laid.fill(A::from_f64(77.0));
    plan.forward_into(x, &mut laid).unwrap();
    if case.values == Values::Finite {
        assert_eq!(laid, y, "{case:?}: layouts differ");
    }
    y
}

fuzz_target!(|case: Case| {
    let Some(plan) = case.plan() else { return };
    let (input, output) = case.sizes();
    let [n, c] = [case.batch.0, case.channels.0.min(if case.volume { 2 } else { 6 })];
    let values = noise([n, c, input[0], input[1], input[2]], case.seed, case.values);
    // The type decides what the input is, exactly, and how far the result may be from the exact sum.
    let (exact, found, tolerance): (Array5<f64>, Vec<f64>, f64) = match case.element {
        Type::Double => {
            let x = Laid::new(&values, case.layout);
            (x.view().to_owned(), run(&case, &plan, x.view()).iter().copied().collect(), 1e-11)
        }
        Type::Single => {
            let x = Laid::new(&values.mapv(|v| v as f32), case.layout);
            (x.view().mapv(f64::from), run(&case, &plan, x.view()).iter().map(|&v| f64::from(v)).collect(), 2e-4)
        }
        Type::Byte => {
            let x = Laid::new(&values.mapv(|v| (v * 100.0 + 110.0) as u8), case.layout);
            // Rounded after each pass, and saturated: half a unit a pass, magnified by the weights of the next.
            (x.view().mapv(f64::from), run(&case, &plan, x.view()).iter().map(|&v| f64::from(v)).collect(), 4.0)
        }
        Type::Short => {
            let x = Laid::new(&values.mapv(|v| (v * 9000.0) as i16), case.layout);
            (x.view().mapv(f64::from), run(&case, &plan, x.view()).iter().map(|&v| f64::from(v)).collect(), 2.5)
        }
    };
    let dy = noise([n, c, output[0], output[1], output[2]], case.seed ^ 99, case.values);
    let dx = plan.input_gradient(&dy).unwrap();
    let mut added = dx.clone();
    plan.input_gradient_into(&dy, &mut added, Update::Add).unwrap();
    let single = plan.input_gradient(&dy.mapv(|v| v as f32)).unwrap();
    if case.values == Values::Hostile {
        return;
    }

    let weights: [Vec<_>; 3] = std::array::from_fn(|axis| (0..output[axis]).map(|o| case.weights(o, input[axis], output[axis])).collect());
    if weights.iter().flatten().any(Option::is_none) {
        return;
    }
    let weights = weights.map(|axis| axis.into_iter().flatten().collect::<Vec<_>>());
    let mut y = Array5::zeros((n, c, output[0], output[1], output[2]));
    let mut dx_exact = Array5::zeros((n, c, input[0], input[1], input[2]));
    let outside = |o: &[usize; 3]| (0..3).any(|axis| weights[axis][o[axis]].is_empty());
    // Of bytes: sums of weights above 1 overshoot, and are saturated pass by pass; only filters without lobes compare.
    let mut largest = 1.0_f64;
    for ((n, c, d, h, w), y) in y.indexed_iter_mut() {
        if outside(&[d, h, w]) {
            *y = 3.0;
            continue;
        }
        for &(i, a) in &weights[0][d] {
            for &(j, b) in &weights[1][h] {
                for &(k, e) in &weights[2][w] {
                    *y += a * b * e * exact[[n, c, i, j, k]];
                    dx_exact[[n, c, i, j, k]] += a * b * e * dy[[n, c, d, h, w]];
                }
            }
        }
    }
    for axis in &weights {
        largest *= axis.iter().map(|row| row.iter().map(|(_, weight)| weight.abs()).sum::<f64>()).fold(1.0, f64::max);
    }
    let lobes = matches!(case.method, Method::Cubic | Method::Mitchell | Method::Lanczos | Method::Hamming);
    if !(case.element == Type::Byte && lobes) {
        if case.element == Type::Short {
            y.mapv_inplace(|v: f64| v.clamp(f64::from(i16::MIN), f64::from(i16::MAX)));
        }
        assert_close(&format!("forward {case:?}"), found, &y, tolerance * largest);
    }
    let many = (output.iter().product::<usize>() as f64).max(1.0);
    assert_close(&format!("gradient {case:?}"), dx.iter().copied(), &dx_exact, 1e-12 * largest * many);
    assert_close(&format!("gradient of f32 {case:?}"), single.iter().map(|&v| f64::from(v)), &dx_exact, 2e-5 * largest * many);
    assert_close(&format!("gradient, added {case:?}"), added.iter().copied(), &(dx_exact * 2.0), 2e-12 * largest * many);
});
