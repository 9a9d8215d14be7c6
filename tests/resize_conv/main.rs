//! Resize-convolution: against plain loops, against the two steps one by one, its gradients, and what it refuses.

mod errors;
mod fused;
mod gradients;
mod naive;
mod one_call_gradients;
mod threads;
