//! The network of the example `segment` learns: a shortened training halves the loss, with every decoder.

#[path = "../segment/layers.rs"]
mod layers;
#[path = "../segment/network.rs"]
mod network;
#[path = "../segment/shapes.rs"]
mod shapes;

use layers::Decoder;
use ndarray::{Array3, array};

#[test]
fn the_loss_falls_by_half() {
    for decoder in Decoder::ALL {
        let (_, losses) = network::trained(decoder, 1, 60, |_| ()).unwrap();
        let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
        let (first, last) = (mean(&losses[..3]), mean(&losses[losses.len() - 10..]));
        println!("{}: {first:.3} to {last:.3}", decoder.name());
        assert!(last < first / 2.0, "{}: {first} to {last}", decoder.name());
    }
}

/// The same seed draws the same pictures and learns the same weights.
#[test]
fn training_can_be_repeated() {
    let losses = || network::trained(Decoder::TransposedConvolution, 3, 3, |_| ()).unwrap().1;
    assert_eq!(losses(), losses());
}

#[test]
fn mean_iou_is_its_definition() {
    let truth: Array3<u8> = array![[[0, 0, 1, 1], [2, 2, 3, 3]]];
    assert_eq!(network::mean_iou(&truth, &truth), 1.0);
    // Class 0: 1 of 2; class 1: 2 of 3; classes 2 and 3 are right.
    let found = array![[[0, 1, 1, 1], [2, 2, 3, 3]]];
    assert_eq!(network::mean_iou(&found, &truth), (0.5 + 2.0 / 3.0 + 2.0) / 4.0);
}
