//! Transposed convolution and convolution straight from their definitions, in f64, with size arithmetic of their own.

use ndarray::{ArrayD, Dimension, IxDyn, indices};

/// The numbers of an operator, one entry an axis.
#[derive(Debug, Clone)]
pub struct Numbers {
    pub stride: Vec<usize>,
    pub begin: Vec<isize>,
    pub end: Vec<isize>,
    pub output_padding: Vec<usize>,
    pub dilation: Vec<usize>,
    pub groups: usize,
}

impl Numbers {
    pub fn plain(rank: usize) -> Self {
        let (zeros, ones) = (vec![0; rank], vec![1; rank]);
        Self { stride: ones.clone(), begin: vec![0; rank], end: vec![0; rank], output_padding: zeros, dilation: ones, groups: 1 }
    }

    /// How long the transposed convolution of `n` pixels is; not positive if nothing is left.
    pub fn transposed_size(&self, axis: usize, n: usize, kernel: usize) -> i64 {
        let [n, kernel, stride] = [n, kernel, self.stride[axis]].map(|value| value as i64);
        let (begin, end, extra) = (self.begin[axis] as i64, self.end[axis] as i64, self.output_padding[axis] as i64);
        (n - 1) * stride + self.dilation[axis] as i64 * (kernel - 1) + 1 + extra - begin - end
    }

    /// How long the convolution of `n` pixels is; not positive if the kernel does not fit.
    pub fn convolved_size(&self, axis: usize, n: usize, kernel: usize) -> i64 {
        let room = n as i64 + (self.begin[axis] + self.end[axis]) as i64 - self.dilation[axis] as i64 * (kernel as i64 - 1) - 1;
        if room < 0 { 0 } else { room / self.stride[axis] as i64 + 1 }
    }

    /// `coarse·stride + tap·dilation - padding`, where that is in `0..len`.
    fn fine(&self, axis: usize, coarse: usize, tap: usize, len: usize) -> Option<usize> {
        let position = (coarse * self.stride[axis] + tap * self.dilation[axis]) as i64 - self.begin[axis] as i64;
        (0..len as i64).contains(&position).then_some(position as usize)
    }

    /// Calls `visit` with the places in memory, row by row, of the coarse pixel, the fine pixel and the weight of every product.
    fn products(&self, coarse: &[usize], fine: &[usize], weight: &[usize], mut visit: impl FnMut(usize, usize, usize)) {
        let (coarse_group, fine_group, rank) = (coarse[1] / self.groups, fine[1] / self.groups, coarse.len() - 2);
        let taps = weight[1..].iter().product::<usize>();
        for (from_place, from) in indices(IxDyn(coarse)).into_iter().enumerate() {
            let from = from.slice();
            let group = from[1] / coarse_group;
            for (entry_place, entry) in indices(IxDyn(&weight[1..])).into_iter().enumerate() {
                let entry = entry.slice();
                let mut to = Some(from[0] * fine[1] + group * fine_group + entry[0]);
                for axis in 0..rank {
                    let position = self.fine(axis, from[axis + 2], entry[axis + 1], fine[axis + 2]);
                    to = to.zip(position).map(|(to, position)| to * fine[axis + 2] + position);
                }
                if let Some(to) = to {
                    visit(from_place, to, from[1] * taps + entry_place);
                }
            }
        }
    }

    /// The sum of products into the fine grid: the transposed convolution.
    pub fn expand(&self, coarse: &ArrayD<f64>, weight: &ArrayD<f64>, fine_shape: &[usize]) -> ArrayD<f64> {
        let mut fine = ArrayD::zeros(fine_shape);
        let (coarses, weights, fines) = (coarse.as_slice().unwrap(), weight.as_slice().unwrap(), fine.as_slice_mut().unwrap());
        self.products(coarse.shape(), fine_shape, weight.shape(), |c, f, w| fines[f] += coarses[c] * weights[w]);
        fine
    }

    /// The sum of products into the coarse grid: the convolution.
    pub fn contract(&self, fine: &ArrayD<f64>, weight: &ArrayD<f64>, coarse_shape: &[usize]) -> ArrayD<f64> {
        let mut coarse = ArrayD::zeros(coarse_shape);
        let (fines, weights, coarses) = (fine.as_slice().unwrap(), weight.as_slice().unwrap(), coarse.as_slice_mut().unwrap());
        self.products(coarse_shape, fine.shape(), weight.shape(), |c, f, w| coarses[c] += fines[f] * weights[w]);
        coarse
    }

    /// The sum of products into the weights.
    pub fn correlate(&self, coarse: &ArrayD<f64>, fine: &ArrayD<f64>, weight_shape: &[usize]) -> ArrayD<f64> {
        let mut weight = ArrayD::zeros(weight_shape);
        let (coarses, fines, weights) = (coarse.as_slice().unwrap(), fine.as_slice().unwrap(), weight.as_slice_mut().unwrap());
        self.products(coarse.shape(), fine.shape(), weight_shape, |c, f, w| weights[w] += coarses[c] * fines[f]);
        weight
    }

    /// The shape of the transposed convolution of `x`, or `None` if nothing is left.
    pub fn transposed_shape(&self, x: &[usize], weight: &[usize]) -> Option<Vec<usize>> {
        let mut shape = vec![x[0], weight[1] * self.groups];
        for axis in 0..x.len() - 2 {
            shape.push(usize::try_from(self.transposed_size(axis, x[axis + 2], weight[axis + 2])).ok().filter(|&size| size > 0)?);
        }
        Some(shape)
    }

    /// The shape of the convolution of `x`, or `None` if the kernel does not fit.
    pub fn convolved_shape(&self, x: &[usize], weight: &[usize]) -> Option<Vec<usize>> {
        let mut shape = vec![x[0], weight[0]];
        for axis in 0..x.len() - 2 {
            shape.push(usize::try_from(self.convolved_size(axis, x[axis + 2], weight[axis + 2])).ok().filter(|&size| size > 0)?);
        }
        Some(shape)
    }
}

/// Adds an entry for each channel.
pub fn add_bias(y: &mut ArrayD<f64>, bias: &[f64]) {
    for (mut channel, bias) in y.axis_iter_mut(ndarray::Axis(1)).zip(bias) {
        channel += *bias;
    }
}

/// The sum of each channel.
pub fn channel_sums(dy: &ArrayD<f64>) -> Vec<f64> {
    dy.axis_iter(ndarray::Axis(1)).map(|channel| channel.sum()).collect()
}
