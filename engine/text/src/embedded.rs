//! The language model that is part of Plumb: a Llama of 170,000 numbers that has learned a small made-up language whose
//! probabilities are known exactly. `assets/README.md` says how it was made.

use candle_core::Device;

use crate::weights::NamedTensors;
use crate::{Config, Error, LanguageModel, Precision, Result, Tokenizer};

/// Its name as a source.
pub const TINY: &str = "embedded:tiny";

const CONFIG: &str = include_str!("../../../assets/tiny/config.json");
const TOKENIZER: &[u8] = include_bytes!("../../../assets/tiny/tokenizer.json");
const WEIGHTS: &[u8] = include_bytes!("../../../assets/tiny/model.safetensors");

/// What every embedded model's name begins with.
const PREFIX: &str = "embedded:";

/// The embedded model of a name; `None` where the name is not of that form.
pub fn open(name: &str, precision: Precision, device: &Device) -> Result<Option<LanguageModel>> {
    if !name.starts_with(PREFIX) {
        return Ok(None);
    }
    if name != TINY {
        return Err(Error::Config {
            place: name.to_owned(),
            what: format!("there is no such language model in Plumb; there is {TINY}"),
        });
    }
    let config = Config::from_hf(CONFIG, name)?;
    let tokenizer = Tokenizer::from_json(TOKENIZER)?;
    let tensors = candle_core::safetensors::load_buffer(WEIGHTS, &Device::Cpu)?.into_iter().collect();
    Ok(Some(LanguageModel::new(config, &NamedTensors(tensors), Some(tokenizer), precision, device)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tiny_model_speaks() {
        let model = open(TINY, Precision::AsStored, &Device::Cpu).unwrap().unwrap();
        let words = model.tokenizer().unwrap();
        let tokens = words.encode("The quiet  sailor found my rope.", true).unwrap();
        assert_eq!(tokens[0], model.config().bos.unwrap());
        assert_eq!(tokens.len(), 8);
        assert_eq!(words.decode(&tokens, true).unwrap(), " the quiet sailor found my rope.");
        assert!(words.encode("quark", false).unwrap() == [words.id("<unk>").unwrap()]);
        assert!(open("embedded:other", Precision::AsStored, &Device::Cpu).unwrap_err().to_string().contains(TINY));
        assert!(open("smollm2", Precision::AsStored, &Device::Cpu).unwrap().is_none());
    }
}
