//! Every operator and gradient against the naive loops: random small cases, and chosen ones that reach each way of cutting the work.

use ndarray::{Array1, ArrayD, Axis, Dimension, IxDyn};
use proptest::prelude::*;
use upsample::{Backend, ConvTranspose, Convolution, FloatElement, Output, Precision, Spatial, SpatialRank, Tensor, TensorMut, Update};

use crate::naive::{Numbers, add_bias, channel_sums};
use common::backends;

/// Shapes of input and weight of a transposed convolution, and its numbers.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) x: Vec<usize>,
    pub(crate) weight: Vec<usize>,
    pub(crate) numbers: Numbers,
}

impl Case {
    pub(crate) fn conv_transpose(&self) -> ConvTranspose {
        let Numbers { stride, begin, end, output_padding, dilation, groups } = self.numbers.clone();
        // Cases that fewer multiplications are possible for are too small for them to be faster.
        let operator = ConvTranspose::new().stride(stride).padding_of(begin, end).dilation(dilation).groups(groups);
        operator.output_padding(output_padding).precision(Precision::Reduced)
    }

    pub(crate) fn convolution(&self) -> Convolution {
        let Numbers { stride, begin, end, dilation, groups, .. } = self.numbers.clone();
        Convolution::new().stride(stride).padding_of(begin, end).dilation(dilation).groups(groups).precision(Precision::Reduced)
    }

    /// Products that one output, input gradient or weight gradient sums at most.
    fn products(&self, y: &[usize]) -> usize {
        let taps: usize = self.weight[2..].iter().product();
        let pixels = self.x[0] * self.x[2..].iter().product::<usize>();
        (taps * self.x[1].max(y[1])).max(pixels)
    }
}

/// Numbers without a pattern, from -1 to 1, exact in every float type but bf16.
pub(crate) fn noise(shape: &[usize], seed: u64) -> ArrayD<f64> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    ArrayD::from_shape_simple_fn(shape, || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 54) as f64 / 512.0 - 1.0
    })
}

pub(crate) fn cast<A: FloatElement, const RANK: usize>(array: &ArrayD<f64>) -> Output<A, RANK>
where
    Spatial<RANK>: SpatialRank,
{
    array.mapv(A::from_f64).into_dimensionality().unwrap()
}

/// The precision of a type: half a unit in the last place of 1.
fn precision<A: FloatElement + Into<f64>>() -> f64 {
    let one_and: f64 = (0..60).map(|bit| 0.5_f64.powi(bit)).find(|&bit| A::from_f64(1.0 + bit).into() == 1.0).unwrap();
    one_and
}

/// Sums are kept in f32 at least, so the sum errs by a rounding a product, and the result by one of its own type.
fn assert_close<A, D>(what: &str, found: &ndarray::Array<A, D>, expected: &ArrayD<f64>, products: usize)
where
    A: FloatElement + Into<f64>,
    D: Dimension,
{
    assert_eq!(found.shape(), expected.shape(), "{what}: shape");
    let scale = expected.iter().fold(1.0_f64, |largest, value| largest.max(value.abs()));
    let epsilon = scale * (2.0 * precision::<A>() + precision::<A>().min(f64::from(f32::EPSILON)) * (4.0 + products as f64));
    for ((index, &found), expected) in found.view().into_dyn().indexed_iter().zip(expected) {
        let found: f64 = found.into();
        assert!((found - expected).abs() <= epsilon, "{what}: {found} at {index:?}, expected {expected} ± {epsilon}");
    }
}

/// The inputs of a case and what the naive loops make of them.
pub(crate) struct Expected {
    x: ArrayD<f64>,
    weight: ArrayD<f64>,
    bias: ArrayD<f64>,
    dy: ArrayD<f64>,
    forward: ArrayD<f64>,
    input_gradient: ArrayD<f64>,
    weight_gradient: ArrayD<f64>,
    bias_gradient: ArrayD<f64>,
    convolution: Option<ExpectedConvolution>,
}

/// The convolution with the same numbers, from the fine grid to a coarse one.
struct ExpectedConvolution {
    dy: ArrayD<f64>,
    forward: ArrayD<f64>,
    input_gradient: ArrayD<f64>,
    weight_gradient: ArrayD<f64>,
}

impl Expected {
    /// `None` if the transposed convolution has no output. `rounded` makes numbers exact in the type that is judged.
    fn new(case: &Case, rounded: fn(f64) -> f64) -> Option<Self> {
        let numbers = &case.numbers;
        let shape = numbers.transposed_shape(&case.x, &case.weight)?;
        let noise = |shape: &[usize], seed| noise(shape, seed).mapv(rounded);
        let [x, weight, dy] = [(&case.x, 1), (&case.weight, 2), (&shape, 3)].map(|(shape, seed)| noise(shape, seed));
        let convolution = numbers.convolved_shape(&shape, &case.weight).map(|coarse_shape| {
            let coarse = noise(&coarse_shape, 5);
            ExpectedConvolution {
                forward: numbers.contract(&dy, &weight, &coarse_shape),
                input_gradient: numbers.expand(&coarse, &weight, &shape),
                weight_gradient: numbers.correlate(&coarse, &dy, &case.weight),
                dy: coarse,
            }
        });
        Some(Self {
            bias: noise(&[shape[1]], 4),
            forward: numbers.expand(&x, &weight, &shape),
            input_gradient: numbers.contract(&dy, &weight, &case.x),
            weight_gradient: numbers.correlate(&x, &dy, &case.weight),
            bias_gradient: ArrayD::from_shape_vec(IxDyn(&[shape[1]]), channel_sums(&dy)).unwrap(),
            x,
            weight,
            dy,
            convolution,
        })
    }
}

/// All operators and gradients of one case, in one type.
fn check<A, const RANK: usize>(case: &Case, expected: Option<&Expected>, backend: Backend)
where
    A: FloatElement + Into<f64>,
    Spatial<RANK>: SpatialRank,
    for<'a> Tensor<'a, A, RANK>: From<&'a Output<A, RANK>>,
    for<'a> TensorMut<'a, A, RANK>: From<&'a mut Output<A, RANK>>,
{
    let kernel: [usize; RANK] = case.weight[2..].try_into().unwrap();
    let input: [usize; RANK] = case.x[2..].try_into().unwrap();
    let Some(expected) = expected else {
        assert!(case.conv_transpose().plan(input, kernel).is_err(), "{case:?}");
        return;
    };
    let Expected { x, weight, bias, dy, .. } = expected;
    let shape = dy.shape();
    let products = case.products(shape);
    let label = |what: &str| format!("{what} {} {backend:?} {case:?}", std::any::type_name::<A>());
    let (xs, weights, dys) = (cast::<A, RANK>(x), cast::<A, RANK>(weight), cast::<A, RANK>(dy));
    let biases: Array1<A> = bias.iter().map(|&value| A::from_f64(value)).collect();

    // The transposed convolution.
    let deconv = case.conv_transpose().backend(backend);
    let plan = deconv.plan(input, kernel).unwrap();
    assert_eq!(plan.output_size()[..], shape[2..]);
    assert_close(&label("forward"), &plan.forward(&xs, &weights, None).unwrap(), &expected.forward, products);
    let mut biased = expected.forward.clone();
    add_bias(&mut biased, bias.as_slice().unwrap());
    let found = deconv.forward(&xs, &weights, Some(&biases)).unwrap();
    assert_close(&label("forward with bias"), &found, &biased, products);
    assert_eq!(plan.prepare(&weights).unwrap().forward(&xs, Some(&biases)).unwrap(), found, "{}", label("prepared"));
    let (dx, dw, db) = (&expected.input_gradient, &expected.weight_gradient, &expected.bias_gradient);
    assert_close(&label("input gradient"), &plan.input_gradient(&dys, &weights).unwrap(), dx, products);
    assert_close(&label("weight gradient"), &plan.weight_gradient(&xs, &dys).unwrap(), dw, products);
    let of_channel = dy.len() / shape[1].max(1);
    assert_close(&label("bias gradient"), &plan.bias_gradient(&dys).unwrap(), db, of_channel);

    // Gradients added to what is there.
    let (mut twice_dx, mut twice_dw, mut twice_db) = (xs.clone(), weights.clone(), biases.clone());
    plan.input_gradient_into(&dys, &weights, &mut twice_dx, Update::Add).unwrap();
    assert_close(&label("input gradient added"), &twice_dx, &(dx + x), products);
    plan.weight_gradient_into(&xs, &dys, &mut twice_dw, Update::Add).unwrap();
    assert_close(&label("weight gradient added"), &twice_dw, &(dw + weight), products);
    plan.bias_gradient_into(&dys, &mut twice_db, Update::Add).unwrap();
    assert_close(&label("bias gradient added"), &twice_db, &(db + bias), of_channel);

    let conv = case.convolution().backend(backend);
    let fine: [usize; RANK] = shape[2..].try_into().unwrap();
    let Some(convolution) = &expected.convolution else {
        assert!(conv.plan(fine, kernel).is_err(), "{case:?}");
        return;
    };
    let products = products.max(case.products(shape) + convolution.dy.len());
    let coarses = cast::<A, RANK>(&convolution.dy);
    assert_close(&label("convolution"), &conv.forward(&dys, &weights, None).unwrap(), &convolution.forward, products);
    let found = conv.input_gradient(&coarses, &weights, fine).unwrap();
    assert_close(&label("its input gradient"), &found, &convolution.input_gradient, products);
    let found = conv.weight_gradient(&dys, &coarses, kernel).unwrap();
    assert_close(&label("its weight gradient"), &found, &convolution.weight_gradient, products);
}

/// One case in the rank that its shapes have.
fn check_case(case: &Case, backends: &[Backend]) {
    // The noise is exact in f32.
    let expected = Expected::new(case, |value| value);
    for &backend in backends {
        match case.x.len() {
            3 => (check::<f64, 1>(case, expected.as_ref(), backend), check::<f32, 1>(case, expected.as_ref(), backend)),
            4 => (check::<f64, 2>(case, expected.as_ref(), backend), check::<f32, 2>(case, expected.as_ref(), backend)),
            _ => (check::<f64, 3>(case, expected.as_ref(), backend), check::<f32, 3>(case, expected.as_ref(), backend)),
        };
    }
}

/// Small cases of any rank with any numbers, valid or cropped away.
pub(crate) fn small_cases() -> impl Strategy<Value = Case> {
    // Paddings are negative now and then.
    let padding = || (-6..7_isize).prop_map(|padding| if padding < -3 { padding + 7 } else { padding });
    let axis = (1..7_usize, 1..5_usize, 1..5_usize, 1..4_usize, padding(), padding(), 0..4_usize);
    let axes = prop_oneof![
        2 => proptest::collection::vec(axis.clone(), 1),
        3 => proptest::collection::vec(axis.clone(), 2),
        1 => proptest::collection::vec(axis, 3),
    ];
    let channels = (0..3_usize, 1..4_usize, 1..4_usize, 1..4_usize);
    (axes, channels).prop_map(|(axes, (batch, groups, coarse, fine))| {
        let mut numbers = Numbers::plain(axes.len());
        numbers.groups = groups;
        let (mut x, mut weight) = (vec![batch, coarse * groups], vec![coarse * groups, fine]);
        for (axis, &(size, kernel, stride, dilation, begin, end, output_padding)) in axes.iter().enumerate() {
            x.push(size);
            weight.push(kernel);
            (numbers.stride[axis], numbers.dilation[axis]) = (stride, dilation);
            (numbers.begin[axis], numbers.end[axis]) = (begin, end);
            numbers.output_padding[axis] = output_padding.min(stride.max(dilation) - 1);
        }
        Case { x, weight, numbers }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn equals_the_naive_loops(case in small_cases()) {
        check_case(&case, &[Backend::best()]);
    }

    #[test]
    fn portable_equals_the_naive_loops(case in small_cases()) {
        check_case(&case, &[Backend::Portable]);
    }
}

pub(crate) fn case(x: &[usize], weight: &[usize], [stride, padding, output_padding, dilation, groups]: [usize; 5]) -> Case {
    let rank = x.len() - 2;
    let all = |value: usize| vec![value; rank];
    let padding = vec![padding as isize; rank];
    let numbers = Numbers {
        stride: all(stride),
        begin: padding.clone(),
        end: padding,
        output_padding: all(output_padding),
        dilation: all(dilation),
        groups,
    };
    Case { x: x.to_vec(), weight: weight.to_vec(), numbers }
}

/// The same with other paddings, of which negative ones add to the output.
fn padded(mut case: Case, begin: &[isize], end: &[isize]) -> Case {
    (case.numbers.begin, case.numbers.end) = (begin.to_vec(), end.to_vec());
    case
}

/// Cases that reach each way of cutting the work.
pub(crate) fn chosen_cases() -> Vec<(&'static str, Case)> {
    vec![
        ("no input channels: the bias alone", case(&[2, 0, 3, 4], &[0, 3, 4, 4], [2, 1, 0, 1, 1])),
        ("no input channels, many output channels", case(&[2, 0, 3, 4], &[0, 30, 4, 4], [2, 1, 0, 1, 1])),
        ("no output channels, many input channels", case(&[2, 30, 3, 4], &[30, 0, 4, 4], [2, 1, 0, 1, 1])),
        ("no output channels", case(&[2, 3, 3, 4], &[3, 0, 4, 4], [2, 1, 0, 1, 1])),
        ("empty batch", case(&[0, 3, 3, 4], &[3, 2, 4, 4], [2, 1, 0, 1, 1])),
        ("one pixel", case(&[1, 1, 1, 1], &[1, 1, 1, 1], [1, 0, 0, 1, 1])),
        ("one pixel, everything around it cropped", case(&[1, 2, 1], &[2, 2, 5], [2, 2, 0, 1, 1])),
        ("one pixel of many channels, a batch", case(&[3, 40, 1, 1], &[40, 13, 4, 4], [1, 0, 0, 1, 1])),
        ("one pixel of many channels, cropped", case(&[1, 20, 1, 1], &[20, 70, 4, 4], [2, 1, 0, 1, 1])),
        ("one row", case(&[2, 5, 1, 9], &[5, 3, 3, 3], [1, 1, 0, 1, 1])),
        ("one column, dilated", case(&[2, 5, 9, 1], &[5, 3, 3, 3], [2, 1, 1, 2, 1])),
        ("kernel 1, stride 3: most outputs have no tap", case(&[1, 2, 4, 5], &[2, 3, 1, 1], [3, 0, 2, 1, 1])),
        ("kernel = stride", case(&[2, 5, 9, 7], &[5, 4, 2, 2], [2, 0, 0, 1, 1])),
        ("many source channels: several strips", case(&[1, 300, 5, 40], &[300, 1, 4, 4], [2, 1, 0, 1, 1])),
        ("many output channels: several chunks", case(&[1, 2, 5, 6], &[2, 150, 4, 4], [2, 1, 0, 1, 1])),
        ("13 output channels: uneven panels", case(&[1, 3, 7, 6], &[3, 13, 3, 3], [2, 1, 1, 1, 1])),
        ("small pictures: the batch joins the positions", case(&[30, 3, 4, 4], &[3, 20, 4, 4], [2, 1, 0, 1, 1])),
        ("long signal: rows are cut", case(&[1, 2, 2000], &[2, 3, 4], [2, 1, 0, 1, 1])),
        ("long signal, wide gaps between the taps", case(&[1, 2, 1500], &[2, 3, 3], [2, 100, 0, 400, 1])),
        ("tall picture", case(&[1, 2, 300, 4], &[2, 3, 3, 3], [1, 1, 0, 1, 1])),
        ("volume", case(&[2, 3, 5, 6, 7], &[3, 4, 3, 3, 3], [2, 1, 1, 1, 1])),
        ("depthwise", case(&[1, 20, 6, 7], &[20, 1, 4, 4], [2, 1, 0, 1, 20])),
        ("large stride, one channel a group", case(&[1, 3, 5, 6], &[3, 1, 16, 16], [8, 4, 0, 1, 3])),
        ("few output channels, phases are joined", case(&[1, 7, 9, 20], &[7, 1, 9, 9], [3, 3, 0, 1, 1])),
        ("joined phases of different taps", case(&[1, 5, 6, 7], &[5, 2, 3, 5], [2, 1, 1, 1, 1])),
        ("joined phases, dilated", case(&[1, 3, 6, 7], &[3, 2, 3, 4], [3, 2, 1, 2, 1])),
        ("stride longer than the output", case(&[1, 2, 1], &[2, 3, 5], [50, 1, 0, 1, 1])),
        ("more coarse channels than a tile of the weight gradient", case(&[1, 250, 3, 4], &[250, 3, 2, 2], [2, 0, 0, 1, 1])),
        ("more fine channels than a tile of the weight gradient", case(&[1, 3, 3, 4], &[3, 110, 2, 2], [2, 0, 0, 1, 1])),
        ("weights as they are: several blocks of source channels", case(&[1, 70, 3, 3], &[70, 40, 5, 5], [2, 2, 0, 1, 1])),
        ("weights as they are: two groups", case(&[2, 28, 4, 5], &[28, 13, 3, 3], [1, 1, 0, 1, 2])),
        ("packed weights: many positions, two groups", case(&[1, 6, 40, 41], &[6, 13, 4, 4], [2, 1, 0, 1, 2])),
        ("reduced: two taps a phase", case(&[2, 33, 8, 11], &[33, 12, 4, 4], [2, 1, 0, 1, 1])),
        ("reduced: three taps", case(&[1, 32, 9, 6], &[32, 35, 3, 3], [1, 1, 0, 1, 1])),
        ("reduced: three taps a phase, two groups", case(&[1, 64, 5, 8], &[64, 9, 6, 6], [2, 2, 0, 1, 2])),
        ("reduced: output padding, three phases", case(&[3, 32, 5, 6], &[32, 5, 6, 6], [3, 1, 2, 1, 1])),
        ("reduced: rows are cut", case(&[1, 32, 5, 440], &[32, 8, 4, 4], [2, 0, 0, 1, 1])),
        ("reduced: columns are cut", case(&[1, 32, 130, 12], &[32, 8, 4, 4], [2, 3, 1, 1, 1])),
        ("reduced: tiles at the ends lack outputs", case(&[6, 32, 8, 8], &[32, 8, 4, 4], [2, 1, 0, 1, 1])),
        ("reduced: tiles of three taps at the ends lack outputs", case(&[4, 32, 7, 9], &[32, 32, 3, 3], [1, 1, 0, 1, 1])),
        ("reduced: coarse pixels are kept, in tiles of channels", case(&[1, 260, 5, 6], &[260, 24, 4, 4], [2, 1, 0, 1, 1])),
        ("depthwise, dilated, three phases", case(&[2, 6, 9, 11], &[6, 1, 4, 5], [3, 2, 1, 2, 6])),
        ("two channels a group", case(&[2, 4, 7, 20], &[4, 2, 3, 3], [1, 1, 0, 1, 2])),
        ("one channel, stride beyond the kernel", case(&[1, 1, 6, 9], &[1, 2, 2, 3], [4, 0, 1, 1, 1])),
        ("one channel, coarse rows that reach past the fine ones", case(&[1, 1, 8, 8], &[1, 1, 2, 2], [4, 3, 0, 1, 1])),
        ("depthwise signal", case(&[2, 3, 40], &[3, 1, 4], [2, 1, 0, 1, 3])),
        ("margins at all ends", padded(case(&[2, 3, 4, 5], &[3, 2, 3, 3], [2, 0, 0, 1, 1]), &[-1, -4], &[-3, -2])),
        ("margins at some ends", padded(case(&[2, 3, 4, 5], &[3, 2, 4, 4], [2, 0, 1, 1, 1]), &[-2, 3], &[1, -5])),
        ("margins are all there is of a row", padded(case(&[1, 2, 1, 5], &[2, 3, 2, 2], [1, 0, 0, 1, 1]), &[4, 0], &[-9, 0])),
        ("margins are all there is of a column", padded(case(&[1, 2, 5, 1], &[2, 3, 2, 2], [1, 0, 0, 1, 1]), &[0, -9], &[-1, 3])),
        ("margins, reduced", padded(case(&[2, 33, 8, 11], &[33, 12, 4, 4], [2, 0, 0, 1, 1]), &[-2, 1], &[-1, -3])),
        ("margins, reduced, three taps", padded(case(&[1, 32, 9, 56], &[32, 35, 3, 3], [1, 0, 0, 1, 1]), &[-1, -2], &[1, -1])),
        ("margins, depthwise", padded(case(&[2, 6, 9, 20], &[6, 1, 4, 4], [2, 0, 0, 1, 6]), &[-3, -1], &[2, -4])),
        ("margins of a signal", padded(case(&[2, 3, 40], &[3, 1, 4], [2, 0, 0, 1, 3]), &[-7], &[-1])),
        ("margins of a volume", padded(case(&[2, 3, 3, 4, 5], &[3, 4, 3, 3, 3], [2, 0, 1, 1, 1]), &[-1, 2, 0], &[0, -2, -1])),
        ("positions of the weight gradient in parts", case(&[2, 1, 70, 60], &[1, 2, 2, 2], [2, 0, 0, 1, 1])),
    ]
}

#[test]
fn chosen_cases_equal_the_naive_loops() {
    // What is more of AVX-512 VNNI is for bytes.
    let backends: Vec<Backend> = backends().into_iter().filter(|&backend| backend != Backend::Avx512Vnni).collect();
    for (name, case) in chosen_cases() {
        println!("{name}");
        check_case(&case, &backends);
    }
}

#[cfg(feature = "half")]
fn check_half<A>(case: &Case)
where
    A: FloatElement + Into<f64>,
{
    // Of bf16 the numbers themselves are rounded.
    let (expected, backend) = (Expected::new(case, |value| A::from_f64(value).into()), Backend::best());
    match case.x.len() {
        3 => check::<A, 1>(case, expected.as_ref(), backend),
        4 => check::<A, 2>(case, expected.as_ref(), backend),
        _ => check::<A, 3>(case, expected.as_ref(), backend),
    }
}

#[cfg(feature = "half")]
#[test]
fn half_sums_in_f32() {
    for (name, case) in chosen_cases() {
        println!("{name}");
        check_half::<half::f16>(&case);
        check_half::<half::bf16>(&case);
    }
    // 4096 + 1 is not an f16: a sum kept in f16 would stay at 2048.
    let (x, weight) = (noise(&[1, 4096, 1], 1).mapv(|_| 1.0), noise(&[4096, 1, 1], 1).mapv(|_| 1.0));
    let (x, weight) = (cast::<half::f16, 1>(&x), cast::<half::f16, 1>(&weight));
    let y = ConvTranspose::new().forward(&x, &weight, None).unwrap();
    assert_eq!(y[[0, 0, 0]].to_f64(), 4096.0);
    let ones = cast::<half::f16, 1>(&noise(&[1, 1, 4096], 1).mapv(|_| 1.0));
    let dw = ConvTranspose::new().weight_gradient(&ones, &ones, [1]).unwrap();
    assert_eq!(dw[[0, 0, 0]].to_f64(), 4096.0);
    assert_eq!(ConvTranspose::new().bias_gradient(&ones).unwrap()[0].to_f64(), 4096.0);
}

/// Views of any stride read and write like arrays.
#[test]
fn layouts_agree() {
    for (name, case) in
        chosen_cases().into_iter().filter(|(_, case)| case.x.len() == 4 && !case.x.contains(&0) && !case.weight.contains(&0))
    {
        let shape = case.numbers.transposed_shape(&case.x, &case.weight).unwrap();
        let plan = case.conv_transpose().plan([case.x[2], case.x[3]], [case.weight[2], case.weight[3]]).unwrap();
        let [x, weight, dy] = [(&case.x, 1), (&case.weight, 2), (&shape, 3)].map(|(shape, seed)| cast::<f32, 2>(&noise(shape, seed)));
        let y = plan.forward(&x, &weight, None).unwrap();
        let (dx, dw) = (plan.input_gradient(&dy, &weight).unwrap(), plan.weight_gradient(&x, &dy).unwrap());

        // Channels last in memory, the same axes.
        let last = |array: &ndarray::Array4<f32>| {
            array.view().permuted_axes([0, 2, 3, 1]).as_standard_layout().into_owned().permuted_axes([0, 3, 1, 2])
        };
        // Every axis twice as long with junk between, and backwards.
        let mut apart = ndarray::Array4::from_elem((case.x[0] * 2, case.x[1] * 2, case.x[2] * 2, case.x[3] * 2), f32::NAN);
        let mut mirrored = apart.slice_mut(ndarray::s![..;2, ..;2, ..;-2, ..;-2]);
        mirrored.assign(&x);
        assert_eq!(plan.forward(mirrored.view(), &weight, None).unwrap(), y, "{name}: mirrored input");
        let found = plan.forward(&last(&x), &last(&weight), None).unwrap();
        assert_eq!(found, y, "{name}: channels last");
        if case.x[1] > 1 && case.x[3] > 1 && shape[1] > 1 {
            assert_eq!(found.strides()[1], 1, "{name}: the output has the layout of the input");
        }
        let mut into = last(&y);
        into.fill(f32::NAN);
        plan.forward_into(&x, &weight, None, &mut into).unwrap();
        assert_eq!(into, y, "{name}: into channels last");
        let mut reversed = y.clone();
        reversed.invert_axis(Axis(3));
        reversed.fill(f32::NAN);
        plan.forward_into(&x, &weight, None, &mut reversed).unwrap();
        assert_eq!(reversed, y, "{name}: into a mirrored view");
        assert_eq!(plan.input_gradient(&last(&dy), &weight).unwrap(), dx, "{name}");
        assert_eq!(plan.weight_gradient(&last(&x), &last(&dy)).unwrap(), dw, "{name}");
    }
}
