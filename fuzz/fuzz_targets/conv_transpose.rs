//! Transposed convolution, convolution and every gradient against sums over all products, in `f64`.
#![no_main]

use arbitrary::{Arbitrary, Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use upsample::ndarray::{Array1, Array5};
use upsample::{Backend, ConvTranspose, Convolution, FloatElement, Tensor5, Tensor5Mut, Update};
use upsample_fuzz::{Laid, Layout, Values, assert_close, noise};

#[derive(Debug, Clone, Copy)]
struct Small<const FROM: u8, const TO: u8>(usize);

impl<'a, const FROM: u8, const TO: u8> Arbitrary<'a> for Small<FROM, TO> {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(Self(usize::from(u.int_in_range(FROM..=TO)?)))
    }
}

/// A padding, negative now and then.
#[derive(Debug, Clone, Copy)]
struct Padding(isize);

impl<'a> Arbitrary<'a> for Padding {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(Self([0, 1, 2, 3, 4, 5, -1, -4][usize::from(u.int_in_range(0..=7_u8)?)]))
    }
}

/// Few channels, or so many that multiplications are saved.
#[derive(Debug, Clone, Copy)]
struct Channels(usize);

impl<'a> Arbitrary<'a> for Channels {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let number = usize::from(u.int_in_range(0..=19_u8)?);
        Ok(Self(if number < 10 { number } else { number + 20 }))
    }
}

#[derive(Debug, Clone, Copy, Arbitrary)]
struct AxisCase {
    input: Small<1, 9>,
    kernel: Small<1, 9>,
    stride: Small<1, 5>,
    dilation: Small<1, 3>,
    begin: Padding,
    end: Padding,
    extra: Small<0, 4>,
}

#[derive(Debug, Arbitrary)]
struct Case {
    depth: Option<AxisCase>,
    height: Option<AxisCase>,
    width: AxisCase,
    batch: Small<0, 3>,
    groups: Small<1, 3>,
    coarse: Channels,
    fine: Channels,
    seed: u16,
    values: Values,
    layouts: [Layout; 3],
    backend: u8,
    double: bool,
}

const POINT: AxisCase =
    AxisCase { input: Small(1), kernel: Small(1), stride: Small(1), dilation: Small(1), begin: Padding(0), end: Padding(0), extra: Small(0) };

impl Case {
    fn axes(&self) -> [AxisCase; 3] {
        [self.depth.unwrap_or(POINT), self.height.unwrap_or(POINT), self.width]
    }

    /// The output size, or nothing where nothing is left.
    fn output(&self) -> Option<[usize; 3]> {
        let sizes = self.axes().map(|a| {
            let full = (a.input.0 - 1) * a.stride.0 + a.dilation.0 * (a.kernel.0 - 1) + 1 + a.extra.0;
            full as i64 - (a.begin.0 + a.end.0) as i64
        });
        sizes.iter().all(|&size| size > 0).then(|| sizes.map(|size| size as usize))
    }

    /// Products of the oracle, at most; it takes them one by one.
    fn products_at_most(&self) -> usize {
        let each: usize = self.axes().iter().map(|a| a.input.0 * a.kernel.0).product();
        each * self.batch.0 * self.coarse.0 * self.groups.0 * self.fine.0
    }

    /// Visits every product: coarse pixel, fine pixel, weight.
    fn products(&self, coarse: [usize; 5], fine: [usize; 5], mut visit: impl FnMut([usize; 5], [usize; 5], [usize; 5])) {
        let axes = self.axes();
        let kernel = axes.map(|a| a.kernel.0);
        for n in 0..coarse[0] {
            for ci in 0..coarse[1] {
                let group = ci / self.coarse.0;
                for co in 0..self.fine.0 {
                    for flat in 0..coarse[2] * coarse[3] * coarse[4] {
                        let at = [flat / (coarse[3] * coarse[4]), flat / coarse[4] % coarse[3], flat % coarse[4]];
                        for tap in 0..kernel[0] * kernel[1] * kernel[2] {
                            let tap = [tap / (kernel[1] * kernel[2]), tap / kernel[2] % kernel[1], tap % kernel[2]];
                            let mut to = [n, group * self.fine.0 + co, 0, 0, 0];
                            let inside = (0..3).all(|i| {
                                let position = (at[i] * axes[i].stride.0 + tap[i] * axes[i].dilation.0) as i64 - axes[i].begin.0 as i64;
                                to[2 + i] = position.max(0) as usize;
                                position >= 0 && position < fine[2 + i] as i64
                            });
                            if inside {
                                visit([n, ci, at[0], at[1], at[2]], to, [ci, co, tap[0], tap[1], tap[2]]);
                            }
                        }
                    }
                }
            }
        }
    }
}

fn check<A: FloatElement + Into<f64>>(case: &Case, precision: f64) {
    let axes = case.axes();
    let [input, kernel] = [axes.map(|a| a.input.0), axes.map(|a| a.kernel.0)];
    let backends = Backend::available();
    let backend = backends[usize::from(case.backend) % backends.len()];
    let extra = axes.map(|a| a.extra.0);
    let deconv = ConvTranspose::new()
        .stride(axes.map(|a| a.stride.0))
        .dilation(axes.map(|a| a.dilation.0))
        .padding_of(axes.map(|a| a.begin.0), axes.map(|a| a.end.0))
        .output_padding(extra)
        .groups(case.groups.0)
        .backend(backend);
    let plan = deconv.plan(input, kernel);
    let allowed = axes.iter().all(|a| a.extra.0 < a.stride.0.max(a.dilation.0));
    let Some(output) = case.output().filter(|_| allowed) else {
        assert!(plan.is_err(), "{case:?}");
        return;
    };
    let plan = plan.unwrap();
    assert_eq!(plan.output_size(), output, "{case:?}");

    let (coarse, fine) = (case.coarse.0 * case.groups.0, case.fine.0 * case.groups.0);
    let x_shape = [case.batch.0, coarse, input[0], input[1], input[2]];
    let y_shape = [case.batch.0, fine, output[0], output[1], output[2]];
    let w_shape = [coarse, case.fine.0, kernel[0], kernel[1], kernel[2]];
    let laid = |shape, seed, layout| Laid::new(&noise(shape, case.seed ^ seed, case.values).mapv(A::from_f64), layout);
    let (x, w, dy) = (laid(x_shape, 1, case.layouts[0]), laid(w_shape, 2, case.layouts[1]), laid(y_shape, 3, case.layouts[2]));
    let bias: Array1<A> = (0..fine).map(|c| A::from_f64(c as f64 / 16.0 - 0.25)).collect();

    let y = plan.forward(x.view(), w.view(), Some(&bias)).unwrap();
    let prepared = plan.prepare(w.view()).unwrap().forward(x.view(), Some(&bias)).unwrap();
    let dx = plan.input_gradient(dy.view(), w.view()).unwrap();
    let dw = plan.weight_gradient(x.view(), dy.view()).unwrap();
    let db = plan.bias_gradient(dy.view()).unwrap();
    let mut twice = dw.clone();
    plan.weight_gradient_into(x.view(), dy.view(), &mut twice, Update::Add).unwrap();
    let mut into = Laid::new(&Array5::from_elem(y_shape, A::from_f64(7.0)), Layout::RowMajor).view().to_owned();
    into = into.permuted_axes([0, 2, 3, 4, 1]).as_standard_layout().into_owned();
    plan.forward_into(x.view(), w.view(), Some(&bias), Tensor5Mut::from_ndhwc(into.view_mut())).unwrap();
    let conv = Convolution::new()
        .stride(axes.map(|a| a.stride.0))
        .dilation(axes.map(|a| a.dilation.0))
        .padding_of(axes.map(|a| a.begin.0), axes.map(|a| a.end.0))
        .groups(case.groups.0)
        .backend(backend);
    let convolved = conv.forward(dy.view(), w.view(), None);
    if case.values == Values::Hostile {
        return;
    }

    let exact = |view: Tensor5<'_, A>| -> Array5<f64> { upsample::ndarray::ArrayView5::from(view).mapv(Into::into) };
    let (x, w, dy) = (exact(x.view().into()), exact(w.view().into()), exact(dy.view().into()));
    let (mut y_exact, mut dx_exact, mut dw_exact) = (Array5::<f64>::zeros(y_shape), Array5::zeros(x_shape), Array5::zeros(w_shape));
    for ((_, channel, ..), y) in y_exact.indexed_iter_mut() {
        *y = bias[channel].into();
    }
    case.products(x_shape, y_shape, |c, f, k| {
        y_exact[f] += x[c] * w[k];
        dx_exact[c] += dy[f] * w[k];
        dw_exact[k] += x[c] * dy[f];
    });
    let terms = |count: usize| precision * (4 + count) as f64;
    let taps: usize = kernel.iter().product();
    let pixels = case.batch.0 * input.iter().product::<usize>();
    let label = |what: &str| format!("{what} {backend:?} {case:?}");
    let numbers = |array: &Array5<A>| array.iter().map(|&value| value.into()).collect::<Vec<f64>>();
    assert_eq!(numbers(&y), numbers(&prepared), "{}", label("prepared"));
    assert_eq!(numbers(&y), numbers(&into.permuted_axes([0, 4, 1, 2, 3])), "{}", label("channels last"));
    assert_close(&label("forward"), numbers(&y), &y_exact, terms(taps * case.coarse.0));
    assert_close(&label("input gradient"), numbers(&dx), &dx_exact, terms(taps * case.fine.0));
    assert_close(&label("weight gradient"), numbers(&dw), &dw_exact, terms(pixels));
    assert_close(&label("weight gradient, added"), numbers(&twice), &(dw_exact * 2.0), 2.0 * terms(pixels));
    let db_exact = dy.axis_iter(upsample::ndarray::Axis(1)).map(|channel| channel.sum()).collect::<Vec<f64>>();
    assert_close(&label("bias gradient"), db.iter().map(|&value| value.into()), &db_exact, terms(dy.len() / fine.max(1)));
    // The convolution from the fine grid back is the input gradient, wherever it is as large.
    if let Ok(convolved) = convolved
        && convolved.dim() == dx.dim()
    {
        assert_close(&label("convolution"), numbers(&convolved), &dx_exact, terms(taps * case.fine.0));
    }
}

fuzz_target!(|case: Case| {
    if case.products_at_most() > 1 << 19 {
        return; // thousands of small cases find more than one large one
    }
    if case.double {
        check::<f64>(&case, f64::EPSILON);
    } else {
        check::<f32>(&case, f64::from(f32::EPSILON));
    }
});
