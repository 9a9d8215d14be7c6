//! Memory that runs out at any moment of a call of several threads, some of which have kept memory of earlier calls.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use ndarray::{Array, Array4, Array5, Dimension, s};
use upsample::{ConvTranspose, Convolution, Element, Error, Filter, Precision, Resize, ResizeConv, Update};

use crate::{FURTHER, GIVEN, IN_USE, LARGE, LIMIT, TOTAL, on_fresh_threads};

const THREADS: usize = 8;

/// A call into an output of its own, and a small one that leaves buffers with some of the threads.
struct Call {
    name: String,
    small: Box<dyn Fn() + Send + Sync>,
    run: Box<dyn Fn() -> Result<(), Error> + Send + Sync>,
    /// Whether threads that help each other take memory that is not there beforehand, see `MemoryUse::nested_bytes`.
    nested: bool,
    /// What the call tells of one thread's buffers and of what threads share.
    told: [usize; 2],
}

/// Checks the output of every call: untouched where it fails, else what a single thread computes.
fn call<A, D>(
    name: String,
    output: Array<A, D>,
    told: upsample::MemoryUse,
    small: impl Fn() + Send + Sync + 'static,
    run: impl Fn(&mut Array<A, D>) -> Result<(), Error> + Send + Sync + 'static,
) -> Call
where
    A: Copy + PartialEq + Send + Sync + 'static,
    D: Dimension + 'static,
{
    let (before, mut expected) = (output.clone(), output.clone());
    on_fresh_threads(1, || run(&mut expected).unwrap());
    let (of_call, output) = (name.clone(), std::sync::Mutex::new(output));
    let run = move || {
        // A call that runs beside another of the same row has an output of its own, made while there is memory.
        let mut output = output.lock().unwrap();
        output.assign(&before);
        let result = run(&mut output);
        match &result {
            Ok(()) => assert!(*output == expected, "{of_call}: another result than that of one thread"),
            Err(_) => assert!(*output == before, "{of_call}: an output has been written to"),
        }
        result
    };
    let told_bytes = [told.thread_bytes, told.shared_bytes];
    Call { name, small: Box::new(small), run: Box::new(run), nested: told.nested_bytes > 0, told: told_bytes }
}

fn numbers(shape: [usize; 4]) -> Array4<f32> {
    Array4::from_shape_fn(shape, |(n, c, h, w)| ((n * 5 + c * 3 + h * 7 + w) % 19) as f32)
}

fn forward<A: Element + PartialEq>(name: &str, resize: Resize, [from, to]: [[usize; 2]; 2], value: fn(f32) -> A) -> Call {
    let plan = Arc::new(resize.plan(from, to).unwrap());
    let x = numbers([4, 3, from[0], from[1]]).mapv(value);
    let one = x.slice(s![..1, ..1, .., ..]).to_owned();
    let output = Array4::from_elem((4, 3, to[0], to[1]), value(77.0));
    let (told, of_small) = (plan.forward_memory(&x).unwrap(), plan.clone());
    call(format!("{name}, forward"), output, told, move || drop(of_small.forward(&one).unwrap()), move |y| plan.forward_into(&x, y))
}

fn backward(name: &str, resize: Resize, [from, to]: [[usize; 2]; 2]) -> Call {
    let plan = Arc::new(resize.plan(from, to).unwrap());
    let dy = numbers([4, 3, to[0], to[1]]);
    let one = dy.slice(s![..1, ..1, .., ..]).to_owned();
    let output = Array4::from_elem((4, 3, from[0], from[1]), 77.0);
    let (told, of_small) = (plan.input_gradient_memory(&dy).unwrap(), plan.clone());
    call(
        format!("{name}, gradient"),
        output,
        told,
        move || drop(of_small.input_gradient(&one).unwrap()),
        move |dx| plan.input_gradient_into(&dy, dx, Update::Overwrite),
    )
}

fn volume() -> Call {
    let plan = Arc::new(Resize::linear().plan([8, 60, 300], [15, 90, 500]).unwrap());
    let x = Array5::from_shape_fn((2, 4, 8, 60, 300), |(n, c, d, h, w)| ((n + c * 3 + d * 5 + h * 7 + w) % 13) as f64);
    let one = x.slice(s![..1, ..1, .., .., ..]).to_owned();
    let (told, of_small) = (plan.forward_memory(&x).unwrap(), plan.clone());
    let output = Array5::from_elem((2, 4, 15, 90, 500), 77.0);
    call("volume".to_owned(), output, told, move || drop(of_small.forward(&one).unwrap()), move |y| plan.forward_into(&x, y))
}

/// A transposed convolution in every direction, and the convolution.
fn convolutions(name: &str, deconv: ConvTranspose, [n, c, h, w]: [usize; 4], out: usize, conv: Convolution) -> Vec<Call> {
    let plan = Arc::new(deconv.plan([h, w], [4, 4]).unwrap());
    let [oh, ow] = plan.output_size();
    let (x, weight, dy) = (numbers([n, c, h, w]), numbers([c, out, 4, 4]), numbers([n, out, oh, ow]));
    let (x1, dy1) = (x.slice(s![..1, .., .., ..]).to_owned(), dy.slice(s![..1, .., .., ..]).to_owned());
    let (y, dx, dw) = (dy.mapv(|_| 77.0), x.mapv(|_| 77.0), weight.mapv(|_| 77.0));
    let mut all = Vec::new();
    let (told, [of_small, of_call]) = (plan.forward_memory(&x, &weight).unwrap(), [0; 2].map(|_| plan.clone()));
    let (small_x, small_w, call_x, call_w) = (x1.clone(), weight.clone(), x.clone(), weight.clone());
    all.push(call(
        format!("{name}, forward"),
        y.clone(),
        told,
        move || drop(of_small.forward(&small_x, &small_w, None).unwrap()),
        move |y| of_call.forward_into(&call_x, &call_w, None, y),
    ));
    let fast = Arc::new(plan.prepare(&weight).unwrap());
    let (told, of_small, small_x, call_x) = (fast.forward_memory(&x).unwrap(), fast.clone(), x1.clone(), x.clone());
    all.push(call(
        format!("{name}, prepared"),
        y,
        told,
        move || drop(of_small.forward(&small_x, None).unwrap()),
        move |y| fast.forward_into(&call_x, None, y),
    ));
    let (told, [of_small, of_call]) = (plan.input_gradient_memory(&dy, &weight).unwrap(), [0; 2].map(|_| plan.clone()));
    let (small_dy, small_w, call_dy, call_w) = (dy1.clone(), weight.clone(), dy.clone(), weight.clone());
    all.push(call(
        format!("{name}, input gradient"),
        dx.clone(),
        told,
        move || drop(of_small.input_gradient(&small_dy, &small_w).unwrap()),
        move |dx| of_call.input_gradient_into(&call_dy, &call_w, dx, Update::Overwrite),
    ));
    let (told, of_small) = (plan.weight_gradient_memory(&x, &dy).unwrap(), plan.clone());
    let call_dy = dy.clone();
    all.push(call(
        format!("{name}, weight gradient"),
        dw,
        told,
        move || drop(of_small.weight_gradient(&x1, &dy1).unwrap()),
        move |dw| plan.weight_gradient_into(&x, &call_dy, dw, Update::Overwrite),
    ));
    let plan = Arc::new(conv.plan([oh, ow], [4, 4]).unwrap());
    let (told, of_small, small_dy) = (plan.forward_memory(&dy, &weight).unwrap(), plan.clone(), dy.slice(s![..1, .., .., ..]).to_owned());
    let small_w = weight.clone();
    all.push(call(
        format!("{name}, convolution"),
        dx,
        told,
        move || drop(of_small.forward(&small_dy, &small_w, None).unwrap()),
        move |y| plan.forward_into(&dy, &weight, None, y),
    ));
    all
}

fn resize_convolution() -> Call {
    let plan = Arc::new(ResizeConv::new().resize(Resize::bilinear()).factor(2).padding(1).plan([60, 500], [3, 3]).unwrap());
    let (x, weight) = (numbers([3, 16, 60, 500]), numbers([16, 4, 3, 3]));
    let one = x.slice(s![..1, .., .., ..]).to_owned();
    let (told, of_small, small_w) = (plan.forward_memory(&x, &weight).unwrap(), plan.clone(), weight.clone());
    let output = Array4::from_elem((3, 4, 120, 1000), 77.0);
    let small = move || drop(of_small.forward(&one, &small_w, None).unwrap());
    call("resize, then convolve".to_owned(), output, told, small, move |y| plan.forward_into(&x, &weight, None, y))
}

fn calls() -> Vec<Call> {
    let lanczos = || Resize::filter(Filter::Lanczos { lobes: 3 }).antialias(true);
    let shrink = [[120, 2000], [30, 500]];
    let mut all = vec![
        forward("Lanczos", lanczos(), shrink, |value| value),
        forward("Lanczos, bytes", lanczos(), shrink, |value| value as u8),
        forward("Lanczos, 16 bits", lanczos(), shrink, |value| value as i16),
        forward("cubic, few rows", Resize::cubic().antialias(true), [[300, 3000], [6, 2000]], |value| value),
        forward("bilinear", Resize::bilinear(), [[60, 9000], [130, 18_000]], |value| value),
        backward("Lanczos", lanczos(), shrink),
        backward("bilinear", Resize::bilinear(), [[60, 900], [130, 1800]]),
        volume(),
        resize_convolution(),
    ];
    let deconv = || ConvTranspose::new().stride(2).padding(1).precision(Precision::Reduced);
    let conv = || Convolution::new().stride(2).padding(1).precision(Precision::Reduced);
    all.extend(convolutions("convolution", deconv(), [5, 48, 20, 70], 40, conv()));
    let strict = conv().precision(Precision::Strict);
    all.extend(convolutions("strict convolution", deconv().precision(Precision::Strict), [5, 48, 20, 70], 40, strict));
    all.extend(convolutions("few channels", deconv(), [5, 2, 20, 20_000], 1, conv()));
    all
}

/// Whichever the limit on an allocation: an error, and again an error, until there is enough; then the result.
fn under_a_limit(of: &Call) {
    let mut refused = 0;
    for limit in (15..40).map(|bits| 1_usize << bits) {
        let found = on_fresh_threads(THREADS, || {
            (of.small)();
            LIMIT.store(limit, Ordering::SeqCst);
            let found = [(of.run)(), (of.run)()];
            LIMIT.store(usize::MAX, Ordering::SeqCst);
            (of.run)().unwrap();
            found
        });
        match found {
            [Ok(()), Ok(())] => break,
            [Err(Error::OutOfMemory { .. }), Err(Error::OutOfMemory { .. })] => refused += 1,
            _ => panic!("{}, at most {limit} bytes: {found:?}", of.name),
        }
    }
    println!("{}: {refused} limits refused, told {:?}", of.name, of.told);
    assert!(refused > 0, "{}: takes no memory, told {:?}", of.name, of.told);
}

/// Some large allocations, none further, however many: nothing that a thread needs in the middle of the call is missing.
fn some_and_none_further(of: &Call) {
    for given in 0.. {
        let found = on_fresh_threads(THREADS, || {
            (of.small)();
            FURTHER.store(false, Ordering::SeqCst);
            GIVEN.store(given, Ordering::SeqCst);
            let found = (of.run)();
            GIVEN.store(usize::MAX, Ordering::SeqCst);
            FURTHER.store(true, Ordering::SeqCst);
            found
        });
        match found {
            Ok(()) => return,
            Err(Error::OutOfMemory { .. }) if given < 1000 => {}
            Err(_) => panic!("{}, {given} allocations: {found:?}", of.name),
        }
    }
}

/// Two calls at a time in one pool, with memory for less than both: each has its result or an error.
fn side_by_side(first: &Call, second: &Call) {
    let most = THREADS * (first.told[0].max(second.told[0])) * 3 / 2;
    on_fresh_threads(THREADS, || {
        for _ in 0..6 {
            TOTAL.store(IN_USE.load(Ordering::SeqCst) + most + LARGE, Ordering::SeqCst);
            let (mut one, mut other) = (Ok(()), Ok(()));
            rayon::join(|| one = (first.run)(), || other = (second.run)());
            TOTAL.store(usize::MAX, Ordering::SeqCst);
            for found in [one, other] {
                assert!(matches!(found, Ok(()) | Err(Error::OutOfMemory { .. })), "{} beside {}: {found:?}", first.name, second.name);
            }
        }
    });
}

pub(crate) fn calls_say_so() {
    let all = calls();
    for of in &all {
        under_a_limit(of);
        if !of.nested {
            some_and_none_further(of);
        }
    }
    let flat: Vec<_> = all.iter().filter(|of| !of.nested).collect();
    for pair in flat.windows(2) {
        side_by_side(pair[0], pair[1]);
    }
    println!("{} calls, {} of them without nested memory", all.len(), flat.len());
}
