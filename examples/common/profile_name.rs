//! The frameworks by the names that options have for them.

use clap::ValueEnum;
use upsample::Profile;

/// A framework whose numbers are computed.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub enum ProfileName {
    Torch,
    Onnx,
    Opencv,
    Pillow,
    Jax,
    Tensorflow,
}

impl From<ProfileName> for Profile {
    fn from(name: ProfileName) -> Self {
        match name {
            ProfileName::Torch => Self::Torch,
            ProfileName::Onnx => Self::Onnx,
            ProfileName::Opencv => Self::OpenCv,
            ProfileName::Pillow => Self::Pillow,
            ProfileName::Jax => Self::Jax,
            ProfileName::Tensorflow => Self::TensorFlow,
        }
    }
}
