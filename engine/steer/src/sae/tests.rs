//! Exact vectors and files of every kind.

use candle_core::{Device, Tensor};

use super::*;

const CPU: Device = Device::Cpu;

/// d = 3, m = 4: the autoencoder whose answers are known by hand.
pub(crate) fn known(architecture: Architecture, subtract: bool) -> Sae {
    let mut config = SaeConfig::new(architecture, 3, 4);
    config.apply_b_dec_to_input = subtract;
    config.k = Some(2);
    config.hook_name = Some("blocks.1.hook_resid_post".to_owned());
    let w_enc = Tensor::new(&[[1f32, 0., -1., 0.5], [0., 1., 1., 0.5], [0., 0., 0., 1.]], &CPU).unwrap();
    let b_enc = Tensor::new(&[0f32, -0.5, 0.25, -1.], &CPU).unwrap();
    let w_dec = Tensor::new(&[[1f32, 0., 0.], [0., 2., 0.], [-1., 1., 0.], [0., 0., 4.]], &CPU).unwrap();
    let b_dec = Tensor::new(&[0.25f32, 0.5, 1.], &CPU).unwrap();
    let threshold = Tensor::new(&[1.25f32, 0.5, 0.25, 2.5], &CPU).unwrap();
    let gate =
        [[-1.25f32, 0., 0., 0.], [0., 0.5, 0., 0.], [0., -0.5, 0.25, -1.]].map(|v| Tensor::new(&v, &CPU).unwrap());
    Sae::new(config, [w_enc, b_enc, w_dec, b_dec], Some(threshold), Some(gate)).unwrap()
}

const ALL: [Architecture; 4] =
    [Architecture::Standard, Architecture::JumpRelu, Architecture::TopK, Architecture::Gated];

fn x() -> Tensor {
    Tensor::new(&[[1.25f32, 1.5, 2.]], &CPU).unwrap()
}

fn row(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

fn case(sae: &Sae) -> (Vec<f32>, Vec<f32>) {
    let encoded = sae.encode(&x()).unwrap();
    (row(&encoded.z), row(&sae.decode(&encoded).unwrap()))
}

#[test]
fn exact_vectors() {
    let (z, xhat) = case(&known(Architecture::Standard, true));
    assert_eq!((z, xhat), (vec![1., 0.5, 0.25, 1.], vec![1., 1.75, 5.]));
    let (z, xhat) = case(&known(Architecture::Standard, false));
    assert_eq!((z, xhat), (vec![1.25, 1., 0.5, 2.375], vec![1., 3., 10.5]));
    // 1.25 > 1.25 is false.
    let (z, xhat) = case(&known(Architecture::JumpRelu, false));
    assert_eq!((z, xhat), (vec![0., 1., 0.5, 0.], vec![-0.25, 3., 1.]));
    let (z, xhat) = case(&known(Architecture::TopK, false));
    assert_eq!((z, xhat), (vec![1.25, 0., 0., 2.375], vec![1.5, 0.5, 10.5]));
    // The gate of feature 0 is closed at exactly zero; feature 1 is magnified by √e.
    let (z, _) = case(&known(Architecture::Gated, false));
    assert_eq!(z[0], 0.);
    assert!((z[1] - (1.5 * 0.5f32.exp() - 0.5)).abs() < 1e-6);
    assert_eq!(&z[2..], [0.5, 2.375]);
}

#[test]
fn norms_of_the_decoder() {
    let norms = row(&known(Architecture::Standard, true).decoder_norms().unwrap());
    assert_eq!(norms, [1., 2., 2f32.sqrt(), 4.]);
}

#[test]
fn layer_norm_of_the_input() {
    let mut sae = known(Architecture::Standard, false);
    sae.config.normalisation = Normalisation::LayerNorm;
    let (input, deviation, mean) = sae.normalise(&x()).unwrap();
    for (found, expected) in row(&input).into_iter().zip([-0.872_848_7, -0.218_212_18, 1.091_060_9_f32]) {
        assert!((found - expected).abs() < 1e-6, "{found} {expected}");
    }
    assert!((row(&deviation.unwrap())[0] - 0.381_881_3).abs() < 1e-7);
    assert!((row(&mean.unwrap())[0] - 1.583_333_4).abs() < 1e-6);
}

#[test]
fn chosen_features_equal_the_whole_encoding() {
    let x = Tensor::new(&[[1.25f32, 1.5, 2.], [-1., 0.5, 3.], [0.1, 0.2, -0.3]], &CPU).unwrap();
    for architecture in ALL {
        for normalisation in [Normalisation::None, Normalisation::LayerNorm, Normalisation::ConstantNormRescale] {
            for (subtract, centre) in [(true, false), (false, true)] {
                let mut sae = known(architecture, subtract);
                sae.config.normalisation = normalisation;
                sae.config.centre_input = centre;
                let whole = sae.encode(&x).unwrap().z.to_vec2::<f32>().unwrap();
                let some = sae.subset(&[3, 1]).unwrap().encode(&row(&x)).unwrap();
                for (whole, some) in whole.iter().zip(some.chunks(2)) {
                    assert!((whole[3] - some[0]).abs() < 1e-5 && (whole[1] - some[1]).abs() < 1e-5);
                }
            }
        }
    }
}

#[test]
fn centring_ignores_a_constant_and_gives_it_back() {
    let mut sae = known(Architecture::Standard, true);
    sae.config.centre_input = true;
    let moved = (x() + 7.0).unwrap();
    let (a, b) = (sae.encode(&x()).unwrap(), sae.encode(&moved).unwrap());
    assert!(row(&a.z).iter().zip(row(&b.z)).all(|(a, b)| (a - b).abs() < 1e-5));
    let (a, b) = (row(&sae.decode(&a).unwrap()), row(&sae.decode(&b).unwrap()));
    assert!(a.iter().zip(b).all(|(a, b)| (a + 7.0 - b).abs() < 1e-5));
}

#[test]
fn folding_changes_activations_and_not_reconstructions() {
    for architecture in ALL {
        let mut sae = known(architecture, true);
        sae.config.rescale_acts_by_decoder_norm = architecture == Architecture::TopK;
        let (z, xhat) = case(&sae);
        let folded = sae.fold_decoder_norms().unwrap();
        let (folded_z, folded_xhat) = case(&folded);
        assert!(xhat.iter().zip(&folded_xhat).all(|(a, b)| (a - b).abs() < 1e-5), "{architecture:?}");
        assert!(row(&folded.decoder_norms().unwrap()).iter().all(|n| (n - 1.0).abs() < 1e-6));
        if architecture != Architecture::TopK {
            assert!((folded_z[3] - 4.0 * z[3]).abs() < 1e-5, "activations grow by the norm");
        }
    }
    assert!(known(Architecture::TopK, true).fold_decoder_norms().is_err(), "the choice of the k would change");
    // The input scale: encoding s·x with the old weights is encoding x with the new ones; b_dec shrinks too.
    let sae = known(Architecture::Standard, true);
    let scaled = row(&sae.reconstruct(&(x() * 0.5).unwrap()).unwrap());
    let folded = row(&sae.fold_input_scale(0.5).unwrap().reconstruct(&x()).unwrap());
    assert!(scaled.iter().zip(folded).all(|(a, b)| (a / 0.5 - b).abs() < 1e-5));
}

#[test]
fn saved_and_loaded_bit_by_bit() {
    for architecture in ALL {
        let folder = tempfile::tempdir().unwrap();
        let sae = known(architecture, true);
        sae.save(folder.path(), Stored::F32).unwrap();
        let (loaded, notes) = Sae::load(folder.path(), &CPU).unwrap();
        assert!(notes.is_empty());
        assert_eq!(case(&sae), case(&loaded));
        assert_eq!(sae.config.hook_name, loaded.config.hook_name);
        // The file itself too.
        let again = tempfile::tempdir().unwrap();
        loaded.save(again.path(), Stored::F32).unwrap();
        for file in ["cfg.json", "sae_weights.safetensors"] {
            let read = |folder: &std::path::Path| std::fs::read(folder.join(file)).unwrap();
            assert!(read(folder.path()) == read(again.path()), "{file} of {architecture:?}");
        }
    }
}

#[test]
fn smaller_forms_lose_digits_only() {
    for architecture in ALL {
        for (stored, worst) in [(Stored::F16, 2e-3), (Stored::Int8, 3e-2)] {
            let folder = tempfile::tempdir().unwrap();
            let sae = known(architecture, true);
            sae.save(folder.path(), stored).unwrap();
            let text = std::fs::read_to_string(folder.path().join("cfg.json")).unwrap();
            assert!(text.contains(if stored == Stored::F16 { "float16" } else { "int8" }), "{text}");
            let (loaded, _) = Sae::load(folder.path(), &CPU).unwrap();
            let close = |a: &Tensor, b: &Tensor| {
                let numbers = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
                numbers(a).iter().zip(numbers(b)).all(|(a, b)| (a - b).abs() <= worst)
            };
            assert!(
                close(&sae.w_enc, &loaded.w_enc) && close(&sae.w_dec, &loaded.w_dec),
                "{architecture:?} {stored:?}"
            );
            // What is stored once is stored again without a change.
            let again = tempfile::tempdir().unwrap();
            loaded.save(again.path(), stored).unwrap();
            let (twice, _) = Sae::load(again.path(), &CPU).unwrap();
            assert!(case(&loaded).0.iter().zip(&case(&twice).0).all(|(a, b)| (a - b).abs() < 1e-6));
        }
    }
}

#[test]
fn damaged_files_are_refused_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |part: &str| {
        let error = Sae::load(folder.path(), &CPU).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    refused("cfg.json and sae_weights.safetensors");
    known(Architecture::Standard, true).save(folder.path(), Stored::F32).unwrap();
    let config = folder.path().join("cfg.json");
    let good = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, good.replace("\"d_in\": 3", "\"d_in\": 5")).unwrap();
    refused("[5, 4]");
    std::fs::write(&config, good.replace("\"standard\"", "\"jumprelu\"")).unwrap();
    refused("“threshold” is missing");
    std::fs::write(&config, &good).unwrap();
    let weights = folder.path().join("sae_weights.safetensors");
    let mut bytes = std::fs::read(&weights).unwrap();
    let end = bytes.len();
    bytes[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    std::fs::write(&weights, &bytes).unwrap();
    refused("NaN");
    bytes.truncate(end - 9);
    std::fs::write(&weights, &bytes).unwrap();
    refused("damaged");
    let width = known(Architecture::Standard, true).encode(&Tensor::zeros((2, 5), DType::F32, &CPU).unwrap());
    assert!(width.unwrap_err().to_string().contains("5 wide"));
}

#[test]
fn gemma_scope_tells_its_place_by_its_path() {
    let path = std::path::Path::new("x/layer_12/width_16k/average_l0_82/params.npz");
    let config = gemma_scope_config(path, 2304, 16384);
    assert_eq!(config.hook_name.as_deref(), Some("blocks.12.hook_resid_post"));
    assert_eq!(config.architecture, Architecture::JumpRelu);
    assert!(!config.apply_b_dec_to_input && config.prepend_bos);
    assert_eq!(config.other["average_l0"], 82);
}

/// An `.npz` as NumPy writes it: a zip of stored `.npy` arrays.
pub(super) fn npz(arrays: &[(&str, &[usize], Vec<f32>)]) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for (name, shape, values) in arrays {
        let shape: Vec<String> = shape.iter().map(ToString::to_string).collect();
        let shape = shape.join(", ") + ",";
        let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({shape}), }}");
        while !(header.len() + 11).is_multiple_of(64) {
            header.push(' ');
        }
        header.push('\n');
        let mut data = b"\x93NUMPY\x01\x00".to_vec();
        data.extend((header.len() as u16).to_le_bytes());
        data.extend(header.as_bytes());
        data.extend(values.iter().flat_map(|v| v.to_le_bytes()));
        let name = format!("{name}.npy");
        let (start, size, crc) = (file.len() as u32, data.len() as u32, crc32(&data));
        let mut common = Vec::new();
        common.extend([20u8, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        common.extend(crc.to_le_bytes());
        common.extend(size.to_le_bytes());
        common.extend(size.to_le_bytes());
        common.extend((name.len() as u16).to_le_bytes());
        common.extend([0, 0]);
        file.extend(b"PK\x03\x04");
        file.extend(&common);
        file.extend(name.as_bytes());
        file.extend(data);
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&common);
        directory.extend([0u8; 10]);
        directory.extend(start.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let start = file.len() as u32;
    file.extend(&directory);
    file.extend(b"PK\x05\x06\0\0\0\0");
    file.extend((arrays.len() as u16).to_le_bytes());
    file.extend((arrays.len() as u16).to_le_bytes());
    file.extend((directory.len() as u32).to_le_bytes());
    file.extend(start.to_le_bytes());
    file.extend([0, 0]);
    file
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb88320 } else { crc >> 1 })
    })
}

#[test]
fn gemma_scope_file() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("layer_1/width_4/average_l0_2");
    std::fs::create_dir_all(&place).unwrap();
    let sae = known(Architecture::JumpRelu, false);
    let Parts::JumpRelu { threshold } = &sae.parts else { unreachable!() };
    let arrays = [
        ("w_enc", &[3, 4][..], row(&sae.w_enc)),
        ("w_dec", &[4, 3], row(&sae.w_dec)),
        ("b_enc", &[4], row(&sae.b_enc)),
        ("b_dec", &[3], row(&sae.b_dec)),
        ("threshold", &[4], row(threshold)),
    ];
    std::fs::write(place.join("params.npz"), npz(&arrays)).unwrap();
    for path in [place.clone(), place.join("params.npz")] {
        let (loaded, _) = Sae::load(&path, &CPU).unwrap();
        assert_eq!(case(&loaded), case(&sae));
        assert_eq!(loaded.config.hook_name.as_deref(), Some("blocks.1.hook_resid_post"));
    }
    std::fs::write(place.join("params.npz"), npz(&arrays[..4])).unwrap();
    assert!(Sae::load(&place, &CPU).unwrap_err().to_string().contains("threshold"));
}

#[test]
fn attaching_checks_width_place_and_policy() {
    let mut model =
        ModelFacts { name: "tiny".to_owned(), width: 3, blocks: 2, context: 48, has_bos: true, centred: false };
    let mut sae = known(Architecture::Standard, true);
    assert_eq!(sae.attach(&model, None).unwrap().point.to_string(), "blocks.1.hook_resid_post");
    let refused = |sae: &Sae, model: &ModelFacts, part: &str| {
        let error = sae.attach(model, None).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    model.width = 4;
    refused(&sae, &model, "4 wide");
    model.width = 3;
    model.blocks = 1;
    refused(&sae, &model, "numbered from 0");
    model.blocks = 2;
    model.has_bos = false;
    refused(&sae, &model, "prepend_bos");
    model.has_bos = true;
    model.centred = true;
    refused(&sae, &model, "centring");
    model.centred = false;
    sae.config.centre_input = true;
    assert_eq!(sae.attach(&model, None).unwrap().notes.len(), 1);
    sae.config.hook_name = Some("blocks.0.hook_mlp_out".to_owned());
    refused(&sae, &model, "hook_mlp_out");
    sae.config.hook_name = None;
    refused(&sae, &model, "name one");
}
