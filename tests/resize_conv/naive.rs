//! The definition as loops in `f64`, with its own sizes: enlarge by a matrix an axis, then slide the kernel.

use ndarray::{Array2, Array5, Ix5};
use upsample::{FloatElement, Output, Resize, ResizeConv, Spatial, SpatialRank, Tensor};

/// How an axis is enlarged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Method {
    Nearest,
    Linear,
}

/// One resize-convolution; of each list the last `rank` entries are the spatial axes, the others stand for axes that are missing.
#[derive(Debug, Clone)]
pub struct Case {
    pub rank: usize,
    pub method: Method,
    pub batch: usize,
    /// Channels of a group.
    pub channels: [usize; 2],
    pub groups: usize,
    pub input: [usize; 3],
    pub enlarged: [usize; 3],
    pub kernel: [usize; 3],
    pub dilation: [usize; 3],
    pub begin: [usize; 3],
    pub end: [usize; 3],
}

impl Case {
    pub fn x_shape(&self) -> [usize; 5] {
        let [d, h, w] = self.input;
        [self.batch, self.channels[0] * self.groups, d, h, w]
    }

    pub fn weight_shape(&self) -> [usize; 5] {
        let [d, h, w] = self.kernel;
        [self.channels[0] * self.groups, self.channels[1], d, h, w]
    }

    /// `None` if the kernel does not fit.
    pub fn y_shape(&self) -> Option<[usize; 5]> {
        let mut shape = [self.batch, self.channels[1] * self.groups, 0, 0, 0];
        for axis in 0..3 {
            let padded = self.enlarged[axis] + self.begin[axis] + self.end[axis];
            shape[axis + 2] = padded.checked_sub(self.dilation[axis] * (self.kernel[axis] - 1)).filter(|&size| size > 0)?;
        }
        Some(shape)
    }

    /// The operator of the crate.
    pub fn operator(&self) -> ResizeConv {
        let of = |all: [usize; 3]| all[3 - self.rank..].to_vec();
        let up = ResizeConv::new().groups(self.groups).dilation(of(self.dilation)).padding_of(of(self.begin), of(self.end));
        let up = if self.method == Method::Linear { up.resize(Resize::linear()) } else { up };
        let factors: [usize; 3] = std::array::from_fn(|axis| self.enlarged[axis] / self.input[axis]);
        let whole = (0..3).all(|axis| factors[axis] * self.input[axis] == self.enlarged[axis]);
        if whole { up.factor(of(factors)) } else { up.size(of(self.enlarged)) }
    }

    /// What each enlarged pixel takes from each pixel of an axis.
    fn matrix(&self, axis: usize) -> Array2<f64> {
        let (n, m) = (self.input[axis], self.enlarged[axis]);
        let mut matrix = Array2::zeros((m, n));
        for o in 0..m {
            if self.method == Method::Nearest {
                matrix[[o, o * n / m]] = 1.0;
                continue;
            }
            let position = ((o as f64 + 0.5) * n as f64 / m as f64 - 0.5).max(0.0);
            let first = (position.floor() as usize).min(n - 1);
            matrix[[o, first]] += 1.0 - (position - first as f64);
            matrix[[o, (first + 1).min(n - 1)]] += position - first as f64;
        }
        matrix
    }

    /// The matrix of every axis applied to a picture, or transposed.
    fn multiplied(&self, x: &Array5<f64>, transposed: bool) -> Array5<f64> {
        let mut result = x.clone();
        for axis in 0..3 {
            let matrix = if transposed { self.matrix(axis).reversed_axes() } else { self.matrix(axis) };
            let mut shape: [usize; 5] = result.dim().into();
            shape[axis + 2] = matrix.dim().0;
            let mut next = Array5::zeros(shape);
            for (index, value) in next.indexed_iter_mut() {
                let mut from: [usize; 5] = index.into();
                let row = from[axis + 2];
                for column in 0..matrix.dim().1 {
                    from[axis + 2] = column;
                    *value += matrix[[row, column]] * result[from];
                }
            }
            result = next;
        }
        result
    }

    /// Calls `visit` with the output pixel, the weight and the enlarged pixel of every product.
    fn products(&self, y: [usize; 5], mut visit: impl FnMut([usize; 5], [usize; 5], [usize; 5])) {
        for o in ndarray::indices(y) {
            let o: [usize; 5] = [o.0, o.1, o.2, o.3, o.4];
            let group = o[1] / self.channels[1];
            for (c, d, h, w) in ndarray::indices((self.channels[0], self.kernel[0], self.kernel[1], self.kernel[2])) {
                let (source, tap) = (group * self.channels[0] + c, [d, h, w]);
                let mut e = [o[0], source, 0, 0, 0];
                let inside = (0..3).all(|axis| {
                    let place = (o[axis + 2] + self.dilation[axis] * tap[axis]) as i64 - self.begin[axis] as i64;
                    e[axis + 2] = place.max(0) as usize;
                    (0..self.enlarged[axis] as i64).contains(&place)
                });
                if inside {
                    visit(o, [source, o[1] % self.channels[1], d, h, w], e);
                }
            }
        }
    }

    pub fn forward(&self, x: &Array5<f64>, weight: &Array5<f64>, bias: &[f64]) -> Array5<f64> {
        let shape = self.y_shape().unwrap();
        let enlarged = self.multiplied(x, false);
        let mut y = Array5::from_shape_fn(shape, |(_, channel, ..)| bias[channel]);
        self.products(shape, |o, w, e| y[o] += weight[w] * enlarged[e]);
        y
    }

    pub fn input_gradient(&self, dy: &Array5<f64>, weight: &Array5<f64>) -> Array5<f64> {
        let ([n, c, ..], [d, h, w]) = (self.x_shape(), self.enlarged);
        let mut gradient = Array5::zeros((n, c, d, h, w));
        self.products(dy.dim().into(), |o, w, e| gradient[e] += weight[w] * dy[o]);
        self.multiplied(&gradient, true)
    }

    pub fn weight_gradient(&self, x: &Array5<f64>, dy: &Array5<f64>) -> Array5<f64> {
        let enlarged = self.multiplied(x, false);
        let mut gradient = Array5::zeros(self.weight_shape());
        self.products(dy.dim().into(), |o, w, e| gradient[w] += enlarged[e] * dy[o]);
        gradient
    }
}

/// Numbers between -1 and 1 that follow no pattern and that every element type can hold.
pub fn noise(shape: [usize; 5], seed: u64) -> Array5<f64> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(1);
    Array5::from_shape_simple_fn(shape, || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % 257) as f64 / 128.0 - 1.0
    })
}

/// As an array of the crate.
pub fn cast<A: FloatElement + num_traits::NumCast, const RANK: usize>(array: &Array5<f64>) -> Output<A, RANK>
where
    Spatial<RANK>: SpatialRank,
{
    let shape = [&array.shape()[..2], &array.shape()[5 - RANK..]].concat();
    let flat: Vec<A> = array.iter().map(|&value| A::from(value).unwrap()).collect();
    let dynamic = ndarray::ArrayD::from_shape_vec(shape, flat).unwrap();
    dynamic.into_dimensionality().unwrap()
}

/// Back to `f64` and five axes.
pub fn five<A: FloatElement + num_traits::ToPrimitive, const RANK: usize>(array: &Output<A, RANK>) -> Array5<f64>
where
    Spatial<RANK>: SpatialRank,
{
    let mut wide = array.view().into_dyn().map(|value| value.to_f64().unwrap());
    while wide.ndim() < 5 {
        wide = wide.insert_axis(ndarray::Axis(2));
    }
    wide.into_dimensionality::<Ix5>().unwrap()
}

/// What the crate makes of a case in one element type: forward, input gradient, weight gradient.
pub fn run<A, const RANK: usize>(case: &Case, bias: &[f64]) -> [Array5<f64>; 3]
where
    A: FloatElement + num_traits::NumCast,
    Spatial<RANK>: SpatialRank,
    for<'a> Tensor<'a, A, RANK>: From<&'a Output<A, RANK>>,
{
    let x = cast::<A, RANK>(&noise(case.x_shape(), 1));
    let weight = cast::<A, RANK>(&noise(case.weight_shape(), 2));
    let dy = cast::<A, RANK>(&noise(case.y_shape().unwrap(), 3));
    let bias: ndarray::Array1<A> = bias.iter().map(|&value| A::from(value).unwrap()).collect();
    let input: [usize; RANK] = case.input[3 - RANK..].try_into().unwrap();
    let kernel: [usize; RANK] = case.kernel[3 - RANK..].try_into().unwrap();
    let plan = case.operator().plan(input, kernel).unwrap();
    let prepared = plan.prepare(&weight).unwrap();
    let y = plan.forward(&x, &weight, Some(&bias)).unwrap();
    assert!(prepared.forward(&x, Some(&bias)).unwrap() == y, "prepared: {case:?}");
    [
        five::<A, RANK>(&y),
        five::<A, RANK>(&plan.input_gradient(&dy, &weight).unwrap()),
        five::<A, RANK>(&plan.weight_gradient(&x, &dy).unwrap()),
    ]
}
