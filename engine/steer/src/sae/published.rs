//! The published pairs, file by file as they lie on the hub, with their widths scaled down: GPT-2 Small with
//! gpt2-small-res-jb, and Gemma-2-2B with Gemma Scope. What comes out is held against loops written down here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use plumb_core::Ctl;
use plumb_core::random::Random;
use plumb_nn::checkpoint::{Checkpoint, TensorData, write_safetensors};
use plumb_text::{HookPoint, LanguageModel, NoHooks, Precision, Sampling};

use super::tests::npz;
use crate::attached::{Attached, facts};
use crate::intervene::{Intervention, Target, Unit};
use crate::sae::{Architecture, Sae};

/// `[d]` of the tiny checkpoints.
const WIDTH: usize = 24;

type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

fn fixture(family: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../text/tests/fixtures").join(family)
}

fn read(family: &str) -> Tensors {
    let file = Checkpoint::open(&fixture(family).join("model.safetensors")).unwrap();
    let of = |name: &str, shape: &[usize]| (name.to_owned(), (shape.to_vec(), file.read_f32(name).unwrap()));
    file.tensors().iter().map(|entry| of(&entry.name, &entry.shape)).collect()
}

fn write(path: &Path, tensors: &Tensors) {
    let of = |(name, (shape, numbers)): (&String, &(Vec<usize>, Vec<f32>))| {
        (name.clone(), shape.clone(), TensorData::F32(numbers.clone()))
    };
    write_safetensors(path, &tensors.iter().map(of).collect::<Vec<_>>(), &BTreeMap::new()).unwrap();
}

fn list(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

fn logits(model: &LanguageModel) -> Vec<f32> {
    list(&model.forward(&[3, 17, 42, 8], &mut model.new_cache(), &mut NoHooks).unwrap())
}

fn open(folder: &Path) -> LanguageModel {
    LanguageModel::open(folder, Precision::AsStored, &Device::Cpu).unwrap()
}

/// `W_enc` `[d, m]`, `b_enc`, `W_dec` `[m, d]`, `b_dec`.
struct Weights {
    features: usize,
    encoder: Vec<f32>,
    encoder_bias: Vec<f32>,
    decoder: Vec<f32>,
    decoder_bias: Vec<f32>,
}

impl Weights {
    fn random(features: usize) -> Self {
        let mut random = Random::new(5, "autoencoder");
        let mut draw = |count: usize| (0..count).map(|_| random.normal() as f32 * 0.3).collect::<Vec<f32>>();
        Self {
            features,
            encoder: draw(WIDTH * features),
            encoder_bias: draw(features),
            decoder: draw(features * WIDTH),
            decoder_bias: draw(WIDTH),
        }
    }

    /// Pre-activations of one vector.
    fn before(&self, x: &[f32]) -> Vec<f32> {
        (0..self.features)
            .map(|j| self.encoder_bias[j] + (0..WIDTH).map(|i| x[i] * self.encoder[i * self.features + j]).sum::<f32>())
            .collect()
    }
}

fn close(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).abs() <= 2e-4 * (1.0 + b.abs()), "{a} and {b}");
    }
}

/// The repository openai-community/gpt2: names without a prefix, masks among the tensors, no head, an old configuration.
fn gpt2(folder: &Path) {
    let mut tensors: Tensors = read("gpt2")
        .into_iter()
        .map(|(name, tensor)| (name.trim_start_matches("transformer.").to_owned(), tensor))
        .collect();
    assert!(!tensors.contains_key("lm_head.weight"));
    for block in 0..2 {
        tensors.insert(format!("h.{block}.attn.bias"), (vec![1, 1, 32, 32], vec![1.0; 32 * 32]));
        tensors.insert(format!("h.{block}.attn.masked_bias"), (vec![1], vec![-1e4]));
    }
    write(&folder.join("model.safetensors"), &tensors);
    let config = r#"{"activation_function": "gelu_new", "architectures": ["GPT2LMHeadModel"], "attn_pdrop": 0.1,
        "bos_token_id": 50256, "embd_pdrop": 0.1, "eos_token_id": 50256, "initializer_range": 0.02,
        "layer_norm_epsilon": 1e-05, "model_type": "gpt2", "n_ctx": 32, "n_embd": 24, "n_head": 3, "n_layer": 2,
        "n_positions": 32, "resid_pdrop": 0.1, "summary_activation": null, "summary_first_dropout": 0.1,
        "summary_proj_to_labels": true, "summary_type": "cls_index", "summary_use_proj": true,
        "task_specific_params": {"text-generation": {"do_sample": true, "max_length": 50}}, "vocab_size": 61}"#;
    std::fs::write(folder.join("config.json"), config.replace("50256", "60")).unwrap();
}

/// The folder of one block in jbloom/GPT2-Small-SAEs-Reformatted. Its file says nothing of centred writing weights.
fn res_jb(folder: &Path, weights: &Weights) {
    let features = weights.features;
    let config = format!(
        r#"{{"model_name": "gpt2-small", "hook_point": "blocks.1.hook_resid_pre", "hook_point_layer": 1,
        "hook_point_head_index": null, "dataset_path": "Skylion007/openwebtext", "is_dataset_tokenized": false,
        "context_size": 128, "use_cached_activations": false, "d_in": {WIDTH}, "n_batches_in_buffer": 128,
        "total_training_tokens": 300000000, "store_batch_size": 32, "device": "mps", "seed": 42,
        "dtype": "torch.float32", "b_dec_init_method": "geometric_median", "expansion_factor": 32,
        "from_pretrained_path": null, "l1_coefficient": 8e-05, "lr": 0.0004, "d_sae": {features}}}"#
    );
    std::fs::write(folder.join("cfg.json"), config).unwrap();
    let tensor = |name: &str, shape: &[usize], numbers: &[f32]| (name.to_owned(), (shape.to_vec(), numbers.to_vec()));
    let tensors = Tensors::from([
        tensor("W_enc", &[WIDTH, features], &weights.encoder),
        tensor("b_enc", &[features], &weights.encoder_bias),
        tensor("W_dec", &[features, WIDTH], &weights.decoder),
        tensor("b_dec", &[WIDTH], &weights.decoder_bias),
        tensor("scaling_factor", &[features], &vec![1.0; features]),
    ]);
    write(&folder.join("sae_weights.safetensors"), &tensors);
    let sparsity = Tensors::from([tensor("sparsity", &[features], &vec![-3.0; features])]);
    write(&folder.join("sparsity.safetensors"), &sparsity);
}

#[test]
fn gpt2_small_with_res_jb() {
    let folder = tempfile::tempdir().unwrap();
    let (model, sae) = (folder.path().join("gpt2"), folder.path().join("blocks.1.hook_resid_pre"));
    std::fs::create_dir_all(&model).unwrap();
    std::fs::create_dir_all(&sae).unwrap();
    let weights = Weights::random(WIDTH * 4);
    gpt2(&model);
    res_jb(&sae, &weights);
    let model = open(&model);
    assert_eq!(logits(&model), logits(&open(&fixture("gpt2"))), "old names and masks make no difference");

    let (sae, notes) = Sae::load(&sae, &Device::Cpu).unwrap();
    assert!(notes.is_empty(), "factors of one change nothing: {notes:?}");
    assert_eq!(sae.config.architecture, Architecture::Standard);
    let at = sae.attach(&facts(&model, "hf:openai-community/gpt2"), None).unwrap();
    assert_eq!((at.point.to_string().as_str(), at.prepend_bos), ("blocks.1.hook_resid_pre", true));
    assert!(at.notes.iter().any(|note| note.contains("centred")), "{:?}", at.notes);
    assert!(!at.notes.iter().any(|note| note.contains("belongs to")), "gpt2-small is gpt2: {:?}", at.notes);

    let tokens = [60, 3, 17, 42];
    let attached = Attached { model: &model, sae: &sae, at: &at };
    let resid = model.resid(&tokens, at.point).unwrap().to_vec2::<f32>().unwrap();
    let found = attached.features(&tokens).unwrap().to_vec2::<f32>().unwrap();
    for (x, found) in resid.iter().zip(&found) {
        let mean = x.iter().sum::<f32>() / WIDTH as f32;
        assert!(mean.abs() > 1e-3, "centring is not for nothing here");
        let y: Vec<f32> = x.iter().zip(&weights.decoder_bias).map(|(x, b)| x - mean - b).collect();
        close(found, &weights.before(&y).iter().map(|p| p.max(0.0)).collect::<Vec<_>>());
    }
    steers(attached, &tokens);
}

/// google/gemma-2-2b: three shards with an index, and the configuration as transformers wrote it then.
fn gemma(folder: &Path) {
    let mut map = BTreeMap::new();
    let mut shards = vec![Tensors::new(); 3];
    for (number, (name, tensor)) in read("gemma2").into_iter().enumerate() {
        map.insert(name.clone(), format!("model-0000{}-of-00003.safetensors", number % 3 + 1));
        shards[number % 3].insert(name, tensor);
    }
    for (number, shard) in shards.iter().enumerate() {
        write(&folder.join(format!("model-0000{}-of-00003.safetensors", number + 1)), shard);
    }
    let index = serde_json::json!({ "metadata": { "total_size": 1 }, "weight_map": map });
    std::fs::write(folder.join("model.safetensors.index.json"), index.to_string()).unwrap();
    let config = r#"{"architectures": ["Gemma2ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
        "attn_logit_softcapping": 5.0, "bos_token_id": 2, "cache_implementation": "hybrid", "eos_token_id": 1,
        "final_logit_softcapping": 3.0, "head_dim": 8, "hidden_act": "gelu_pytorch_tanh",
        "hidden_activation": "gelu_pytorch_tanh", "hidden_size": 24, "initializer_range": 0.02,
        "intermediate_size": 40, "max_position_embeddings": 32, "model_type": "gemma2", "num_attention_heads": 4,
        "num_hidden_layers": 4, "num_key_value_heads": 2, "pad_token_id": 0, "query_pre_attn_scalar": 12,
        "rms_norm_eps": 1e-06, "rope_theta": 10000.0, "sliding_window": 4, "torch_dtype": "float32",
        "transformers_version": "4.42.4", "use_cache": true, "vocab_size": 61}"#;
    std::fs::write(folder.join("config.json"), config).unwrap();
}

#[test]
fn gemma_2_with_gemma_scope() {
    let folder = tempfile::tempdir().unwrap();
    let (model, sae) = (folder.path().join("gemma"), folder.path().join("layer_2/width_16k/average_l0_82"));
    std::fs::create_dir_all(&model).unwrap();
    std::fs::create_dir_all(&sae).unwrap();
    gemma(&model);
    let model = open(&model);
    assert_eq!(logits(&model), logits(&open(&fixture("gemma2"))), "shards and the old names make no difference");

    let weights = Weights::random(64);
    let threshold: Vec<f32> = (0..64).map(|j| 0.1 + 0.01 * j as f32).collect();
    let arrays = [
        ("W_enc", &[WIDTH, 64][..], weights.encoder.clone()),
        ("W_dec", &[64, WIDTH], weights.decoder.clone()),
        ("b_enc", &[64], weights.encoder_bias.clone()),
        ("b_dec", &[WIDTH], weights.decoder_bias.clone()),
        ("threshold", &[64], threshold.clone()),
    ];
    std::fs::write(sae.join("params.npz"), npz(&arrays)).unwrap();
    let (sae, _) = Sae::load(&sae, &Device::Cpu).unwrap();
    let at = sae.attach(&facts(&model, "hf:google/gemma-2-2b"), None).unwrap();
    assert_eq!((at.point.to_string().as_str(), at.prepend_bos), ("blocks.2.hook_resid_post", true));

    let tokens = [2, 3, 17, 42];
    let attached = Attached { model: &model, sae: &sae, at: &at };
    let resid = model.resid(&tokens, at.point).unwrap().to_vec2::<f32>().unwrap();
    let found = attached.features(&tokens).unwrap().to_vec2::<f32>().unwrap();
    for (x, found) in resid.iter().zip(&found) {
        // The decoder's bias is not subtracted, and an activation must be above its threshold.
        let expected = weights.before(x).into_iter().zip(&threshold);
        close(found, &expected.map(|(p, t)| if p > *t { p } else { 0.0 }).collect::<Vec<_>>());
    }
    steers(attached, &tokens);
}

/// Steering moves every position but the first, and changes what comes out.
fn steers(attached: Attached<'_>, tokens: &[u32]) {
    let target = Target::add(3, 4.0, Unit::Raw, None);
    let intervention = Intervention { targets: vec![target], ..Intervention::default() };
    let sampling = Sampling { max_tokens: 4, ignore_end: true, ..Sampling::default() };
    let go_on = &mut |_: &plumb_text::Step<'_>| std::ops::ControlFlow::Continue(());
    let (made, kl, trace) = attached.steered(tokens, &intervention, &sampling, &Ctl::new(0), go_on).unwrap();
    assert_eq!(made.tokens.len(), 4);
    assert_eq!(trace.steered(), tokens.len() - 1 + 3, "all but the BOS token and the last one written");
    assert!(kl.iter().all(|kl| kl.is_finite() && *kl >= 0.0) && kl.iter().any(|kl| *kl > 1e-6), "{kl:?}");
    assert_eq!(attached.at.point, attached.at.point.to_string().parse::<HookPoint>().unwrap());
}
