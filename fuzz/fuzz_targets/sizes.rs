//! The calculator, the solver and everything that plans, with any numbers: 128-bit integers are the oracle, and no number panics.
#![no_main]

use arbitrary::{Arbitrary, Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use upsample::checkerboard::{Overlap, nearest_even};
use upsample::output_size::{self, ScaleRule, Window};
use upsample::rearrange::MaxPool;
use upsample::{AutoPad, ConvTranspose, Convolution, Coordinates, Error, Filter, Resize};

/// A size: mostly small, sometimes near a power of two or an end of the integers.
#[derive(Debug, Clone, Copy)]
struct Size(usize);

impl<'a> Arbitrary<'a> for Size {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(Self(match u.int_in_range(0..=9_u8)? {
            0..=6 => usize::from(u8::arbitrary(u)? % 40),
            7 => (1_usize << (u8::arbitrary(u)? % 64)).wrapping_add(usize::from(u8::arbitrary(u)? % 5)).wrapping_sub(2),
            8 => usize::MAX / usize::from((u8::arbitrary(u)? % 7).max(1)) - usize::from(u8::arbitrary(u)? % 3),
            _ => usize::arbitrary(u)?,
        }))
    }
}

#[derive(Debug, Arbitrary)]
struct Case {
    input: Size,
    output: Size,
    kernel: Size,
    stride: Size,
    dilation: Size,
    begin: Size,
    end: Size,
    extra: Size,
    scale: f64,
    small_scale: u16,
    groups: Size,
    auto_pad: Option<bool>,
    round: bool,
    ceil_mode: bool,
}

fuzz_target!(|case: Case| {
    let Case { input: Size(input), output: Size(output), kernel: Size(kernel), .. } = case;
    // Paddings are signed: beyond the largest isize, and now and then among the small ones, they are negative.
    let [begin, end] = [(case.begin, 3), (case.end, 5)].map(|(size, divisor)| {
        let padding = size.0.cast_signed();
        if case.groups.0 % divisor == 2 { padding.wrapping_neg() } else { padding }
    });
    let window = Window::new(kernel)
        .stride(case.stride.0)
        .dilation(case.dilation.0)
        .padding_of(begin, end)
        .output_padding(case.extra.0);
    let [n, m, k, s, d, extra] = [input, output, kernel, window.stride, window.dilation, case.extra.0].map(|value| value as i128);
    let (p, q) = (begin as i128, end as i128);
    let valid = n > 0 && k > 0 && s > 0 && d > 0;
    // Products of two 64-bit numbers may not fit 127 bits: far beyond what fits a size, which size does not matter.
    let (span, steps) = (d.saturating_mul((k - 1).max(0)).min(i128::MAX / 8) + 1, (n - 1).max(0).saturating_mul(s).min(i128::MAX / 8));
    let limit = isize::MAX as i128;

    let found = output_size::conv_transpose(input, &window);
    let exact = steps + span + extra - p - q;
    // Every sum on the way has to fit, too: additions come first.
    let fits = steps + span <= limit && steps + span + extra <= usize::MAX as i128 && isize::try_from(p + q).is_ok();
    match &found {
        Ok(size) => assert!(valid && *size as i128 == exact && exact > 0 && extra < s.max(d), "{case:?}: {size}"),
        Err(_) => assert!(!valid || exact <= 0 || extra >= s.max(d) || !fits || exact > limit, "{case:?}: {found:?}, exactly {exact}"),
    }

    let plain = window.output_padding(0);
    let convolved = output_size::convolution(input, &plain);
    let room = n + p + q - span;
    match &convolved {
        Ok(size) => assert!(valid && room >= 0 && *size as i128 == room / s + 1, "{case:?}: {size}"),
        Err(_) => {
            let fits = n.max(n + p + q) <= limit && span <= usize::MAX as i128 && isize::try_from(p + q).is_ok();
            assert!(!valid || room < 0 || !fits, "{case:?}: {convolved:?}");
        }
    }

    match output_size::solve(input, output, &window) {
        Ok(solved) => assert_eq!(output_size::conv_transpose(input, &solved), Ok(output), "{case:?}: {solved:?}"),
        Err(Error::UnreachableSize { nearest, .. }) => {
            assert!(m == 0 || m > steps + span + s.max(d) - 1, "{case:?}");
            assert!(nearest > 0, "{case:?}");
        }
        Err(_) => assert!(!valid || m > limit || steps + span > limit || steps + span + s.max(d) - 1 > usize::MAX as i128, "{case:?}"),
    }

    let rule = if case.round { ScaleRule::Round } else { ScaleRule::Floor };
    for scale in [case.scale, f64::from(case.small_scale) / 4096.0] {
        let found = output_size::scaled(input, scale, rule);
        let exact = input as f64 * scale;
        if let Ok(size) = found {
            let distance = size as f64 - exact;
            let near = if case.round { distance.abs() <= 0.5 } else { (-1.0..=0.0).contains(&distance) };
            assert!(scale > 0.0 && scale.is_finite() && size > 0 && near, "{case:?}: {scale} gives {size}");
        } else {
            assert!(n == 0 || !scale.is_finite() || scale <= 0.0 || exact < 1.0 || exact > 2.0_f64.powi(53), "{case:?}: {found:?}");
        }
    }

    // What plans must say the same, and nothing may panic.
    let deconv = ConvTranspose::new()
        .stride(window.stride)
        .dilation(window.dilation)
        .padding_of(begin, end)
        .output_padding(case.extra.0)
        .groups(case.groups.0);
    let planned = deconv.plan([input, 3], [kernel, 1]).map(|plan| plan.output_size()[0]);
    if let (Ok(planned), Ok(size)) = (&planned, &found) {
        assert_eq!(planned, size, "{case:?}");
    }
    let conv = Convolution::new().stride(window.stride).dilation(window.dilation).padding_of(begin, end);
    if let (Ok(plan), Ok(size)) = (conv.plan([input], [kernel]), &convolved) {
        assert_eq!(plan.output_size(), [*size], "{case:?}");
    }
    // PyTorch's output_size: the padding stays, and the output padding is less than the stride.
    let sized = ConvTranspose::new().stride(window.stride).dilation(window.dilation).padding_of(begin, end).output_size(output);
    match sized.plan([input], [kernel]) {
        Ok(plan) => {
            let more = m - (exact - extra);
            assert!(plan.output_size() == [output] && (0..s).contains(&more), "{case:?}: {more}");
            assert_eq!(plan.windows()[0], window.output_padding(more as usize), "{case:?}");
        }
        Err(Error::OutputSizeOutOfRange { smallest, largest, .. }) => {
            let (from, to) = ((exact - extra).max(1), exact - extra + s - 1);
            assert!((smallest as i128, largest as i128) == (from, to) && !(from..=to).contains(&m), "{case:?}: {smallest} to {largest}");
        }
        Err(_) => {}
    }
    if let Some(upper) = case.auto_pad {
        let rule = if upper { AutoPad::SameUpper } else { AutoPad::SameLower };
        let bare = ConvTranspose::new().stride(window.stride).dilation(window.dilation).auto_pad(rule);
        if let Ok(plan) = bare.plan([input], [kernel]) {
            assert_eq!(plan.output_size()[0] as i128, n * s, "{case:?}");
        }
        if let Ok(plan) = bare.output_shape(output).plan([input], [kernel]) {
            assert_eq!(plan.output_size(), [output], "{case:?}");
        }
    }
    let _ = ConvTranspose::doubling([kernel, 3]);
    let pool = MaxPool::<1>::new(kernel).stride(window.stride).dilation(window.dilation);
    let pool = pool.padding_of([case.begin.0], [case.end.0]).ceil_mode(case.ceil_mode);
    // Where dilated windows could step over every pixel they are tried one by one: not with billions of them.
    if input < 1 << 16 {
        if let Ok([size]) = pool.output_size([input]) {
            let whole = (n + case.begin.0 as i128 + case.end.0 as i128 - span) / s + 1;
            assert!((whole..=whole + 1).contains(&(size as i128)), "{case:?}: {size}");
        }
    }
    if window.stride < 1 << 20 && window.dilation < 1 << 20 {
        if let Ok(even) = nearest_even(input, &window) {
            assert_eq!(output_size::conv_transpose(input, &even), found, "{case:?}: {even:?}");
            if window.stride < 200 && input < 200 && even.kernel < 200 && found.as_ref().is_ok_and(|&size| size < 10_000) {
                assert!(Overlap::of([input], [even]).unwrap().is_even(), "{case:?}: {even:?}");
            }
        }
    }

    // Sizes beyond every memory are refused before any is taken; the others are small.
    let reasonable = |size: usize| size < 1 << 12 || size > 1 << 33;
    for resize in [
        Resize::nearest(),
        Resize::nearest_exact(),
        Resize::linear().antialias(true),
        Resize::cubic().coordinates(Coordinates::AlignCorners),
        Resize::filter(Filter::Lanczos { lobes: 3 }),
        Resize::area(),
    ] {
        if reasonable(input) && reasonable(output) {
            match resize.plan([input, 2], [output, 3]) {
                Ok(plan) => assert_eq!(plan.output_size(), [output, 3], "{case:?}"),
                Err(_) => assert!(n == 0 || m == 0 || n.max(m) >= 1 << 12, "{case:?}"),
            }
        }
        let scaled = resize.output_size([input], case.scale);
        if let Ok([size]) = scaled {
            if reasonable(input) && reasonable(size) {
                let _ = resize.plan([input], case.scale);
            }
        }
    }
});
