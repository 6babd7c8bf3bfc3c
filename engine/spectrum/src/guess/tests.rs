//! The guess on the naming of networks that people have.

use super::*;

fn layers(tensors: &[(&str, &[usize])]) -> Guess {
    let shapes: Vec<_> =
        tensors.iter().map(|(name, shape)| TensorShape { name, shape, float: !name.ends_with("tracked") }).collect();
    guess(&shapes)
}

fn layer<'a>(guess: &'a Guess, name: &str) -> &'a LayerInfo {
    guess.layers.iter().find(|layer| layer.name == name).unwrap_or_else(|| panic!("{name} is a layer"))
}

#[test]
fn torchvision_resnet_18() {
    let found = layers(&[
        ("conv1.weight", &[64, 3, 7, 7]),
        ("bn1.weight", &[64]),
        ("bn1.bias", &[64]),
        ("bn1.running_mean", &[64]),
        ("bn1.running_var", &[64]),
        ("bn1.num_batches_tracked", &[]),
        ("layer1.0.conv1.weight", &[64, 64, 3, 3]),
        ("layer2.0.conv1.weight", &[128, 64, 3, 3]),
        ("layer2.0.conv2.weight", &[128, 128, 3, 3]),
        ("layer2.0.downsample.0.weight", &[128, 64, 1, 1]),
        ("fc.weight", &[1000, 512]),
        ("fc.bias", &[1000]),
    ]);
    let geometry = |name: &str| layer(&found, name).geometry.clone();
    assert_eq!(geometry("conv1.weight").input, [224, 224]);
    assert_eq!(geometry("conv1.weight").stride, [2, 2]);
    assert_eq!(geometry("conv1.weight").padding, [3, 3]);
    assert_eq!(geometry("layer1.0.conv1.weight").input, [56, 56]);
    assert_eq!((geometry("layer2.0.conv1.weight").input, geometry("layer2.0.conv1.weight").stride), ([56, 56], [2, 2]));
    assert_eq!((geometry("layer2.0.conv2.weight").input, geometry("layer2.0.conv2.weight").stride), ([28, 28], [1, 1]));
    assert_eq!(geometry("layer2.0.downsample.0.weight").stride, [2, 2]);
    assert_eq!(layer(&found, "bn1.weight").op, OpKind::BatchNorm);
    assert_eq!(layer(&found, "bn1.weight").geometry.input, [112, 112]);
    assert_eq!(layer(&found, "conv1.weight").batch_norm.as_ref().map(|bn| bn.gamma.as_str()), Some("bn1.weight"));
    assert_eq!(layer(&found, "fc.weight").bias.as_deref(), Some("fc.bias"));
    assert!(found.skipped.iter().any(|entry| entry.name == "fc.bias" && entry.reason.contains("bias")));
    assert!(found.skipped.iter().any(|entry| entry.name == "bn1.num_batches_tracked"));
}

#[test]
fn bottlenecks_stride_their_second_convolution() {
    let found = layers(&[
        ("conv1.weight", &[64, 3, 3, 3]),
        ("layer1.0.conv1.weight", &[64, 64, 1, 1]),
        ("layer2.0.conv1.weight", &[128, 256, 1, 1]),
        ("layer2.0.conv2.weight", &[128, 4, 3, 3]),
        ("layer2.0.conv3.weight", &[512, 128, 1, 1]),
    ]);
    assert_eq!(layer(&found, "layer2.0.conv1.weight").geometry.stride, [1, 1]);
    let second = &layer(&found, "layer2.0.conv2.weight").geometry;
    assert_eq!((second.input, second.stride, second.groups), ([32, 32], [2, 2], 32));
    assert_eq!(layer(&found, "layer2.0.conv3.weight").geometry.input, [16, 16]);
}

#[test]
fn transformers_and_oddities() {
    let found = layers(&[
        ("transformer.wte.weight", &[50257, 768]),
        ("blk.0.attn_q.weight", &[768, 768]),
        ("embeddings.patch_embeddings.projection.weight", &[192, 3, 16, 16]),
        ("decoder.deconv1.weight", &[16, 8, 4, 4]),
        ("features.dwconv.weight", &[32, 1, 3, 3]),
        ("video.weight", &[8, 8, 3, 3, 3]),
        ("empty.weight", &[0, 4]),
    ]);
    assert_eq!(layer(&found, "blk.0.attn_q.weight").op, OpKind::Dense);
    assert_eq!(layer(&found, "embeddings.patch_embeddings.projection.weight").geometry.stride, [16, 16]);
    assert_eq!(layer(&found, "decoder.deconv1.weight").op, OpKind::ConvTranspose2d);
    assert_eq!(layer(&found, "features.dwconv.weight").geometry.groups, 32);
    for name in ["transformer.wte.weight", "video.weight", "empty.weight"] {
        assert!(found.skipped.iter().any(|entry| entry.name == name), "{name} is skipped");
    }
}

#[test]
fn vgg_pools_where_the_numbers_jump() {
    let shapes: Vec<(String, Vec<usize>)> =
        [(0, 3, 64), (2, 64, 64), (5, 64, 128), (7, 128, 128), (10, 128, 256), (12, 256, 256)]
            .iter()
            .map(|&(n, inputs, outputs)| (format!("features.{n}.weight"), vec![outputs, inputs, 3, 3]))
            .chain([("classifier.0.weight".to_owned(), vec![4096, 256 * 49])])
            .collect();
    let borrowed: Vec<(&str, &[usize])> =
        shapes.iter().map(|(name, shape)| (name.as_str(), shape.as_slice())).collect();
    let found = layers(&borrowed);
    assert_eq!(layer(&found, "features.0.weight").geometry.input, [224, 224]);
    assert_eq!(layer(&found, "features.12.weight").geometry.input, [56, 56]);
}
