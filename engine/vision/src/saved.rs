//! Networks as files: safetensors that carry their own description.
//!
//! Metadata: `plumb.net` (how to build the network), `plumb.geometry` (how each weight meets its input),
//! `plumb.data` (which image set it was trained on), all but the last as JSON.

use std::collections::BTreeMap;

use candle_core::Device;
use plumb_nn::params::metadata;

use crate::VisionError;
use crate::nets::{Net, NetSpec};

/// Key of the network's description.
pub const NET_KEY: &str = "plumb.net";
/// Key of the list of [`LinearLayer`](crate::nets::LinearLayer)s.
pub const GEOMETRY_KEY: &str = "plumb.geometry";
/// Key of the name of the image set.
pub const DATA_KEY: &str = "plumb.data";

/// The network as a file. `notes` are further metadata. Same numbers, same bytes.
pub fn to_bytes(net: &Net, data: &str, notes: &BTreeMap<String, String>) -> Result<Vec<u8>, VisionError> {
    let json = |result: Result<String, serde_json::Error>| result.map_err(|error| VisionError::Spec(error.to_string()));
    let mut text = notes.clone();
    text.insert(NET_KEY.to_owned(), json(serde_json::to_string(net.spec()))?);
    text.insert(GEOMETRY_KEY.to_owned(), json(serde_json::to_string(&net.linear_layers()))?);
    text.insert(DATA_KEY.to_owned(), data.to_owned());
    Ok(net.params().to_safetensors(&text)?)
}

/// The network of a file that [`to_bytes`] wrote, and the name of its image set.
pub fn from_bytes(bytes: &[u8], device: &Device) -> Result<(Net, String), VisionError> {
    let text = metadata(bytes)?;
    let Some(described) = text.get(NET_KEY) else {
        return Err(VisionError::Spec(
            "the file does not say which network its weights belong to, so it cannot be run; accuracy is known only \
             for models that Plumb trained"
                .to_owned(),
        ));
    };
    let spec: NetSpec = serde_json::from_str(described)
        .map_err(|error| VisionError::Spec(format!("the network's description in the file is damaged: {error}")))?;
    let net = Net::new(&spec, 0, device)?;
    net.params().load_safetensors(bytes)?;
    Ok((net, text.get(DATA_KEY).cloned().unwrap_or_default()))
}
