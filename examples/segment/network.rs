//! A small SegNet: two poolings down, two doublings up, a class for each pixel.
//!
//! Badrinarayanan, Kendall and Cipolla, *SegNet: A Deep Convolutional Encoder-Decoder Architecture for Image Segmentation*, 2017.
#![allow(dead_code)] // the test takes a part

use ndarray::{Array3, Array4, Axis};
use upsample::{Error, MaxPool};

use crate::layers::{Decoder, Doubling, Layer};
use crate::shapes::{Batch, CLASSES, Random, SIDE, batch};

/// Channels after the first and the second convolution, and before the last.
const CHANNELS: [usize; 3] = [16, 32, 12];
/// Pictures a step.
const BATCH: usize = 16;
/// Adam's step, at the beginning; it falls to nothing along half a cosine.
const RATE: f32 = 4e-3;

/// The network, and how many steps it has learned.
#[derive(Debug)]
pub(crate) struct Network {
    encoder: [Layer; 3],
    doublings: [Doubling; 2],
    decoder: [Layer; 3],
    steps: i32,
}

/// What a forward pass leaves for the backward pass: the input of every layer, and the indices of the poolings.
struct Trace {
    inputs: [Array4<f32>; 6],
    /// Before the doublings.
    low: [Array4<f32>; 2],
    indices: [Array4<i64>; 2],
    sizes: [[usize; 2]; 2],
    scores: Array4<f32>,
}

impl Network {
    pub(crate) fn new(decoder: Decoder, seed: u64) -> Result<Self, Error> {
        let random = &mut Random::new(seed);
        let [few, many, last] = CHANNELS;
        Ok(Self {
            encoder: [
                Layer::new(random, 1, few, SIDE)?,
                Layer::new(random, few, many, SIDE / 2)?,
                Layer::new(random, many, many, SIDE / 4)?,
            ],
            decoder: [
                Layer::new(random, many, few, SIDE / 2)?,
                Layer::new(random, few, last, SIDE)?,
                Layer::new(random, last, CLASSES, SIDE)?,
            ],
            doublings: [Doubling::new(decoder, many, SIDE / 4)?, Doubling::new(decoder, few, SIDE / 2)?],
            steps: 0,
        })
    }

    fn forward(&self, pictures: &Array4<f32>) -> Result<Trace, Error> {
        let pool = MaxPool::new(2);
        let first = rectified(self.encoder[0].forward(pictures)?);
        let (pooled, fine) = pool.forward(&first)?;
        let second = rectified(self.encoder[1].forward(&pooled)?);
        let (pooled_again, coarse) = pool.forward(&second)?;
        let third = rectified(self.encoder[2].forward(&pooled_again)?);
        let up = self.doublings[0].forward(&third, &coarse)?;
        let fourth = rectified(self.decoder[0].forward(&up)?);
        let up_again = self.doublings[1].forward(&fourth, &fine)?;
        let fifth = rectified(self.decoder[1].forward(&up_again)?);
        let scores = self.decoder[2].forward(&fifth)?;
        Ok(Trace {
            inputs: [pictures.clone(), pooled, pooled_again, up, up_again, fifth],
            low: [third, fourth],
            sizes: [[SIDE; 2], [SIDE / 2; 2]],
            indices: [fine, coarse],
            scores,
        })
    }

    /// Adds to the gradient of every weight.
    fn backward(&mut self, trace: &Trace, outputs: &[Array4<f32>; 2], gradient: &Array4<f32>) -> Result<(), Error> {
        let pool = MaxPool::new(2);
        let [picture, pooled, pooled_again, up, up_again, fifth] = &trace.inputs;
        let [fine, coarse] = &trace.indices;
        let gradient = where_positive(self.decoder[2].backward(fifth, gradient)?, fifth);
        let gradient = self.decoder[1].backward(up_again, &gradient)?;
        let gradient = where_positive(self.doublings[1].backward(&trace.low[1], fine, &gradient)?, &trace.low[1]);
        let gradient = self.decoder[0].backward(up, &gradient)?;
        let gradient = where_positive(self.doublings[0].backward(&trace.low[0], coarse, &gradient)?, &trace.low[0]);
        let gradient = self.encoder[2].backward(pooled_again, &gradient)?;
        let gradient = where_positive(pool.input_gradient(&gradient, coarse, trace.sizes[1])?, &outputs[1]);
        let gradient = self.encoder[1].backward(pooled, &gradient)?;
        let gradient = where_positive(pool.input_gradient(&gradient, fine, trace.sizes[0])?, &outputs[0]);
        self.encoder[0].backward(picture, &gradient).map(|_| ())
    }

    /// One step on a batch; returns the loss, the mean cross-entropy of a pixel.
    fn learn(&mut self, batch: &Batch, rate: f32) -> Result<f64, Error> {
        let trace = self.forward(&batch.pictures)?;
        let (loss, gradient) = cross_entropy(&trace.scores, &batch.classes);
        // A pooled maximum is positive where the pooled picture was; what was not a maximum gets no gradient anyway.
        let pool = MaxPool::new(2);
        let outputs = [0, 1].map(|level| pool.unpool(trace.sizes[level]).forward(&trace.inputs[level + 1], &trace.indices[level]));
        let [first, second] = outputs;
        self.backward(&trace, &[first?, second?], &gradient)?;
        self.steps += 1;
        for layer in self.encoder.iter_mut().chain(&mut self.decoder) {
            layer.learn(rate, self.steps);
        }
        self.doublings.iter_mut().for_each(|doubling| doubling.learn(rate, self.steps));
        Ok(loss)
    }

    /// The most likely class of each pixel, N×H×W.
    #[allow(clippy::cast_possible_truncation)] // few classes
    pub(crate) fn classes(&self, pictures: &Array4<f32>) -> Result<Array3<u8>, Error> {
        let scores = self.forward(pictures)?.scores;
        Ok(scores.map_axis(Axis(1), |scores| {
            let best = scores.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
            best.map_or(0, |(class, _)| class as u8)
        }))
    }
}

/// Trains a network on new pictures at every step and returns it with the loss of each step. `report` is told each loss.
pub(crate) fn trained(decoder: Decoder, seed: u64, steps: u32, report: impl Fn(f64)) -> Result<(Network, Vec<f64>), Error> {
    let mut network = Network::new(decoder, seed)?;
    let random = &mut Random::new(seed + 1);
    let mut losses = Vec::new();
    for step in 0..steps {
        let done = step as f32 / steps as f32;
        let rate = RATE * 0.5 * (1.0 + (std::f32::consts::PI * done).cos());
        losses.push(network.learn(&batch(random, BATCH), rate)?);
        losses.last().copied().into_iter().for_each(&report);
    }
    Ok((network, losses))
}

/// The mean over the classes of intersection over union, of all pixels together.
#[allow(clippy::cast_precision_loss)] // counts of pixels
pub(crate) fn mean_iou(found: &Array3<u8>, truth: &Array3<u8>) -> f64 {
    let ratios = (0..CLASSES).map(|class| {
        let (mut both, mut either) = (0_u32, 0_u32);
        for (&found, &truth) in found.iter().zip(truth) {
            let (found, truth) = (usize::from(found) == class, usize::from(truth) == class);
            both += u32::from(found && truth);
            either += u32::from(found || truth);
        }
        f64::from(both) / f64::from(either.max(1))
    });
    ratios.sum::<f64>() / CLASSES as f64
}

fn rectified(mut x: Array4<f32>) -> Array4<f32> {
    x.mapv_inplace(|value| value.max(0.0));
    x
}

/// The gradient where `output` is positive, and nothing elsewhere: that of rectification.
fn where_positive(mut gradient: Array4<f32>, output: &Array4<f32>) -> Array4<f32> {
    gradient.zip_mut_with(output, |gradient, &output| *gradient = if output > 0.0 { *gradient } else { 0.0 });
    gradient
}

/// The mean cross-entropy of a pixel, and its gradient.
#[allow(clippy::cast_precision_loss)] // counts of pixels
fn cross_entropy(scores: &Array4<f32>, classes: &Array3<u8>) -> (f64, Array4<f32>) {
    let pixels = classes.len() as f32;
    let mut gradient = scores.clone();
    let mut loss = 0.0;
    let mut lanes = gradient.lanes_mut(Axis(1)).into_iter();
    for &class in classes {
        let Some(mut lane) = lanes.next() else { break };
        let largest = lane.iter().fold(f32::MIN, |largest, &score| largest.max(score));
        lane.mapv_inplace(|score| (score - largest).exp());
        let sum = lane.sum();
        lane /= sum;
        loss -= f64::from(lane[usize::from(class)].max(1e-12)).ln();
        lane[usize::from(class)] -= 1.0;
        lane /= pixels;
    }
    (loss / f64::from(pixels), gradient)
}
