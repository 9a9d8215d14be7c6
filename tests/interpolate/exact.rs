//! Positions that are rational numbers: nearest for all sizes up to 64 by fractions of whole numbers, and regions that end at border centres.

use ndarray::{Array3, Array4, Axis, array};
use upsample::{AspectRatio, Coordinates, Profile, Resize, Rounding, ndarray};

/// A fraction; the denominator is positive.
#[derive(Debug, Clone, Copy)]
struct Fraction(i128, i128);

impl Fraction {
    fn new(numerator: i128, denominator: i128) -> Self {
        assert_ne!(denominator, 0);
        let (mut a, mut b) = (numerator.abs(), denominator.abs());
        while b != 0 {
            (a, b) = (b, a % b);
        }
        let a = a.max(1) * denominator.signum();
        Self(numerator / a, denominator / a)
    }

    fn whole(number: usize) -> Self {
        Self(number as i128, 1)
    }

    fn plus(self, other: Self) -> Self {
        Self::new(self.0 * other.1 + other.0 * self.1, self.1 * other.1)
    }

    fn minus(self, other: Self) -> Self {
        self.plus(Self(-other.0, other.1))
    }

    fn times(self, other: Self) -> Self {
        Self::new(self.0 * other.0, self.1 * other.1)
    }

    fn over(self, other: Self) -> Self {
        Self::new(self.0 * other.1, self.1 * other.0)
    }

    fn at_most(self, other: Self) -> bool {
        self.0 * other.1 <= other.0 * self.1
    }

    fn floor(self) -> i128 {
        self.0.div_euclid(self.1)
    }

    fn number(self) -> f64 {
        self.0 as f64 / self.1 as f64
    }

    fn rounded(self, rounding: Rounding) -> i128 {
        match rounding {
            Rounding::Floor => self.floor(),
            Rounding::Ceil => -Self(-self.0, self.1).floor(),
            // ⌈x - 1/2⌉ and ⌊x + 1/2⌋.
            Rounding::RoundPreferFloor => -Self::new(1, 2).minus(self).floor(),
            Rounding::RoundPreferCeil => self.plus(Self(1, 2)).floor(),
            other => panic!("{other:?} is not tested"),
        }
    }
}

const HALF: Fraction = Fraction(1, 2);
const ONE: Fraction = Fraction(1, 1);

const ROUNDINGS: [Rounding; 4] = [Rounding::Floor, Rounding::Ceil, Rounding::RoundPreferFloor, Rounding::RoundPreferCeil];

/// The rules that ask for nothing but sizes.
const RULES: [Coordinates; 6] = [
    Coordinates::HalfPixel,
    Coordinates::HalfPixelSymmetric,
    Coordinates::PytorchHalfPixel,
    Coordinates::Asymmetric,
    Coordinates::AlignCorners,
    Coordinates::TfHalfPixelForNn,
];

/// The standard's formulas for output pixel `o` of `m`, `n` input pixels and `scale`; `length` is the output that is measured by.
fn position(rule: Coordinates, o: usize, n: usize, m: usize, scale: Fraction, length: Fraction) -> Fraction {
    let (o, size) = (Fraction::whole(o), Fraction::whole(n));
    match rule {
        Coordinates::HalfPixel => o.plus(HALF).over(scale).minus(HALF),
        Coordinates::HalfPixelSymmetric => {
            let adjustment = Fraction::whole(m).over(size.times(scale));
            size.over(Fraction(2, 1)).times(ONE.minus(adjustment)).plus(o.plus(HALF).over(scale)).minus(HALF)
        }
        Coordinates::PytorchHalfPixel if m == 1 => Fraction(0, 1),
        Coordinates::PytorchHalfPixel => o.plus(HALF).over(scale).minus(HALF),
        Coordinates::Asymmetric => o.over(scale),
        Coordinates::AlignCorners if length.at_most(ONE) => Fraction(0, 1),
        Coordinates::AlignCorners => o.times(size.minus(ONE)).over(length.minus(ONE)),
        Coordinates::TfHalfPixelForNn => o.plus(HALF).over(scale),
        rule => panic!("{rule:?}"),
    }
}

/// The pixel, and `None` for positions outside the input.
fn crop_position(o: usize, n: usize, m: usize, start: Fraction, end: Fraction) -> Option<Fraction> {
    let last = Fraction::whole(n).minus(ONE);
    let position = if m == 1 {
        start.plus(end).times(HALF).times(last)
    } else {
        start.times(last).plus(Fraction::whole(o).times(end.minus(start)).times(last).over(Fraction::whole(m).minus(ONE)))
    };
    (Fraction(0, 1).at_most(position) && position.at_most(last)).then_some(position)
}

fn clamped(pixel: i128, n: usize) -> u8 {
    pixel.clamp(0, n as i128 - 1) as u8
}

/// Which pixel each output pixel copies.
fn map(resize: &Resize, n: usize, m: usize) -> Vec<u8> {
    let x = Array3::from_shape_fn((1, 1, n), |(_, _, i)| i as u8);
    resize.plan([n], [m]).unwrap().forward(&x).unwrap().into_raw_vec_and_offset().0
}

#[test]
fn nearest_by_every_rule_and_rounding_for_all_sizes() {
    let mut failures = Vec::new();
    for (rule, rounding) in RULES.into_iter().flat_map(|rule| ROUNDINGS.map(|rounding| (rule, rounding))) {
        for profile in [Profile::Onnx, Profile::Torch] {
            let resize = Resize::nearest().profile(profile).coordinates(rule).rounding(rounding);
            for (n, m) in (1..=64).flat_map(|n| (1..=64).map(move |m| (n, m))) {
                let scale = Fraction::new(m as i128, n as i128);
                let expected = |o| clamped(position(rule, o, n, m, scale, Fraction::whole(m)).rounded(rounding), n);
                if map(&resize, n, m) != (0..m).map(expected).collect::<Vec<_>>() {
                    failures.push(format!("{profile:?} {rule:?} {rounding:?} {n} to {m}"));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}:\n{}", failures.len(), failures.join("\n"));
}

/// Regions whose ends are fractions of a power of two, so that positions can be halves and whole numbers exactly.
#[test]
fn nearest_in_regions_for_all_sizes() {
    let regions = [(0, 8), (8, 0), (0, 4), (2, 6), (6, 2), (1, 7), (3, 3), (-2, 10), (10, -2), (4, 12)];
    let mut failures = Vec::new();
    for ((start, end), rounding) in regions.into_iter().flat_map(|region| ROUNDINGS.map(|rounding| (region, rounding))) {
        let (from, to) = (Fraction::new(start, 8), Fraction::new(end, 8));
        let region = Coordinates::TfCropAndResize { start: from.number(), end: to.number() };
        let resize = Resize::nearest().profile(Profile::Onnx).coordinates(region).rounding(rounding).extrapolation(200.0);
        for (n, m) in (1..=64).flat_map(|n| (1..=64).map(move |m| (n, m))) {
            let expected = |o| crop_position(o, n, m, from, to).map_or(200, |position| clamped(position.rounded(rounding), n));
            if map(&resize, n, m) != (0..m).map(expected).collect::<Vec<_>>() {
                failures.push(format!("{start}/8 to {end}/8 {rounding:?} {n} to {m}"));
            }
        }
    }
    assert!(failures.is_empty(), "{}:\n{}", failures.len(), failures.join("\n"));
}

/// What an axis of `n` pixels becomes when all are scaled by `scale`, halves up.
fn kept(n: usize, scale: Fraction) -> usize {
    (scale.times(Fraction::whole(n)).rounded(Rounding::RoundPreferCeil) as usize).max(1)
}

#[test]
fn kept_proportions_are_exact() {
    let mut sizes = vec![([6, 15], [49, 1000]), ([15, 6], [1000, 49]), ([1, 64], [64, 1]), ([64, 1], [1, 64])];
    let some = [1, 2, 3, 5, 6, 10, 15, 22, 49, 64];
    for (index, (a, b)) in some.into_iter().flat_map(|a| some.map(|b| (a, b))).enumerate() {
        sizes.extend((index % 4..some.len()).step_by(4).map(|c| ([a, b], [some[c], some[(c * 3 + index) % some.len()]])));
    }
    let mut failures = Vec::new();
    for ((input, asked), policy) in
        sizes.into_iter().flat_map(|sizes| [AspectRatio::NotLarger, AspectRatio::NotSmaller].map(|p| (sizes, p)))
    {
        let scales = [0, 1].map(|axis| Fraction::new(asked[axis] as i128, input[axis] as i128));
        let first = scales[0].at_most(scales[1]) == (policy == AspectRatio::NotLarger);
        let scale = if first { scales[0] } else { scales[1] };
        let output = input.map(|n| kept(n, scale));
        for (rule, rounding) in RULES.into_iter().flat_map(|rule| ROUNDINGS.map(|rounding| (rule, rounding))) {
            let resize = Resize::nearest().profile(Profile::Onnx).coordinates(rule).rounding(rounding).aspect_ratio(policy);
            let plan = resize.plan(input, asked).unwrap();
            let name = format!("{rule:?} {rounding:?} {policy:?} {input:?} to {asked:?}");
            if plan.output_size() != output {
                failures.push(format!("{name}: {:?} instead of {output:?}", plan.output_size()));
                continue;
            }
            // The scale is the common one, also where the size is rounded.
            let index = |axis: usize, o: usize| {
                let n = input[axis];
                clamped(position(rule, o, n, output[axis], scale, scale.times(Fraction::whole(n))).rounded(rounding), n) as usize
            };
            let x = Array4::from_shape_fn((1, 1, input[0], input[1]), |(_, _, h, w)| (h * 64 + w) as u16);
            let y = plan.forward(&x).unwrap();
            if !y.indexed_iter().all(|((_, _, h, w), &value)| usize::from(value) == index(0, h) * 64 + index(1, w)) {
                failures.push(name);
            }
        }
    }
    assert!(failures.is_empty(), "{}:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn reported_ties() {
    let onnx = || Resize::nearest().profile(Profile::Onnx);
    // The position is 6.5; halves go down.
    assert_eq!(map(&onnx(), 14, 25)[12], 6);
    // The last output pixel is the last input pixel.
    let aligned = onnx().coordinates(Coordinates::AlignCorners).rounding(Rounding::Floor);
    assert_eq!(map(&aligned, 2, 50)[49], 1);
    assert_eq!(onnx().aspect_ratio(AspectRatio::NotLarger).output_size([6, 15], [49, 1000]), Ok([49, 123]));
}

/// Where a region ends at the centre of a border pixel its last output pixel has that pixel's value, whatever the rounding of positions;
/// what lies outside by the region's own numbers is extrapolated.
#[test]
fn regions_end_where_they_were_asked_to() {
    let ends = [(0, 1), (1, 10), (2, 10), (1, 4), (1, 3), (1, 2), (7, 10), (1, 1), (-2, 10), (12, 10)].map(|(a, b)| Fraction::new(a, b));
    let mut failures = Vec::new();
    for (start, end) in ends.into_iter().flat_map(|start| ends.map(|end| (start, end))) {
        let region = Coordinates::TfCropAndResize { start: start.number(), end: end.number() };
        let options = |resize: Resize| resize.profile(Profile::Onnx).coordinates(region).extrapolation(-9.0);
        for (n, m) in (1..=24).flat_map(|n| (1..=24).map(move |m| (n, m))) {
            let x = Array3::from_shape_fn((1, 1, n), |(_, _, i)| i as f64);
            let linear = options(Resize::linear()).plan([n], [m]).unwrap().forward(&x).unwrap();
            let nearest = options(Resize::nearest()).plan([n], [m]).unwrap().forward(&x).unwrap();
            for o in 0..m {
                let (linear, nearest) = (linear[[0, 0, o]], nearest[[0, 0, o]]);
                let right = match crop_position(o, n, m, start, end) {
                    None => linear == -9.0 && nearest == -9.0,
                    // A ramp shows positions, which are rounded a few times.
                    Some(position) => {
                        let position = position.number();
                        (linear - position).abs() <= 1e-14 * n as f64
                            && nearest >= 0.0
                            && (nearest - position).abs() <= 0.5 + 1e-14 * n as f64
                    }
                };
                if !right {
                    failures.push(format!("{start:?} to {end:?}, {n} to {m}, pixel {o}: {linear} {nearest}"));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}:\n{}", failures.len(), failures.join("\n"));
    // The report: the last position is 1.0000000000000002 in floating point.
    let region = Coordinates::TfCropAndResize { start: 0.2, end: 1.0 };
    let resize = Resize::linear().profile(Profile::Onnx).coordinates(region).extrapolation(-9.0);
    let y = resize.plan([2], [4]).unwrap().forward(&array![[[1.0, 2.0]]]).unwrap();
    assert_eq!(y.index_axis(Axis(2), 3), array![[2.0]]);
}
