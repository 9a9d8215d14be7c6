//! What lies beyond the border of an axis.

/// What a resize or a sampler reads beyond the first and the last pixel of an axis.
///
/// The comments continue the pixels `a b c d` on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Border {
    /// `a a a | a b c d | d d d`: the border pixel, repeated. NumPy's `edge`, SciPy's `nearest`, PyTorch's `border`, OpenCV's
    /// `BORDER_REPLICATE`.
    #[default]
    Clamp,
    /// `0 0 0 | a b c d | 0 0 0`. PyTorch's `zeros`.
    Zeros,
    /// `v v v | a b c d | v v v`: a value. SciPy's `grid-constant`, OpenCV's `BORDER_CONSTANT`.
    Constant(f64),
    /// `d c b | a b c d | c b a`: reflected about the centre of the border pixel. SciPy's `mirror`, NumPy's `reflect`, PyTorch's `reflection`
    /// with `align_corners`, OpenCV's `BORDER_REFLECT_101`.
    Mirror,
    /// `c b a | a b c d | d c b`: reflected about the edge of the border pixel. SciPy's `reflect`, NumPy's `symmetric`, PyTorch's
    /// `reflection` without `align_corners`, OpenCV's `BORDER_REFLECT`.
    Reflect,
    /// `b c d | a b c d | a b c`: periodic. SciPy's `grid-wrap`, NumPy's `wrap`, OpenCV's `BORDER_WRAP`.
    Wrap,
}

impl Border {
    /// The pixel of an axis of `n` that is read at position `i`; `None` where [`value`](Self::value) is. `n` is at least 1 and at most 2³².
    #[allow(clippy::cast_possible_wrap, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // the results lie in 0..n
    pub(crate) fn pixel(self, i: i64, n: usize) -> Option<usize> {
        let (count, last) = (n as i64, n as i64 - 1);
        if (0..count).contains(&i) {
            return Some(i as usize);
        }
        let folded = |period: i64| {
            let i = i.rem_euclid(period);
            i.min(period - i)
        };
        match self {
            Self::Zeros | Self::Constant(_) => None,
            Self::Clamp => Some(i.clamp(0, last) as usize),
            Self::Mirror if n == 1 => Some(0),
            Self::Mirror => Some(folded(2 * last) as usize),
            Self::Reflect => {
                let i = i.rem_euclid(2 * count);
                Some(i.min(2 * count - 1 - i) as usize)
            }
            Self::Wrap => Some(i.rem_euclid(count) as usize),
        }
    }

    /// What is read where there is no pixel.
    pub(crate) fn value(self) -> f64 {
        match self {
            Self::Constant(value) => value,
            _ => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Border;

    #[test]
    fn borders_continue_the_pixels_as_numpy_pads_them() {
        // numpy.pad([0, 1, 2, 3], 9, mode)
        let cases: [(Border, [usize; 22]); 4] = [
            (Border::Clamp, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3]),
            (Border::Mirror, [3, 2, 1, 0, 1, 2, 3, 2, 1, 0, 1, 2, 3, 2, 1, 0, 1, 2, 3, 2, 1, 0]),
            (Border::Reflect, [0, 0, 1, 2, 3, 3, 2, 1, 0, 0, 1, 2, 3, 3, 2, 1, 0, 0, 1, 2, 3, 3]),
            (Border::Wrap, [3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0]),
        ];
        for (border, expected) in cases {
            let found: Vec<_> = (-9..13).map(|i| border.pixel(i, 4).unwrap()).collect();
            assert_eq!(found, expected, "{border:?}");
            assert!((-9..13).all(|i| border.pixel(i, 1) == Some(0)), "{border:?} of one pixel");
        }
        for border in [Border::Zeros, Border::Constant(7.0)] {
            assert_eq!([-1, 0, 3, 4].map(|i| border.pixel(i, 4)), [None, Some(0), Some(3), None]);
        }
        assert_eq!([Border::Zeros.value(), Border::Constant(7.0).value()], [0.0, 7.0]);
    }
}
