//! The upper halves of the vector registers are unused when a call returns: code without AVX that follows would be slow otherwise.
#![cfg(all(target_arch = "x86_64", not(miri)))]

use std::arch::asm;
use std::arch::x86_64::{__cpuid, __cpuid_count};

use common::backends;
use ndarray::{Array3, Array4, s};
use upsample::{
    Backend, ConvTranspose, Convolution, Element, Filter, Precision, Profile, Resize, ResizeConv, StreamingStores, Tensor4, Tensor4Mut,
};

/// Bits of the state that is in use: the upper halves of 256-bit registers, and those of the first sixteen 512-bit ones.
const UPPER: u32 = 1 << 2 | 1 << 6;

/// Whether the processor tells which state is in use.
fn tells() -> bool {
    let has_xgetbv = __cpuid(1).ecx & (1 << 27) != 0 && __cpuid(0).eax >= 0xD;
    has_xgetbv && __cpuid_count(0xD, 1).eax & (1 << 2) != 0
}

/// The state that is in use.
fn in_use() -> u32 {
    let low: u32;
    // SAFETY: `tells` has found the instruction, and that it knows of 1.
    unsafe { asm!("xgetbv", in("ecx") 1, out("eax") low, out("edx") _, options(nomem, nostack, preserves_flags)) };
    low
}

/// Makes the upper halves unused, or used.
fn set_upper(used: bool) {
    // SAFETY: there are AVX registers where this is called; the first is declared to change, the others lose halves that nothing uses.
    unsafe {
        if used {
            asm!("vpcmpeqd {0:y}, {0:y}, {0:y}", out(xmm_reg) _, options(nomem, nostack, preserves_flags));
        } else {
            std::arch::x86_64::_mm256_zeroupper();
        }
    }
}

struct Checked {
    calls: usize,
    unclean: Vec<String>,
}

impl Checked {
    /// `call` must leave the upper halves as they are: unused.
    fn call<R>(&mut self, name: impl FnOnce() -> String, call: impl FnOnce() -> R) {
        set_upper(false);
        let result = call();
        let after = in_use();
        self.calls += 1;
        if after & UPPER != 0 {
            self.unclean.push(format!("{}: {after:#x}", name()));
        }
        drop(result);
    }
}

/// Everything on the calling thread: a pool of one thread, and the one that asks is in it.
fn on_one_thread<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    #[cfg(feature = "rayon")]
    return rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap().install(work);
    #[cfg(not(feature = "rayon"))]
    work()
}

const SIZES: [[[usize; 2]; 2]; 6] =
    [[[5, 9], [10, 18]], [[40, 64], [80, 128]], [[40, 67], [80, 134]], [[33, 40], [50, 61]], [[64, 300], [30, 70]], [[1, 1], [3, 3]]];

/// Copies of elements of every size there are loops for, and of others.
fn copies<const BYTES: usize>(backend: Backend, checked: &mut Checked) {
    for streaming in [StreamingStores::Never, StreamingStores::Always] {
        for [input, output] in SIZES {
            let plan = Resize::nearest().backend(backend).streaming(streaming).plan(input, output).unwrap();
            let x = Array4::from_elem((1, 3, input[0], input[1]), [1_u8; BYTES]);
            let name = || format!("nearest, {BYTES} bytes, {input:?} to {output:?}, {backend:?}, {streaming:?}");
            checked.call(name, || plan.forward_any(&x).unwrap());
            let last = Array4::from_elem((1, input[0], input[1], 3), [1_u8; BYTES]);
            let mut y = Array4::from_elem((1, output[0], output[1], 3), [0_u8; BYTES]);
            let name = || format!("nearest, channels last, {BYTES} bytes, {input:?} to {output:?}, {backend:?}, {streaming:?}");
            checked.call(name, || {
                plan.forward_any_into(Tensor4::from_nhwc(last.view()), Tensor4Mut::from_nhwc(y.view_mut())).unwrap();
            });
        }
    }
}

fn resizes<A: Element>(backend: Backend, checked: &mut Checked) {
    let methods = [
        ("nearest", Resize::nearest()),
        ("linear", Resize::linear()),
        ("cubic", Resize::cubic()),
        ("Pillow's cubic", Resize::cubic().profile(Profile::Pillow)),
        ("area", Resize::area()),
        ("Lanczos", Resize::filter(Filter::Lanczos { lobes: 3 }).antialias(true)),
    ];
    for (method, resize) in methods {
        for streaming in [StreamingStores::Never, StreamingStores::Always] {
            let resize = resize.clone().backend(backend).streaming(streaming);
            for [input, output] in SIZES {
                let plan = resize.plan(input, output).unwrap();
                let name = || format!("{method}, {}, {input:?} to {output:?}, {backend:?}, {streaming:?}", std::any::type_name::<A>());
                let x = Array4::from_elem((1, 3, input[0], input[1]), A::default());
                checked.call(name, || plan.forward(&x).unwrap());
                let last = Array4::from_elem((1, input[0], input[1], 3), A::default());
                checked.call(name, || plan.forward(Tensor4::from_nhwc(last.view())).unwrap());
                let mut y = Array4::from_elem((1, output[0], output[1], 3), A::default());
                checked.call(name, || plan.forward_into(&x, Tensor4Mut::from_nhwc(y.view_mut())).unwrap());
                let mut apart = Array4::from_elem((1, 3, output[0], 2 * output[1]), A::default());
                checked.call(name, || plan.forward_into(&x, apart.slice_mut(s![.., .., .., ..;2])).unwrap());
            }
        }
    }
}

fn gradients(backend: Backend, checked: &mut Checked) {
    for (method, resize) in [("nearest", Resize::nearest()), ("cubic", Resize::cubic().antialias(true))] {
        for [input, output] in SIZES {
            let plan = resize.clone().backend(backend).plan(input, output).unwrap();
            let dy = Array4::<f32>::ones((2, 3, output[0], output[1]));
            checked.call(|| format!("gradient of {method}, {input:?} to {output:?}, {backend:?}"), || plan.input_gradient(&dy).unwrap());
        }
    }
    let signal = Array3::<f64>::ones((2, 3, 500));
    let plan = Resize::linear().backend(backend).plan([500], [1234]).unwrap();
    checked.call(|| format!("signal, {backend:?}"), || plan.input_gradient(plan.forward(&signal).unwrap().view()).unwrap());
}

fn convolutions(backend: Backend, checked: &mut Checked) {
    // Channels, output channels of a group, kernel, stride, groups: strips, few channels, fewer multiplications.
    for [channels, out, kernel, stride, groups] in [[6, 1, 4, 2, 6], [3, 5, 2, 2, 1], [16, 16, 3, 1, 1], [33, 32, 4, 2, 1], [4, 2, 3, 2, 2]]
    {
        let (x, weight) = (Array4::<f32>::ones((2, channels, 11, 17)), Array4::<f32>::ones((channels, out, kernel, kernel)));
        let deconv = ConvTranspose::new().stride(stride).padding(1).groups(groups).backend(backend).precision(Precision::Reduced);
        let plan = deconv.plan([11, 17], [kernel, kernel]).unwrap();
        let name = |what| move || format!("{what}, {channels} to {out}, k{kernel} s{stride}, {groups} groups, {backend:?}");
        let y = plan.forward(&x, &weight, None).unwrap();
        checked.call(name("transposed convolution"), || plan.forward(&x, &weight, None).unwrap());
        checked.call(name("prepared"), || plan.prepare(&weight).unwrap().forward(&x, None).unwrap());
        checked.call(name("input gradient"), || plan.input_gradient(&y, &weight).unwrap());
        checked.call(name("weight gradient"), || plan.weight_gradient(&x, &y).unwrap());
        checked.call(name("bias gradient"), || plan.bias_gradient(&y).unwrap());
        let conv = Convolution::new().stride(stride).padding(1).groups(groups).backend(backend).precision(Precision::Reduced);
        checked.call(name("convolution"), || conv.forward(&y, &weight, None).unwrap());
        let double = x.mapv(f64::from);
        checked.call(name("f64"), || plan.forward(&double, &weight.mapv(f64::from), None).unwrap());
    }
    let up = ResizeConv::doubling(3).unwrap().backend(backend);
    let (x, weight) = (Array4::<f32>::ones((1, 8, 20, 30)), Array4::<f32>::ones((8, 8, 3, 3)));
    checked.call(|| format!("resize, then convolve, {backend:?}"), || up.forward(&x, &weight, None).unwrap());
}

#[test]
fn upper_halves_are_unused_on_return() {
    if !tells() || !is_x86_feature_detected!("avx") {
        println!("this processor does not tell which registers are in use");
        return;
    }
    let checked = on_one_thread(|| {
        set_upper(true);
        assert!(in_use() & UPPER != 0, "the measure sees registers that are used");
        set_upper(false);
        assert_eq!(in_use() & UPPER, 0, "and ones that are not");
        let mut checked = Checked { calls: 0, unclean: Vec::new() };
        for backend in backends() {
            copies::<1>(backend, &mut checked);
            copies::<2>(backend, &mut checked);
            copies::<3>(backend, &mut checked);
            copies::<4>(backend, &mut checked);
            copies::<5>(backend, &mut checked);
            copies::<6>(backend, &mut checked);
            copies::<8>(backend, &mut checked);
            copies::<12>(backend, &mut checked);
            copies::<16>(backend, &mut checked);
            copies::<32>(backend, &mut checked);
            resizes::<u8>(backend, &mut checked);
            resizes::<i16>(backend, &mut checked);
            resizes::<f32>(backend, &mut checked);
            resizes::<f64>(backend, &mut checked);
            #[cfg(feature = "half")]
            resizes::<half::f16>(backend, &mut checked);
            gradients(backend, &mut checked);
            convolutions(backend, &mut checked);
        }
        checked
    });
    println!("{} calls", checked.calls);
    assert!(checked.unclean.is_empty(), "{} of {} calls:\n{}", checked.unclean.len(), checked.calls, checked.unclean.join("\n"));
}
