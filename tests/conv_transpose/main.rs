//! Transposed convolution and convolution through the public API.

mod adversarial;
mod conformance;
mod empty;
mod errors;
mod naive;
mod negative_padding;
mod one_call_gradients;
mod oracle;
mod output_size;
mod precision;
mod properties;
mod threads;
