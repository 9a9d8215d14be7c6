//! One case, as `compare` describes it.

use serde::Deserialize;

/// A resize or a transposed convolution of given sizes. Sizes are N, C, then the spatial axes, whatever the layout in memory.
#[derive(Debug, Clone, Deserialize)]
pub struct Case {
    /// `resize` or `conv_transpose`.
    pub operator: String,
    /// `forward`, `input_gradient` or `weight_gradient`.
    pub pass: String,
    /// `f32`, `u16` or `u8`.
    pub dtype: String,
    /// `channels_first` or `channels_last`.
    pub layout: String,
    /// The shape of x.
    pub input: Vec<usize>,
    /// The shape of y.
    pub output: Vec<usize>,
    /// Names of the engines that are wanted.
    pub engines: Vec<String>,
    /// Raw little-endian elements in memory order: x for the forward pass and the weight gradient, dy for gradients.
    #[serde(default)]
    pub files: Files,

    /// Resize: `nearest`, `linear`, `cubic` or `lanczos`.
    #[serde(default)]
    pub method: String,
    /// Resize: the framework whose numbers are meant: `torch`, `opencv`, `pillow`.
    #[serde(default)]
    pub profile: String,
    /// Resize: lobes of Lanczos.
    #[serde(default)]
    pub lobes: u8,
    #[serde(default)]
    pub align_corners: bool,
    #[serde(default)]
    pub antialias: bool,
    /// Resize: an H×W×C picture with the numbers of Pillow: antialiased, colours weighted by alpha where there are 4 channels.
    #[serde(default)]
    pub picture: bool,
    /// Pictures: averages light instead of sRGB numbers.
    #[serde(default)]
    pub linear_light: bool,

    /// Transposed convolution: the same along every axis.
    #[serde(default)]
    pub kernel: usize,
    #[serde(default)]
    pub stride: usize,
    #[serde(default)]
    pub padding: usize,
    #[serde(default)]
    pub output_padding: usize,
    #[serde(default)]
    pub groups: usize,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub struct Files {
    #[serde(default)]
    pub x: String,
    #[serde(default)]
    pub dy: String,
    #[serde(default)]
    pub weight: String,
    #[serde(default)]
    pub bias: String,
}

impl Case {
    pub fn parse(json: &str) -> Result<Self, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    pub fn is_resize(&self) -> bool {
        self.operator == "resize"
    }

    pub fn is_forward(&self) -> bool {
        self.pass == "forward"
    }

    pub fn is_channels_last(&self) -> bool {
        self.layout == "channels_last"
    }

    pub fn batch(&self) -> usize {
        self.input[0]
    }

    pub fn channels(&self) -> usize {
        self.input[1]
    }

    /// Height and width of the input, for pictures.
    pub fn input_picture(&self) -> [usize; 2] {
        [self.input[2], self.input[3]]
    }

    /// Height and width of the output, for pictures.
    pub fn output_picture(&self) -> [usize; 2] {
        [self.output[2], self.output[3]]
    }

    /// What the operator reads: x, or dy for an input gradient.
    pub fn read_source<A: bytemuck::Pod>(&self) -> Result<Vec<A>, String> {
        read(if self.pass == "input_gradient" { &self.files.dy } else { &self.files.x })
    }

    /// The shapes of what is read and of what is written by a resize.
    pub fn source_and_target(&self) -> (&[usize], &[usize]) {
        if self.is_forward() { (&self.input, &self.output) } else { (&self.output, &self.input) }
    }

    /// The weight's shape: (C_in, C_out / groups, k, k).
    pub fn weight_shape(&self) -> [usize; 4] {
        [self.input[1], self.output[1] / self.groups, self.kernel, self.kernel]
    }
}

pub fn read<A: bytemuck::Pod>(file: &str) -> Result<Vec<A>, String> {
    let bytes = std::fs::read(file).map_err(|error| format!("{file:?}: {error}"))?;
    Ok(bytemuck::pod_collect_to_vec(&bytes))
}
