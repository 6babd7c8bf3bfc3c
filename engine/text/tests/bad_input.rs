//! Models that do not fit together: the error names what, where, expected and found.

#![allow(clippy::unwrap_used, reason = "a test may end here")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use plumb_nn::checkpoint::{Checkpoint, TensorData, write_safetensors};
use plumb_text::{HookPoint, Hooks, LanguageModel, NoHooks, Precision, Result};

fn fixture(family: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(family)
}

fn open(folder: &Path) -> Result<LanguageModel> {
    LanguageModel::open(folder, Precision::AsStored, &Device::Cpu)
}

type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

fn read(family: &str) -> Tensors {
    let file = Checkpoint::open(&fixture(family).join("model.safetensors")).unwrap();
    file.tensors()
        .iter()
        .map(|entry| (entry.name.clone(), (entry.shape.clone(), file.read_f32(&entry.name).unwrap())))
        .collect()
}

fn write(path: &Path, tensors: Tensors) {
    let tensors: Vec<_> =
        tensors.into_iter().map(|(name, (shape, numbers))| (name, shape, TensorData::F32(numbers))).collect();
    write_safetensors(path, &tensors, &BTreeMap::new()).unwrap();
}

/// A folder with a family's configuration and these weights.
fn folder(family: &str, tensors: Tensors) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(fixture(family).join("config.json"), folder.path().join("config.json")).unwrap();
    write(&folder.path().join("model.safetensors"), tensors);
    folder
}

fn logits(model: &LanguageModel) -> Vec<f32> {
    let logits = model.forward(&[3, 17, 42], &mut model.new_cache(), &mut NoHooks).unwrap();
    logits.flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn a_missing_tensor_is_named_with_its_shape() {
    let mut tensors = read("llama");
    tensors.remove("model.layers.1.mlp.up_proj.weight");
    let error = open(folder("llama", tensors).path()).unwrap_err().to_string();
    assert!(error.contains("layers.1.mlp.up_proj.weight") && error.contains("[40, 24]"), "{error}");
}

#[test]
fn a_turned_matrix_is_named_with_both_shapes() {
    let mut tensors = read("gpt2");
    tensors.get_mut("transformer.h.0.attn.c_attn.weight").unwrap().0.reverse();
    let error = open(folder("gpt2", tensors).path()).unwrap_err().to_string();
    assert!(
        error.contains("h.0.attn.c_attn.weight") && error.contains("[72, 24]") && error.contains("[24, 72]"),
        "{error}"
    );
}

#[test]
fn weights_that_are_no_numbers_are_named() {
    let mut tensors = read("gemma2");
    tensors.get_mut("model.layers.2.self_attn.k_proj.weight").unwrap().1[7] = f32::NAN;
    let error = open(folder("gemma2", tensors).path()).unwrap_err().to_string();
    assert!(error.contains("layers.2.self_attn.k_proj.weight") && error.contains("NaN"), "{error}");
}

#[test]
fn prefixes_and_shards_make_no_difference() {
    for (family, prefix) in [("gpt2", "transformer."), ("llama", "model.")] {
        let expected = logits(&open(&fixture(family)).unwrap());
        let bare: Tensors = read(family)
            .into_iter()
            .map(|(name, tensor)| (name.trim_start_matches(prefix).to_owned(), tensor))
            .collect();
        assert_eq!(logits(&open(folder(family, bare).path()).unwrap()), expected, "{family}");

        let folder = folder(family, Tensors::new());
        std::fs::remove_file(folder.path().join("model.safetensors")).unwrap();
        let mut map = BTreeMap::new();
        let (mut first, mut second) = (Tensors::new(), Tensors::new());
        for (index, (name, tensor)) in read(family).into_iter().enumerate() {
            let (file, part) =
                if index % 2 == 0 { ("a.safetensors", &mut first) } else { ("b.safetensors", &mut second) };
            map.insert(name.clone(), file);
            part.insert(name, tensor);
        }
        write(&folder.path().join("a.safetensors"), first);
        write(&folder.path().join("b.safetensors"), second);
        let index = serde_json::json!({ "metadata": {}, "weight_map": map }).to_string();
        std::fs::write(folder.path().join("model.safetensors.index.json"), index).unwrap();
        assert_eq!(logits(&open(folder.path()).unwrap()), expected, "{family}");
    }
}

#[test]
fn an_index_cannot_lead_out_of_its_folder() {
    let folder = folder("llama", Tensors::new());
    std::fs::remove_file(folder.path().join("model.safetensors")).unwrap();
    let index = r#"{"weight_map": {"model.norm.weight": "../secret.safetensors"}}"#;
    std::fs::write(folder.path().join("model.safetensors.index.json"), index).unwrap();
    let error = open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("not in this folder"), "{error}");
}

#[test]
fn a_folder_that_is_no_model_says_what_is_missing() {
    let empty = tempfile::tempdir().unwrap();
    let error = open(empty.path()).unwrap_err().to_string();
    assert!(error.contains("config.json"), "{error}");
}

#[test]
fn a_tokenizer_of_another_model_is_refused() {
    let folder = folder("llama", read("llama"));
    let vocabulary: BTreeMap<String, u32> = (0..62).map(|id| (format!("t{id}"), id)).collect();
    let json = serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": { "type": "Whitespace" }, "post_processor": null, "decoder": null,
        "model": { "type": "WordLevel", "vocab": vocabulary, "unk_token": "t0" }
    });
    std::fs::write(folder.path().join("tokenizer.json"), json.to_string()).unwrap();
    let error = open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("62") && error.contains("61"), "{error}");
}

#[test]
fn a_hook_of_the_wrong_width_is_refused() {
    struct Wrong;
    impl Hooks for Wrong {
        fn wants(&self, _: HookPoint) -> bool {
            true
        }
        fn resid(&mut self, _: HookPoint, _: usize, _: &[u32], resid: &Tensor) -> Result<Option<Tensor>> {
            Ok(Some(resid.narrow(1, 0, 3)?))
        }
    }
    let model = open(&fixture("llama")).unwrap();
    let error = model.forward(&[1, 2], &mut model.new_cache(), &mut Wrong).unwrap_err().to_string();
    assert!(
        error.contains("blocks.0.hook_resid_pre") && error.contains("[2, 24]") && error.contains("[2, 3]"),
        "{error}"
    );
}

#[test]
fn a_cache_of_another_model_is_refused() {
    let (llama, gemma) = (open(&fixture("llama")).unwrap(), open(&fixture("gemma2")).unwrap());
    assert!(llama.forward(&[1], &mut gemma.new_cache(), &mut NoHooks).is_err());
}
