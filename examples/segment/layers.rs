//! What the network is made of: the crate's operators with their gradients, and weights that learn by Adam.

use ndarray::{Array, Array1, Array4, Dimension, Ix1, Ix4, Zip};
use upsample::initial_weights::InterpolationKernel;
use upsample::{ConvPlan, ConvTranspose, Convolution, Error, MaxUnpool, Resize, ResizePlan, Update};

use crate::shapes::Random;

/// Numbers that are learned.
#[derive(Debug, Clone)]
pub(crate) struct Parameter<D: Dimension> {
    pub(crate) value: Array<f32, D>,
    pub(crate) gradient: Array<f32, D>,
    mean: Array<f32, D>,
    square: Array<f32, D>,
}

impl<D: Dimension> Parameter<D> {
    fn new(value: Array<f32, D>) -> Self {
        let zeros = Array::zeros(value.raw_dim());
        Self { value, gradient: zeros.clone(), mean: zeros.clone(), square: zeros }
    }

    /// One step of Adam (Kingma and Ba, 2015), the `step`th; the gradient is used up.
    fn learn(&mut self, rate: f32, step: i32) {
        const KEEP: [f32; 2] = [0.9, 0.999];
        let [of_mean, of_square] = KEEP.map(|keep| 1.0 - keep.powi(step));
        Zip::from(&mut self.value).and(&mut self.gradient).and(&mut self.mean).and(&mut self.square).for_each(
            |value, gradient, mean, square| {
                *mean = KEEP[0] * *mean + (1.0 - KEEP[0]) * *gradient;
                *square = KEEP[1] * *square + (1.0 - KEEP[1]) * *gradient * *gradient;
                *value -= rate * (*mean / of_mean) / ((*square / of_square).sqrt() + 1e-8);
                *gradient = 0.0;
            },
        );
    }
}

/// A 3×3 convolution that keeps the size.
#[derive(Debug, Clone)]
pub(crate) struct Layer {
    plan: ConvPlan<2>,
    weight: Parameter<Ix4>,
    bias: Parameter<Ix1>,
}

impl Layer {
    /// With weights of the variance that keeps activations alive (He et al., 2015).
    pub(crate) fn new(random: &mut Random, from: usize, to: usize, side: usize) -> Result<Self, Error> {
        let deviation = (2.0 / (9 * from) as f32).sqrt();
        let weight = Array4::from_shape_simple_fn((to, from, 3, 3), || deviation * random.normal());
        let plan = Convolution::new().padding(1).plan([side; 2], [3; 2])?;
        Ok(Self { plan, weight: Parameter::new(weight), bias: Parameter::new(Array1::zeros(to)) })
    }

    pub(crate) fn forward(&self, x: &Array4<f32>) -> Result<Array4<f32>, Error> {
        self.plan.forward(x, &self.weight.value, Some(&self.bias.value))
    }

    /// Adds to the gradients of the weights, and returns that of `x`.
    pub(crate) fn backward(&mut self, x: &Array4<f32>, dy: &Array4<f32>) -> Result<Array4<f32>, Error> {
        self.plan.weight_gradient_into(x, dy, &mut self.weight.gradient, Update::Add)?;
        self.plan.bias_gradient_into(dy, &mut self.bias.gradient, Update::Add)?;
        self.plan.input_gradient(dy, &self.weight.value)
    }

    pub(crate) fn learn(&mut self, rate: f32, step: i32) {
        self.weight.learn(rate, step);
        self.bias.learn(rate, step);
    }
}

/// How the decoder comes back to the size of the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decoder {
    /// Values go back to where the encoder's maxima were.
    MaxUnpooling,
    /// Learned, beginning as bilinear interpolation.
    TransposedConvolution,
    Bilinear,
}

impl Decoder {
    pub(crate) const ALL: [Self; 3] = [Self::MaxUnpooling, Self::TransposedConvolution, Self::Bilinear];

    pub(crate) fn name(self) -> &'static str {
        ["max unpooling", "transposed convolution", "bilinear"][self as usize]
    }
}

/// One doubling of the decoder.
#[derive(Debug)]
pub(crate) enum Doubling {
    Unpool(MaxUnpool<2>),
    Transposed(Box<(ConvPlan<2>, Parameter<Ix4>)>),
    Bilinear(Box<ResizePlan<2>>),
}

impl Doubling {
    pub(crate) fn new(decoder: Decoder, channels: usize, side: usize) -> Result<Self, Error> {
        Ok(match decoder {
            Decoder::MaxUnpooling => Self::Unpool(MaxUnpool::to([2 * side; 2])),
            Decoder::TransposedConvolution => {
                let weight = InterpolationKernel::<2>::linear(2)?.diagonal(channels)?;
                Self::Transposed(Box::new((ConvTranspose::doubling(4)?.plan([side; 2], [4; 2])?, Parameter::new(weight))))
            }
            Decoder::Bilinear => Self::Bilinear(Box::new(Resize::bilinear().plan([side; 2], 2.0)?)),
        })
    }

    /// `indices` are those of the pooling that made pictures of this size.
    pub(crate) fn forward(&self, x: &Array4<f32>, indices: &Array4<i64>) -> Result<Array4<f32>, Error> {
        match self {
            Self::Unpool(unpool) => unpool.forward(x, indices),
            Self::Transposed(learned) => learned.0.forward(x, &learned.1.value, None),
            Self::Bilinear(plan) => plan.forward(x),
        }
    }

    pub(crate) fn backward(&mut self, x: &Array4<f32>, indices: &Array4<i64>, dy: &Array4<f32>) -> Result<Array4<f32>, Error> {
        match self {
            Self::Unpool(unpool) => unpool.input_gradient(dy, indices),
            Self::Transposed(learned) => {
                let (plan, weight) = learned.as_mut();
                plan.weight_gradient_into(x, dy, &mut weight.gradient, Update::Add)?;
                plan.input_gradient(dy, &weight.value)
            }
            Self::Bilinear(plan) => plan.input_gradient(dy),
        }
    }

    pub(crate) fn learn(&mut self, rate: f32, step: i32) {
        if let Self::Transposed(learned) = self {
            learned.1.learn(rate, step);
        }
    }
}
